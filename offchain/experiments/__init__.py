"""The paper's experiments, studies beside them, and the benchmark beside other frameworks."""

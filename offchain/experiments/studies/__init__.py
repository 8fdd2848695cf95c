"""Questions beside the paper's: a `Study` each, named STUDY in its module."""

"""Experiments without a chain, on the same round computation that CONE nodes run."""

"""The CONE node's process, and what it finds others to have done wrong."""

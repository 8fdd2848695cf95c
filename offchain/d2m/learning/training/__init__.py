"""Local training: one seller, or many side by side with the same result."""

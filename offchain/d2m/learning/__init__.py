"""The pure learning core: the round computation behind a digest, and local training."""

"""Commands by party: what each does, once for key files and for Ape's accounts."""

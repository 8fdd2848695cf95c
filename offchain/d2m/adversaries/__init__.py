"""Byzantine behaviours, for demonstrations, tests and experiments."""

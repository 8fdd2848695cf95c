"""Real clients as child processes, for the tests and the chaos run: geth and Kubo."""

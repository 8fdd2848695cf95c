"""Real clients that tests and chaos runs use: geth and Kubo, as child processes."""

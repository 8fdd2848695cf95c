"""The chain client: deployment records, signers, transactions, events, a local node."""

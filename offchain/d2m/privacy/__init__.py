"""Differential privacy of a seller's local training: mechanisms, accountant, ledger."""

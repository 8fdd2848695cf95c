"""The seller's process, and its offers."""

"""The buyer's process, and the requester's."""

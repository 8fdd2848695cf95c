"""The market in Python: what docs/protocol.md says, one mechanism a module.

Every move is a method that raises `Refused` before it changes anything, or carries the move out.
"""

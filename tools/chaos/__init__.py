"""The chaos run: a market whose processes are killed, paused and cut off, at random points."""

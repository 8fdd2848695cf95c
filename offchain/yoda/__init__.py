"""Modified YODA off chain: execution sets, the likelihood test, and the words that CONE nodes vote with."""

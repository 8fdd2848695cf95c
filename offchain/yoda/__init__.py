"""Modified YODA off chain: execution sets, likelihood test, votes."""

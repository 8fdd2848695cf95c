"""A whole market: deploying it, playing one on a local chain, reporting what happened."""

"""A job's content for its members: inputs, rounds, results, keys, rings, retention, export."""

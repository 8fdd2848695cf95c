"""Whether lying pays: the paper's incentive conditions with the market's own numbers."""

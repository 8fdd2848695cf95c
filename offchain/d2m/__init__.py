"""D2M: a decentralised, incentive-compatible market for collaborative learning (off-chain half)."""

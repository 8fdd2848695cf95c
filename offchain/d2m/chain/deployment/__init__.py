"""The market's contracts on one chain: deployed, recorded, checked."""

"""The calls of the market's contracts: a class for each, with its reads and its writes.

`Market` holds them all for one `Chain`. A write waits until its transaction is mined, and raises
`Reverted` with the name of the contract's refusal. Amounts are in wei, or in the smallest unit of
the token that they are of; windows and deadlines are in blocks. Nothing else writes `.functions.`.
"""

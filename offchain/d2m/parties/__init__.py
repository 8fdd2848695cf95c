"""Seller, CONE node and buyer, as processes that meet only on the chain and in the store."""

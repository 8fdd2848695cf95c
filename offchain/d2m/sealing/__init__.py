"""Sealing: what is pinned for a job is readable by the job's members only. Pure functions.

An opener makes a *job key*, and names its public half in its request. From it follow the keys of
every purpose: the evaluation set's, the models', and one for each seller's updates, which only that
seller and the holders of the job key know. A *key ring* hands the job key to nodes and buyer, and
the models' key to sellers. Content is sealed with AES-SIV (RFC 5297), which needs no nonce: equal
content under an equal key and identity gives equal bytes, so that honest nodes pin the same CID.
"""

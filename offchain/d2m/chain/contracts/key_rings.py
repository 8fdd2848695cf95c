"""Buyers' registered keys, and the key rings that hand out the keys of jobs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from eth_typing import ChecksumAddress

from d2m.chain.contracts.contract import DeployedContract
from d2m.chain.transactions import Receipt


class PostedRing(NamedTuple):
    """A key ring that somebody posted: keccak256 of its bytes, and the binary CID it named."""

    poster: ChecksumAddress
    block: int
    content_hash: bytes
    cid: bytes


class KeyRings(DeployedContract):
    """`IKeyRings`."""

    name = "KeyRings"

    # --- reads

    def key(self, account: ChecksumAddress) -> bytes:
        """The X25519 key that a buyer has registered; zero where it has none."""
        return bytes(self.chain.call(self.functions.keyOf(account)))

    def rings(self, job_id: int) -> list[PostedRing]:
        """Every key ring that anybody posted for a job, in chain order."""
        logs = [
            (log["args"], log["blockNumber"]) for log in self.logs("KeyRingPosted", jobId=job_id)
        ]
        return [PostedRing(a["poster"], block, a["contentHash"], a["cid"]) for a, block in logs]

    def keys_at(self, block: int, accounts: Sequence[ChecksumAddress]) -> list[bytes]:
        """The X25519 keys that the accounts had at the end of a block, in their order."""
        return self.last_keys("KeyRegistered", "account", accounts, block)

    # --- writes

    def register(self, public_key: bytes) -> Receipt:
        """Register the account's X25519 key, in place of any other.

        Refused with MissingPublicKey for a key of zero.
        """
        return self.chain.send(self.functions.register(public_key))

    def post(self, job_id: int, content_hash: bytes, cid: bytes) -> Receipt:
        """Post a key ring for a job: keccak256 of its bytes, and their binary CID.

        Refused with BadCid for a CID that is empty or too long.
        """
        return self.chain.send(self.functions.post(job_id, content_hash, cid))

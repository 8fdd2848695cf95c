"""The two words of a vote and the commitment that hides them until the reveal."""

from __future__ import annotations

from dataclasses import astuple, dataclass

from eth_abi.abi import encode
from eth_abi.packed import encode_packed
from eth_utils.crypto import keccak

VOTE_DOMAIN = keccak(text="D2M vote v1")
"""Separates vote commitments from every other hash (`Yoda.DOMAIN`)."""

RESULT_TYPE = (
    "(uint16,uint256,uint32,bytes32,bytes,bytes32,bytes,uint64,uint64,bytes32,bytes32,uint256)"
)
"""ABI type of `RoundResult` in contracts/interfaces/Types.sol."""


@dataclass(frozen=True)
class RoundResult:
    """A round's outcome in the contract's field order. Hashes have 32 bytes, CIDs are binary."""

    version: int
    job_id: int
    round: int
    model_hash: bytes
    model_cid: bytes
    sampler_hash: bytes
    sampler_cid: bytes
    metric_numerator: int
    metric_denominator: int
    predictions_hash: bytes
    contributions_root: bytes
    next_sample: int

    @property
    def abi_tuple(self) -> tuple[object, ...]:
        """The fields as web3 passes a struct."""
        return astuple(self)

    @property
    def digest(self) -> bytes:
        """keccak256 of the ABI encoding: the result word of a vote."""
        return keccak(encode([RESULT_TYPE], [self.abi_tuple]))


def audit_word(mini_round_seed: bytes, predictions_hash: bytes) -> bytes:
    """keccak256(mini-round seed ‖ keccak256(every prediction)): the voter made them itself."""
    return keccak(encode_packed(["bytes32", "bytes32"], [mini_round_seed, predictions_hash]))


@dataclass(frozen=True)
class Ballot:
    """Where a vote is cast: what a commitment is bound to besides the words and the salt."""

    chain_id: int
    yoda: str
    node: str
    job_id: int
    round: int
    mini_round: int

    def salt(self, secret: bytes) -> bytes:
        """The salt of the node with `secret`: recomputable after a crash, different everywhere."""
        return keccak(secret + encode(_PLACE, self._place))

    def commitment(self, result: bytes, audit: bytes, salt: bytes) -> bytes:
        """keccak256 over the domain, the ballot, both words and the salt (`Yoda.commitmentOf`)."""
        types = ["bytes32", *_PLACE, "bytes32", "bytes32", "bytes32"]
        return keccak(encode(types, [VOTE_DOMAIN, *self._place, result, audit, salt]))

    @property
    def _place(self) -> list[object]:
        return [self.chain_id, self.yoda, self.node, self.job_id, self.round, self.mini_round]


_PLACE = ["uint256", "address", "address", "uint256", "uint32", "uint16"]

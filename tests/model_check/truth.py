"""What nodes answer: the true result of a round, the lie of those who collude, and shares."""

from __future__ import annotations

from enum import Enum
from functools import cache

from eth_utils.crypto import keccak

from d2m.learning.earnings import (
    NO_ROOT,
    SHARES_ONE,
    Share,
    contribution_proof,
    contributions_root,
    leaf,
    shares,
)
from d2m.protocol.ballots import RoundResult
from d2m.protocol.constants import RESULT_VERSION
from tests.model_check.model.basics import hashed

CID = bytes.fromhex("01551220") + keccak(b"content")
KEY = keccak(b"public key")
HASH = keccak(b"content hash")


class Temper(Enum):
    """How a node votes."""

    HONEST = "honest"
    LIAR = "liar"  # with the other liars, for a result that can be opened
    SPLITTER = "splitter"  # for a word of its own
    LAZY = "lazy"  # copies the result, does not compute: its audit word is wrong
    SILENT = "silent"
    MUTE = "mute"  # commits and does not reveal


@cache
def true_result(job_id: int, round_number: int, sellers: int, sample_size: int) -> RoundResult:
    """Fixed by the job and the round; one in four reaches the target, some credit nobody."""
    dice = hashed(job_id, round_number, sellers)
    contributions = _contributions(job_id, round_number, sellers)
    wanted = {dice[i] % sellers for i in range(sample_size)}
    return _result(
        job_id,
        round_number,
        metric=95 if dice[20] % 4 == 0 else 50,
        root=contributions_root(contributions),
        next_sample=sum(1 << index for index in wanted),
        name=b"true",
    )


@cache
def lie(job_id: int, round_number: int) -> RoundResult:
    """Reaches the target at once and gives the whole pot to two sellers each."""
    return _result(
        job_id, round_number, metric=100, root=_greedy_root(), next_sample=1, name=b"lie"
    )


def _result(
    job_id: int, round_number: int, *, metric: int, root: bytes, next_sample: int, name: bytes
) -> RoundResult:
    return RoundResult(
        version=RESULT_VERSION,
        job_id=job_id,
        round=round_number,
        model_hash=keccak(b"model" + name),
        model_cid=CID,
        sampler_hash=HASH,
        sampler_cid=CID,
        metric_numerator=metric,
        metric_denominator=100,
        predictions_hash=keccak(b"predictions" + name),
        contributions_root=root,
        next_sample=next_sample,
    )


@cache
def _contributions(job_id: int, round_number: int, sellers: int) -> tuple[int, ...]:
    """By seller index; in one round of four nobody's update was kept."""
    kept = hashed(job_id, round_number, sellers)[21] % 4 != 0
    return tuple(kept * (hashed(job_id, round_number, i)[0] % 4) for i in range(sellers))


GREEDY = (Share(0, 0, SHARES_ONE), Share(1, 0, SHARES_ONE))


@cache
def _greedy_root() -> bytes:
    first, second = sorted(leaf(each) for each in GREEDY)
    return keccak(first + second)


@cache
def claims(
    root: bytes, job_id: int, round_number: int, sellers: int
) -> tuple[tuple[Share, tuple[bytes, ...]], ...]:
    """Every share under the root of an opened result, with its proof."""
    if root == NO_ROOT:
        return ()
    if root == _greedy_root():
        first, second = GREEDY
        return ((first, (leaf(second),)), (second, (leaf(first),)))
    contributions = _contributions(job_id, round_number, sellers)
    proved = [contribution_proof(contributions, each.seller) for each in shares(contributions)]
    return tuple((share, tuple(proof)) for share, proof in proved)

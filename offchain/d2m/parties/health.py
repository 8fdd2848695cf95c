"""Problems that keep a serving party from its duties, told when they begin and when they end."""

from __future__ import annotations

import errno
from typing import Any

from web3.exceptions import Web3Exception

from d2m import metrics
from d2m.chain.errors import (
    AccessDenied,
    AskedTooOften,
    BlockUnknown,
    CertificateRefused,
    ChainError,
    ChainUnreachable,
    FeeCapped,
    FeeTooHigh,
    HistoryForgotten,
    LogSpanTooWide,
    LogsUnready,
    NodeBehind,
    NodeRefused,
    NonceTaken,
    NotDeployed,
    NotEnoughEther,
    Reverted,
    Underpriced,
)
from d2m.errors import NotRegistered
from d2m.store.errors import ABSENT, MALFORMED, StoreError

DISK_ERRORS = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EIO}
"""Errors of writing: full, over quota, over the largest size allowed, read-only, broken."""
REGISTRATION = "registration"
"""The kind of what a party has that has no seat, or no offer, to serve with."""
REMEDIES = {
    "access": "see to the key or password in the node's address, and to the plan behind it",
    "cap": "have the node's cap raised (geth, reth: --rpc.txfeecap), or lower --max-fee",
    "certificate": "have the node's certificate mended, or its authority trusted",
    "chain": "wait for the node, or name another with --rpc or --network",
    "deployment": "see whether the node has lost the blocks with the contracts: wait until it has"
    " them again, or deploy again and start with the new record",
    "disk": "free space where the content store lies: the party tries again at every block",
    "fees": "wait until gas is cheaper, or raise --max-fee",
    "funds": "send ether to the account",
    REGISTRATION: "see the error: no new job asks this party meanwhile",
    "history": "name a node that keeps all history and has indexed it",
    "lag": "see whether the node has peers and is in sync, or name another",
    "limit": "wait, or name a node or a plan that allows more requests",
    "logs": "wait: the node makes its index of logs anew; if that lasts, see its log",
    "node": "see what the node says, and its log",
    "span": "name a node that searches all blocks from the deployment on",
    "store": "see whether the content store answers, and holds what it says it holds",
    "transactions": "see whether another program uses the account, and whether its node passes on"
    " what it is sent",
    "system": "see the error",
}
"""By kind of problem: what its operator can do. Nothing is lost meanwhile but time."""
OWN_PACE = ("lag",)
"""Kinds that a look says nothing about: they are over when whoever reports them says so."""
FINAL = ("funds", "system")
"""Kinds that end a process where they are met outside of a job: time alone mends none of them."""
CONTENT = "content"
"""The kind of content that is waited for, or cannot be had: one job's, by nobody's known fault."""
JOB = "job"
"""The kind of what is wrong with one job alone: an error, but no problem of the party."""


def kind_of(error: BaseException) -> str:
    """A key of `REMEDIES`, or `CONTENT` or `JOB`."""
    if isinstance(error, ABSENT):
        return CONTENT
    if isinstance(error, MALFORMED):
        return JOB
    if isinstance(error, StoreError):
        return "store"
    if isinstance(error, OSError):
        return "disk" if error.errno in DISK_ERRORS else "system"
    kinds: tuple[tuple[type[Exception], str], ...] = (
        (CertificateRefused, "certificate"),
        (ChainUnreachable, "chain"),
        (BlockUnknown, "chain"),
        (NodeBehind, "lag"),
        (FeeTooHigh, "fees"),
        (NotDeployed, "deployment"),
        (NotRegistered, REGISTRATION),
        (NotEnoughEther, "funds"),
        (FeeCapped, "cap"),
        (LogsUnready, "logs"),
        (LogSpanTooWide, "span"),
        (HistoryForgotten, "history"),
        (AskedTooOften, "limit"),
        (AccessDenied, "access"),
        (Underpriced, "fees"),
        (NonceTaken, "transactions"),
        (NodeRefused, "node"),
        (Reverted, JOB),
        (ChainError, "transactions"),
        (Web3Exception, "chain"),
    )
    return next((kind for known, kind in kinds if isinstance(error, known)), JOB)


class Health:
    """The problems that last."""

    def __init__(self, log: Any) -> None:
        self._log = log
        self._problems: dict[str, str] = {}
        self.awaited: dict[int, str] = {}
        """By job: the content that it waits for. That is no problem of the party."""
        metrics.HEALTHY.set(1)

    @property
    def why(self) -> str:
        """The problems in one line; empty when there is none."""
        return "; ".join(f"{kind}: {text}" for kind, text in sorted(self._problems.items()))

    @property
    def waits(self) -> str:
        """Contents that are waited for, a line a job."""
        return "".join(f"job {job} waits: {what}\n" for job, what in sorted(self.awaited.items()))

    def report(self, kind: str, error: BaseException) -> None:
        """A problem is there, or still there. Logged when it begins."""
        metrics.ERRORS.labels(kind).inc()
        is_new = kind not in self._problems
        self._problems[kind] = f"{error} ({REMEDIES[kind]})".replace("\n", " ")
        metrics.PROBLEM.labels(kind).set(1)
        metrics.HEALTHY.set(0)
        if is_new:
            self._log.error("unhealthy", problem=kind, why=str(error), remedy=REMEDIES[kind])

    def clear(self, *kinds: str) -> None:
        """Problems of these kinds are over. Logged for each that there was."""
        for kind in kinds:
            if self._problems.pop(kind, None) is not None:
                metrics.PROBLEM.labels(kind).set(0)
                self._log.info("problem over", problem=kind)
        metrics.HEALTHY.set(not self._problems)

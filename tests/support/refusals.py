"""Calls of a job's parties that must revert with a custom error; they return its arguments."""

from __future__ import annotations

from typing import Any

from d2m.protocol.types import Offence
from tests.support.evm import look, refusal
from tests.support.play import CID, HASH, KEY, Play, Vote


def advance_is_refused(play: Play, error: Any) -> dict[str, Any]:
    assert not look(play.market.jobs.isDue, play.job_id)
    return refusal(error, play.market.jobs.advance, play.job_id, sender=play.people.stranger)


def open_is_refused(play: Play, error: Any, **changes: Any) -> dict[str, Any]:
    args = (play.job_id, play.result(**changes).abi_tuple)
    return refusal(error, play.market.jobs.open, *args, sender=play.people.stranger)


def post_is_refused(
    play: Play,
    error: Any,
    index: int,
    *,
    sender: Any = None,
    round_number: int = 1,
    cid: bytes = CID,
) -> dict[str, Any]:
    args = (play.job_id, round_number, index, HASH, cid)
    poster = play.seller(index) if sender is None else sender
    return refusal(error, play.market.jobs.postUpdate, *args, sender=poster)


def commit_is_refused(
    play: Play, error: Any, seat: int, *, sender: Any = None, commitment: bytes = KEY
) -> dict[str, Any]:
    node = play.node(seat) if sender is None else sender
    return refusal(error, play.market.yoda.commit, play.job_id, seat, commitment, sender=node)


def reveal_is_refused(
    play: Play, error: Any, seat: int, vote: Vote, *, position: int | None = None
) -> None:
    """`position`: that of the seat, unless another is given."""
    place = play.position(seat) if position is None else position
    args = (play.job_id, place, *vote)
    refusal(error, play.market.yoda.reveal, *args, sender=play.node(seat))


def slash_is_refused(play: Play, error: Any, *offences: Offence) -> dict[str, Any]:
    args = (play.job_id, list(offences))
    return refusal(error, play.market.pool.slash, *args, sender=play.people.stranger)

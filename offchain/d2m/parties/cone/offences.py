"""Offences of nodes in an opened round, read seat by seat from the contract's own judgement."""

from __future__ import annotations

from collections.abc import Iterator

from d2m.chain.contracts.market import Market
from d2m.protocol.sortition import asked_after, permute
from d2m.protocol.types import Frozen, Offence, Verdict


def find_offences(market: Market, job_id: int, round_number: int) -> list[Offence]:
    """Every offence of an opened round, punished or not, in both draws."""
    view, verdict = market.situation(job_id), market.yoda.verdict(job_id, round_number)
    if not verdict.offences:
        return []
    asked = list(_asked(market, job_id, round_number, view.frozen, verdict))
    conducts = market.yoda.conduct(job_id, asked)
    return [place for place, conduct in zip(asked, conducts, strict=True) if conduct.is_offence]


def last_draw(verdict: Verdict) -> int:
    """The first mini-round of the draw that accepted the result; its seed ranks the pool."""
    return verdict.redrawn_at or 1


def _asked(
    market: Market, job_id: int, round_number: int, frozen: Frozen, verdict: Verdict
) -> Iterator[Offence]:
    """Where each seat was asked, mini-round by mini-round."""
    last = verdict.last_mini_round
    draws = [(1, (verdict.redrawn_at or last + 1) - 1)]
    if verdict.redrawn_at:
        draws.append((verdict.redrawn_at, last))
    for first, until in draws:
        seed = market.yoda.seed(job_id, round_number, first)
        by_rank = sorted(range(frozen.seats), key=lambda seat: permute(seat, frozen.seats, seed))
        for mini_round in range(first, until + 1):
            before = asked_after(frozen.base, mini_round - first, frozen.seats)
            asked = asked_after(frozen.base, mini_round - first + 1, frozen.seats)
            for seat in by_rank[before:asked]:
                yield Offence(round_number, mini_round, seat)

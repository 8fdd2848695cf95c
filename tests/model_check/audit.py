"""The contracts' state beside the model's, word by word."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tests.model_check.chain import Chain
from tests.model_check.model.market import Market, words
from tests.model_check.model.yoda import Poll


class Differs(AssertionError):
    """The contracts did not do what the model does. `where`: which check saw it."""

    def __init__(self, where: str, detail: str) -> None:
        super().__init__(f"{where}: {detail}")
        self.where = where


def compare(chain: Chain, market: Market) -> None:
    """Raises Differs."""
    sections = market.audit()
    expected = _encoded([rows for _, rows in sections])
    found = chain.words("look()")
    if found != expected:
        _explain(sections, found)
        raise Differs("state", "differs outside all sections")


def _encoded(sections: Sequence[list[Any]]) -> list[int]:
    """A struct of arrays as Solidity returns it."""
    bodies = [[len(rows), *words(rows)] for rows in sections]
    offsets, position = [], len(bodies)
    for body in bodies:
        offsets.append(32 * position)
        position += len(body)
    return [32, *offsets, *(each for body in bodies for each in body)]


def _explain(sections: Sequence[tuple[str, list[Any]]], found: list[int]) -> None:
    inner = found[1:]
    starts = [offset // 32 for offset in inner[: len(sections)]]
    ends = [*starts[1:], len(inner)]
    for (name, rows), start, end in zip(sections, starts, ends, strict=True):
        count, body = inner[start], inner[start + 1 : end]
        expected = words(rows)
        if count != len(rows):
            raise Differs(f"state: {name}", f"{len(rows)} rows expected, {count} found, {body}")
        for i, (model, contract) in enumerate(zip(expected, body, strict=False)):
            if model != contract:
                number, field = _place(rows, i)
                detail = f"row {number}: model {model:#x}, contracts {contract:#x}"
                raise Differs(f"state: {name}{field}", detail)


def _place(rows: list[Any], index: int) -> tuple[int, str]:
    """Row and field of a word."""
    for number, row in enumerate(rows):
        width = len(words([row]))
        if index < width:
            return number, _field(row, index)
        index -= width
    raise IndexError(index)


def _field(row: Any, index: int) -> str:
    if not hasattr(row, "_fields"):
        return ""
    for name, value in zip(row._fields, row, strict=True):
        width = len(words([value]))
        if index < width:
            return f".{name}{_field(value, index)}"
        index -= width
    return ""


def compare_conducts(chain: Chain, market: Market, job_id: int) -> None:
    """How every vote of a job was judged. Raises Differs."""
    poll = market.yoda.polls[job_id]
    rounds, mini_rounds, seats = len(poll.verdicts), _mini_rounds(poll), len(poll.seats)
    found = chain.words(
        "conducts(uint256,uint256,uint256,uint256)", job_id, rounds, mini_rounds, seats
    )
    expected = [
        int(market.yoda.conduct(job_id, round_number, mini_round, seat))
        for round_number in range(1, rounds + 1)
        for mini_round in range(1, mini_rounds + 1)
        for seat in range(seats)
    ]
    if found[2:] != expected:
        raise Differs("conducts", f"model {expected}, contracts {found[2:]}")


def _mini_rounds(poll: Poll) -> int:
    return max(mini_round for _, mini_round in poll.mini_rounds)

"""Types of the values that `ILens` gathers for an account, mirrored as in `records`."""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple


class Task(IntEnum):
    """`ILens.Task`."""

    COMMIT = 0
    REVEAL = 1
    OPEN = 2
    ADVANCE = 3


class Duty(NamedTuple):
    """`ILens.Duty`; the last block for it, 0 where there is none."""

    job_id: int
    task: Task
    seat: int
    position: int
    deadline: int


class Holdings(NamedTuple):
    """`ILens.Holdings`: credits by the tokens asked for; the stake in wei."""

    credits: list[int]
    stake: int
    stake_is_free: bool

"""The states of a job that the tests of the contracts start from, for those who attack them."""

from __future__ import annotations

from tests.contracts.conftest import (  # noqa: F401
    _compiled_afresh,
    collecting,
    deciding,
    opening,
    revealing,
    seeding,
    vote,
    voting,
)

"""The planted bugs follow the contracts; `make mutations` has the machine find each."""

from __future__ import annotations

import pytest

from tests.model_check.build import Patch, PatchFailed, patched
from tools.model_check.mutations import MUTANTS


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_bug_finds_the_text_that_it_replaces(mutant) -> None:
    assert patched(mutant.patches) != patched([])


def test_a_text_that_is_gone_is_an_error() -> None:
    with pytest.raises(PatchFailed, match="holds 0 times"):
        patched([Patch("contracts/lib/Limits.sol", "no such text", "")])

"""Every rule gives the same bytes on every processor, with any number of threads."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from eth_utils.crypto import keccak

from d2m.learning.grid import UPDATE_LIMIT
from d2m.learning.rules import RULES, build

ROOT = Path(__file__).parents[2]
NAMES = [*RULES, "nnm+trimmed_mean", "bucketing+median", "clipping+nnm+geometric_median"]
PINNED = "ce1f6592002711af08b849a87e1e743aee1895bd3bf697a60c9bbbdbc52d39bb"
"""Changes only where a rule's definition does: what nodes have agreed on then changes too."""


def digest() -> str:
    """Of all rules' aggregates and kept rows; dimensions beyond every chunk."""
    random = np.random.default_rng(11)
    wide = random.integers(-UPDATE_LIMIT, UPDATE_LIMIT, (19, 20_000), dtype=np.int32)
    near = random.integers(-900, 900, (19, 20_000), dtype=np.int32)
    parts = []
    for updates in (wide, near):
        for name in NAMES:
            aggregate, kept = build(name, f=4).decide(updates)
            parts.append(aggregate.astype("<i4").tobytes() + bytes(kept))
    return keccak(b"".join(parts)).hex()


def test_the_bytes_are_those_that_were_pinned() -> None:
    assert digest() == PINNED


@pytest.mark.parametrize(
    "environment",
    [
        {"OPENBLAS_NUM_THREADS": "1", "OPENBLAS_CORETYPE": "Nehalem"},
        {"OPENBLAS_NUM_THREADS": "2", "OPENBLAS_CORETYPE": "Haswell"},
        {"NPY_DISABLE_CPU_FEATURES": "AVX2 FMA3 AVX512F AVX512CD AVX512_SKX"},
    ],
    ids=["no FMA", "two threads", "no vector instructions"],
)
def test_kernels_and_threads_change_nothing(environment: dict[str, str]) -> None:
    """In a fresh process: numpy chooses its kernels when it is loaded."""
    code = "from tests.learning.test_rules_exactness import digest; print(digest())"
    shown = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        env={**os.environ, **environment},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert shown.stdout.strip() == PINNED

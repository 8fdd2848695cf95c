"""Memory that a training process frees is kept for its next step."""

from __future__ import annotations

import ctypes
import sys

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
"""Parameters of glibc's mallopt(3)."""
_KEPT_BYTES = 1 << 30
_LARGEST_ON_HEAP = 32 << 20
"""Largest threshold that mallopt takes."""


def keep_freed_memory() -> bool:
    """Have the C library keep up to 1 GiB of freed memory in this process; whether it does.

    A training step frees and takes the same few MB again. By default glibc hands them back to the
    system in between, and every page is then faulted in and zeroed anew: on a virtual machine that
    took as long as the arithmetic. Nothing that is computed changes. Other C libraries: no effect.
    """
    if not sys.platform.startswith("linux"):
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    return bool(mallopt(_M_TRIM_THRESHOLD, _KEPT_BYTES)) and bool(
        mallopt(_M_MMAP_THRESHOLD, _LARGEST_ON_HEAP)
    )

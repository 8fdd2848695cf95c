"""Brings this checkout to where the market runs: packages, compiler, compiled contracts.

Every step stamps its result when complete: a second run skips it, an interrupted one is redone.
With the argument `audit` it also brings what `make audit` needs, with `bench` the frameworks
that `make bench-learning` measures beside, with `ray` what runs experiments on a cluster, with
`clients` the Ethereum client and the IPFS node of `make test-all` and `make chaos`.
Runs on the standard library of the Python that `find_python.sh` has found.
"""

from __future__ import annotations

import fcntl
import shutil
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from tools.setup import (
    audit_tools,
    bench_tools,
    compiler,
    contracts,
    node_packages,
    own_package,
    python_packages,
    ray_packages,
    real_clients,
)
from tools.setup.console import LOGS, ROOT, SetupError, say

_NEEDED_GB = 3  # packages 2.2, caches of pip and npm the rest; PyTorch with CUDA takes 4 more
_LOCK = LOGS / "lock"
_EXTRAS = {
    "audit": audit_tools.install,
    "bench": bench_tools.install,
    "clients": real_clients.install,
    "ray": ray_packages.install,
}
"""Packages that only some commands need, by the argument that asks for them."""


def main() -> int:
    """Set up, and return the exit status."""
    start = time.monotonic()
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        with _alone():
            _check_space()
            node_packages.check_node()  # before minutes are spent on Python packages
            python_packages.install()
            own_package.install()
            node_packages.install()
            compiler.install()
            contracts.compile_all()
            for name, install in _EXTRAS.items():
                if name in sys.argv[1:]:
                    install()
    except SetupError as error:
        print(f"set-up: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("set-up: interrupted; the same command goes on from here", file=sys.stderr)
        return 130
    say(f"in place ({time.monotonic() - start:.1f} s)")
    return 0


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


@contextmanager
def _alone() -> Iterator[None]:
    """One set-up at a time in this checkout: a second one waits for the first."""
    LOGS.mkdir(parents=True, exist_ok=True)
    with _LOCK.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("another set-up is at work in this checkout: waiting for it …")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _check_space() -> None:
    free_gb = shutil.disk_usage(ROOT).free / 1e9
    if not python_packages.PYTHON.exists() and free_gb < _NEEDED_GB:
        raise SetupError(
            f"{free_gb:.1f} GB are free on this disk: the set-up needs {_NEEDED_GB} GB, make room"
        )


if __name__ == "__main__":
    sys.exit(main())

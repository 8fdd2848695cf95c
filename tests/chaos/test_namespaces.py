"""Network namespaces as partitions: real ones, where this machine gives them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from offchain.chaos.namespaces import Namespace, NamespacesRefused, namespaces
from offchain.chaos.proxy import proxied

CLIENT = """
import sys, urllib.request
urllib.request.urlopen(sys.argv[1], data=b"x", timeout=3).read()
"""
# Seconds: the kernel sends a lost first packet again after one, as just after a link is up.


@pytest.fixture(scope="module")
def two() -> Iterator[list[Namespace]]:
    try:
        with namespaces(2) as found:
            yield found
    except NamespacesRefused as error:
        pytest.skip(str(error))


def reaches(place: Namespace, url: str) -> bool:
    command = [*place.prefix, sys.executable, "-c", CLIENT, url]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def test_a_partition_ends_all_traffic_of_one_namespace_alone(
    two: list[Namespace], echo: str
) -> None:
    one, other = two
    with proxied(echo, 1, one.host) as near, proxied(echo, 1, other.host) as far:
        assert reaches(one, near.url)
        assert reaches(other, far.url)
        assert not reaches(one, echo)  # loopback is its own
        one.part()
        assert not reaches(one, near.url)
        assert reaches(other, far.url)
        one.join()
        assert reaches(one, near.url)


def names() -> set[str]:
    done = subprocess.run(["ip", "netns", "list"], capture_output=True, text=True, check=True)
    return {line.partition(" ")[0] for line in done.stdout.splitlines()}


def test_what_a_killed_run_left_is_removed_and_what_others_use_stays(two: list[Namespace]) -> None:
    with subprocess.Popen(["true"]) as ended:
        pass
    left, used = Namespace(ended.pid, 0), Namespace(os.getppid(), 9)
    try:
        left.add()
        used.add()
        with namespaces(0):
            assert left.name not in names()
            assert {used.name, *(each.name for each in two)} <= names()
    finally:
        subprocess.run(["ip", "netns", "delete", used.name], check=True)
    assert used.name not in names()


def test_a_machine_without_namespaces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(NamespacesRefused, match="iproute2"), namespaces(1):
        pass

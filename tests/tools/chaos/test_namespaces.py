"""Network namespaces as partitions: real ones, where this machine gives them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from ipaddress import IPv4Interface

import pytest

from tools.chaos.namespaces import Namespace, NamespacesRefused, namespaces, trial_network
from tools.chaos.proxy import proxied

HERE, ADDRESSES = trial_network(2)
CLIENT = """
import sys, urllib.request
urllib.request.urlopen(sys.argv[1], data=b"x", timeout=3).read()
"""
# Seconds: the kernel sends a lost first packet again after one, as just after a link is up.
SERVER = """
import http.server
class Echo(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        self.send_response(200)
        self.end_headers()
http.server.HTTPServer(("", 8000), Echo).serve_forever()
"""


@pytest.fixture(scope="module")
def two() -> Iterator[list[Namespace]]:
    try:
        with namespaces(ADDRESSES, HERE) as found:
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
    with proxied(echo, 1, str(HERE.ip)) as near:
        assert reaches(one, near.url)
        assert reaches(other, near.url)
        assert not reaches(one, echo)  # loopback is its own
        one.part()
        assert not reaches(one, near.url)
        assert reaches(other, near.url)
        one.join()
        assert reaches(one, near.url)


def test_namespaces_reach_one_another_at_their_addresses(two: list[Namespace]) -> None:
    one, other = two
    server = subprocess.Popen([*other.prefix, sys.executable, "-c", SERVER])
    url = f"http://{other.address}:8000"
    try:
        assert any(reaches(one, url) for _attempt in range(20))
        other.part()
        assert not reaches(one, url)
        other.join()
    finally:
        server.kill()
        server.wait()


def names() -> set[str]:
    done = subprocess.run(["ip", "netns", "list"], capture_output=True, text=True, check=True)
    return {line.partition(" ")[0] for line in done.stdout.splitlines()}


def test_what_a_killed_run_left_is_removed_and_what_others_use_stays(two: list[Namespace]) -> None:
    with subprocess.Popen(["true"]) as ended:
        pass
    at = IPv4Interface("198.19.255.1/24")
    left, used = Namespace(ended.pid, 0, at), Namespace(os.getppid(), 9, at)
    bridges = [f"d2m-{ended.pid}", f"d2m-{os.getppid()}"]
    try:
        for bridge in bridges:
            subprocess.run(["ip", "link", "add", bridge, "type", "bridge"], check=True)
        left.add()
        used.add()
        bystander = subprocess.run(
            [sys.executable, "-c", BYSTANDER], capture_output=True, text=True, check=False
        )
        assert bystander.returncode == 0, bystander.stderr
        assert left.name not in names()
        assert {used.name, *(each.name for each in two)} <= names()
        assert not is_link(bridges[0])
        assert is_link(bridges[1])
    finally:
        subprocess.run(["ip", "netns", "delete", used.name], check=True)
        subprocess.run(["ip", "link", "delete", bridges[1]], check=True)
    assert used.name not in names()


BYSTANDER = """
from tools.chaos.namespaces import namespaces
with namespaces([]):
    pass
"""
# Another run, as a bridge is a process's own.


def is_link(name: str) -> bool:
    return (
        subprocess.run(["ip", "link", "show", name], capture_output=True, check=False).returncode
        == 0
    )


def test_a_machine_without_namespaces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(NamespacesRefused, match="iproute2"), namespaces([]):
        pass

"""What `--network` names is looked at before Ape goes anywhere, or starts a chain of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from d2m.chain.addresses import NoNodeAddress
from scripts._network import named_node
from tests.scripts.conftest import ape_run
from tests.support.tls import self_signed

URL = "http://127.0.0.1:8545"


@pytest.mark.parametrize(
    ("choice", "address"),
    [
        (f"ethereum:local:{URL}", URL),
        (f":sepolia:{URL}", URL),
        (URL, URL),
        ("ethereum", None),
        ("ethereum:local", None),
        ("ethereum:sepolia:node", None),
        ("ethereum:local:my-provider", None),
        (":mainnet:alchemy", None),
    ],
)
def test_an_address_is_found_among_names(choice: str, address: str | None) -> None:
    assert named_node(choice) == address


@pytest.mark.parametrize("prefix", ["", "ethereum:local:", "ethereum:sepolia:", "::"])
@pytest.mark.parametrize(
    "place", ["ws://127.0.0.1:8546", "/data/geth.ipc", "geth.ipc", "localhost:8545", "10.0.0.5:1"]
)
def test_what_ape_would_take_for_something_else_is_refused(prefix: str, place: str) -> None:
    with pytest.raises(NoNodeAddress):
        named_node(prefix + place)


@pytest.mark.parametrize(
    ("place", "words"),
    [
        ("ws://127.0.0.1:8546", "is a WebSocket: name the HTTP address"),
        ("/nowhere/geth.ipc", "nor are paths of IPC sockets"),
        ("127.0.0.1:8545", "has no scheme: write http://"),
        ("http://127.0.0.1:9", "is the node running?"),
    ],
)
def test_a_command_ends_with_one_line(place: str, words: str, tmp_path: Path) -> None:
    where = ("--network", f"ethereum:local:{place}", "--deployment", str(tmp_path))
    done = ape_run("market", "status", *where)
    assert done.returncode
    assert done.stdout == ""
    [told] = [line for line in done.stderr.splitlines() if line.startswith("Error: ")]
    assert words in told
    assert "Traceback" not in done.stderr
    assert len(done.stderr.splitlines()) <= 4  # with click's line on how to get help


def test_a_certificate_is_told_of_by_its_name(tmp_path: Path) -> None:
    with self_signed(tmp_path) as (url, _):
        where = (f"--network=ethereum:local:{url}", "--deployment", str(tmp_path))
        done = ape_run("market", "status", *where)
    assert done.returncode == 1
    assert "shows a certificate that this machine does not trust (self-signed" in done.stderr
    assert "is the node running" not in done.stderr

"""A first job by the pages of operator, seller and buyer, command by command, as they stand there.

Three terminals of one machine, one for each reader. The seller's and the operator's pages go on
after the buyer has the model.
"""

from __future__ import annotations

import json
import re
import shutil
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from ipaddress import IPv4Interface
from pathlib import Path

import pytest

from d2m.clients.binaries import PROJECT
from tests.clients.typed import Checkout, Terminal, terminals
from tools.chaos.namespaces import NamespacesRefused, namespaces

pytestmark = pytest.mark.slow

SHELLS = {"operator": "bash", "seller": "zsh", "buyer": "zsh"}
"""Each page is typed in one of them; zsh does not split variables into words."""
PORT = 8545
"""The chain's, on the pages."""
BLOCK = re.compile(r"^( *)```sh\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
SERVES = {"operator": "cone serve", "seller": "seller serve"}
"""The last command of a page before the next reader's turn."""
NOT_PLAYED: dict[str, str] = {}
"""Beginnings of blocks that are not played, each with the reason."""


def blocks(role: str) -> list[str]:
    text = (PROJECT / "docs" / f"{role}.md").read_text()
    found = [block for indent, block in BLOCK.findall(text) if not indent]
    assert len(found) == text.count("```sh"), "a block is indented"
    return [each for each in found if not each.startswith(tuple(NOT_PLAYED))]


@pytest.fixture
def place() -> Iterator[list[str]]:
    """What goes before a command so that the pages' port is free for it."""
    with ExitStack() as life:
        try:
            [space] = life.enter_context(namespaces([IPv4Interface("10.0.0.5/24")]))
        except NamespacesRefused:
            with socket.socket() as free:
                if free.connect_ex(("127.0.0.1", PORT)) == 0:
                    pytest.skip(f"port {PORT} is taken, and there are no network namespaces")
            yield []
        else:
            yield space.prefix


def test_a_first_job_by_the_pages(place: list[str], tmp_path: Path) -> None:
    checkout = Checkout(tmp_path)
    with terminals() as opened:
        rest: list[tuple[Terminal, str]] = []
        said: dict[str, str] = {}
        for role in ("operator", "seller", "buyer"):
            shell = SHELLS[role] if shutil.which(SHELLS[role]) else "bash"
            terminal = Terminal(checkout, shell, place, role)
            opened.append(terminal)
            is_served = False
            for block in blocks(role):
                if is_served:
                    rest.append((terminal, block))
                else:
                    said[block] = terminal.play(block)
                is_served = is_served or (role in SERVES and SERVES[role] in block)
        check_delivery(checkout.path / "build")
        for terminal, block in rest:
            said[block] = terminal.play(block)
    check(said)


def check_delivery(build: Path) -> None:
    delivery = json.loads((build / "delivered" / "delivery.json").read_text())
    assert delivery["hash_matches"]
    assert (build / "job.car").stat().st_size > 10_000
    assert (build / "own-job.json").stat().st_size > 100


def check(said: dict[str, str]) -> None:
    """What the pages say that one sees."""
    expected = {
        "ape run deploy": "Genesis",
        "ape run cone serve": '"staked"',
        "grep offered": '"offered"',
        "ape run buyer open": "auction 1",
        "cat build/delivered": "settled",
        "grep withdrew build/c": "seat",
        "grep withdrew build/s0": "offer 1: listed, digits",
        "ape run cone leave": "the stake can be withdrawn",
        "convert apply": "569 samples of 30 features",
    }
    for command, word in expected.items():
        [told] = [text for block, text in said.items() if command in block]
        assert word in told, f"{command}\n{told}"

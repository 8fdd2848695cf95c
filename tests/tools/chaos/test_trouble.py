"""Trouble with IPFS nodes: real ones die, hang, forget, and are back when their time is over."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tools.chaos.options import ChaosOptions
from tools.chaos.schedule import Disturbance, Kind
from tools.chaos.sites import Site, sites
from tools.chaos.trouble import Trouble

pytestmark = pytest.mark.ipfs


@pytest.fixture
def places(echo: str, tmp_path: Path) -> Iterator[list[Site]]:
    with sites(ChaosOptions(kubo=True), echo, tmp_path) as found:
        yield found


def trouble(places: list[Site], *kinds: Kind) -> Trouble:
    """Each kind for site 0, a second after the one before, for half a second."""
    coming = iter(Disturbance(n, 1.0, kind, 0.0, 0.5, 0.0) for n, kind in enumerate(kinds))
    nobody: Any = None
    return Trouble(coming, nobody, places, list, lambda _what: None)


def test_ipfs_nodes_that_die_and_hang_are_back_with_their_peers(places: list[Site]) -> None:
    first, second, third = (site.kubo for site in places if site.kubo)
    cid = second.ask("add", b"kept", **{"cid-version": "1", "pin": "false"}).json()["Hash"]
    kinds = (Kind.STORE_KILL, Kind.STORE_PAUSE, Kind.STORE_COLLECTION, Kind.KILL)
    market = trouble(places, *kinds)
    market.tend(0)
    for begun in (1.0, 2.0):
        market.tend(begun)
        assert market.stores_away == {0}
        market.tend(begun + 0.6)
        assert market.stores_away == set()
        assert first.peers() <= {second.peer_id, third.peer_id}
    assert first.ask("cat", arg=cid).content == b"kept"
    assert first.holds(cid)
    market.tend(3.0)
    assert not first.holds(cid)
    assert market.counts == {kind.text: 1 for kind in kinds[:3]}

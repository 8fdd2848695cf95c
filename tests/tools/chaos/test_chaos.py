"""The parts of the chaos run that need no market."""

from __future__ import annotations

from collections import Counter
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
import requests

from d2m.chain.artifacts import load_artifacts
from d2m.chain.client import Chain
from d2m.chain.deployment.record import Deployment
from tools.chaos.chain_node import AnvilNode
from tools.chaos.checks import Ending
from tools.chaos.options import WINDOW_BLOCKS, ChaosOptions
from tools.chaos.play import Outcome
from tools.chaos.proxy import Weather, proxied
from tools.chaos.schedule import LONGEST_SECONDS, Kind, Needs, disturbances
from tools.chaos.table import BEGIN, END, write_table

EVERYTHING = Needs.GETH | Needs.KUBO | Needs.NAMESPACES


def answers(url: str, body: bytes = b"x") -> bool:
    with requests.Session() as session:
        session.trust_env = False
        try:
            return session.post(url, data=body, timeout=30).content == body
        except requests.RequestException:  # no answer, or a part of one
            return False


def test_a_proxy_in_each_weather(echo: str) -> None:
    with proxied(echo, seed=1) as proxy:
        assert answers(proxy.url)
        assert answers(proxy.url, bytes(3_000_000))
        proxy.weather = Weather(is_down=True)
        assert not answers(proxy.url)
        proxy.weather = Weather(lost=0.5, delayed=1.0, delay_seconds=0.01)
        results = Counter(answers(proxy.url) for _ in range(50))
        assert results[True] > 3  # a quarter on average
        assert results[False] > 10
        assert proxy.lost >= results[False]
        proxy.weather = Weather()
        assert answers(proxy.url)
    assert not answers(proxy.url)


def test_the_seed_decides_what_happens() -> None:
    first, again, other = (list(islice(disturbances(seed, EVERYTHING), 300)) for seed in (1, 1, 2))
    assert first == again != other
    assert {each.kind for each in first} == set(Kind)
    without = islice(disturbances(1, Needs.NOTHING), 300)
    assert {each.kind for each in without} == {each for each in Kind if not each.needs}
    assert {each.blocks(10) for each in first} == set(range(1, 11))
    for each in first:
        shortest, longest = each.kind.seconds
        assert shortest <= each.seconds <= longest <= LONGEST_SECONDS < WINDOW_BLOCKS


def test_a_chain_outlives_its_node(tmp_path: Path) -> None:
    node = AnvilNode(tmp_path / "chain", accounts=1, seed=1)
    try:
        node.start()
        url = node.url
        chain = Chain(url, Deployment(node.chain_id, 0, {}), load_artifacts())
        chain.w3.provider.make_request("anvil_mine", ["0x5"])  # type: ignore[arg-type]
        known = chain.w3.eth.get_block(5)["hash"]
        node.stop()
        assert not answers(url)
        node.start()
        assert node.url == url
        assert chain.w3.eth.get_block(5)["hash"] == known
        node.pause()
    finally:
        node.end()  # a paused one, too
    assert not answers(url)


def outcome(seed: int, blocks: int = 7, chain: str = "anvil") -> Outcome:
    result = Outcome(
        ChaosOptions(seed=seed, chain=chain), endings=[Ending(1, "settled", 2, blocks)], seconds=120
    )
    result.disturbances["kill -9"] = 3
    return result


def test_the_table_keeps_a_row_for_each_seed(tmp_path: Path) -> None:
    document = tmp_path / "doc.md"
    document.write_text(f"before\n{BEGIN}\n{END}\nafter\n")
    other = outcome(3, chain="geth-sepolia")
    for each in (other, outcome(12), outcome(3), outcome(12, blocks=9)):
        write_table(document, each)
    lines = document.read_text().splitlines()
    rows = [line for line in lines if line.startswith("| ") and "seed" not in line]
    assert [row.split(" | ")[:2] for row in rows] == [
        ["| anvil, a folder", "3"],
        ["| anvil, a folder", "12"],
        ["| geth-sepolia, a folder", "3"],
    ]
    assert " | 9 | " in rows[1]
    assert (" 0 | " in rows[2], " – |" in rows[2]) == (True, True)
    assert (lines[0], lines[-1]) == ("before", "after")
    with pytest.raises(ValueError, match="put them"):
        write_table(Path(__file__).with_name("__init__.py"), outcome(1))


@pytest.mark.parametrize("sizes", [{"jobs": 0}, {"at_once": 4}, {"nodes": 4}, {"sellers": 1}])
def test_sizes_that_make_no_market(sizes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="give"):
        ChaosOptions(**sizes)

from __future__ import annotations

from typing import get_args

import pytest

from d2m.demo.options import NODE_BEHAVIOURS, SELLER_BEHAVIOURS, DemoOptions
from d2m.demo.report.model import Behaviour
from d2m.protocol.types import AuctionKind


def test_the_default_run_has_three_byzantine_nodes_and_two_byzantine_sellers() -> None:
    options = DemoOptions()
    assert options.node_behaviours() == ["honest"] * 7 + ["random", "stale", "copier"]
    assert options.seller_behaviours() == ["honest"] * 10 + ["sign_flip", "label_flip"]


def test_kinds_of_byzantine_nodes_take_turns() -> None:
    options = DemoOptions(nodes=10, byzantine_nodes=0.4)
    assert options.node_behaviours()[6:] == ["random", "stale", "copier", "random"]


def test_kinds_can_be_chosen() -> None:
    options = DemoOptions(
        byzantine_nodes=0.4,
        node_behaviour="colluding,silent",
        byzantine_sellers=0.25,
        seller_behaviour="gaussian",
    )
    assert options.node_behaviours()[6:] == ["colluding", "silent"] * 2
    assert options.seller_behaviours()[9:] == ["gaussian"] * 3


def test_reports_know_every_kind() -> None:
    assert set(get_args(Behaviour)) == {"honest", *NODE_BEHAVIOURS, *SELLER_BEHAVIOURS}


@pytest.mark.parametrize(("share", "tolerated"), [(0.0, 3000), (0.3, 3000), (0.4, 4000)])
def test_the_job_tolerates_what_is_played(share: float, tolerated: int) -> None:
    assert DemoOptions(byzantine_nodes=share).rules(10).byzantine_bps == tolerated


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"sellers": 1}, "--sellers"),
        ({"nodes": 4}, "--nodes"),
        ({"byzantine_nodes": 0.5}, "--byzantine-nodes"),
        ({"byzantine_sellers": 0.6}, "--byzantine-sellers"),
        ({"node_behaviour": "random,sleepy"}, "--node-behaviour"),
        ({"seller_behaviour": "random"}, "--seller-behaviour"),
        ({"rounds": 0}, "--rounds"),
        ({"target": 0.0}, "--target"),
    ],
)
def test_options_that_make_no_market_are_refused_by_name(
    wrong: dict[str, object], named: str
) -> None:
    with pytest.raises(ValueError, match=named):
        DemoOptions(**wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("auction", "kind"),
    [
        ("open", AuctionKind.OPEN),
        ("sealed-first", AuctionKind.SEALED_FIRST_PRICE),
        ("sealed-second", AuctionKind.SEALED_SECOND_PRICE),
    ],
)
def test_sealed_auctions_have_reveals_and_open_ones_have_increments(
    auction: str, kind: AuctionKind
) -> None:
    terms = DemoOptions(auction=auction).terms
    assert terms.kind is kind
    is_open = kind is AuctionKind.OPEN
    assert (terms.increment_bps > 0, terms.reveal_blocks > 0) == (is_open, not is_open)

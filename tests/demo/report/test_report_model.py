from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from d2m.demo.report import Report

Facts = dict[str, Any]


def test_round_trip_keeps_every_fact(facts: Facts) -> None:
    report = Report.from_dict(facts)
    assert json.loads(report.to_json()) == facts
    assert Report.from_json(report.to_json()) == report


def test_round_trip_of_a_failed_job(failed_facts: Facts) -> None:
    assert json.loads(Report.from_dict(failed_facts).to_json()) == failed_facts


def test_round_trip_of_a_sealed_auction(sealed_facts: Facts) -> None:
    assert json.loads(Report.from_dict(sealed_facts).to_json()) == sealed_facts


def test_a_contract_is_bound_to_stakes_bonds_and_what_the_escrow_owes(facts: Facts) -> None:
    facts["stakes_wei"] = {"ConePool": 7, "SellerRegistry": 5}
    facts["escrow_owes_wei"] = {"credits": 2, "slash pots": 1}
    report = Report.from_dict(facts)
    names = ("ConePool", "SellerRegistry", "Escrow", "AuctionHouse")
    assert [report.bound_wei(name) for name in names] == [7, 5, 3, 0]


def test_wei_beyond_64_bits_stay_exact(facts: Facts) -> None:
    facts["stakes_wei"]["ConePool"] = 2**200 + 1
    assert json.loads(Report.from_dict(facts).to_json())["stakes_wei"]["ConePool"] == 2**200 + 1


def test_the_promised_keys_are_there(facts: Facts) -> None:
    written = json.loads(Report.from_dict(facts).to_json())
    assert isinstance(written["target"], float)
    assert isinstance(written["final_accuracy"], float)
    assert isinstance(written["delivered_accuracy"], float)
    assert isinstance(written["seconds"], float)
    for played in written["rounds"]:
        assert isinstance(played["accuracy"], float)
        assert all(isinstance(seller, str) for seller in played["sampled"])
        for mini in played["mini_rounds"]:
            assert isinstance(mini["asked"], int)
            assert isinstance(mini["accepted"], bool)
            assert sum(mini["votes"].values()) == mini["revealed"]
    for payout in written["payouts_wei"].values():
        assert payout["role"] in {"seller", "cone"}
        assert isinstance(payout["wei"], int)
    behaviours = {payout["behaviour"] for payout in written["payouts_wei"].values()}
    assert behaviours == {"honest", "random", "stale", "copier", "sign_flip", "label_flip"}
    for amounts in ("bids_wei", "refunds_wei", "contract_balances_wei", "stakes_wei"):
        assert all(isinstance(wei, int) for wei in written[amounts].values())
    assert all({"count", "mean", "max", "total"} == set(gas) for gas in written["gas"].values())


def _first_round(facts: Facts) -> Facts:
    played: Facts = facts["rounds"][0]
    return played


@pytest.mark.parametrize(
    ("spoil", "named"),
    [
        (lambda facts: facts.pop("target"), "target"),
        (lambda facts: facts.update(extra=1), "extra"),
        (lambda facts: facts.update(seconds="95.2"), "seconds"),
        (lambda facts: facts.update(final_accuracy=1.01), "final_accuracy"),
        (lambda facts: facts.update(seed=1.0), "seed"),
        (lambda facts: facts["auction"].update(price_wei=-1), "price_wei"),
        (lambda facts: facts["bids_wei"].update({"0x12": 1}), "bids_wei"),
        (lambda facts: _first_round(facts).update(digest="0x12"), "digest"),
        (lambda facts: _first_round(facts).pop("mini_rounds"), "mini_rounds"),
        (lambda facts: _first_round(facts)["updates"][0].update(behaviour="greedy"), "behaviour"),
        (lambda facts: _first_round(facts)["updates"][0].update(kept=1), "kept"),
        (lambda facts: next(iter(facts["payouts_wei"].values())).update(role="buyer"), "role"),
        (lambda facts: facts["conservation"].update(paid_out_wei=1), "holds"),
        (lambda facts: facts["auction"].update(kind="dutch"), "kind"),
        (lambda facts: facts["auction"]["bids"][0].update(outcome="lost"), "outcome"),
        (lambda facts: facts["slashes"][0].update(conduct="not asked"), "conduct"),
        (lambda facts: facts["slashes"][0].pop("wei"), "wei"),
    ],
)
def test_refuses_what_is_missing_unknown_or_wrong(
    facts: Facts, spoil: Callable[[Facts], object], named: str
) -> None:
    spoil(facts)
    with pytest.raises(ValueError, match=named):
        Report.from_dict(facts)


def test_refuses_a_number_that_is_not_finite(facts: Facts) -> None:
    facts["seconds"] = float("nan")
    with pytest.raises(ValueError, match="JSON"):
        Report.from_dict(facts)


def test_refuses_values_unknown_to_json(facts: Facts) -> None:
    facts["outcome"] = b"target reached"
    with pytest.raises(TypeError, match="bytes"):
        Report.from_dict(facts)


def test_one_spelling_per_address(facts: Facts) -> None:
    spellings = ("0x" + "ab" * 20, "0x" + "AB" * 20)
    for spelling in spellings:
        facts["auction"]["opener"] = spelling
        checksummed = Report.from_dict(facts).auction.opener
        assert checksummed == "0xABaBaBaBABabABabAbAbABAbABabababaBaBABaB"

"""Limits of gas from the tables of calls, by the rules of a chain."""

from __future__ import annotations

import pytest

from d2m.chain.gas import (
    MAINNET,
    SEPOLIA,
    TRANSACTION_GAS,
    Span,
    dearest,
    most_gas,
    rules_of,
    span,
)
from d2m.parties.cone.node import OFFENCES_AT_ONCE, VOTES_AT_ONCE

ROW = "SellerRegistry.offer"


@pytest.mark.parametrize("rules", [MAINNET, SEPOLIA])
def test_what_depends_on_a_number_lies_on_the_line_between_two_measured_ones(rules: str) -> None:
    one, eight = dearest(rules, f"{ROW}: 1 tag"), dearest(rules, f"{ROW}: 8 tags")
    for tags in range(1, 9):
        form = span(rules, ROW, {"tags": [b""] * tags})
        assert form is not None
        assert 0 <= form.worst - (one + (eight - one) * (tags - 1) / 7) < 1
        assert form.worst == dearest(rules, f"{ROW}: {tags} tags")


def test_what_the_arguments_do_not_tell_is_told_or_taken_for_the_most() -> None:
    of_two = span(MAINNET, "SellerRegistry.pause", {"offerId": 1}, 2)
    of_eight = span(MAINNET, "SellerRegistry.pause", {"offerId": 1}, 8)
    assert of_two is not None
    assert of_eight is not None
    assert of_two.worst < of_eight.worst
    assert span(MAINNET, "SellerRegistry.pause", {"offerId": 1}) == of_eight


def test_more_than_was_measured_is_on_the_same_line() -> None:
    votes = [
        span(MAINNET, "Escrow.claimCone", {"votes": [0] * number}) for number in (1, 3, 5, 100)
    ]
    most = [each.worst for each in votes if each]
    assert most[2] - most[1] == pytest.approx(most[1] - most[0], abs=1)


@pytest.mark.parametrize(("rules", "most"), [(MAINNET, TRANSACTION_GAS), (SEPOLIA, 30_000_000)])
def test_what_a_node_claims_or_punishes_at_once_fits_into_a_transaction(
    rules: str, most: int
) -> None:
    claim = span(rules, "Escrow.claimCone", {"votes": [0] * VOTES_AT_ONCE})
    slash = span(rules, "ConePool.slash", {"offences": [0] * OFFENCES_AT_ONCE})
    assert claim is not None
    assert slash is not None
    assert claim.worst < most
    assert slash.worst < most


def test_a_call_in_several_forms_may_take_the_dearest() -> None:
    forms = ("first sample", "inbox closed", "mini-round opened", "digest accepted")
    found = span(SEPOLIA, "Jobs.advance", {"jobId": 1})
    assert found is not None
    assert found.worst == max(dearest(SEPOLIA, f"Jobs.advance: {each}") for each in forms)
    assert span(SEPOLIA, "Probe.add", {}) is None


def test_a_limit_covers_the_dearest_form_and_what_the_estimate_has_above_it() -> None:
    form = Span(common=60_000, worst=160_000)
    assert form.limit(estimate=55_000) == 160_000
    assert form.limit(estimate=160_000) == 260_000
    assert form.limit(estimate=90_000) == 190_000  # a long history is searched, and a word is new


def test_a_chains_rules_show_in_its_headers() -> None:
    old, new = {"gasLimit": 60_000_000}, {"gasLimit": 60_000_000, "blockAccessListHash": b"\1" * 32}
    assert (rules_of(old), most_gas(old)) == (MAINNET, TRANSACTION_GAS)
    assert (rules_of(new), most_gas(new)) == (SEPOLIA, 60_000_000)
    assert most_gas({"gasLimit": 8_000_000}) == 8_000_000

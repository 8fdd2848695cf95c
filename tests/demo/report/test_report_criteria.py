"""What must hold of a run, and that each criterion can fail."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from d2m.demo.report import Report, criteria

Facts = dict[str, Any]


def violated(facts: Facts) -> list[str]:
    found = [each for each in criteria(Report.from_dict(facts)) if not each.holds]
    return [f"{each.text}: {'; '.join(each.failures)}" for each in found]


def account(facts: Facts, behaviour: str) -> Facts:
    address = next(a for a, p in facts["payouts_wei"].items() if p["behaviour"] == behaviour)
    found: Facts = facts["nodes"][address]
    return found


def copied_vote(facts: Facts) -> Facts:
    return next(
        voter
        for played in facts["rounds"]
        for mini in played["mini_rounds"]
        for voter in mini["voters"]
        if voter["conduct"] == "wrong audit"
    )


def test_an_honest_majority_passes(facts: Facts, sealed_facts: Facts) -> None:
    assert violated(facts) == []
    assert violated(sealed_facts) == []


def test_the_number_of_copied_votes_is_told(facts: Facts) -> None:
    texts = [each.text for each in criteria(Report.from_dict(facts))]
    assert "copied votes were caught by their audit word (3)" in texts


@pytest.mark.parametrize(
    ("spoil", "named"),
    [
        (lambda f: f.update(delivery=None), "no model was delivered"),
        (lambda f: f["delivery"].update(hash_matches=False), "not the one on chain"),
        (lambda f: f.update(delivered_accuracy=0.5), "measured 0.5"),
        (lambda f: f["contract_balances_wei"].update(Escrow=1), "Escrow holds 1 wei, owes 0"),
        (lambda f: f["stakes_wei"].update(SellerRegistry=1), "SellerRegistry holds"),
        (lambda f: f["escrow_owes_wei"].update(credits=3), "credits: 3 wei"),
        (lambda f: f["conservation"].update(paid_in_wei=0, holds=False), "0 in, "),
        (lambda f: f.update(offences=12), "12 offences, 11 punished"),
        (lambda f: f["slashes"][0].update(behaviour="honest"), "no honest node was slashed: C7"),
        (lambda f: account(f, "copier").update(slashed_wei=0), "C7 was not slashed"),
        (lambda f: account(f, "stale").update(pay_wei=1), "C5 was paid"),
        (lambda f: account(f, "random").update(slash_share_wei=1), "C2 was paid"),
        (lambda f: copied_vote(f).update(conduct="right"), "C7: right"),
    ],
)
def test_each_criterion_can_fail(
    facts: Facts, spoil: Callable[[Facts], object], named: str
) -> None:
    spoil(facts)
    assert any(named in line for line in violated(facts))


def test_nobody_is_expected_to_be_slashed_in_rounds_that_were_not_opened(
    failed_facts: Facts,
) -> None:
    assert violated(failed_facts) == [
        "the delivered model is the accepted one: no model was delivered"
    ]

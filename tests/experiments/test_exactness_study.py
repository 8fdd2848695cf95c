"""The experiment that compares digests: it covers what it says, and it can fail."""

from __future__ import annotations

import pytest

from offchain.experiments.exactness import MODELS, RULES, differing, digest, job


def test_every_rule_meets_every_network():
    met = {(job(n).rule, job(n).model) for n in range(len(RULES) * len(MODELS))}
    assert met == {(rule, model) for rule in RULES for model in MODELS}


@pytest.mark.parametrize("number", [0, 13, 38])
def test_a_job_has_one_digest_and_shares_it_with_no_other(number):
    assert digest(number) == digest(number) != digest(number + 1)


def test_a_difference_is_counted():
    assert differing(["a", "b", "c"], ["a", "x", "y"]) == 2
    with pytest.raises(ValueError, match="shorter"):
        differing(["a", "b"], ["a"])

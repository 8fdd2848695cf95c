from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from d2m.learning import sampler
from d2m.learning.draws import PROBABILITY_ONE, draw
from d2m.learning.earnings import MICROSAMPLES, earnings, without_each
from d2m.learning.grid import UPDATE_LIMIT, WEIGHT_LIMIT, add_update
from d2m.learning.network.exact import predict
from d2m.learning.network.model import ModelSpec, initial_weights
from d2m.learning.round import (
    EvaluationSet,
    initial_state,
    model_bytes,
    next_state,
    parse_sampler,
    sampler_bytes,
)
from d2m.learning.rules import MultiKrum
from d2m.learning.updates import decode_model, decode_update, encode_update
from tests.learning.conftest import SELLERS, small_spec

SEED = bytes([9]) * 32


def play(job, updates=None, **changes):
    spec = replace(job.spec, **changes)
    return next_state(
        job.state, job.updates if updates is None else updates, job.evaluation, SEED, spec
    )


def reasons(output):
    return {v.index: v.reason for v in output.verdicts}


def oriented_job():
    """Logistic on two pixels. Seller k's update gets ``right[k]`` of 100 samples right; base 50."""
    spec = small_spec(
        model=ModelSpec("logistic", (2,), 2), rule="mean", byzantine_sellers=0, sample_size=40
    )
    labels = np.array([0, 1] * 50, dtype=np.uint8)
    state = initial_state(spec, 4, SEED)
    state = replace(state, weights=np.zeros(spec.model.dimension, dtype=np.int32))
    assert state.sampled == (0, 1, 2, 3)
    return spec, state, labels


def test_the_first_state_is_uniform_and_drawn_from_the_seed():
    spec = small_spec()
    state = initial_state(spec, 7, SEED)
    assert state.round == 1
    assert state.probabilities == sampler.uniform(7)
    assert state.contributions == (0,) * 7
    assert sum(state.draws) == spec.sample_size
    assert (state.weights == initial_weights(spec.model, spec.init_seed)).all()
    assert initial_state(spec, 7, bytes(32)).draws != state.draws


def test_a_round_is_the_protocols_steps_in_order(job):
    """Recomputed here from the parts, step by step."""
    spec, model = job.spec, job.spec.model
    output = play(job, harmful_threshold=10_000, byzantine_sellers=2500)
    deltas = [decode_update(job.updates[i], model.dimension) for i in range(SELLERS)]
    labels, inputs = job.evaluation.labels, job.evaluation.inputs

    def right(weights):
        return int((predict(model, weights, inputs) == labels).sum())

    base = right(job.state.weights)
    utilities = [right(add_update(job.state.weights, delta)) - base for delta in deltas]
    decision = MultiKrum(f=1).decide(np.stack(deltas))
    weights = add_update(job.state.weights, decision.aggregate)
    median = Fraction(sum(sorted(utilities)[1:3]), 2)
    above = [Fraction(u - median, 50) for u in utilities]
    probabilities = sampler.step(job.state.probabilities, job.state.draws, above, spec.sampler)
    assert (output.state.weights == weights).all()
    assert output.state.probabilities == probabilities
    assert output.state.draws == draw(probabilities, spec.sample_size, SEED)
    assert output.state.round == 2
    assert (output.metric_numerator, output.metric_denominator) == (right(weights), 50)
    assert [v.utility for v in output.verdicts] == utilities
    assert [v.index for v in output.verdicts if v.kept] == list(decision.kept)
    kept, gain = np.stack([deltas[i] for i in decision.kept]), right(weights) - base
    losses = [right(weights) - right(without) for without in without_each(weights, kept)]
    earned = earnings(kept, [utilities[i] for i in decision.kept], losses, gain)
    paid = dict(zip(decision.kept, earned, strict=True))
    assert output.state.contributions == tuple(paid.get(i, 0) for i in range(SELLERS))
    trials = [add_update(job.state.weights, delta) for delta in deltas]
    expected = [predict(model, w, inputs) for w in [job.state.weights, *trials, weights]]
    assert output.predictions == b"".join(p.tobytes() for p in expected)


def test_every_reason_for_refusal_is_told_and_earns_nothing(job):
    large = np.full(job.spec.model.dimension, UPDATE_LIMIT + 1, dtype=np.int32)
    updates = {0: b"", 2: encode_update(large), 3: job.updates[3]}
    output = play(job, updates)
    assert reasons(output) == {0: "malformed", 1: "late", 2: "too large", 3: "kept"}
    assert output.state.contributions[:3] == (0, 0, 0)
    assert output.state.contributions[3] >= 1
    assert all(v.detail for v in output.verdicts if not v.kept)
    assert len(output.predictions) == 3 * 50  # base, the one update, new
    sampled = output.state.probabilities
    assert sampled[3] > max(sampled[:3])


def test_an_outlier_is_refused_by_the_rule(job):
    base = decode_update(job.updates[0], job.spec.model.dimension)
    far = np.full_like(base, UPDATE_LIMIT)
    updates = {i: encode_update(base + i) for i in range(3)} | {3: encode_update(far)}
    output = play(job, updates, harmful_threshold=10_000, byzantine_sellers=2500)
    assert reasons(output) == {0: "kept", 1: "kept", 2: "kept", 3: "outlier"}
    assert output.state.contributions[3] == 0
    expected = add_update(job.state.weights, base + 1)
    assert (output.state.weights == expected).all()


def harmful_case(threshold):
    """Three updates classify everything, one half of it; the median is 100 of 100."""
    spec, state, labels = oriented_job()
    inputs = np.stack([labels, 1 - labels], axis=1) * np.uint8(255)
    good = np.array([0, 1, 1, 0, 0, 0], dtype=np.int32)
    half = np.array([0, 0, 0, 0, 1, 0], dtype=np.int32)
    updates = {i: encode_update(good) for i in range(3)} | {3: encode_update(half)}
    evaluation = EvaluationSet(inputs, labels)
    return next_state(state, updates, evaluation, SEED, replace(spec, harmful_threshold=threshold))


def test_an_update_far_behind_the_median_is_harmful():
    output = harmful_case(4999)
    assert reasons(output) == {0: "kept", 1: "kept", 2: "kept", 3: "harmful"}
    third = MICROSAMPLES * 50 // 3
    assert output.state.contributions == (third // 3,) * 3 + (0,), "copies share one credit"
    assert [v.utility for v in output.verdicts] == [50, 50, 50, 0]
    assert output.metric_numerator == 100


def test_an_update_at_the_threshold_is_not_harmful():
    output = harmful_case(5000)
    assert set(reasons(output).values()) == {"kept"}
    assert output.state.contributions[3] == 1, "it agrees with nobody and nobody misses it"


GOOD, OTHER_GOOD = [0, 1, 1, 0, 0, 0], [-3, 1, 1, 0, 0, 0]
"""Models that get everything right; their cosine is 0.43."""
HALF, OTHER_HALF = [0, 0, 0, 0, 1, 0], [0, 0, 0, 0, 0, 1]


@pytest.mark.parametrize(
    ("posted", "good_rise"),
    [
        ((GOOD, OTHER_GOOD, HALF, OTHER_HALF), True),
        ((GOOD, GOOD, HALF, OTHER_HALF), False),
        ((GOOD, OTHER_GOOD, HALF, HALF), True),
    ],
)
def test_who_repeats_an_update_does_not_rise_but_may_fall(posted, good_rise):
    """Two sellers get everything right, two the half: the median lies between them."""
    spec, state, labels = oriented_job()
    updates = {i: encode_update(np.array(u, dtype=np.int32)) for i, u in enumerate(posted)}
    inputs = np.stack([labels, 1 - labels], axis=1) * np.uint8(255)
    output = next_state(state, updates, EvaluationSet(inputs, labels), SEED, spec)
    assert [verdict.utility for verdict in output.verdicts] == [50, 50, 0, 0]
    utilities = [Fraction(int(good_rise), 4)] * 2 + [Fraction(-1, 4)] * 2
    stepped = sampler.step(state.probabilities, state.draws, utilities, spec.sampler)
    assert output.state.probabilities == stepped


def test_a_repeated_draw_is_not_paid_twice():
    _spec, state, _labels = oriented_job()
    assert len(set(state.draws[:3])) > 1
    assert len(set(harmful_case(4999).state.contributions[:3])) == 1


def test_weights_stay_when_no_update_is_left(job):
    output = play(job, {})
    assert (output.state.weights == job.state.weights).all()
    assert set(reasons(output).values()) == {"late"}
    assert output.state.contributions == (0,) * SELLERS
    assert sum(output.state.probabilities) == PROBABILITY_ONE
    assert output.predictions[:50] == output.predictions[50:]


def test_updates_of_sellers_that_were_not_drawn_are_ignored(job):
    state = replace(job.state, draws=(job.spec.sample_size, 0, 0, 0))
    output = next_state(state, job.updates, job.evaluation, SEED, job.spec)
    assert reasons(output) == {0: "kept"}
    alone = next_state(state, {0: job.updates[0]}, job.evaluation, SEED, job.spec)
    assert sampler_bytes(output.state) == sampler_bytes(alone.state)


def test_the_order_in_which_updates_arrive_does_not_matter(job):
    backwards = dict(reversed(job.updates.items()))
    assert play(job, backwards).predictions == play(job).predictions
    assert (play(job, backwards).state.weights == play(job).state.weights).all()


def test_nothing_given_is_changed(job):
    weights, inputs = job.state.weights.copy(), job.evaluation.inputs.copy()
    play(job)
    assert (job.state.weights == weights).all()
    assert (job.evaluation.inputs == inputs).all()


def test_weights_are_clipped_to_the_limit(job):
    top = np.full(job.spec.model.dimension, WEIGHT_LIMIT, dtype=np.int32)
    state = replace(job.state, weights=top)
    up = {i: encode_update(top) for i in range(SELLERS)}
    output = next_state(state, up, job.evaluation, SEED, job.spec)
    assert (output.state.weights == top).all()


def test_the_blobs_of_a_state_can_be_read_back(job):
    state = play(job).state
    parts = parse_sampler(sampler_bytes(state))
    assert parts == (state.probabilities, state.contributions, state.draws)
    assert (decode_model(model_bytes(state, job.spec), job.spec.model) == state.weights).all()


def test_other_bytes_are_no_sampler_state(job):
    data = sampler_bytes(job.state)
    uneven = replace(job.state, draws=job.state.draws[:-1])
    for wrong in (b"", data[:-1], data + bytes(32), b"\xff" * 400, sampler_bytes(uneven)):
        with pytest.raises(ValueError, match="sampler state"):
            parse_sampler(wrong)


def test_a_state_or_evaluation_set_that_does_not_fit_is_refused(job):
    cases = [
        (replace(job.state, weights=job.state.weights[:-1]), job.evaluation),
        (replace(job.state, draws=(1, 0, 0, 0)), job.evaluation),
        (replace(job.state, contributions=(0,)), job.evaluation),
        (job.state, EvaluationSet(job.evaluation.inputs[:, 0], job.evaluation.labels)),
        (job.state, EvaluationSet(job.evaluation.inputs, job.evaluation.labels + 3)),
    ]
    for state, evaluation in cases:
        with pytest.raises(ValueError, match=r"expected|one entry|draws|label"):
            next_state(state, job.updates, evaluation, SEED, job.spec)


def test_the_rule_drops_nobody_for_a_liar_that_is_caught_already(job):
    """Of four posted updates one may lie (25 %): the malformed one was it."""
    near = decode_update(job.updates[0], job.spec.model.dimension)
    updates = {i: encode_update(near + i) for i in range(3)}
    output = play(job, updates | {3: b""}, harmful_threshold=10_000, byzantine_sellers=2500)
    assert reasons(output) == {0: "kept", 1: "kept", 2: "kept", 3: "malformed"}


def test_a_late_seller_does_not_count_as_the_liar_that_was_caught(job):
    """Three posted, one in three may lie: the far one is left out although another was late."""
    near = decode_update(job.updates[0], job.spec.model.dimension)
    far = encode_update(np.full_like(near, UPDATE_LIMIT))
    updates = {0: encode_update(near), 1: encode_update(near + 1), 2: far}
    output = play(job, updates, harmful_threshold=10_000, byzantine_sellers=3400)
    assert reasons(output) == {0: "kept", 1: "kept", 2: "outlier", 3: "late"}


def test_who_was_not_drawn_keeps_its_standing_while_the_model_is_young():
    """Four updates that help alike say nothing about the fifth seller, which was not drawn."""
    spec, _, labels = oriented_job()
    state = replace(
        initial_state(spec, 5, SEED),
        weights=np.zeros(spec.model.dimension, dtype=np.int32),
        draws=(10, 10, 10, 10, 0),
    )
    inputs = np.stack([labels, 1 - labels], axis=1) * np.uint8(255)
    good = encode_update(np.array([0, 1, 1, 0, 0, 0], dtype=np.int32))
    output = next_state(
        state, dict.fromkeys(range(4), good), EvaluationSet(inputs, labels), SEED, spec
    )
    assert [v.utility for v in output.verdicts] == [50] * 4
    assert output.state.probabilities == sampler.uniform(5)


def test_momentum_carries_a_part_of_the_last_move_on(job):
    spec = replace(job.spec, server_momentum=3333)
    still = play(job, server_momentum=3333).state
    assert (still.weights == play(job).state.weights).all()  # nothing has moved before round 1
    assert (still.previous == job.state.weights).all()
    move = np.arange(job.state.weights.size, dtype=np.int32) % 7 - 3
    moved = replace(job.state, previous=job.state.weights - move)
    output = next_state(moved, job.updates, job.evaluation, SEED, spec)
    carried = [3333 * int(step) // 10_000 for step in move]  # rounded down, below 0 too
    assert (output.state.weights == still.weights + np.array(carried)).all()


def test_a_round_that_keeps_nothing_moves_nothing(job):
    moved = replace(job.state, previous=job.state.weights - 1)
    spec = replace(job.spec, server_momentum=5000)
    state = next_state(moved, {}, job.evaluation, SEED, spec).state
    assert (state.weights == job.state.weights).all()
    assert (state.previous == state.weights).all()


def harmful_move(limit):
    """A model that is always right, and a round whose updates all turn it around."""
    spec, state, labels = oriented_job()
    right = np.array([0, 1, 1, 0, 0, 0], dtype=np.int32)
    state = replace(state, weights=right, previous=right - 1)
    updates = dict.fromkeys(range(4), encode_update(-2 * right))
    inputs = np.stack([labels, 1 - labels], axis=1) * np.uint8(255)
    spec = replace(spec, server_momentum=5000, harmful_move=limit)
    return right, next_state(state, updates, EvaluationSet(inputs, labels), SEED, spec)


def test_a_model_that_does_much_harm_is_not_taken():
    """Who has all of a round can waste it, and earns nothing by it."""
    before, output = harmful_move(9999)
    assert (output.state.weights == before).all()
    assert (output.state.previous == before).all()
    assert set(reasons(output).values()) == {"unused"}
    assert {v.detail for v in output.verdicts} == {"the round's model loses 100 samples"}
    assert output.state.contributions == (0,) * 4
    assert output.metric_numerator == 100
    assert output.predictions[-100:] == output.predictions[:100]  # of the base model
    assert (output.state.round, sum(output.state.draws)) == (2, 40)


def test_a_model_that_does_no_more_harm_than_the_job_bears_is_taken():
    before, output = harmful_move(10_000)
    assert (output.state.weights != before).any()
    assert set(reasons(output).values()) == {"kept"}
    assert output.metric_numerator == 0


@pytest.mark.parametrize("order", ["mean|multi_krum", "multi_krum|mean"])
def test_of_alternatives_the_one_that_does_best_on_the_evaluation_set_is_taken(job, order):
    """Of four sellers one posts the opposite, three times as far: only the mean follows it."""
    flipped = -3 * decode_update(job.updates[0], job.spec.model.dimension) // 8
    updates = {**job.updates, 3: encode_update(flipped.astype(np.int32))}
    limits = {"harmful_threshold": 10_000, "byzantine_sellers": 2500}
    alone = {name: play(job, updates, rule=name, **limits) for name in order.split("|")}
    best = max(alone.values(), key=lambda output: output.metric_numerator)
    chosen = play(job, updates, rule=order, **limits)
    assert alone["mean"].metric_numerator != alone["multi_krum"].metric_numerator
    assert (chosen.state.weights == best.state.weights).all()
    assert reasons(chosen) == reasons(best)


@pytest.mark.parametrize("order", [("multi_krum", "median"), ("median", "multi_krum")])
def test_of_equal_alternatives_the_first_is_taken(job, order):
    """Measured on one image, to which the models of both give the same class."""
    limits = {"harmful_threshold": 10_000, "byzantine_sellers": 2500}
    alone = [play(job, rule=name, **limits) for name in order]
    samples = len(job.evaluation)
    found = zip(*(output.predictions[-samples:] for output in alone), strict=True)
    same = next(i for i, (first, second) in enumerate(found) if first == second)
    one = EvaluationSet(job.evaluation.inputs[[same]], job.evaluation.labels[[same]])
    spec = replace(job.spec, rule="|".join(order), **limits)
    chosen = next_state(job.state, job.updates, one, SEED, spec)
    assert (chosen.state.weights == alone[0].state.weights).all()
    assert (chosen.state.weights != alone[1].state.weights).any()

"""The learning half of the demo: rounds among honest and poisoned sellers, without a chain."""

from __future__ import annotations

from eth_utils.crypto import keccak

from d2m.adversaries.sellers.labels import label_flip
from d2m.data.datasets import load
from d2m.data.partition import dirichlet
from d2m.learning.defaults import digits_spec
from d2m.learning.earnings import SHARES_ONE, shares
from d2m.learning.grid import IntVector
from d2m.learning.round import RoundOutput, State, initial_state, next_state
from d2m.learning.training.local import train
from d2m.learning.updates import EvaluationSet, encode_update

SELLERS, SIGN_FLIP, LABEL_FLIP = 12, 4, 9
TARGET, ROUNDS = 0.9, 10


def play(seed: bytes) -> list[RoundOutput]:
    """Rounds on digits until the target accuracy is reached."""
    spec, data = digits_spec(seed), load("digits")
    parts = dirichlet(data.train_labels, SELLERS, 0.5, seed=1)
    evaluation = EvaluationSet(data.evaluation_inputs, data.evaluation_labels)

    def update(seller: int, state: State) -> IntVector:
        inputs, labels = data.train_inputs[parts[seller]], data.train_labels[parts[seller]]
        labels = label_flip(labels, data.classes) if seller == LABEL_FLIP else labels
        delta = train(spec.model, state.weights, inputs, labels, spec.training, seed=state.round)
        return -delta if seller == SIGN_FLIP else delta

    state, outputs = initial_state(spec, SELLERS, seed), []
    for r in range(ROUNDS):
        posted = {i: encode_update(update(i, state)) for i in state.sampled}
        outputs.append(next_state(state, posted, evaluation, keccak(seed + bytes([r])), spec))
        state = outputs[-1].state
        if outputs[-1].metric_numerator >= TARGET * outputs[-1].metric_denominator:
            break
    return outputs


def test_the_target_is_reached_and_poison_is_refused_and_unpaid():
    outputs = play(keccak(b"market"))
    last = outputs[-1]
    assert last.metric_numerator >= TARGET * last.metric_denominator
    verdicts = [v for output in outputs for v in output.verdicts]
    poisoned = [v for v in verdicts if v.index in (SIGN_FLIP, LABEL_FLIP)]
    honest = [v for v in verdicts if v.index not in (SIGN_FLIP, LABEL_FLIP)]
    assert len(poisoned) >= 3
    assert sum(v.kept for v in poisoned) <= 1
    assert sum(v.kept for v in honest) > 0.8 * len(honest)
    paid = {share.seller: share.end - share.start for share in shares(last.state.contributions)}
    assert paid.get(SIGN_FLIP, 0) + paid.get(LABEL_FLIP, 0) < SHARES_ONE // 50
    standing = last.state.probabilities
    assert standing[SIGN_FLIP] + standing[LABEL_FLIP] < sum(standing) // 8

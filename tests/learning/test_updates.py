from __future__ import annotations

import pickle

import numpy as np
import pytest
import safetensors.numpy
from hypothesis import given
from hypothesis import strategies as st

from d2m.learning.grid import UPDATE_LIMIT, WEIGHT_LIMIT
from d2m.learning.network.model import ModelSpec, to_tensors
from d2m.learning.updates import (
    EvaluationSet,
    MalformedEvaluation,
    MalformedModel,
    MalformedUpdate,
    UpdateTooLarge,
    decode_evaluation,
    decode_model,
    decode_update,
    encode_evaluation,
    encode_model,
    encode_update,
    update_size,
)

SPEC = ModelSpec("convolution", (1, 6, 6), 3, channels=2, kernel=3)
D = SPEC.dimension
DELTA = np.arange(-(D // 2), D - D // 2, dtype=np.int32)
ENTRIES = st.integers(-UPDATE_LIMIT, UPDATE_LIMIT)


@given(st.lists(ENTRIES, min_size=1, max_size=40))
def test_an_update_survives_the_way_there_and_back(entries):
    delta = np.array(entries, dtype=np.int32)
    data = encode_update(delta)
    assert len(data) == update_size(len(delta))
    assert decode_update(data, len(delta)).tolist() == entries


def test_our_bytes_are_those_of_the_reference_library():
    assert encode_update(DELTA) == safetensors.numpy.save({"delta": DELTA})
    tensors = {name: np.ascontiguousarray(t) for name, t in to_tensors(SPEC, DELTA).items()}
    assert encode_model(SPEC, DELTA) == safetensors.numpy.save(tensors)
    sets = {"labels": np.zeros(2, dtype=np.uint16), "inputs": np.ones((2, 1, 6, 6), dtype=np.uint8)}
    evaluation = EvaluationSet(sets["inputs"], sets["labels"])
    assert encode_evaluation(evaluation) == safetensors.numpy.save(sets)


def saved(**tensors):
    return safetensors.numpy.save(tensors)


MALFORMED = {
    "nothing": b"",
    "no safetensors": b"hello",
    "pickle": pickle.dumps({"delta": DELTA[:20]}),
    "truncated": encode_update(DELTA)[:-1],
    "header only": encode_update(DELTA)[:40],
    "wrong name": saved(gamma=DELTA),
    "two tensors": saved(delta=DELTA[: D // 2], other=DELTA[: D // 4]),
    "floats": saved(delta=DELTA.astype(np.float32)),
    "not a number": saved(delta=np.full(D, np.nan, dtype=np.float32)),
    "unsigned": saved(delta=np.zeros(D, dtype=np.uint32)),
    "short": saved(delta=DELTA[:-1]),
    "wrong shape": saved(delta=DELTA.reshape(1, -1)[:, :-1].copy()),
    "not canonical": encode_update(DELTA).replace(b'{"delta"', b' {"delta"')[: update_size(D)],
    "bad header length": b"\xff" * 8 + encode_update(DELTA)[8:],
}


@pytest.mark.parametrize("data", MALFORMED.values(), ids=MALFORMED.keys())
def test_malformed_updates_are_refused(data):
    with pytest.raises(MalformedUpdate) as refused:
        decode_update(data, D)
    assert not isinstance(refused.value, UpdateTooLarge)
    assert str(refused.value)


@pytest.mark.parametrize("entry", [UPDATE_LIMIT + 1, -UPDATE_LIMIT - 1, 2**31 - 1, -(2**31)])
def test_an_entry_above_the_limit_is_too_large(entry):
    delta = DELTA.copy()
    delta[3] = entry
    with pytest.raises(UpdateTooLarge, match="entry"):
        decode_update(encode_update(delta), D)


@pytest.mark.parametrize(
    "data",
    [
        encode_update(DELTA) + b"\0",
        saved(delta=DELTA.astype(np.int64)),
        saved(delta=np.append(DELTA, DELTA[:1])),
        b" " * (update_size(D) + 1),
    ],
    ids=["one byte more", "int64", "one entry more", "padding"],
)
def test_too_many_bytes_are_refused_before_they_are_read(data, monkeypatch):
    monkeypatch.setattr(np, "frombuffer", None)
    monkeypatch.setattr(safetensors.numpy, "load", None)
    with pytest.raises(UpdateTooLarge, match="bytes"):
        decode_update(data, D)


@given(st.binary(max_size=300))
def test_random_bytes_never_do_worse_than_be_refused(data):
    with pytest.raises(MalformedUpdate):
        decode_update(data, 20)


def test_a_model_survives_the_way_there_and_back():
    assert (decode_model(encode_model(SPEC, DELTA), SPEC) == DELTA).all()


def test_models_that_do_not_fit_are_refused():
    other = ModelSpec("convolution", (1, 6, 6), 3, channels=2, kernel=1)
    large = DELTA.copy()
    large[0] = WEIGHT_LIMIT + 1
    for data in (
        b"",
        pickle.dumps(DELTA),
        encode_model(SPEC, DELTA)[:-4],
        encode_model(other, np.zeros(other.dimension, dtype=np.int32)),
        saved(**{name: t.astype(np.float32) for name, t in to_tensors(SPEC, DELTA).items()}),
        saved(**to_tensors(SPEC, large)),
        safetensors.numpy.save(to_tensors(SPEC, DELTA), metadata={"extra": "text"}),
    ):
        with pytest.raises(MalformedModel):
            decode_model(data, SPEC)


def evaluation(labels=(0, 1, 2), kind=np.uint8, shape=(1, 6, 6)):
    inputs = np.arange(len(labels) * 36, dtype=np.uint8).reshape(-1, *shape)
    return EvaluationSet(inputs, np.array(labels, dtype=kind))


def test_an_evaluation_set_survives_the_way_there_and_back():
    again = decode_evaluation(encode_evaluation(evaluation()), SPEC)
    assert (again.inputs == evaluation().inputs).all()
    assert (again.labels == evaluation().labels).all()
    assert len(again) == 3


@pytest.mark.parametrize(
    "data",
    [
        encode_evaluation(evaluation(labels=())),
        encode_evaluation(evaluation(labels=(0, 3))),
        encode_evaluation(evaluation(kind=np.uint16)),
        encode_evaluation(evaluation(shape=(6, 6))),
        encode_evaluation(EvaluationSet(evaluation().inputs, np.zeros(2, dtype=np.uint8))),
        saved(inputs=evaluation().inputs),
        saved(inputs=evaluation().inputs, labels=np.zeros(3, dtype=np.int64)),
        b"nothing of the kind",
    ],
    ids=["empty", "label", "type", "shape", "count", "no labels", "int64", "bytes"],
)
def test_evaluation_sets_that_do_not_fit_are_refused(data):
    with pytest.raises(MalformedEvaluation):
        decode_evaluation(data, SPEC)

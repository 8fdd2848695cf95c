from __future__ import annotations

import json
from dataclasses import replace
from decimal import Decimal

import pytest
from eth_utils.crypto import keccak

from d2m.learning.canonical import SpecError
from d2m.learning.network.model import ExactnessError, ModelSpec
from d2m.learning.spec import JobSpec, TrainingSpec
from tests.learning.conftest import small_spec


def canonical(value):
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def test_a_specification_survives_the_way_there_and_back():
    spec = small_spec()
    assert JobSpec.from_bytes(spec.to_bytes()) == spec
    assert JobSpec.from_bytes(spec.to_bytes()).to_bytes() == spec.to_bytes()
    assert spec.hash == keccak(spec.to_bytes())


def test_the_bytes_are_canonical_and_without_floats():
    data = small_spec().to_bytes()
    assert canonical(json.loads(data)) == data
    json.loads(data, parse_float=lambda text: pytest.fail(f"float {text}"))


def test_equal_decimals_give_equal_bytes():
    rates = [Decimal("0.01"), Decimal("0.010"), Decimal("1E-2")]
    specs = [small_spec(training=TrainingSpec(2, 8, rate, "adam")) for rate in rates]
    assert len({spec.to_bytes() for spec in specs}) == 1


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (["version"], 1, "version"),
        (["surprise"], 1, "unknown key 'surprise'"),
        (["dataset"], "", "dataset"),
        (["dataset"], 5, "dataset"),
        (["rule"], "majority", "rule"),
        (["rule"], ["mean"], "rule"),
        (["rule"], "mean|majority", "no rule 'majority'"),
        (["rule"], "mean|mean", "each once"),
        (["sample_size"], 0, "sample_size"),
        (["sample_size"], "8", "sample_size"),
        (["sample_size"], True, "sample_size"),
        (["byzantine_sellers"], 5000, "byzantine_sellers"),
        (["harmful_threshold"], -1, "harmful_threshold"),
        (["harmful_move"], 10_001, "harmful_move"),
        (["server_momentum"], 10_000, "server_momentum"),
        (["init_seed"], "0x00", "init_seed"),
        (["init_seed"], "00" * 32, "init_seed"),
        (["init_seed"], "0x" + "AB" * 32, "init_seed"),
        (["init_seed"], "0x" + "zz" * 32, "init_seed"),
        (["model"], [], "model"),
        (["model", "classes"], 1, "classes"),
        (["training", "epochs"], 0, "epochs"),
        (["training", "optimiser"], "lion", "optimiser"),
        (["training", "learning_rate"], "0.010", "learning_rate"),
        (["training", "learning_rate"], "0", "learning_rate"),
        (["training", "decay_rounds"], -1, "decay_rounds"),
        (["training", "augmentation"], "mixup", "augmentation"),
        (["training", "label_smoothing"], 10_000, "label_smoothing"),
        (["training", "logit_adjustment"], 10_001, "logit_adjustment"),
        (["training", "momentum"], "0.9", "unknown key 'momentum'"),
        (["sampler", "eta"], None, "eta"),
    ],
)
def test_a_wrong_entry_is_refused_by_name(path, value, message):
    content = json.loads(small_spec().to_bytes())
    target = content
    for key in path[:-1]:
        target = target[key]
    target[path[-1]] = value
    with pytest.raises(SpecError, match=message):
        JobSpec.from_bytes(canonical(content))


def test_a_missing_entry_is_refused_by_name():
    content = json.loads(small_spec().to_bytes())
    del content["rule"]
    with pytest.raises(SpecError, match="missing key 'rule'"):
        JobSpec.from_bytes(canonical(content))


def test_other_texts_of_the_same_value_are_refused():
    data = small_spec().to_bytes()
    for other in (
        data + b"\n",
        data.replace(b",", b", ", 1),
        data.replace(b'"version":4', b'"version":4,"version":4'),
        data.replace(b'"version":4', b'"version":4.0'),
        data.replace(b'"version":4', b'"version":NaN'),
        data[:-1],
        b"[]",
        b"\xff",
        b"[" * 100_000,
    ):
        assert other != data
        with pytest.raises(SpecError):
            JobSpec.from_bytes(other)


def test_an_inexact_model_is_refused():
    content = json.loads(small_spec().to_bytes())
    content["model"] = ModelSpec("perceptron", (1,), 2, hidden=(60_000,)).to_json()
    content["model"]["activation_bits"] = 32
    with pytest.raises(ExactnessError):
        JobSpec.from_bytes(canonical(content))


def test_the_step_falls_along_half_a_cosine_and_never_to_nothing():
    training = TrainingSpec(1, 8, Decimal("0.01"), "adam", decay_rounds=10)
    steps = [training.step(number) for number in range(1, 20)]
    assert steps[0] == 0.01
    assert steps[5] == pytest.approx(0.005)
    assert steps == sorted(steps, reverse=True)
    assert steps[10] == steps[18] == 0.0001
    assert replace(training, decay_rounds=0).step(500) == 0.01


def test_only_images_can_be_mirrored():
    training = TrainingSpec(1, 8, Decimal("0.01"), "adam", augmentation="flip")
    with pytest.raises(SpecError, match="augmentation"):
        small_spec(model=ModelSpec("logistic", (30,), 2), training=training)

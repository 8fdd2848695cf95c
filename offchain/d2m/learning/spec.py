"""The off-chain half of the buyer's request, as canonical JSON whose keccak256 the chain holds."""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from eth_utils.crypto import keccak

from d2m.learning.canonical import (
    SpecError,
    decimal_text,
    decode_json,
    encode_json,
    take_choice,
    take_decimal,
    take_decimal_text,
    take_integer,
    take_keys,
)
from d2m.learning.network.model import ModelSpec
from d2m.learning.rules import RuleError, alternatives
from d2m.learning.sampler import SamplerSpec

SPEC_VERSION = 4
BASIS_POINTS = 10_000
SAMPLE_LIMIT = 256
"""Most draws in a round."""
OPTIMISERS = ("adam", "sgd")
AUGMENTATIONS = ("none", "flip", "shift", "flip_shift")
LEAST_STEP = 0.01
"""Part of the first step that a decaying one keeps: a job may go on after its decay has ended."""


@dataclass(frozen=True)
class TrainingSpec:
    """A seller's local training. Raises SpecError out of range."""

    epochs: int
    batch_size: int
    learning_rate: Decimal
    """Step of the first round."""
    optimiser: str
    decay_rounds: int = 0
    """Rounds over which the step falls along half a cosine; 0 keeps it."""
    augmentation: str = "none"
    """``flip``: each image of a batch is mirrored left to right with probability one half;
    ``shift``: each image is moved by up to a pixel; ``flip_shift``: both."""
    label_smoothing: int = 0
    """Part of a label that is spread evenly over all classes, in basis points below one (Szegedy et
    al., CVPR 2016): a seller whose labels are one-sided then drives its scores less far apart."""
    logit_adjustment: int = 0
    """τ in basis points: in training τ·log of the class's share among the seller's labels is added
    to each score (Menon et al., ICLR 2021; among federated sellers Zhang et al., ICML 2022). The
    model need not learn how often the seller happens to hold a class."""

    def __post_init__(self) -> None:
        take_integer(self.epochs, "epochs", 1, 1000)
        take_integer(self.batch_size, "batch_size", 1, 1 << 16)
        take_decimal(self.learning_rate, "learning_rate", Decimal("0.000000001"), Decimal(1000))
        take_choice(self.optimiser, "optimiser", OPTIMISERS)
        take_integer(self.decay_rounds, "decay_rounds", 0, 1 << 16)
        take_choice(self.augmentation, "augmentation", AUGMENTATIONS)
        take_integer(self.label_smoothing, "label_smoothing", 0, BASIS_POINTS - 1)
        take_integer(self.logit_adjustment, "logit_adjustment", 0, BASIS_POINTS)

    def step(self, round_number: int) -> float:
        """The optimiser's step in a round (from 1).

        learning_rate · max(LEAST_STEP, (1 + cos(π·(round − 1)/decay_rounds))/2), and LEAST_STEP of
        it after the decay (Loshchilov and Hutter, ICLR 2017, without restarts). Only sellers use
        it: nothing that is hashed depends on this float.
        """
        first = float(self.learning_rate)
        if not self.decay_rounds:
            return first
        passed = min(1.0, (round_number - 1) / self.decay_rounds)
        return first * max(LEAST_STEP, (1 + math.cos(math.pi * passed)) / 2)

    def to_json(self) -> dict[str, Any]:
        """The parameters as a JSON object; decimals as strings."""
        return {
            "epochs": self.epochs,
            "batch_size": self.batch_size,
            "learning_rate": decimal_text(self.learning_rate),
            "optimiser": self.optimiser,
            "decay_rounds": self.decay_rounds,
            "augmentation": self.augmentation,
            "label_smoothing": self.label_smoothing,
            "logit_adjustment": self.logit_adjustment,
        }

    @classmethod
    def from_json(cls, value: Any) -> TrainingSpec:
        """Strict inverse of ``to_json``. Raises SpecError."""
        items = take_keys(value, set(cls.__dataclass_fields__), "training")
        rate = take_decimal_text(items["learning_rate"], "learning_rate")
        return cls(**{**items, "learning_rate": rate})


@dataclass(frozen=True)
class JobSpec:
    """Everything that the round computation reads beside public state. Raises SpecError."""

    dataset: str
    """Name of the data; sellers match by tags, this is for people."""
    model: ModelSpec
    training: TrainingSpec
    sampler: SamplerSpec
    rule: str
    """Names that ``rules.build`` knows, such as "nnm+trimmed_mean", alternatives joined by "|"."""
    byzantine_sellers: int
    """Share of a round's posted updates that may be Byzantine, in basis points, below one half.
    The rule's f is this share, rounded down, less the updates that were refused before it."""
    sample_size: int
    """K, draws per round."""
    harmful_threshold: int
    """An update is refused as harmful when its model classifies fewer evaluation samples correctly
    than the median of the round's posted models, by more than this share in basis points."""
    server_momentum: int
    """Part of the model's last move that is added to the next one, in basis points below one."""
    init_seed: bytes
    """32 bytes from which the initial weights follow."""
    harmful_move: int = BASIS_POINTS
    """The model stays as it is when the round's new one classifies fewer evaluation samples
    correctly than it does, by more than this share in basis points; by default it never stays."""

    def __post_init__(self) -> None:
        if not isinstance(self.dataset, str) or not 1 <= len(self.dataset) <= 64:
            raise SpecError("dataset: expected a name of 1 to 64 characters")
        if self.training.augmentation != "none" and len(self.model.input_shape) != 3:
            raise SpecError("augmentation: images only; inputs of this model have no sides")
        _check_rule(self.rule)
        take_integer(self.byzantine_sellers, "byzantine_sellers", 0, BASIS_POINTS // 2 - 1)
        take_integer(self.sample_size, "sample_size", 1, SAMPLE_LIMIT)
        take_integer(self.harmful_threshold, "harmful_threshold", 0, BASIS_POINTS)
        take_integer(self.harmful_move, "harmful_move", 0, BASIS_POINTS)
        take_integer(self.server_momentum, "server_momentum", 0, BASIS_POINTS - 1)
        if len(self.init_seed) != 32:
            raise SpecError("init_seed: expected 32 bytes")

    def to_bytes(self) -> bytes:
        """Canonical JSON, ASCII: sorted keys, decimals as strings."""
        return encode_json(
            {
                "version": SPEC_VERSION,
                "dataset": self.dataset,
                "model": self.model.to_json(),
                "training": self.training.to_json(),
                "sampler": self.sampler.to_json(),
                "rule": self.rule,
                "byzantine_sellers": self.byzantine_sellers,
                "sample_size": self.sample_size,
                "harmful_threshold": self.harmful_threshold,
                "harmful_move": self.harmful_move,
                "server_momentum": self.server_momentum,
                "init_seed": "0x" + self.init_seed.hex(),
            }
        )

    @classmethod
    def from_bytes(cls, data: bytes) -> JobSpec:
        """Strict inverse of ``to_bytes``. Raises SpecError or ExactnessError."""
        items = take_keys(decode_json(data), {"version", *cls.__dataclass_fields__}, "job")
        take_integer(items.pop("version"), "version", SPEC_VERSION, SPEC_VERSION)
        items["model"] = ModelSpec.from_json(items["model"])
        items["training"] = TrainingSpec.from_json(items["training"])
        items["sampler"] = SamplerSpec.from_json(items["sampler"])
        items["init_seed"] = _seed(items["init_seed"])
        return cls(**items)

    @property
    def hash(self) -> bytes:
        """keccak256 of the canonical bytes, 32 bytes."""
        return keccak(self.to_bytes())


def _check_rule(name: Any) -> None:
    try:
        alternatives(name)
    except RuleError as error:
        raise SpecError(f"rule: {error}") from error


def _seed(text: Any) -> bytes:
    if not isinstance(text, str) or not text.startswith("0x") or text != text.lower():
        raise SpecError("init_seed: expected 0x and 64 lower-case hexadecimal digits")
    try:
        return bytes.fromhex(text[2:])
    except ValueError as error:
        raise SpecError(f"init_seed: {error}") from error

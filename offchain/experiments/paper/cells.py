"""Cells: each says everything about one run of an experiment, and its name says it in short."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, fields, replace
from decimal import Decimal
from typing import Any

from eth_utils.crypto import keccak

from d2m.adversaries.sellers import ATTACKS, RELABELLINGS
from d2m.data.partition import Partition
from d2m.learning.defaults import SPECS, one_convolution
from d2m.learning.network.model import ModelSpec
from d2m.learning.spec import JobSpec
from d2m.protocol.constants import BPS

HONEST = "honest"
NO_ATTACK = "none"
SELLER_ATTACKS = (NO_ATTACK, *ATTACKS, *RELABELLINGS)
VOTES = (HONEST, "random", "stale", "colluding", "silent")
"""Votes of Byzantine CONE nodes; see votes.py."""
PAPER_RATE = Decimal("0.01")
"""Adam's step in the paper."""
PAPER_SAMPLE = 10
"""Draws in a round: a fifth of its fifty sellers."""
LIGHT_CHANNELS = 16
LIGHT_SAMPLE = 20


@dataclass(frozen=True)
class Cell:
    """One run. Shares are in basis points. Raises ValueError on what cannot be run."""

    dataset: str = "fashion-mnist"
    partition: str = "dirichlet:0.5"
    sellers: int = 50
    rounds: int = 50
    method: str = "default"
    """A key of `METHODS`: how updates become a model."""
    attack: str = NO_ATTACK
    """Attack of the Byzantine sellers."""
    byzantine_sellers: int = 0
    voting: str = HONEST
    """Vote of the Byzantine CONE nodes."""
    byzantine_nodes: int = 0
    yoda: bool = True
    """Whether execution sets vote; without it one node drawn from the pool is believed."""
    seed: int = 1

    def __post_init__(self) -> None:
        for what, value, choices in (
            ("data set", self.dataset, SPECS),
            ("method", self.method, METHODS),
            ("attack", self.attack, SELLER_ATTACKS),
            ("vote", self.voting, VOTES),
        ):
            if value not in choices:
                raise ValueError(f"unknown {what} {value!r}: choose one of {', '.join(choices)}")
        Partition.parse(self.partition)
        for share in (self.byzantine_sellers, self.byzantine_nodes):
            if not 0 <= share <= BPS:
                raise ValueError(f"a share of {share} basis points: give 0 to {BPS}")
        if (self.attack == NO_ATTACK) != (self.byzantine_sellers == 0):
            raise ValueError("name an attack and a share of Byzantine sellers, or neither")
        if (self.voting == HONEST) != (self.byzantine_nodes == 0):
            raise ValueError("name a vote and a share of Byzantine nodes, or neither")
        if self.rounds < 1 or self.sellers < 2:
            raise ValueError("a cell has at least one round and two sellers")

    @property
    def name(self) -> str:
        """Short and unique, fit for a file: only what differs from the defaults, and the data."""
        parts = [self.dataset]
        for field in fields(self)[1:]:
            value = getattr(self, field.name)
            if value != field.default:
                parts.append(f"{field.name}-{value}".replace(":", "-").replace("_", "-"))
        return ".".join(parts).lower()

    @property
    def arguments(self) -> str:
        """The options of the command that runs this cell alone."""
        given = []
        for field in fields(self):
            value, option = getattr(self, field.name), field.name.replace("_", "-")
            if value == field.default and field.name != "dataset":
                continue
            given.append(f"--no-{option}" if value is False else f"--{option} {value}")
        return " ".join(given)

    @property
    def learning(self) -> Cell:
        """The same cell with nobody lying about results: what it learns while votes come true."""
        return replace(self, voting=HONEST, byzantine_nodes=0, yoda=True)

    def bytes32(self, purpose: str) -> bytes:
        """32 bytes that follow from the seed alone, so methods and attacks meet the same draws."""
        return keccak(text=f"D2M experiment {self.seed} {purpose}")

    def integer(self, purpose: str) -> int:
        """63 bits that follow from the seed."""
        return int.from_bytes(self.bytes32(purpose)[:8], "big") >> 1

    def spec(self) -> JobSpec:
        """The job's specification: the data set's default, changed by the method."""
        return METHODS[self.method](SPECS[self.dataset](self.bytes32("weights")))

    def to_json(self) -> dict[str, Any]:
        """All fields."""
        return asdict(self)


def _default(spec: JobSpec) -> JobSpec:
    return spec


def _paper(spec: JobSpec) -> JobSpec:
    """The paper's rule in its own set-up, as far as it is public: one update chosen, a fixed step.

    Its network's size is not public: 5×5, stride 1, 16 channels (32 on colour images) here.
    """
    ours = spec.model
    channels = 32 if ours.input_shape[0] == 3 else 16
    plain = ModelSpec("convolution", ours.input_shape, ours.classes, channels=channels, kernel=5)
    return replace(
        spec,
        model=replace(plain, input_centre=ours.input_centre),
        training=replace(
            spec.training,
            learning_rate=PAPER_RATE,
            decay_rounds=0,
            augmentation="none",
            label_smoothing=0,
            logit_adjustment=0,
        ),
        rule="corrected_krum",
        harmful_move=BPS,
        sample_size=PAPER_SAMPLE,
        server_momentum=0,
    )


def _light(spec: JobSpec) -> JobSpec:
    """The default with fewer channels and draws: for grids of many cells."""
    shape, centre = spec.model.input_shape, spec.model.input_centre
    model = one_convolution(shape, LIGHT_CHANNELS, centre)
    return replace(spec, model=model, sample_size=LIGHT_SAMPLE)


def _uniform(spec: JobSpec, rule: str) -> JobSpec:
    """Sellers drawn uniformly, nothing refused before the rule or after it."""
    sampler = replace(spec.sampler, alpha=Decimal(1))
    return replace(spec, sampler=sampler, harmful_threshold=BPS, harmful_move=BPS, rule=rule)


METHODS: dict[str, Callable[[JobSpec], JobSpec]] = {
    "default": _default,
    "paper": _paper,
    "light": _light,
    "light_corrected_krum": lambda spec: replace(
        _light(spec), rule="corrected_krum", harmful_move=BPS
    ),
    "light_fedavg": lambda spec: _uniform(_light(spec), "mean"),
    "light_median": lambda spec: _uniform(_light(spec), "median"),
    "light_multi_krum": lambda spec: _uniform(_light(spec), "multi_krum"),
}
"""By the names that cells use. `light_fedavg` is what remains of `light` without Corrected OSMD."""

"""The specifications that the market proposes for each data set, chosen by measurement."""

from __future__ import annotations

from decimal import Decimal

from offchain.learning.models import ModelSpec
from offchain.learning.sampler import SamplerSpec
from offchain.learning.spec import JobSpec, TrainingSpec

SAMPLER = SamplerSpec(
    eta=Decimal(1),
    alpha=Decimal("0.3"),
    utility_bound=Decimal(1),
    exploration=Decimal("0.1"),
)
BYZANTINE_SELLERS = 2000
"""Of a round's posted updates a fifth may lie, rounded down; those refused already count."""
HARMFUL_THRESHOLD = 2500
"""Behind the median by a quarter of the evaluation set. What this refuses on digits stands in
docs/experiments.md; refusing every update that lowers the accuracy by itself cost half of the
honest ones."""
_PAPER_RATE = Decimal("0.01")
_PAPER_EPOCHS = 3
_PAPER_BATCH = 64
_SMALL_BATCH = 16
"""A seller of digits holds about 120 images: with the paper's batch of 64 three epochs are six
steps, too few to learn from."""


def digits_spec(init_seed: bytes) -> JobSpec:
    """8×8 digits among a dozen sellers; ``init_seed`` has 32 bytes.

    16 draws reach about nine of twelve sellers: with fewer, partitions in which most of a digit
    belongs to the poisoners learn too slowly.
    """
    model = ModelSpec("convolution", (1, 8, 8), 10, channels=32, kernel=3)
    return _spec("digits", model, _SMALL_BATCH, sample_size=16, init_seed=init_seed)


def mnist_spec(init_seed: bytes) -> JobSpec:
    """MNIST with the paper's training parameters; ``init_seed`` has 32 bytes."""
    return _spec("mnist", _network_28(), _PAPER_BATCH, sample_size=10, init_seed=init_seed)


def fashion_mnist_spec(init_seed: bytes) -> JobSpec:
    """Fashion-MNIST with the paper's training parameters; ``init_seed`` has 32 bytes."""
    return _spec("fashion-mnist", _network_28(), _PAPER_BATCH, sample_size=10, init_seed=init_seed)


SPECS = {"digits": digits_spec, "mnist": mnist_spec, "fashion-mnist": fashion_mnist_spec}
"""The proposed specification by data set name."""


def _network_28() -> ModelSpec:
    return ModelSpec("convolution", (1, 28, 28), 10, channels=16, kernel=5)


def _spec(
    dataset: str, model: ModelSpec, batch_size: int, sample_size: int, init_seed: bytes
) -> JobSpec:
    return JobSpec(
        dataset=dataset,
        model=model,
        training=TrainingSpec(_PAPER_EPOCHS, batch_size, _PAPER_RATE, "adam"),
        sampler=SAMPLER,
        rule="multi_krum",
        byzantine_sellers=BYZANTINE_SELLERS,
        sample_size=sample_size,
        harmful_threshold=HARMFUL_THRESHOLD,
        server_momentum=0,
        init_seed=init_seed,
    )

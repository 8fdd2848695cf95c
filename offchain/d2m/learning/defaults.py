"""The specifications that the market proposes; docs/experiments.md measures them."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from d2m.learning.network.model import ModelSpec
from d2m.learning.network.operators import Operator
from d2m.learning.sampler import SamplerSpec
from d2m.learning.spec import JobSpec, TrainingSpec

SAMPLER = SamplerSpec(
    eta=Decimal(1),
    alpha=Decimal("0.3"),
    utility_bound=Decimal(1),
    exploration=Decimal("0.1"),
)
IMAGE_SAMPLER = replace(SAMPLER, alpha=Decimal("0.7"))
"""With the lower floor a few sellers who hold all labels get most draws, and a round averages fewer
and less varied updates."""
BYZANTINE_SELLERS = 3000
"""Share of a round's posted updates that may lie: three in ten, rounded down; those refused already
count."""
RULE = "clipping+mean|clipping+nnm+trimmed_mean"
"""Clipping gives updates of an earlier round the length of the others: late in a job, when steps
are short, they are long (Allouah et al., ICLR 2025). Nearest-neighbour mixing keeps updates of rare
data from being trimmed away as if they were lies (Allouah et al., AISTATS 2023); where nobody lies
the mean still learns more, and the buyer's samples tell."""
DIGITS_BYZANTINE_SELLERS = 2000
DIGITS_RULE = "multi_krum"
"""Rule for a dozen sellers with a hundred images each: whole updates of the fifth furthest away are
left out, so a poisoner among them earns nothing."""
HARMFUL_THRESHOLD = 2500
"""Behind the median by a quarter of the evaluation set. docs/experiments.md shows what this refuses
on digits; refusing every update that lowers the accuracy by itself cost half of the honest ones."""
HARMFUL_MOVE = 200
"""A fiftieth of the evaluation set. In no round of these specifications' recorded runs without lies
did the model lose that much; rounds of which liars had about half cost 2.5 to 28 hundredths."""
EPOCHS = 3
BATCH = 64
"""Local epochs and batch of the paper."""
DIGITS_BATCH = 16
"""A seller of digits holds about 120 images: with a batch of 64 three epochs are six steps, too
few to learn from."""
DIGITS_RATE = Decimal("0.01")
RATE = Decimal("0.004")
"""First step of Adam; with the paper's 0.01 the updates of one round are mostly noise."""
LABEL_SMOOTHING = 1000
"""A tenth of each label: a seller with one-sided labels then moves the model less far."""
LOGIT_ADJUSTMENT = 10_000
"""In full: sellers whose labels are one-sided then agree more."""
DECAY_ROUNDS = 50
"""The rounds of the paper's experiments."""
MOMENTUM = 5000
"""Half of the last move."""
SAMPLE = 25
"""Draws in a round, of fifty sellers: with ten the labels of those drawn vary too much."""
FASHION_SAMPLE = 40
"""Reaches 26 of fifty sellers at first; its network learns still more from so many."""


def digits_spec(init_seed: bytes) -> JobSpec:
    """8×8 digits among a dozen sellers; ``init_seed`` has 32 bytes.

    16 draws reach about nine of twelve sellers: with fewer, partitions in which most of a digit
    belongs to the poisoners learn too slowly.
    """
    model = ModelSpec("convolution", (1, 8, 8), 10, channels=32, kernel=3)
    training = TrainingSpec(EPOCHS, DIGITS_BATCH, DIGITS_RATE, "adam")
    return JobSpec(
        dataset="digits",
        model=model,
        training=training,
        sampler=SAMPLER,
        rule=DIGITS_RULE,
        byzantine_sellers=DIGITS_BYZANTINE_SELLERS,
        sample_size=16,
        harmful_threshold=HARMFUL_THRESHOLD,
        server_momentum=0,
        init_seed=init_seed,
    )


def mnist_spec(init_seed: bytes) -> JobSpec:
    """MNIST; ``init_seed`` has 32 bytes. Scores stay unadjusted: it cost 0.2 points."""
    model = one_convolution((1, 28, 28), channels=128, centre=0)
    return _images("mnist", model, "shift", init_seed, logit_adjustment=0)


def fashion_mnist_spec(init_seed: bytes) -> JobSpec:
    """Fashion-MNIST; ``init_seed`` has 32 bytes."""
    model = one_convolution((1, 28, 28), channels=64, centre=0, stride=1, hidden=128)
    return _images("fashion-mnist", model, "flip", init_seed, sample_size=FASHION_SAMPLE)


def cifar_10_spec(init_seed: bytes) -> JobSpec:
    """CIFAR-10; ``init_seed`` has 32 bytes."""
    model = one_convolution((3, 32, 32), channels=160, centre=128)
    return _images("cifar-10", model, "flip_shift", init_seed)


SPECS = {
    "digits": digits_spec,
    "mnist": mnist_spec,
    "fashion-mnist": fashion_mnist_spec,
    "cifar-10": cifar_10_spec,
}
"""The proposed specification by data set name."""


def one_convolution(
    input_shape: tuple[int, ...], channels: int, centre: int, stride: int = 2, hidden: int = 0
) -> ModelSpec:
    """One 5×5 convolution, a max-pool to a quarter of each side, a dense layer of ten classes.

    A stride of 2 buys four times the channels of a stride of 1 at the same cost. ``hidden`` units,
    if any, stand before the last layer.
    """
    pool = 4 // stride
    between = (Operator("dense", outputs=hidden), Operator("relu")) if hidden else ()
    operators = (
        Operator("convolution", outputs=channels, side=5, stride=stride, padding=2),
        Operator("max_pool", side=pool, stride=pool),
        Operator("relu"),
        Operator("flatten"),
        *between,
        Operator("dense", outputs=10),
    )
    return ModelSpec("sequence", input_shape, 10, operators=operators, input_centre=centre)


def _images(
    dataset: str,
    model: ModelSpec,
    augmentation: str,
    init_seed: bytes,
    logit_adjustment: int = LOGIT_ADJUSTMENT,
    sample_size: int = SAMPLE,
) -> JobSpec:
    return JobSpec(
        dataset=dataset,
        model=model,
        training=TrainingSpec(
            EPOCHS,
            BATCH,
            RATE,
            "adam",
            DECAY_ROUNDS,
            augmentation,
            LABEL_SMOOTHING,
            logit_adjustment,
        ),
        sampler=IMAGE_SAMPLER,
        rule=RULE,
        byzantine_sellers=BYZANTINE_SELLERS,
        sample_size=sample_size,
        harmful_threshold=HARMFUL_THRESHOLD,
        server_momentum=MOMENTUM,
        init_seed=init_seed,
        harmful_move=HARMFUL_MOVE,
    )

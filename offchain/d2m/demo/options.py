"""Options of a demo run."""

from __future__ import annotations

from dataclasses import dataclass

from d2m.adversaries.cone import VOTERS
from d2m.adversaries.sellers.training import TRAINERS
from d2m.cli.options.buyer import KINDS
from d2m.protocol.bounds import RULES
from d2m.protocol.constants import BPS, WAD
from d2m.protocol.types import ETHER, AuctionKind, Rules, Terms

NODE_BEHAVIOURS = tuple(name for name in VOTERS if name != "honest")
SELLER_BEHAVIOURS = tuple(name for name in TRAINERS if name != "honest")

BYZANTINE_BPS = 3000
"""f of the demo's job, unless more nodes than that are asked to be Byzantine."""
MAX_BYZANTINE_BPS = RULES["byzantineBps"].most
"""Largest f that the contracts allow."""
ERROR_PPM = 1000
"""β of the demo's job: one wrong result in a thousand rounds."""
BASE = 2
"""Small first execution sets, so that mini-rounds can be seen to grow."""
BLOCK_SECONDS = 0.25
"""A block time at which a run takes minutes, not hours."""
WINDOW_BLOCKS = 1200
"""5 min, for local training on MNIST with two cores for all. Windows close early when all have
acted, so only a silent party costs time."""
MAX_ROUNDS = 100
"""So many rounds of such windows the contracts allow in one job."""
AUCTION_BLOCKS = 60
"""15 s, so that three buyers get to bid on a busy machine, too."""
SEALED_REVEAL_BLOCKS = 60
"""15 s: one bidder never reveals in the demo, so this window is waited for in full."""
INCREMENT_BPS = 1000
RESERVE = WAD
STAKE_UNIT = 5 * WAD
BOND_UNIT = WAD // 10
DEFAULT_SEED = 13
"""Chosen, among the seeds up to 100, for its draws: every node is asked within its 4 rounds, and
the copier only after others have revealed. Asked first, it has nothing to copy and loses by its
result, so that with other seeds its stake may be gone before its audit word is tried."""
BUYER_LIMITS = (2 * WAD, 3 * WAD, 4 * WAD)
"""Highest bid of each of the three buyers; the last one wins. Where bids are sealed, its bid."""


@dataclass(frozen=True)
class DemoOptions:
    """Sizes of a run. Raises ValueError with the remedy where they make no market."""

    sellers: int = 12
    nodes: int = 10
    byzantine_nodes: float = 0.3
    """Share of the nodes."""
    byzantine_sellers: float = 0.17
    """Share of the sellers."""
    node_behaviour: str = "random,stale,copier"
    """Behaviours of Byzantine nodes, in turns: some of NODE_BEHAVIOURS, between commas."""
    seller_behaviour: str = "sign_flip,label_flip"
    """Behaviours of Byzantine sellers, in turns: some of SELLER_BEHAVIOURS, between commas."""
    rounds: int = 10
    target: float = 0.9
    dataset: str = "digits"
    auction: str = "open"
    """A key of `KINDS`."""
    seed: int = DEFAULT_SEED

    def __post_init__(self) -> None:
        if not 2 <= self.sellers <= 64:
            raise ValueError(f"--sellers {self.sellers}: give 2 to 64, each is a process")
        if not 5 <= self.nodes <= 64:
            raise ValueError(f"--nodes {self.nodes}: give 5 to 64, each is a process")
        if not 0 <= self.byzantine_nodes <= MAX_BYZANTINE_BPS / BPS:
            raise ValueError(
                f"--byzantine-nodes {self.byzantine_nodes}: give a share from 0 to 0.45"
            )
        if not 0 <= self.byzantine_sellers <= 0.5:
            raise ValueError(
                f"--byzantine-sellers {self.byzantine_sellers}: give a share from 0 to 0.5"
            )
        _check_kinds("--node-behaviour", self.node_behaviour, NODE_BEHAVIOURS)
        _check_kinds("--seller-behaviour", self.seller_behaviour, SELLER_BEHAVIOURS)
        if not 1 <= self.rounds <= MAX_ROUNDS:
            raise ValueError(f"--rounds {self.rounds}: give 1 to {MAX_ROUNDS}")
        if not 0 < self.target <= 1:
            raise ValueError(f"--target {self.target}: give an accuracy above 0 and up to 1")

    def node_behaviours(self) -> list[str]:
        """By node: the Byzantine ones come last and take turns in kind."""
        return _behaviours(self.nodes, self.byzantine_nodes, self.node_behaviour)

    def seller_behaviours(self) -> list[str]:
        """By seller: the Byzantine ones come last and take turns in kind."""
        return _behaviours(self.sellers, self.byzantine_sellers, self.seller_behaviour)

    def rules(self, sample_size: int) -> Rules:
        """The job's rules."""
        return Rules(
            target_bps=round(self.target * BPS),
            rounds=self.rounds,
            sample_size=sample_size,
            byzantine_bps=max(BYZANTINE_BPS, round(self.byzantine_nodes * BPS)),
            base=BASE,
            error_ppm=ERROR_PPM,
            update_blocks=WINDOW_BLOCKS,
            commit_blocks=WINDOW_BLOCKS,
            reveal_blocks=WINDOW_BLOCKS,
            open_blocks=WINDOW_BLOCKS,
            judge_blocks=WINDOW_BLOCKS,
        )

    @property
    def is_sealed(self) -> bool:
        """Whether bids are sealed."""
        return KINDS[self.auction] is not AuctionKind.OPEN

    @property
    def terms(self) -> Terms:
        """The auction's terms."""
        return Terms(
            KINDS[self.auction],
            ETHER,
            window_blocks=AUCTION_BLOCKS,
            reveal_blocks=SEALED_REVEAL_BLOCKS if self.is_sealed else 0,
            increment_bps=0 if self.is_sealed else INCREMENT_BPS,
            reserve=RESERVE,
        )


def _behaviours(count: int, share: float, behaviour: str) -> list[str]:
    byzantine, kinds = round(count * share), behaviour.split(",")
    honest = ["honest"] * (count - byzantine)
    return honest + [kinds[i % len(kinds)] for i in range(byzantine)]


def _check_kinds(option: str, behaviour: str, kinds: tuple[str, ...]) -> None:
    if not set(behaviour.split(",")) <= set(kinds):
        raise ValueError(f"{option} {behaviour}: give some of {','.join(kinds)}")

"""How large a chaos run is."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from decimal import Decimal

from offchain.chain.records import BPS, ETHER, WAD, AuctionKind, Rules, Terms
from offchain.chaos.chain_node import BLOCK_SECONDS
from offchain.chaos.schedule import LONGEST_SECONDS
from offchain.learning.defaults import SPECS
from offchain.learning.models import ModelSpec
from offchain.learning.spec import JobSpec

START_SECONDS = 120
"""For a party's process to load PyTorch and look, on two cores that two dozen others use, too."""
WINDOW_BLOCKS = round(2 * (LONGEST_SECONDS + START_SECONDS) / BLOCK_SECONDS)
"""Twice what a party is away at most by one disturbance: an honest party that is away for a whole
window is slashed 2 % for its silence, by the rules. Windows end early when all have acted."""
PATIENCE_BLOCKS = 4
"""Before a party pushes an overdue job on: any may be away, so none is relied on."""
AUCTION_BLOCKS = 60
"""For a buyer's process to start and bid; one that is killed meanwhile may come too late."""
RESERVE = WAD // 10
LIMIT = WAD
STAKE_UNIT = WAD
BOND_UNIT = WAD // 100
ROUNDS = 2
"""Enough for a second round to start from an accepted first one."""
SAMPLE_SIZE = 6
BASE = 5
"""Half of the nodes vote in a first mini-round, so that all of them work all the time."""
BUYERS = 3
_IPFS_FORM = re.compile(r"/ip4/(?P<host>[\d.]+)/tcp/(?P<port>\d+)")
"""Of the RPC of a node that a proxy can stand before."""


@dataclass(frozen=True)
class ChaosOptions:
    """Sizes of a run. Raises ValueError with the remedy where they make no market."""

    jobs: int = 50
    at_once: int = 3
    sellers: int = 12
    nodes: int = 12
    seed: int = 1
    ipfs: str | None = None
    """The multiaddr of an IPFS node's RPC, all parties' store; None: a folder."""
    namespaces: bool = False
    """Whether parties run in network namespaces, which partitions separate."""

    def __post_init__(self) -> None:
        if self.jobs < 1:
            raise ValueError("--jobs: give at least 1")
        if not 1 <= self.at_once <= BUYERS:
            raise ValueError(f"--at-once: give 1 to {BUYERS}, each job has a buyer of its own")
        if self.ipfs is not None and _IPFS_FORM.fullmatch(self.ipfs) is None:
            raise ValueError("--ipfs: give a node's RPC like /ip4/127.0.0.1/tcp/5001")
        if self.sellers < 2 or self.nodes < 5:
            raise ValueError("--sellers, --nodes: give at least 2 and 5")

    @property
    def ipfs_url(self) -> str:
        """The IPFS node's address for a proxy that stands before it."""
        found = _IPFS_FORM.fullmatch(self.ipfs or "")
        assert found is not None
        return f"http://{found['host']}:{found['port']}"


RULES = Rules(
    target_bps=BPS,
    rounds=ROUNDS,
    sample_size=SAMPLE_SIZE,
    byzantine_bps=3000,
    base=BASE,
    error_ppm=1000,
    update_blocks=WINDOW_BLOCKS,
    commit_blocks=WINDOW_BLOCKS,
    reveal_blocks=WINDOW_BLOCKS,
    open_blocks=WINDOW_BLOCKS,
    judge_blocks=WINDOW_BLOCKS,
)
TERMS = Terms(AuctionKind.OPEN, ETHER, AUCTION_BLOCKS, 0, 1000, RESERVE)


def small_spec(seed: bytes) -> JobSpec:
    """Logistic regression on the digits: a round takes a fraction of a second."""
    spec = SPECS["digits"](seed)
    training = replace(spec.training, epochs=3, learning_rate=Decimal("0.01"), decay_rounds=0)
    model = ModelSpec("logistic", (1, 8, 8), 10)
    return replace(spec, model=model, training=training, sample_size=SAMPLE_SIZE)

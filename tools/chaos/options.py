"""How large a chaos run is."""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal
from functools import reduce
from operator import or_

from d2m.clients.geth import Rules as ChainRules
from d2m.learning.defaults import SPECS
from d2m.learning.network.model import ModelSpec
from d2m.learning.spec import JobSpec
from d2m.protocol.constants import BPS, WAD
from d2m.protocol.types import ETHER, AuctionKind, Rules, Terms
from tools.chaos.chain_node import BLOCK_SECONDS
from tools.chaos.schedule import LONGEST_SECONDS, Needs

START_SECONDS = 60
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
CHAINS = {"anvil": None, "geth-mainnet": ChainRules.MAINNET, "geth-sepolia": ChainRules.SEPOLIA}
"""By what --chain calls them."""


@dataclass(frozen=True)
class ChaosOptions:
    """Sizes of a run. Raises ValueError with the remedy where they make no market."""

    jobs: int = 50
    at_once: int = 3
    sellers: int = 12
    nodes: int = 12
    seed: int = 1
    chain: str = "anvil"
    """One of `CHAINS`."""
    kubo: bool = False
    """Whether each site keeps its content on an IPFS node of its own; else all in one folder."""
    namespaces: bool = False
    """Whether parties run in network namespaces, which partitions separate."""

    def __post_init__(self) -> None:
        if self.jobs < 1:
            raise ValueError("--jobs: give at least 1")
        if not 1 <= self.at_once <= BUYERS:
            raise ValueError(f"--at-once: give 1 to {BUYERS}, each job has a buyer of its own")
        if self.sellers < 2 or self.nodes < 5:
            raise ValueError("--sellers, --nodes: give at least 2 and 5")

    @property
    def there(self) -> Needs:
        """Needs of disturbances that this run meets."""
        found = {
            Needs.GETH: CHAINS[self.chain],
            Needs.KUBO: self.kubo,
            Needs.NAMESPACES: self.namespaces,
        }
        return reduce(or_, (need for need, is_there in found.items() if is_there), Needs.NOTHING)


TAG = "digits"
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

"""The chain and the model that every play starts from, and what one step is."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import NamedTuple

from d2m.protocol.types import ETHER
from tests.model_check.audit import Differs, compare, compare_conducts
from tests.model_check.chain import BOND, STAKE, TAGS, TOKENS, Chain, started
from tests.model_check.model.basics import Move, Plan, Refused
from tests.model_check.model.market import Market
from tests.model_check.truth import CID, KEY

UNBONDING = 25  # blocks, as `build.SHORT_UNBONDING` sets it
FIRST_NODES = 7


@dataclass
class Stage:
    """A chain with a staffed market, and the model of it, to start each example from."""

    chain: Chain
    model: Market
    snapshot: str = ""
    steps: int = 0
    examples: int = 0
    seen: Counter[str] = field(default_factory=Counter)

    def rewind(self) -> Market:
        """The model of the market as it was staffed; the chain is brought back to it."""
        if self.snapshot:
            self.chain.revert(self.snapshot)
        self.snapshot = self.chain.snapshot()
        self.examples += 1
        return copy.deepcopy(self.model)


class Cast(NamedTuple):
    """What roles the accounts play. Chameleons come last in each."""

    buyers: tuple[str, ...]
    sellers: tuple[str, ...]
    nodes: tuple[str, ...]
    thief: str

    @classmethod
    def of(cls, chain: Chain) -> Cast:
        people, (first, second, third, fourth) = chain.people, chain.chameleons
        return cls(
            (*people[:3], first),
            (*people[3:6], second),
            (*people[6:13], third, fourth),
            people[13],
        )


@contextmanager
def staged(codes: Mapping[str, bytes]) -> Iterator[Stage]:
    """A node with sellers and nodes in the market."""
    with started(codes) as chain:
        cast = Cast.of(chain)
        setting = chain.setting(UNBONDING)
        model = Market(setting, chain.height() + 1, {each: Plan() for each in chain.chameleons})
        for account in setting.accounts:
            balance = int(chain.rpc("eth_getBalance", account, "latest"), 16)
            model.books.balances[ETHER, account] = balance
            model.books.balances[setting.token, account] = TOKENS
        stage = Stage(chain, model)
        for number, seller in enumerate(cast.sellers):
            args = ((TAGS[number % 2],) if number else TAGS, CID, KEY)
            step(stage, model, Move(seller, "registry", "offer", args, BOND))
        for node in [*cast.nodes[: FIRST_NODES - 1], cast.nodes[-1]]:
            step(stage, model, Move(node, "pool", "join", (KEY,), STAKE))
        yield stage


def step(stage: Stage, model: Market, move: Move) -> bool:
    """Whether the move went through, on both sides. Raises Differs."""
    stage.steps += 1
    name = f"{move.contract}.{move.function}"
    try:
        model.apply(move)
    except Refused as refused:
        found = stage.chain.refusal(move)
        error = refused.error.partition("(")[0]
        if found is None:
            raise Differs(f"{name} went through instead of {error}", str(move)) from None
        if found != refused.data:
            detail = f"{refused.data.hex()} expected, {found.hex()}, {move}"
            raise Differs(f"{name} was not refused with {error}", detail) from None
        model.note(f"refused: {error}")
        return False
    if not stage.chain.send(move):
        raise Differs(f"{name} reverted", str(move))
    model.now += 1
    model.note(f"done: {name}")
    compare(stage.chain, model)
    model.check_laws()
    if name == "jobs.open":
        compare_conducts(stage.chain, model, int(str(move.args[0])))
    return True

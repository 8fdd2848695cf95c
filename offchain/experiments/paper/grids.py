"""The paper's experiments as grids of cells. The declared ones stand in docs/experiments.md.

`full` adds what takes many hours on two cores.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import product

from experiments.paper.cells import METHODS, NO_ATTACK, SELLER_ATTACKS, Cell

DATA_SETS = ("mnist", "fashion-mnist", "cifar-10")
TELLING_ATTACKS = ("sign_flip", "line_searched_ipm")
"""One that all know, and one that is fitted to the rule: for the methods beside the default."""
HARDEST_ATTACKS = ("alie", "min_sum", "stale")
"""Of those that cost the default most: for other shares and partitions than the usual ones."""
LIGHT_METHODS = tuple(name for name in METHODS if name.startswith("light"))
LYING_VOTES = ("random", "stale", "colluding")
FULL_SEEDS = (1, 2, 3)
SCALE_ROUNDS = 10
"""Enough for the mean time of a round."""
_ALL_ATTACKS = tuple(name for name in SELLER_ATTACKS if name != NO_ATTACK)
_SELLER_SHARES = (1000, 2000, 3000)
_PLANS = ("dirichlet:0.5", "dirichlet:0.1", "iid")
"""The first is the usual one."""
_NODE_SHARES = (2000, 3000, 4000, 5000)


def accuracy(full: bool) -> list[Cell]:
    """1. Nobody lies: the default beside the paper's rule in the paper's set-up."""
    seeds = FULL_SEEDS if full else (1,)
    return [
        Cell(dataset=data, method=method, seed=seed)
        for data, method, seed in product(DATA_SETS, ("default", "paper"), seeds)
    ]


def nodes(full: bool) -> list[Cell]:
    """2. Byzantine CONE nodes: random, stale, colluding on one wrong digest."""
    clean = [Cell(dataset=data) for data in (DATA_SETS if full else DATA_SETS[:2])]
    return clean + [
        replace(cell, voting=voting, byzantine_nodes=share)
        for cell, voting, share in product(clean, LYING_VOTES, _NODE_SHARES)
    ]


def ablations(full: bool) -> list[Cell]:
    """3. Without Corrected OSMD, without YODA, without both: sellers and nodes lie alike."""
    data_sets = DATA_SETS if full else ("fashion-mnist",)
    shares = (0, *_NODE_SHARES[:3]) if full else (0, 3000)
    return [
        _lying(Cell(dataset=data, method=method, yoda=yoda), share)
        for data, share, method, yoda in product(
            data_sets, shares, ("light", "light_fedavg"), (True, False)
        )
    ]


def _lying(cell: Cell, share: int) -> Cell:
    if not share:
        return cell
    return replace(
        cell, attack="gaussian", byzantine_sellers=share, voting="random", byzantine_nodes=share
    )


def sellers(full: bool) -> list[Cell]:
    """4. Byzantine sellers: every attack, by share, heterogeneity and method."""
    data_sets = DATA_SETS if full else ("fashion-mnist",)
    cells = []
    for data, plan, method in product(data_sets, _PLANS, LIGHT_METHODS):
        clean = Cell(dataset=data, partition=plan, method=method)
        cells.append(clean)
        cells += [
            replace(clean, attack=attack, byzantine_sellers=share)
            for share in _SELLER_SHARES
            for attack in (_ALL_ATTACKS if full else _declared_attacks(clean, share))
        ]
    return cells


def _declared_attacks(clean: Cell, share: int) -> tuple[str, ...]:
    """All on the default where most lie in the usual partition; a few around that."""
    usual, most = clean.partition == _PLANS[0], share == _SELLER_SHARES[-1]
    if clean.method != "light":
        return TELLING_ATTACKS if usual and most else ()
    if usual and most:
        return _ALL_ATTACKS
    return HARDEST_ATTACKS if usual or most else ()


def scale(full: bool) -> list[Cell]:
    """5. Run time by the number of sellers, as many drawn in each round; gas is in docs/gas."""
    del full  # no more rounds or seeds: they would time the same again
    return [
        Cell(method="light", sellers=count, rounds=SCALE_ROUNDS) for count in (50, 100, 150, 200)
    ]


GRIDS: dict[str, Callable[[bool], Sequence[Cell]]] = {
    "accuracy": accuracy,
    "nodes": nodes,
    "ablations": ablations,
    "sellers": sellers,
    "scale": scale,
}
"""By the names that commands and files use; the argument asks for the full grid."""

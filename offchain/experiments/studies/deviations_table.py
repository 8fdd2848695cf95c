"""The tables of deviations. Amounts are in wei until they are shown."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import isinf
from pathlib import Path

from d2m.incentives.bribery import JobIncentives
from d2m.incentives.formatting import lines
from experiments.formatting import markdown, write_page
from experiments.study import Facts

ETHER = 10**18


@dataclass(frozen=True)
class NodeRow:
    """Nodes that deviate alike, a node's mean over the rounds played."""

    kind: str
    nodes: int
    deviating: float
    """Payoff a round."""
    honest: float
    """Payoff of one of them that is honest while the others deviate."""
    lies: float
    """Share of the rounds in which the wrong digest was accepted."""
    least_bribe: float | None
    """By the exact chances, the least that each demands, paid when the lie is accepted."""


@dataclass(frozen=True)
class SellerRow:
    """Sellers that deviate alike, a seller's mean over the jobs played."""

    kind: str
    sellers: int
    deviating: float
    """Payoff of a job."""
    honest: float
    """Payoff in the same job when nobody deviates."""
    gained: int
    """Jobs in which deviating brought more."""
    jobs: int


def page(job: JobIncentives, facts: Facts, folder: Path) -> Path:
    """Write deviations.md."""
    nodes = [NodeRow(**each) for each in facts["nodes"]]
    sellers = [SellerRow(**each) for each in facts["sellers"]]
    return write_page(folder / "deviations.md", _page(job, nodes, sellers, facts["command"]))


def _page(
    job: JobIncentives, nodes: Sequence[NodeRow], sellers: Sequence[SellerRow], command: str
) -> Iterator[str]:
    yield from ("# What lying brings", "", f"Made, not written: `{command}`.", "")
    yield "Payoffs in ether. Job of the demo's amounts and rules, with a pool of the paper's size:"
    yield from ("", "```", *lines(job), "```", "", "## CONE nodes", "")
    yield "A node's mean payoff of a round, what the vote pays and takes. *Honest*: the same node"
    yield "honest, the others as they are. *Must bring*: by the exact chances, what an accepted lie"
    yield "would have to bring each liar. Computing costs nothing here."
    head = ["deviation", "nodes", "deviating", "honest", "lies accepted", "must bring"]
    yield from ("", *markdown(head, map(_node_cells, nodes)), "", "## Sellers", "")
    yield "A seller's mean pay of a job of the demo's size on digits, by its contributions; beside"
    yield "it the same sellers in the same job when all are honest. Training costs nothing here."
    head = ["deviation", "sellers", "deviating", "honest", "jobs in which it gained"]
    yield from ("", *markdown(head, map(_seller_cells, sellers)))


def _node_cells(row: NodeRow) -> tuple[str, ...]:
    return (
        row.kind,
        str(row.nodes),
        _ether(row.deviating),
        _ether(row.honest),
        f"{100 * row.lies:.2f} %" if row.least_bribe is not None else "",
        "" if row.least_bribe is None else _bribe(row.least_bribe),
    )


def _seller_cells(row: SellerRow) -> tuple[str, ...]:
    amounts = (_ether(row.deviating), _ether(row.honest))
    return (row.kind, str(row.sellers), *amounts, f"{row.gained} of {row.jobs}")


def _bribe(wei: float) -> str:
    return "never accepted" if isinf(wei) else f"{wei / ETHER:.3g}"


def _ether(wei: float) -> str:
    return f"{wei / ETHER:.4f}"

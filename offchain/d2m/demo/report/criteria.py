"""Criteria that a run must meet to count as passed, checked on its facts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from d2m.demo.report.model import Report, Voter
from d2m.demo.report.names import Names


class Criterion(NamedTuple):
    """A property of a run; `failures` says in words what contradicts it."""

    text: str
    failures: list[str]

    @property
    def holds(self) -> bool:
        """Whether nothing contradicts it."""
        return not self.failures


def criteria(report: Report) -> list[Criterion]:
    """Every criterion of a run."""
    checks: dict[str, Callable[[Report, Names], Iterator[str]]] = {
        "the delivered model is the accepted one": _delivery,
        "every contract holds what it owes, to the wei": _balances,
        "all buyers' money and slashed stake is paid out": _escrow_is_empty,
        "wei paid in = paid out + still held": _conservation,
        "every offence in an opened round was punished, once": _punished,
        "no honest node was slashed": _honest_nodes,
        "Byzantine nodes that were asked lost stake and were paid nothing": _byzantine_nodes,
        f"copied votes were caught by their audit word ({len(_copies(report))})": _copiers,
    }
    names = Names(report)
    return [Criterion(text, list(check(report, names))) for text, check in checks.items()]


def judged_votes(report: Report) -> Iterator[Voter]:
    """Votes, silence included, of everybody asked in an opened round."""
    for played in report.rounds:
        for mini in played.mini_rounds:
            yield from (voter for voter in mini.voters if voter.conduct != "unjudged")


def _delivery(report: Report, _names: Names) -> Iterator[str]:
    if report.delivery is None:
        yield "no model was delivered"
        return
    if not report.delivery.hash_matches:
        yield "the model's hash is not the one on chain"
    if report.delivered_accuracy != report.final_accuracy:
        yield f"measured {report.delivered_accuracy}, accepted {report.final_accuracy}"


def _balances(report: Report, _names: Names) -> Iterator[str]:
    for contract, balance in report.contract_balances_wei.items():
        if balance != report.bound_wei(contract):
            yield f"{contract} holds {balance} wei, owes {report.bound_wei(contract)}"


def _escrow_is_empty(report: Report, _names: Names) -> Iterator[str]:
    for part, wei in report.escrow_owes_wei.items():
        if wei:
            yield f"{part}: {wei} wei"


def _conservation(report: Report, _names: Names) -> Iterator[str]:
    sums = report.conservation
    if not sums.holds:
        yield f"{sums.paid_in_wei} in, {sums.paid_out_wei} out, {sums.held_wei} held"


def _punished(report: Report, _names: Names) -> Iterator[str]:
    if len(report.slashes) != report.offences:
        yield f"{report.offences} offences, {len(report.slashes)} punished"


def _honest_nodes(report: Report, names: Names) -> Iterator[str]:
    for slash in report.slashes:
        if slash.behaviour == "honest":
            yield f"{names(slash.node)} for {slash.conduct} in {slash.round}.{slash.mini_round}"


def _byzantine_nodes(report: Report, names: Names) -> Iterator[str]:
    asked = {voter.node for voter in judged_votes(report) if voter.behaviour != "honest"}
    for address, account in report.nodes.items():
        if address not in asked:
            continue
        if account.pay_wei or account.slash_share_wei or account.paid_votes:
            yield f"{names(address)} was paid"
        if not account.slashed_wei:
            yield f"{names(address)} was not slashed"


def _copiers(report: Report, names: Names) -> Iterator[str]:
    for voter in _copies(report):
        if voter.conduct != "wrong audit":
            yield f"{names(voter.node)}: {voter.conduct}"


def _copies(report: Report) -> list[Voter]:
    """Votes of copiers for the digest that was accepted in an opened round."""
    return [
        voter
        for played in report.rounds
        for mini in played.mini_rounds
        for voter in mini.voters
        if voter.behaviour == "copier" and played.digest and voter.digest == played.digest
    ]

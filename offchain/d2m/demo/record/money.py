"""The money's facts: who was paid and slashed what, and what the contracts still hold."""

from __future__ import annotations

from collections.abc import Iterable

from eth_typing import ChecksumAddress

from d2m.demo.gas import Mined
from d2m.demo.record.source import Facts, Source, conduct_text
from d2m.demo.stage import Member
from d2m.protocol.types import Conduct


def payouts(source: Source) -> dict[str, Facts]:
    """Withdrawals of every node and seller, and why each was due."""
    stage = source.run.stage
    return {
        member.address: {
            "role": member.role,
            "behaviour": member.behaviour,
            "wei": withdrawn(source, member.address),
            "why": _votes(source, member) if member.role == "cone" else _share(source, member),
        }
        for member in (*stage.nodes, *stage.sellers)
    }


def withdrawn(source: Source, account: ChecksumAddress) -> int:
    """Wei that an account took out of the escrow."""
    return sum(log["amount"] for log in source.logs("Escrow", "Withdrawn", account=account))


def slashes(source: Source) -> list[Facts]:
    """Every punished offence, in chain order."""
    return [
        {
            "node": log["node"],
            "behaviour": source.behaviour[log["node"]],
            "round": log["round"],
            "mini_round": log["miniRound"],
            "conduct": conduct_text(log["conduct"]),
            "wei": log["amount"],
            "sender": source.sender(log),
        }
        for log in source.logs("ConePool", "NodeSlashed")
    ]


def node_accounts(source: Source, rounds: list[Facts]) -> dict[str, Facts]:
    """Income and costs of every node from the job."""
    conducts: dict[str, list[str]] = {node.address: [] for node in source.run.stage.nodes}
    for voter in _voters(rounds):
        conducts[voter["node"]].append(voter["conduct"])
    return {
        node.address: _account(source, node.address, conducts[node.address])
        for node in source.run.stage.nodes
    }


def balances(source: Source) -> dict[str, int]:
    """Wei that each contract holds."""
    chain = source.run.chain
    return {name: chain.balance(address) for name, address in chain.deployment.contracts.items()}


def conservation(source: Source, mined: Iterable[Mined]) -> Facts:
    """Money that came in by the chain's transactions, and went out by the contracts' events."""
    paid = [
        *source.logs("Escrow", "Withdrawn"),
        *source.logs("ConePool", "StakeWithdrawn"),
        *source.logs("SellerRegistry", "BondWithdrawn"),
    ]
    paid_in = sum(transaction.value for transaction in mined)
    paid_out = sum(log["amount"] for log in paid)
    held = sum(balances(source).values())
    return {
        "paid_in_wei": paid_in,
        "paid_out_wei": paid_out,
        "held_wei": held,
        "holds": paid_in == paid_out + held,
    }


def _account(source: Source, node: ChecksumAddress, conducts: list[str]) -> Facts:
    paid = source.logs("Escrow", "ConePaid", node=node)
    lost = source.logs("ConePool", "NodeSlashed", node=node)
    return {
        "asked": len(conducts),
        "right_votes": conducts.count(conduct_text(Conduct.RIGHT)),
        "paid_votes": sum(log["votes"] for log in paid),
        "pay_wei": sum(log["amount"] for log in paid),
        "slash_share_wei": sum(log["slashed"] for log in paid),
        "slashed_wei": sum(log["amount"] for log in lost),
        "stake_left_wei": source.market.pool.node(node).stake,
    }


def _voters(rounds: list[Facts]) -> Iterable[Facts]:
    return (voter for r in rounds for mini in r["mini_rounds"] for voter in mini["voters"])


def _votes(source: Source, node: Member) -> str:
    votes = source.logs("Yoda", "Revealed", node=node.address)
    paid = source.logs("Escrow", "ConePaid", node=node.address)
    return f"{sum(log['votes'] for log in paid)} of {len(votes)} votes right"


def _share(source: Source, seller: Member) -> str:
    if source.job is None or not source.job.accepted_rounds:
        return "no round was accepted"
    job_id = source.run.job_id
    earned = source.inputs.contributions(job_id, source.job.accepted_rounds)
    index = source.market.jobs.sellers(job_id).index(seller.address)
    total = sum(earned)
    return f"{100 * earned[index] / total:.2f} % of contributions" if total else "none was kept"

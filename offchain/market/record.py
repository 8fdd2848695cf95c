"""The record of a run: every number of the report, read back from chain and store."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict
from typing import Any

from eth_typing import ChecksumAddress

from offchain.chain.records import WAD, Job, JobState, Tally, fields, text_of
from offchain.learning.draws import PROBABILITY_ONE
from offchain.market.gas import gas_by_step
from offchain.market.options import BLOCK_SECONDS
from offchain.market.run import Run
from offchain.market.stage import Member
from offchain.parties.buyer import DELIVERY_FILE
from offchain.parties.desk import Desk
from offchain.store.local import LocalStore

ABSENT = [
    "slashing: a lost result, a wrong audit and silence cost nothing yet, so the copier may earn",
    "sealed-bid auctions and payment in tokens",
    "sealing: the evaluation set and the weights lie in the store in the clear",
    "IPFS nodes: the embedded store yields the same CIDs",
]
"""Parts of the protocol that this version does not have."""


class DigestMismatch(AssertionError):
    """An accepted result is not what its public inputs give."""


def record(run: Run) -> dict[str, Any]:
    """All facts of a finished run, in the shape of `report.Report`."""
    return _Recorder(run).facts()


class _Recorder:
    def __init__(self, run: Run) -> None:
        self.run = run
        self.ledger = run.ledger
        self.desk = Desk(run.ledger, LocalStore(run.stage.store))
        self.behaviour = {member.address: member.behaviour for member in run.stage.members()}
        self.job = run.ledger.situation(run.job_id).job if run.job_id else None
        self._read: dict[tuple[str, str], list[dict[str, Any]]] = {}

    def facts(self) -> dict[str, Any]:
        run, rounds = self.run, self._rounds()
        accepted = [played["accuracy"] for played in rounds if played["accuracy"] is not None]
        delivery = self._delivery()
        return {
            "target": run.options.target,
            "final_accuracy": accepted[-1] if accepted else None,
            "delivered_accuracy": delivery["accuracy"] if delivery else None,
            "outcome": self._outcome(accepted),
            "seed": run.options.seed,
            "options": asdict(run.options),
            "chain": {
                "client": run.chain.w3.client_version,
                "chain_id": run.anvil.chain_id,
                "block_seconds": BLOCK_SECONDS,
                "blocks": run.chain.block_number(),
            },
            "seconds": round(run.progress.elapsed(), 2),
            "seconds_by_phase": run.seconds_by_phase,
            "auction": self._auction(),
            "bids_wei": self._bids(),
            "refunds_wei": {
                buyer.address: self._withdrawn(buyer.address) for buyer in run.stage.buyers
            },
            "rounds": rounds,
            "payouts_wei": self._payouts(),
            "contract_balances_wei": self._balances(),
            "stakes_wei": {"ConePool": self._staked()},
            "conservation": self._conservation(),
            "gas": gas_by_step(run.chain),
            "delivery": delivery
            and {key: delivery[key] for key in ("model_cid", "model_hash", "hash_matches")},
            "artifacts": {
                "deployment": str(run.stage.deployment),
                "store": str(run.stage.store),
                "logs": str(run.stage.folder / "logs"),
                "delivered": str(run.stage.folder / "delivered"),
            },
            "absent": ABSENT,
        }

    def _outcome(self, accepted: list[float]) -> str:
        if self.job is None:
            return "no job: the auction was void"
        if self.job.state == JobState.FAILED:
            return "failed: the buyer got back what was not earned"
        reached = accepted and accepted[-1] >= self.run.options.target
        return "target reached" if reached else "all rounds played"

    # --- auction

    def _auction(self) -> dict[str, Any]:
        opened = self._logs("AuctionHouse", "AuctionOpened")[0]
        auction = self.ledger.auction(opened["auctionId"])
        matched = self.ledger.sellers(self.run.job_id) if self.job else []
        sellers = [seller.address for seller in self.run.stage.sellers]
        everybody = [*sellers, self.run.stage.bystander.address]
        return {
            "tag": text_of(opened["tag"]),
            "opener": opened["opener"],
            "winner": auction.leader,
            "price_wei": auction.highest_bid,
            "bids": [
                {"bidder": bid["bidder"], "wei": bid["amount"], "block": bid["blockNumber"]}
                for bid in self._logs("AuctionHouse", "BidPlaced")
            ],
            "matched": matched,
            "unmatched": [seller for seller in everybody if seller not in matched],
        }

    def _bids(self) -> dict[str, int]:
        highest: dict[str, int] = {buyer.address: 0 for buyer in self.run.stage.buyers}
        for bid in self._logs("AuctionHouse", "BidPlaced"):
            highest[bid["bidder"]] = max(highest[bid["bidder"]], bid["amount"])
        return highest

    # --- rounds

    def _rounds(self) -> list[dict[str, Any]]:
        if self.job is None:
            return []
        started = self._logs("Jobs", "RoundStarted")
        return [self._round(self.job, log["round"], log["sample"]) for log in started]

    def _round(self, job: Job, number: int, sample: int) -> dict[str, Any]:
        sellers = self.ledger.sellers(self.run.job_id)
        accepted = number <= job.accepted_rounds
        played: dict[str, Any] = {
            "round": number,
            "accuracy": None,
            "numerator": None,
            "denominator": None,
            "sampled": [seller for i, seller in enumerate(sellers) if sample >> i & 1],
            "digest": None,
            "opened_by": None,
            "updates": [],
            "probabilities": {},
            "mini_rounds": self._mini_rounds(number),
        }
        return {**played, **self._accepted_round(number)} if accepted else played

    def _accepted_round(self, number: int) -> dict[str, Any]:
        """What an accepted result says; computed again from its inputs, as anybody can."""
        job_id, sellers = self.run.job_id, self.ledger.sellers(self.run.job_id)
        result = self.ledger.result(job_id, number)
        log = next(log for log in self._logs("Jobs", "RoundAccepted") if log["round"] == number)
        if self.desk.answer(job_id, number).result.digest != log["digest"]:
            raise DigestMismatch(f"round {number}: the accepted digest is not the computed one")
        output = self.desk.output(job_id, number)
        opening = self.run.chain.w3.eth.get_transaction(log["transactionHash"])
        return {
            "accuracy": result.metric_numerator / result.metric_denominator,
            "numerator": result.metric_numerator,
            "denominator": result.metric_denominator,
            "digest": "0x" + log["digest"].hex(),
            "opened_by": opening["from"],
            "updates": [
                {
                    "seller": sellers[verdict.index],
                    "index": verdict.index,
                    "behaviour": self.behaviour[sellers[verdict.index]],
                    "kept": verdict.kept,
                    "reason": verdict.reason,
                    "utility": verdict.utility / result.metric_denominator,
                }
                for verdict in output.verdicts
            ],
            "probabilities": {
                seller: probability / PROBABILITY_ONE
                for seller, probability in zip(sellers, output.state.probabilities, strict=True)
            },
        }

    def _mini_rounds(self, number: int) -> list[dict[str, Any]]:
        opened = self._of_round("MiniRoundOpened", number)
        tallies = {
            log["miniRound"]: Tally(*fields(log["tally"]))
            for log in self._of_round("Tallied", number)
        }
        return [
            self._mini_round(number, log, tallies[log["miniRound"]])
            for log in opened
            if log["miniRound"] in tallies
        ]

    def _mini_round(self, number: int, opened: dict[str, Any], tally: Tally) -> dict[str, Any]:
        mini_round = opened["miniRound"]
        votes = [
            log for log in self._of_round("Revealed", number) if log["miniRound"] == mini_round
        ]
        committed = [
            log for log in self._of_round("Committed", number) if log["miniRound"] == mini_round
        ]
        truth = self.ledger.verdict(self.run.job_id, number).digest
        decided = any(truth)
        return {
            "mini_round": mini_round,
            "asked": opened["asked"] - opened["askedBefore"],
            "committed": len(committed),
            "revealed": len(votes),
            "votes": dict(Counter("0x" + vote["result"].hex() for vote in votes)),
            "voters": [
                {
                    "node": vote["node"],
                    "behaviour": self.behaviour[vote["node"]],
                    "digest": "0x" + vote["result"].hex(),
                    "right": vote["result"] == truth if decided else None,
                }
                for vote in votes
            ],
            "leader": "0x" + tally.leader.hex() if tally.votes else None,
            "leader_votes": tally.leader_votes,
            "runner_up_votes": tally.runner_up_votes,
            "score": None if tally.certain or not tally.votes else tally.score / WAD,
            "threshold": tally.threshold / WAD,
            "certain": tally.certain,
            "accepted": tally.accepted,
        }

    # --- money

    def _payouts(self) -> dict[str, dict[str, Any]]:
        members = [*self.run.stage.nodes, *self.run.stage.sellers]
        return {
            member.address: {
                "role": member.role,
                "behaviour": member.behaviour,
                "wei": self._withdrawn(member.address),
                "why": self._node_earned(member) if member.role == "cone" else self._share(member),
            }
            for member in members
        }

    def _node_earned(self, node: Member) -> str:
        votes = [log for log in self._logs("Yoda", "Revealed") if log["node"] == node.address]
        paid = [
            log["votes"] for log in self._logs("Escrow", "ConePaid") if log["node"] == node.address
        ]
        return f"{sum(paid)} of {len(votes)} votes for the accepted result"

    def _share(self, seller: Member) -> str:
        if self.job is None or not self.job.accepted_rounds:
            return "no round was accepted"
        earned = self.desk.contributions(self.run.job_id, self.job.accepted_rounds)
        index = self.ledger.sellers(self.run.job_id).index(seller.address)
        total = sum(earned)
        return f"{100 * earned[index] / total:.2f} % of contributions" if total else "none was kept"

    def _withdrawn(self, account: ChecksumAddress) -> int:
        return sum(
            log["amount"]
            for contract in ("Escrow", "AuctionHouse")
            for log in self._logs(contract, "Withdrawn")
            if log["account"] == account
        )

    def _balances(self) -> dict[str, int]:
        contracts = self.run.chain.deployment.contracts
        return {name: self.run.chain.balance(address) for name, address in contracts.items()}

    def _staked(self) -> int:
        node_of = self.ledger.pool.functions.nodeOf
        calls = [node_of(node.address) for node in self.run.stage.nodes]
        return sum(stake for stake, _exit, _key in self.run.chain.call_many(calls))

    def _conservation(self) -> dict[str, Any]:
        bids = sum(log["amount"] for log in self._logs("AuctionHouse", "BidPlaced"))
        stakes = sum(log["stake"] for log in self._logs("ConePool", "NodeJoined"))
        paid = [
            *self._logs("AuctionHouse", "Withdrawn"),
            *self._logs("Escrow", "Withdrawn"),
            *self._logs("ConePool", "StakeWithdrawn"),
        ]
        paid_in, paid_out = bids + stakes, sum(log["amount"] for log in paid)
        held = sum(self._balances().values())
        return {
            "paid_in_wei": paid_in,
            "paid_out_wei": paid_out,
            "held_wei": held,
            "holds": paid_in == paid_out + held,
        }

    def _delivery(self) -> dict[str, Any] | None:
        for buyer in self.run.stage.buyers:
            path = self.run.stage.delivery_folder(buyer) / DELIVERY_FILE
            if path.exists():
                found: dict[str, Any] = json.loads(path.read_text())
                return found
        return None

    # --- events

    def _logs(self, contract: str, event: str) -> list[dict[str, Any]]:
        if (contract, event) not in self._read:
            found = self.run.chain.logs(contract, event)
            self._read[contract, event] = [
                {
                    **log["args"],
                    "blockNumber": log["blockNumber"],
                    "transactionHash": log["transactionHash"],
                }
                for log in found
            ]
        return self._read[contract, event]

    def _of_round(self, event: str, number: int) -> list[dict[str, Any]]:
        return [log for log in self._logs("Yoda", event) if log["round"] == number]

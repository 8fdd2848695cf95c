"""Following a run on the chain and telling what happens while it does."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from typing import Any

from offchain.chain.records import WAD, FailureReason, Tally, fields
from offchain.market.processes import Processes
from offchain.market.run import Run

LOOK_SECONDS = 0.2
"""Between two looks: below the demo's block time."""

Handler = Callable[[dict[str, Any]], None]


class Watch:
    """Follows a run on the chain and tells what happens."""

    def __init__(self, run: Run, processes: Processes) -> None:
        self._run = run
        self._processes = processes
        self._next_block = run.chain.deployment.block
        self._names = {member.address: member.name for member in run.stage.members()}
        self.auction_over = False
        self.job_over = False

    def until(self, done: Callable[[], bool]) -> None:
        """Watch until `done()` holds. Raises PartyFailed when a party breaks down."""
        while not done():
            self._processes.check()
            self._look()
            time.sleep(LOOK_SECONDS)
        self._look()

    def _look(self) -> None:
        latest = self._run.chain.block_number()
        if latest < self._next_block:
            return
        for contract, handlers in self._handlers().items():
            for event, handle in handlers.items():
                for log in self._run.chain.logs(contract, event, self._next_block, latest):
                    handle(dict(log["args"]))
        self._next_block = latest + 1

    def _handlers(self) -> dict[str, dict[str, Handler]]:
        """Contract by contract in the order in which a job passes through them."""
        return {
            "AuctionHouse": {
                "AuctionOpened": self._opened,
                "BidPlaced": self._bid,
                "AuctionWon": self._won,
                "AuctionVoid": self._void,
            },
            "Yoda": {"Tallied": self._tallied},
            "Jobs": {
                "RoundAccepted": self._accepted,
                "RoundStarted": self._started,
                "JobSettled": self._settled,
                "JobFailed": self._failed,
            },
        }

    def _opened(self, log: dict[str, Any]) -> None:
        self._tell(
            f"{self._names[log['opener']]} opened the auction until block {log['closeBlock']}"
        )

    def _bid(self, log: dict[str, Any]) -> None:
        self._tell(f"{self._names[log['bidder']]} bids {log['amount'] / WAD:.4f} ETH")

    def _won(self, log: dict[str, Any]) -> None:
        self._run.job_id = log["jobId"]
        self.auction_over = True
        self._tell(f"{self._names[log['winner']]} wins at {log['price'] / WAD:.4f} ETH")

    def _void(self, _log: dict[str, Any]) -> None:
        self.auction_over = self.job_over = True
        self._run.progress.warning("the auction came to nothing")

    def _started(self, log: dict[str, Any]) -> None:
        sellers = self._run.stage.sellers
        sampled = [seller.name for i, seller in enumerate(sellers) if log["sample"] >> i & 1]
        self._run.progress.round_started(log["round"], sampled)

    def _tallied(self, log: dict[str, Any]) -> None:
        tally = Tally(*fields(log["tally"]))
        votes = self._run.ledger.reveals_in_round(log["jobId"], log["round"])
        counts = Counter(
            "0x" + vote["result"].hex() for vote in votes if vote["miniRound"] == log["miniRound"]
        )
        score = None if tally.certain else tally.score / WAD
        self._run.progress.mini_round_closed(
            log["round"], log["miniRound"], counts, score, tally.threshold / WAD, tally.accepted
        )

    def _accepted(self, log: dict[str, Any]) -> None:
        result = self._run.ledger.result(log["jobId"], log["round"])
        accuracy = result.metric_numerator / result.metric_denominator
        self._run.progress.round_accepted(log["round"], accuracy, self._run.options.target)

    def _settled(self, log: dict[str, Any]) -> None:
        self.job_over = True
        reason = "target reached" if log["targetReached"] else "all rounds played"
        self._tell(f"job settled after {log['acceptedRounds']} rounds: {reason}")

    def _failed(self, log: dict[str, Any]) -> None:
        self.job_over = True
        reason = FailureReason(log["reason"]).name.lower().replace("_", " ")
        self._run.progress.round_failed(log["acceptedRounds"] + 1, reason)

    def _tell(self, text: str) -> None:
        self._run.progress.event(text)

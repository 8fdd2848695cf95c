"""Following a run on the chain and telling what happens while it does."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from typing import Any

from d2m.demo.processes import Processes
from d2m.demo.run import Run
from d2m.protocol.constants import WAD
from d2m.protocol.types import Conduct, FailureReason, Tally, fields

LOOK_SECONDS = 0.2
"""Between two looks: below the demo's block time."""

Handler = Callable[[dict[str, Any]], None]


class Watch:
    """Follows a run on the chain and tells what happens."""

    def __init__(self, run: Run, processes: Processes) -> None:
        self._run = run
        self._processes = processes
        self._next_block = run.chain.deployment.block
        self._members = {member.address: member for member in run.stage.members()}
        self._names = {address: member.name for address, member in self._members.items()}
        self._bidders: dict[int, str] = {}
        self.sealed: set[str] = set()
        """Names of those whose sealed bids are in."""
        self.auction_open = False
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
        for contract, event, handle in self._handlers():
            for log in self._run.chain.logs(contract, event, self._next_block, latest):
                handle(dict(log["args"]))
        self._next_block = latest + 1

    def _handlers(self) -> list[tuple[str, str, Handler]]:
        """In the order in which a job passes through them."""
        return [
            ("AuctionHouse", "AuctionOpened", self._opened),
            ("AuctionHouse", "BidPlaced", self._bid),
            ("AuctionHouse", "BidSealed", self._sealed),
            ("AuctionHouse", "BidRevealed", self._revealed),
            ("AuctionHouse", "AuctionWon", self._won),
            ("AuctionHouse", "AuctionVoid", self._void),
            ("AuctionHouse", "BidForfeited", self._forfeited),
            ("Yoda", "Tallied", self._tallied),
            ("Jobs", "RoundAccepted", self._accepted),
            ("Jobs", "RoundStarted", self._started),
            ("Jobs", "JudgingStarted", self._judging),
            ("ConePool", "NodeSlashed", self._slashed),
            ("Jobs", "JobSettled", self._settled),
            ("Jobs", "JobFailed", self._failed),
            ("Escrow", "JobPaid", self._paid),
        ]

    def _opened(self, log: dict[str, Any]) -> None:
        self.auction_open = True
        opener, kind = self._names[log["opener"]], self._run.options.auction
        self._tell(f"{opener} opened the auction ({kind}) until block {log['closeBlock']}")

    def _bid(self, log: dict[str, Any]) -> None:
        self._tell(f"{self._names[log['bidder']]} bids {_ether(log['amount'])}")

    def _sealed(self, log: dict[str, Any]) -> None:
        bidder = self._names[log["bidder"]]
        self.sealed.add(bidder)
        self._tell(f"{bidder} commits to a bid of at most {_ether(log['deposit'])}, its deposit")

    def _revealed(self, log: dict[str, Any]) -> None:
        bidder, amount = self._names[log["bidder"]], log["amount"]
        equal = self._bidders.setdefault(amount, bidder)
        tie = "" if equal == bidder else f", as much as {equal}: the earlier commitment goes first"
        self._tell(f"{bidder} reveals its bid of {_ether(amount)}{tie}")

    def _won(self, log: dict[str, Any]) -> None:
        self._run.job_id = log["jobId"]
        self.auction_over = True
        forfeits = f", and {_ether(log['forfeits'])} were forfeited" if log["forfeits"] else ""
        self._tell(f"{self._names[log['winner']]} wins and pays {_ether(log['price'])}{forfeits}")

    def _void(self, _log: dict[str, Any]) -> None:
        self.auction_over = self.job_over = True
        self._run.progress.warning("the auction came to nothing")

    def _forfeited(self, log: dict[str, Any]) -> None:
        bidder, lost = self._names[log["bidder"]], _ether(log["forfeited"])
        self._tell(f"{bidder} did not reveal: it lost {lost} of its deposit and reclaims the rest")

    def _started(self, log: dict[str, Any]) -> None:
        sellers = self._run.stage.sellers
        sampled = [seller.name for i, seller in enumerate(sellers) if log["sample"] >> i & 1]
        self._run.progress.round_started(log["round"], sampled)

    def _tallied(self, log: dict[str, Any]) -> None:
        tally = Tally(*fields(log["tally"]))
        votes = self._run.market.yoda.reveals_in_round(log["jobId"], log["round"])
        counts = Counter(
            "0x" + vote["result"].hex() for vote in votes if vote["miniRound"] == log["miniRound"]
        )
        score = None if tally.certain else tally.score / WAD
        self._run.progress.mini_round_closed(
            log["round"], log["miniRound"], counts, score, tally.threshold / WAD, tally.accepted
        )

    def _accepted(self, log: dict[str, Any]) -> None:
        result = self._run.market.jobs.result(log["jobId"], log["round"])
        accuracy = result.metric_numerator / result.metric_denominator
        self._run.progress.round_accepted(log["round"], accuracy, self._run.options.target)

    def _judging(self, log: dict[str, Any]) -> None:
        self._tell(f"the work is over; offences of nodes in opened rounds: {log['offences']}")

    def _slashed(self, log: dict[str, Any]) -> None:
        member = self._members[log["node"]]
        conduct = Conduct(log["conduct"]).name.lower().replace("_", " ")
        place = f"round {log['round']}, mini-round {log['miniRound']}"
        loses = f"{member.name} ({member.behaviour}) loses {_ether(log['amount'])} of its stake"
        self._run.progress.slashed(f"{loses}: {conduct} in {place}")

    def _settled(self, log: dict[str, Any]) -> None:
        self.job_over = True
        reason = "target reached" if log["targetReached"] else "all rounds played"
        self._tell(f"job settled after {log['acceptedRounds']} rounds: {reason}")

    def _failed(self, log: dict[str, Any]) -> None:
        self.job_over = True
        reason = FailureReason(log["reason"]).name.lower().replace("_", " ")
        self._run.progress.round_failed(log["acceptedRounds"] + 1, reason)

    def _paid(self, log: dict[str, Any]) -> None:
        pots = f"CONE {_ether(log['conePot'])}, sellers {_ether(log['sellerPot'])}"
        back = f"back to the buyer {_ether(log['refund'])}"
        self._tell(f"the price splits: {pots}, {back}")
        self._tell(f"right votes share {_ether(log['slashPot'])} of slashed stake")

    def _tell(self, text: str) -> None:
        self._run.progress.event(text)


def _ether(wei: int) -> str:
    return f"{wei / WAD:.4f} ETH"

"""Buyers of a run: each opens an auction when it has none, and a process of its own sees to it.

The next step is read from the chain at every look: a re-organisation may take an opening away,
bring it back, or give it another number.
"""

from __future__ import annotations

from d2m.chain.artifacts import load_artifacts
from d2m.chain.client import Chain
from d2m.chain.contracts.market import Market
from d2m.cli.commands.buyer import open_for
from d2m.cli.session import Session
from d2m.data.files import read_samples
from d2m.demo.stage import signer_of
from d2m.learning.updates import EvaluationSet
from d2m.store.choice import open_store
from tools.chaos.options import LIMIT, RULES, TAG, TERMS
from tools.chaos.processes import Supervised
from tools.chaos.sites import Site
from tools.chaos.staff import Staff

GONE_SECONDS = 30
"""Before an auction that the chain has lost is given up: a node's pool mostly brings it back."""


class Auctions:
    """All auctions of a market, as the chain has them now."""

    def __init__(self, market: Market, ended_jobs: set[int]) -> None:
        chain = market.chain
        opened = [log["args"] for log in chain.logs("AuctionHouse", "AuctionOpened")]
        won = [log["args"] for log in chain.logs("AuctionHouse", "AuctionWon")]
        void = {log["args"]["auctionId"] for log in chain.logs("AuctionHouse", "AuctionVoid")}
        self._parties = [(each["auctionId"], each["opener"]) for each in opened]
        self._parties += [(each["auctionId"], each["winner"]) for each in won]
        self._over = void | {each["auctionId"] for each in won if each["jobId"] in ended_jobs}
        self.void = len(void)
        self.promising = len(opened) - len(void)
        """How many led to a job, or still may."""

    def of(self, account: str) -> set[int]:
        """Those that the account opened or won."""
        return {auction for auction, party in self._parties if party == account}

    def running_of(self, account: str) -> set[int]:
        """Those of them that are not over, and whose jobs are not."""
        return self.of(account) - self._over


class Buyer:
    """One of them."""

    def __init__(self, place: int, site: Site, staff: Staff, market: Market, url: str) -> None:
        """`url`: the chain's node, for what this process opens itself."""
        self.site = site
        self._member = staff.stage.buyers[place]
        self._staff = staff
        self._market = market
        self._url = url
        self._working: dict[int, Supervised] = {}
        """By auction."""
        self._gone: dict[int, float] = {}
        self._past: list[Supervised] = []

    @property
    def working(self) -> list[Supervised]:
        """Its processes that are there to be disturbed."""
        return list(self._working.values())

    @property
    def everyone(self) -> list[Supervised]:
        """Those that are not started again, too."""
        return [*self._working.values(), *self._past]

    @property
    def is_free(self) -> bool:
        """Whether it has nothing under way."""
        return not self._working

    def look(self, auctions: Auctions, now: float) -> None:
        """Start a process for each auction of its own that is not over; put away what is done."""
        known, running = (
            which(self._member.address) for which in (auctions.of, auctions.running_of)
        )
        for auction, process in list(self._working.items()):
            if auction in known:
                self._gone.pop(auction, None)
            elif now - self._gone.setdefault(auction, now) > GONE_SECONDS:
                process.end()
                self._put_away(auction)
                continue
            if process.is_done:
                self._put_away(auction)
        for auction in running - set(self._working):
            process = self._staff.buyer(self._member, self.site, auction, LIMIT)
            self._working[auction] = process

    def open(self) -> None:
        """Open an auction; the next look finds it. Raises what a user can mend."""
        stage, kubo = self._staff.stage, self.site.kubo
        samples = EvaluationSet(*read_samples(stage.evaluation_file))
        signer = signer_of(self._member)
        chain = Chain(self._url, self._market.chain.deployment, load_artifacts(), signer)
        store = open_store(None, kubo.rpc) if kubo else open_store(stage.store, None)
        open_for(Session(chain, lambda: store, signer), TAG, stage.spec, samples, RULES, TERMS)

    def _put_away(self, auction: int) -> None:
        self._gone.pop(auction, None)
        self._past.append(self._working.pop(auction))

"""Anybody calls anything at any time; the model foretells what is refused, and why."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from eth_utils.crypto import keccak

from d2m.protocol.types import ETHER, AuctionKind, Offence, Terms
from tests.model_check.buyers import MOST_AUCTIONS, Buyers
from tests.model_check.chain import STAKE
from tests.model_check.model.basics import Move
from tests.model_check.model.market import PRIVILEGED
from tests.model_check.truth import CID, HASH, KEY, claims


class Thieves(Buyers):
    """One choice: some call."""

    def theft(self) -> Move | None:
        """A call at any time, by anybody, about anything: what is refused and why is foretold."""
        function = self.pick(sorted(_THEFTS))
        return _THEFTS[function](self)

    def someone(self) -> str:
        return str(self.pick(self.model.setting.accounts))

    def some_auction(self) -> int:
        return int(self.pick(range(len(self.model.house.all) + 2)))

    def some_job(self) -> int:
        return int(self.pick([*self.model.jobs.all, *self.running(), 0, 99]))


def _thief_bids(machine: Thieves) -> Move:
    args = (machine.some_auction(), machine.pick([0, 1000, 2**64, 10**15 + 7, 2**128]))
    return Move(machine.someone(), "house", "bid", args, machine.pick([args[1] % 2**65, 0, 1]))


def _thief_seals(machine: Thieves) -> Move:
    commitment = machine.pick([keccak(b"any"), bytes(32)])
    args = (machine.some_auction(), commitment, machine.pick([0, 20, 21]))
    return Move(machine.someone(), "house", "sealBid", args, machine.pick([1000, 0, 1]))


def _thief_reveals_bid(machine: Thieves) -> Move | None:
    if not machine.bids:
        return None
    auction_id, bidder = machine.pick(machine.bids)
    amount, salt = machine.bids[auction_id, bidder]
    args = (auction_id, amount + machine.pick([0, 0, 1]), salt)
    return Move(machine.pick([bidder, machine.someone()]), "house", "revealBid", args)


def _thief_closes(machine: Thieves) -> Move | None:
    auction_id = machine.some_auction()
    auction = machine.model.house.all.get(auction_id)
    if auction is None:
        return None
    request = auction.request
    if machine.pick([False, True]):
        request = request._replace(rules=request.rules._replace(target_bps=1))
    return Move(machine.someone(), "house", "close", (auction_id, request))


def _thief_opens(machine: Thieves) -> Move | None:
    job_id = machine.pick([*machine.model.jobs.all, 0])
    if not job_id or not machine.model.jobs.all[job_id].round:
        return None
    result = machine.pick(machine.results(job_id))
    return Move(machine.someone(), "jobs", "open", (job_id, result))


def _thief_posts(machine: Thieves) -> Move:
    job_id, number = machine.some_job(), machine.pick([1, 2])
    cid = machine.pick([CID, b"", b"x" * 65])
    args = (job_id, number, machine.pick([0, 1, 2, 3, 300]), HASH, cid)
    return Move(machine.someone(), "jobs", "postUpdate", args)


def _thief_slashes(machine: Thieves) -> Move:
    places = [Offence(machine.pick([1, 2]), machine.pick([0, 1, 2, 3]), machine.pick(range(10)))]
    job_id = machine.some_job()
    places += machine.pick([[], list(machine.model.pool.punished.get(job_id, []))[:1]])
    return Move(machine.someone(), "pool", "slash", (job_id, tuple(places)))


def _thief_commits(machine: Thieves) -> Move:
    args = (machine.some_job(), machine.pick(range(10)), keccak(b"any"))
    return Move(machine.pick(machine.cast.nodes), "yoda", "commit", args)


def _thief_reveals(machine: Thieves) -> Move | None:
    if not machine.secrets:
        return None
    key = machine.pick(machine.secrets)
    secret = machine.secrets[key]
    result = machine.pick([secret.result, secret.result, bytes(32)])
    args = (key[0], machine.pick([key[3], 0, 200]), result, secret.audit, secret.salt)
    return Move(machine.pick([secret.node, machine.someone()]), "yoda", "reveal", args)


def _thief_claims_share(machine: Thieves) -> Move | None:
    jobs = machine.model.jobs.all
    if not jobs:
        return None
    job_id = machine.pick(jobs)
    job = jobs[job_id]
    known = claims(job.root, job_id, job.accepted_rounds, len(job.offers))
    if not known:
        args: tuple[Any, ...] = (job_id, 0, 0, 10**18, ())
        return Move(machine.someone(), "escrow", "claimSeller", args)
    share, proof = machine.pick(known)
    end = share.end + machine.pick([0, 0, 1])
    args = (job_id, share.seller, share.start, end, proof)
    return Move(machine.someone(), "escrow", "claimSeller", args)


def _thief_claims_votes(machine: Thieves) -> Move:
    votes = ((machine.pick([1, 2]), machine.pick([1, 2, 0, 3])),)
    args = (machine.some_job(), machine.pick(range(10)), votes)
    return Move(machine.someone(), "escrow", "claimCone", args)


def _thief_withdraws(machine: Thieves) -> Move:
    who = machine.someone()
    token = machine.pick([ETHER, machine.token])
    return Move(who, "escrow", "withdraw", (token, machine.someone()))


def _thief_usurps(machine: Thieves) -> Move:
    """What only the market's own contracts may do."""
    contract, function = machine.pick(sorted(PRIVILEGED))
    thief, job_id = machine.cast.thief, machine.some_job()
    request = machine.request() if function == "create" else None
    args: dict[str, tuple[Any, ...]] = {
        "deposit": (1, ETHER, thief, 0),
        "refund": (1, ETHER, thief, 1),
        "fund": (job_id, 1, ETHER, 1),
        "settle": (job_id, (thief, 1, 1, 0, bytes(32))),
        "begin": (job_id, 1),
        "judge": (job_id, 1, KEY),
        "create": (request, thief, 0),
    }
    return Move(thief, contract, function, args.get(function, (job_id,)))


def _thief_opens_auction(machine: Thieves) -> Move | None:
    if len(machine.model.house.all) >= MOST_AUCTIONS:
        return None
    terms = Terms(
        AuctionKind(machine.pick([0, 1, 2])),
        machine.pick([ETHER, machine.cast.thief]),
        window_blocks=machine.pick([5, 4, 50_401]),
        reveal_blocks=machine.pick([0, 5]),
        increment_bps=machine.pick([0, 10_001]),
        reserve=machine.pick([1, 0, 2**84, 10**18]),
    )
    return Move(machine.someone(), "house", "open", (machine.request(), terms))


def _anybody(contract: str, function: str, *kinds: str) -> Callable[[Thieves], Move]:
    """A call by somebody about some auction, job, offer or account."""

    def theft(machine: Thieves) -> Move:
        values = {
            "auction": machine.some_auction,
            "job": machine.some_job,
            "offer": lambda: machine.pick([*machine.model.registry.offers, 0]),
            "account": machine.someone,
        }
        args = tuple(values[kind]() for kind in kinds)
        return Move(machine.someone(), contract, function, args)

    return theft


_THEFTS: dict[str, Callable[[Thieves], Move | None]] = {
    "advance": _anybody("jobs", "advance", "job"),
    "bid": _thief_bids,
    "cancel": _anybody("house", "cancel", "auction"),
    "claimCone": _thief_claims_votes,
    "claimSeller": _thief_claims_share,
    "close": _thief_closes,
    "commit": _thief_commits,
    "join": lambda m: Move(m.someone(), "pool", "join", (KEY,), m.pick([1, STAKE])),
    "leave": lambda m: Move(m.someone(), "pool", "leave", ()),
    "leave offer": _anybody("registry", "leave", "offer"),
    "open": _thief_opens,
    "open auction": _thief_opens_auction,
    "pause": _anybody("registry", "pause", "offer"),
    "post": _thief_posts,
    "reclaim": _anybody("house", "reclaim", "auction", "account"),
    "resume": _anybody("registry", "resume", "offer"),
    "reveal": _thief_reveals,
    "reveal bid": _thief_reveals_bid,
    "seal": _thief_seals,
    "slash": _thief_slashes,
    "usurp": _thief_usurps,
    "usurp again": _thief_usurps,
    "withdraw": _thief_withdraws,
    "withdraw bond": _anybody("registry", "withdrawBond", "offer", "account"),
    "withdraw stake": _anybody("pool", "withdrawStake", "account"),
}

"""Every call that parties send, in the dearest form that the rules allow: "worst" in docs/gas.

Dear is what is first: the first member of a list, the first word of its kind, a balance of an
account that had none. Dear too is what must move or look back: a member of a list that fills
another's gap, a seat whose node was moved, a tag of more offers than a job has sellers. Tokens here
are OpenZeppelin's; what another token does on top, only an estimate can tell.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak

from d2m.learning.earnings import contribution_proof, contributions_root
from d2m.protocol.types import ETHER, AuctionKind, JobState, tag_of
from tests.support.evm import deploy, event, helper, look, mine_past, rewound, send
from tests.support.play import (
    BOND,
    CID,
    HASH,
    KEY,
    PRICE,
    RULES,
    STAKE,
    TAG,
    TERMS,
    Market,
    People,
    Play,
    Vote,
    auction_of,
    deploy_market,
    join_nodes,
    open_auction,
    request,
    win,
)
from tests.support.tokens import hand_out
from tools.gas.record import Meter

LONGEST_CID = CID + keccak(b"more")[: 64 - len(CID)]
MOST_SAMPLED = 256
CROWD = 257
"""Offers of one tag, more than a job takes: each seller is looked up through a permutation."""
EVERYBODY = RULES._replace(base=11, sample_size=MOST_SAMPLED, commit_blocks=20, reveal_blocks=20)
"""The twelve nodes are asked at once, and as many draws are made as there can be."""


def first_members(meter: Meter, _market: Market, people: People) -> None:
    """The first seat and the first offers of a market."""
    market = deploy_market(people.deployer)
    node, seller = people.nodes[0], people.sellers[0]
    meter.worst("ConePool.join", send(market.pool.join, KEY, sender=node, value=STAKE))
    for size, tags in (("1 tag", 1), ("8 tags", 8)):
        with rewound():
            made = send(market.registry.offer, _tags(tags), CID, KEY, sender=seller, value=BOND)
            meter.worst(f"SellerRegistry.offer: {size}", made)


def moved_members(meter: Meter, market: Market, people: People) -> None:
    """Another member fills the gap that is left, and later a new place is taken."""
    meter.worst("ConePool.leave", send(market.pool.leave, sender=people.nodes[0]))
    for size, tags in (("1 tag", 1), ("8 tags", 8)):
        with rewound():
            _moved_offers(meter, market, people, size, _tags(tags))


def _moved_offers(
    meter: Meter, market: Market, people: People, size: str, tags: list[bytes]
) -> None:
    registry, (seller, *others) = market.registry, people.sellers
    mine_to_fill, new = iter(others), _tags(len(tags), "further tag")

    def another() -> None:
        send(registry.offer, tags, CID, KEY, sender=next(mine_to_fill), value=BOND)

    made = send(registry.offer, tags, CID, KEY, sender=seller, value=BOND)
    offer_id = event(made, registry.Offered)["offerId"]
    another()
    meter.worst(f"SellerRegistry.pause: {size}", send(registry.pause, offer_id, sender=seller))
    another()  # takes the place that was left
    meter.worst(f"SellerRegistry.resume: {size}", send(registry.resume, offer_id, sender=seller))
    another()
    with rewound():
        meter.worst(f"SellerRegistry.leave: {size}", send(registry.leave, offer_id, sender=seller))
    changed = send(registry.update, offer_id, new, CID, KEY, sender=seller)
    meter.worst(f"SellerRegistry.update: {size}", changed)


def keys(meter: Meter, market: Market, people: People) -> None:
    """Keys of buyers and of jobs."""
    registered = send(market.key_rings.register, KEY, sender=people.buyers[0])
    meter.worst("KeyRings.register", registered)


# --- auctions, all in tokens: a token's address is a word more


def first_auction(meter: Meter, _market: Market, people: People) -> None:
    """The first auction of a market, with the longest names of content."""
    market = deploy_market(people.deployer)
    terms = TERMS._replace(token=_token(people).address)
    longest = request()._replace(spec_cid=LONGEST_CID, evaluation_cid=LONGEST_CID)
    _, receipt = open_auction(market, longest, sender=people.buyers[0], terms=terms)
    meter.worst("AuctionHouse.open", receipt)


def bids(meter: Meter, market: Market, people: People) -> None:
    """The first bid; and one that outbids another in the last block, which extends the auction."""
    house, (one, two, _) = market.auction_house, people.buyers
    token = _token(people)
    auction_id, _ = open_auction(market, request(), sender=one, terms=_in(token))
    _approve(market, token, one, 1000)
    meter.worst("AuctionHouse.bid", send(house.bid, auction_id, 1000, sender=one))
    _approve(market, token, two, 2000)
    mine_past(auction_of(market, auction_id).close_block - 1)
    meter.worst("AuctionHouse.bid", send(house.bid, auction_id, 2000, sender=two))


def sealed_bids(meter: Meter, market: Market, people: People) -> None:
    """The first reveal leads, the second is below it, the third overtakes; one forfeits."""
    house, wanted, bidders = market.auction_house, request(), [*people.buyers, people.stranger]
    token, amounts, deposit = _token(people), (1500, 1200, 1800, 1000), 2000
    terms = _in(token)._replace(
        kind=AuctionKind.SEALED_SECOND_PRICE, window_blocks=20, increment_bps=0, reveal_blocks=10
    )
    auction_id, _ = open_auction(market, wanted, sender=bidders[0], terms=terms)
    salts = [keccak(bytes([i])) for i in range(len(bidders))]
    for bidder, amount, salt in zip(bidders, amounts, salts, strict=True):
        _approve(market, token, bidder, deposit)
        commitment = look(house.sealedCommitment, bidder.address, auction_id, amount, salt)
        sealed = send(house.sealBid, auction_id, commitment, 1, sender=bidder)
        meter.worst("AuctionHouse.sealBid", sealed)
    mine_past(auction_of(market, auction_id).close_block)
    for bidder, amount, salt in [*zip(bidders, amounts, salts, strict=True)][:3]:
        revealed = send(house.revealBid, auction_id, amount, salt, sender=bidder)
        meter.worst("AuctionHouse.revealBid", revealed)
    mine_past(auction_of(market, auction_id).latest_block)
    closed = send(house.close, auction_id, wanted, sender=people.stranger)
    meter.worst("AuctionHouse.close", closed)
    rest = send(house.reclaim, auction_id, people.stranger.address, sender=people.stranger)
    meter.worst("AuctionHouse.reclaim", rest)


# --- jobs


def commitment(meter: Meter, market: Market, people: People) -> None:
    """The last of its mini-round, the first at its position, of a node that was moved since."""
    play = win(market, people, rules=RULES._replace(commit_blocks=50))
    play.start()
    play.collect()
    play.begin_mini_round()
    vote, asked = play.vote_for(HASH), play.seats_asked()
    last, pool = max(asked), market.pool
    assert last > 0
    for seat in [*range(len(people.nodes) - 1, last, -1), 0]:
        send(pool.leave, sender=play.node(seat))  # at last the node of `last` moves to seat 0
    for seat in asked:
        if seat != last:
            play.commit(seat, vote)
    meter.worst("Yoda.commit", play.commit(last, vote))


def liars(meter: Meter, market: Market, people: People) -> None:
    """A job of three rounds with three liars, every lie another one: what they pay, and claims."""
    token, play = _token_job(market, people, EVERYBODY)
    meter.worst("Jobs.advance: first sample", play.start())
    for number in (1, 2, 3):
        lying = [1, 2, 3] if number == 1 else []
        result = _round(meter, play, lying)
        meter.worst("Jobs.open" if number < 3 else "Jobs.open: settles", play.open(result))
        if number == 1:
            _punish(meter, play)
    assert play.job.state == JobState.SETTLED
    meter.worst("Escrow.claimSeller", play.claim_seller(0))
    seat = next(each for each in play.voters() if len(play.right_votes(each)) == 3)
    for size, votes in (("1 vote", 1), ("3 votes", 3)):
        with rewound():
            claimed = play.claim_cone(seat, play.right_votes(seat)[:votes])
            meter.worst(f"Escrow.claimCone: {size}", claimed)
    play.claim_cone(seat)
    nobody = to_checksum_address(keccak(b"nobody")[:20])
    for asset in (ETHER, token.address):
        paid = send(market.escrow.withdraw, asset, nobody, sender=play.node(seat))
        meter.worst("Escrow.withdraw", paid)


def _round(meter: Meter, play: Play, lying: Iterable[int]) -> Any:
    """A round until its result is accepted; the seats `lying` lie, each in its own way."""
    for index in play.sampled():
        meter.worst("Jobs.postUpdate", play.post(index))
    meter.worst("Jobs.advance: inbox closed", play.advance())
    result = play.result(metric_numerator=50)
    meter.worst("Jobs.advance: mini-round opened", play.begin_mini_round())
    truth = play.vote_for(result.digest)
    votes: dict[int, Vote] = dict.fromkeys(play.seats_asked(), truth)
    votes |= {seat: play.vote_for(keccak(bytes([seat]))) for seat in lying}
    for seat, vote in votes.items():
        meter.worst("Yoda.commit", play.commit(seat, vote))
    honest_first = sorted(votes, key=lambda seat: votes[seat] != truth)
    for seat in honest_first:
        meter.worst("Yoda.reveal", play.reveal(seat, votes[seat]))
    meter.worst("Jobs.advance: digest accepted", play.advance())
    return result


def _punish(meter: Meter, play: Play) -> None:
    offences = play.offences()
    assert len(offences) == 3
    with rewound():
        meter.worst("ConePool.slash: 1 offence", play.slash(offences[0]))
    meter.worst("ConePool.slash: 3 offences", play.slash(*offences))


def first_end(meter: Meter, market: Market, people: People) -> None:
    """A job that settles with the opening of its first round; another waits to be judged."""
    _, play = _token_job(market, people, EVERYBODY._replace(rounds=1))
    play.start()
    with rewound():
        meter.worst("Jobs.open: settles", play.open(_round(meter, play, [])))
    play.open(_round(meter, play, [1, 2, 3]))
    play.slash(*play.offences())
    meter.worst("Jobs.advance: judged and settled", play.advance())


def failures(meter: Meter, market: Market, people: People) -> None:
    """Jobs that fail: nobody posts; after an accepted round nobody votes, in two draws."""
    _, play = _token_job(market, people, EVERYBODY)
    play.start()
    with rewound():
        mine_past(play.job.deadline)
        meter.worst("Jobs.advance: nobody posted", play.advance())
        assert play.job.state == JobState.FAILED
    play.open(_round(meter, play, []))
    play.collect()
    for _ in range(2):
        play.begin_mini_round()
        meter.worst("Jobs.advance: undecided", play.advance_in_silence())
    assert play.job.state == JobState.FAILED


def crowd(meter: Meter, _market: Market, people: People) -> None:
    """Sellers of a tag under which more stand than a job takes."""
    market, seller = deploy_market(people.deployer), people.sellers[0]
    for _ in range(CROWD):
        send(market.registry.offer, [TAG], CID, KEY, sender=seller, value=BOND)
    join_nodes(market, people.nodes)
    _, play = _token_job(market, people, RULES._replace(rounds=1))
    play.start()
    shares = [1] * MOST_SAMPLED
    for index in play.sampled():
        meter.worst("Jobs.postUpdate", play.post(index))
    play.advance()
    result = play.result(contributions_root=contributions_root(shares))
    play.decide(result.digest)
    play.open(result)
    share, proof = contribution_proof(shares, 0)
    claim = send(market.escrow.claimSeller, play.job_id, *share, proof, sender=people.stranger)
    meter.worst("Escrow.claimSeller", claim)


# --- inside


def _tags(count: int, name: str = "tag") -> list[bytes]:
    return sorted(tag_of(f"{name} {i}") for i in range(count))


def _token(people: People) -> Any:
    """A new token, of which nobody has any."""
    return deploy(helper("PlainToken"), sender=people.deployer)


def _in(token: Any) -> Any:
    return TERMS._replace(token=token.address)


def _approve(market: Market, token: Any, buyer: Any, amount: int) -> None:
    """As parties do it: exactly what is paid. The whole holding goes, and the words are cleared."""
    send(token.mint, buyer, amount, sender=buyer)
    send(token.approve, market.escrow.address, amount, sender=buyer)


def _token_job(market: Market, people: People, rules: Any) -> tuple[Any, Play]:
    token = _token(people)
    hand_out(market, token, people.buyers, PRICE)
    return token, win(market, people, rules=rules, token=token.address)

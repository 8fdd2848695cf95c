"""Every call as most users make it, played on a chain: the "common" figures of docs/gas."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import ape
from eth_utils.crypto import keccak

from d2m.chain.artifacts import load_artifacts
from d2m.chain.deployment.genesis import GENESIS, PARTS, PROXY, SALT, Layout, Parameters
from d2m.learning.earnings import contribution_proof, contributions_root
from d2m.protocol.types import ETHER, AuctionKind, JobState, tag_of
from tests.support.crowd import Crowd
from tests.support.evm import (
    Receipt,
    deploy,
    event,
    height,
    look,
    mine,
    mine_past,
    rpc,
    send,
    send_raw,
)
from tests.support.play import (
    BOND,
    CID,
    CONTRIBUTIONS,
    HASH,
    KEY,
    RULES,
    STAKE,
    TAG,
    TERMS,
    Market,
    People,
    Play,
    auction_of,
    deploy_market,
    join_nodes,
    open_auction,
    request,
    win,
)
from tools.gas.record import Meter

WHOLE_JOB = "a job of 3 rounds, 4 draws of 8 sellers, 5 votes a round"
"""From the auction's opening to the last withdrawal, everybody's transactions together."""
EARNED = [index for index, earned in enumerate(CONTRIBUTIONS) if earned]
"""Sellers with a share."""
UNBONDING_BLOCKS, SHORT_UNBONDING = 7200, 10
SHORTENED = {  # the constant as PUSH2 carries it
    b"\x61" + UNBONDING_BLOCKS.to_bytes(2, "big"): b"\x61" + SHORT_UNBONDING.to_bytes(2, "big")
}
DEPLOYED = (*("BlockhashRandomness" if each == "Randomness" else each for each in PARTS), GENESIS)


# --- deployment


def genesis(meter: Meter, _market: Market, people: People) -> None:
    """`Genesis` through the deployment proxy, and each part by it."""
    plan = Layout(Parameters(STAKE, BOND), load_artifacts())
    begun = send_raw(PROXY, SALT + plan.genesis_code, sender=people.stranger)
    meter.common("deploy Genesis", begun)
    genesis = ape.project.Genesis.at(plan.genesis, fetch_from_explorer=False)
    for name in plan.names:
        receipt = send(genesis.create, plan.creation_code(name), sender=people.stranger)
        meter.common(f"deploy {name}", receipt)


# --- keys


def keys(meter: Meter, market: Market, people: People) -> None:
    """Keys of buyers and of jobs."""
    rings, buyer = market.key_rings, people.buyers[0]
    send(rings.register, KEY, sender=buyer)
    meter.common("KeyRings.register", send(rings.register, HASH, sender=buyer))
    meter.common("KeyRings.post", send(rings.post, 1, HASH, CID, sender=buyer))


# --- registry and pool


def registry(meter: Meter, market: Market, people: People) -> None:
    """Offers: made, changed, paused, ended."""
    registry, seller = market.registry, people.sellers[0]
    eight = sorted(tag_of(f"tag {i}") for i in range(8))
    eight_more = sorted(tag_of(f"further tag {i}") for i in range(8))

    def offer(tags: list[bytes], sender: Any) -> tuple[int, Receipt]:
        receipt = send(registry.offer, tags, CID, KEY, sender=sender, value=BOND)
        return event(receipt, registry.Offered)["offerId"], receipt

    small, receipt = offer([TAG], seller)
    meter.common("SellerRegistry.offer: 1 tag", receipt)
    large, receipt = offer(eight, seller)
    meter.common("SellerRegistry.offer: 8 tags", receipt)
    sizes = ((small, "1 tag", [tag_of("other")]), (large, "8 tags", eight_more))
    for offer_id, size, others in sizes:
        for name in ("pause", "resume"):
            paused = send(getattr(registry, name), offer_id, sender=seller)
            meter.common(f"SellerRegistry.{name}: {size}", paused)
        changed = send(registry.update, offer_id, others, CID, KEY, sender=seller)
        meter.common(f"SellerRegistry.update: {size}", changed)
        left = send(registry.leave, offer_id, sender=seller)
        meter.common(f"SellerRegistry.leave: {size}", left)


def unbonding(meter: Meter, _market: Market, people: People) -> None:
    """In copies whose unbonding is short: mining a day of blocks fills a disk."""
    seller, node, jobs = people.sellers[0], people.nodes[0], people.stranger
    registry = deploy(ape.project.SellerRegistry, BOND, sender=seller, patches=SHORTENED)
    offer = send(registry.offer, [TAG], CID, KEY, sender=seller, value=BOND)
    offer_id = event(offer, registry.Offered)["offerId"]
    pool = deploy(ape.project.ConePool, jobs, STAKE, sender=node, patches=SHORTENED)
    send(pool.join, KEY, sender=node, value=STAKE)
    send(registry.leave, offer_id, sender=seller)
    send(pool.leave, sender=node)
    mine(SHORT_UNBONDING)
    withdrawal = send(registry.withdrawBond, offer_id, seller, sender=seller)
    meter.common("SellerRegistry.withdrawBond", withdrawal)
    withdrawal = send(pool.withdrawStake, node, sender=node)
    meter.common("ConePool.withdrawStake", withdrawal)


def pool(meter: Meter, market: Market, people: People) -> None:
    """Seats: taken, given up, paid out."""
    pool, last = market.pool, people.nodes[-1]
    meter.common("ConePool.leave", send(pool.leave, sender=last))
    meter.common("ConePool.join", send(pool.join, KEY, sender=last))


# --- auctions


def first_bids(meter: Meter, market: Market, people: People) -> None:
    """An open auction with a first bid, and one that outbids it."""
    house, (one, two, _) = market.auction_house, people.buyers
    auction_id, receipt = open_auction(market, request(), sender=one)
    meter.common("AuctionHouse.open", receipt)
    meter.common("AuctionHouse.cancel", send(house.cancel, auction_id, sender=one))
    auction_id, _ = open_auction(market, request(), sender=one)
    send(house.bid, auction_id, 1000, sender=one, value=1000)
    outbid = send(house.bid, auction_id, 2000, sender=two, value=2000)
    meter.common("AuctionHouse.bid: outbids for the first time", outbid)
    again = send(house.bid, auction_id, 4000, sender=one, value=4000)
    again = send(house.bid, auction_id, 8000, sender=two, value=8000)
    meter.common("AuctionHouse.bid", again)
    withdrawal = send(market.escrow.withdraw, ETHER, one, sender=one)
    meter.common("Escrow.withdraw", withdrawal)


def sealed_auction(meter: Meter, market: Market, people: People) -> None:
    """A sealed auction with its reveals."""
    house, wanted, bidders = market.auction_house, request(), people.buyers
    terms = TERMS._replace(
        kind=AuctionKind.SEALED_SECOND_PRICE, increment_bps=0, reveal_blocks=10, reserve=1000
    )
    auction_id, _ = open_auction(market, wanted, sender=bidders[0], terms=terms)
    amounts, deposit = (1500, 1200, 1800), 2000
    salts = [keccak(bytes([i])) for i in range(len(bidders))]
    silent = people.stranger
    bids = [*zip(bidders, amounts, salts, strict=True), (silent, 1000, KEY)]
    sealings = []
    for bidder, amount, salt in bids:
        commitment = look(house.sealedCommitment, bidder.address, auction_id, amount, salt)
        sealing = send(house.sealBid, auction_id, commitment, 1, sender=bidder, value=deposit)
        sealings.append(sealing)
    meter.common("AuctionHouse.sealBid", sealings[1])
    mine_past(auction_of(market, auction_id).close_block)
    _, losing, _ = (
        send(house.revealBid, auction_id, amount, salt, sender=bidder)
        for bidder, amount, salt in bids[:3]
    )
    meter.common("AuctionHouse.revealBid", losing)
    mine_past(auction_of(market, auction_id).latest_block)
    send(house.close, auction_id, wanted, sender=people.stranger)
    rest = send(house.reclaim, auction_id, silent.address, sender=people.stranger)
    meter.common("AuctionHouse.reclaim", rest)


# --- a job of 12 nodes and 8 sellers


def job(meter: Meter, market: Market, people: People) -> None:
    """A job from its start to its last withdrawal."""
    begun = height()
    send(market.key_rings.post, 1, HASH, CID, sender=people.buyers[0])
    play = win(market, people, rules=RULES._replace(rounds=3))
    assert play.created is not None
    meter.common("AuctionHouse.close", play.created)
    meter.common("Jobs.advance: first sample", play.start())
    for number in (1, 2, 3):
        posts = [play.post(index) for index in play.sampled()]
        meter.common("Jobs.postUpdate", posts[-1])
        meter.common("Jobs.advance: inbox closed", play.advance())
        result = play.result()
        meter.common("Jobs.advance: mini-round opened", play.begin_mini_round())
        commits, reveals = _votes(play, result.digest)
        if number == 1:
            meter.sums["vote: own, first in the job"] = commits[1].gas + reveals[1].gas
        else:
            meter.common("Yoda.commit", commits[1])
            meter.common("Yoda.reveal", reveals[1])
            meter.sums["vote: own"] = commits[1].gas + reveals[1].gas
            together = sum(each.gas for each in commits + reveals)
            meter.sums["vote: own, mean of the mini-round"] = round(together / len(commits))
        meter.common("Jobs.advance: digest accepted", play.advance())
        opening = play.open(result)
        if number == 2:
            meter.common("Jobs.open", opening)
        elif number == 3:
            meter.common("Jobs.open: settles", opening)
    assert play.job.state == JobState.SETTLED
    claims = [play.claim_seller(index) for index in EARNED]
    meter.common("Escrow.claimSeller", claims[1])
    voters = sorted(play.voters(), key=lambda seat: len(play.right_votes(seat)))
    assert len(play.right_votes(voters[0])) == 1
    claims = [play.claim_cone(seat) for seat in voters]
    meter.common("Escrow.claimCone: 1 vote", claims[0])
    for party in [*map(play.seller, EARNED), *map(play.node, voters)]:
        send(market.escrow.withdraw, ETHER, party, sender=party)
    meter.sums[WHOLE_JOB] = _used(range(begun + 1, height() + 1))


def _used(blocks: Iterable[int]) -> int:
    """Gas of all transactions in these blocks."""
    receipts = [each for block in blocks for each in rpc("eth_getBlockReceipts", hex(block))]
    return sum(int(receipt["gasUsed"], 16) for receipt in receipts)


def _votes(play: Play, digest: bytes) -> tuple[list[Receipt], list[Receipt]]:
    """Every commitment and every reveal of the mini-round."""
    vote, seats = play.vote_for(digest), play.seats_asked()
    commits = [play.commit(seat, vote) for seat in seats]
    return commits, [play.reveal(seat, vote) for seat in seats]


def slashing(meter: Meter, market: Market, people: People) -> None:
    """One of the nodes asked lies, one copies, one commits and never reveals."""
    play = win(
        market, people, rules=RULES._replace(rounds=1, base=11, commit_blocks=20, reveal_blocks=20)
    )
    play.start()
    play.collect()
    result = play.result()
    play.begin_mini_round()
    liar, copier, silent, *honest = play.seats_asked()
    truth = play.vote_for(result.digest)
    words = {liar: play.vote_for(keccak(b"lie")), copier: truth._replace(audit=HASH), silent: truth}
    words |= dict.fromkeys(honest, truth)
    for seat, vote in words.items():
        play.commit(seat, vote)
    play.reveal(honest[0], truth)
    play.reveal(liar, words[liar])
    play.reveal(copier, words[copier])
    for seat in honest[1:]:
        play.reveal(seat, truth)
    mine_past(play.poll.reveal_deadline)
    play.advance()
    play.open(result)
    one, *others = play.offences()
    meter.common("ConePool.slash: 1 offence", play.slash(one))
    play.slash(*others)
    meter.common("Jobs.advance: judged and settled", play.advance())


# --- what must not grow with the sellers


def many_sellers(meter: Meter, people: People, sellers: int) -> None:
    """A round of a job with many sellers."""
    market = deploy_market(people.deployer)
    crowd = Crowd.hire(sellers, people.deployer)
    crowd.chorus(range(sellers), market.registry.offer, [TAG], CID, KEY, value=BOND)
    join_nodes(market, people.nodes)
    play = win(market, people, rules=RULES._replace(rounds=1))
    assert play.created is not None
    owner, contributions = crowd.owner, [1 + i % 7 for i in range(sellers)]
    play.start()
    sampled = play.sampled()
    actors = [str(each).lower() for each in crowd.actors]
    for index in sampled:
        actor = actors.index(play.seller(index).lower())
        args = (play.job_id, 1, index, HASH, CID)
        crowd.play([crowd.move(actor, market.jobs.postUpdate, *args)])
    play.advance()
    result = play.result(metric_numerator=99, contributions_root=contributions_root(contributions))
    play.decide(result.digest)
    key = str(sellers)
    meter.by_sellers["AuctionHouse.close"][key] = play.created.gas
    meter.by_sellers["Jobs.open, settling"][key] = play.open(result).gas
    claims = []
    for index in range(0, sellers, sellers // 10):
        share, proof = contribution_proof(contributions, index)
        claim = send(market.escrow.claimSeller, play.job_id, *share, proof, sender=owner)
        claims.append(claim.gas)
    # The first claim of a job writes fresh words; whether a share is dust decides nothing here.
    meter.by_sellers["Escrow.claimSeller"][key] = round(sum(claims[1:]) / len(claims[1:]))

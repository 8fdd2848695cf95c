"""Gas of every external function, and bytecode sizes: `make gas` writes docs/gas.

"common" is the call as most users make it, "worst" the dearest form of it that the rules allow
(first use of a slot, most tags, a move in a list, a stray vote). Played with seeded draws and the
same accounts, so that two runs on one source give the same figures.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import ape
import click
from eth_account import Account
from eth_account.signers.local import LocalAccount
from eth_utils.crypto import keccak
from rich.console import Console

from offchain.chain.artifacts import load_artifacts
from offchain.chain.records import ETHER, AuctionKind, JobState, tag_of
from offchain.learning.contributions import contribution_proof, contributions_root
from offchain.market.genesis import GENESIS, PARTS, PROXY, SALT, Parameters, Plan
from tests.contracts.crowd import Crowd
from tests.contracts.evm import (
    deploy,
    event,
    helper,
    look,
    mine,
    mine_past,
    rewound,
    rpc,
    send,
    send_raw,
)
from tests.contracts.gas_record import (
    BATCH,
    CROWDS,
    FOLDER,
    Meter,
    committed,
    grown,
    record,
    table,
    targets,
)
from tests.contracts.play import (
    BOND,
    CID,
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
    register_sellers,
    request,
    win,
)

UNBONDING_BLOCKS, SHORT_UNBONDING = 7200, 10
SHORTENED = {  # the constant as PUSH2 carries it
    b"\x61" + UNBONDING_BLOCKS.to_bytes(2, "big"): b"\x61" + SHORT_UNBONDING.to_bytes(2, "big")
}
DEPLOYED = (*("BlockhashRandomness" if each == "Randomness" else each for each in PARTS), GENESIS)


def measure(market: Market, people: People) -> Meter:
    """All figures. `market` has its sellers and nodes; it is left as it was."""
    meter = Meter()
    for name in DEPLOYED:
        code = getattr(ape.project, name).contract_type.runtime_bytecode.bytecode
        meter.bytecode[name] = len(bytes.fromhex(code.removeprefix("0x")))
    scenarios = (
        _genesis,
        _registry,
        _pool,
        _unbonding,
        _open_auction,
        _token_auction,
        _sealed_auction,
        _job,
        _slashing,
        _keys,
    )
    for scenario in scenarios:
        with rewound():
            scenario(meter, market, people)
    with rewound():
        _batch(meter, people)
    for sellers in CROWDS:
        with rewound():
            _many_sellers(meter, people, sellers)
    return meter


# --- deployment


def _genesis(meter: Meter, _market: Market, people: People) -> None:
    """`Genesis` through the deployment proxy, and each part by it."""
    plan = Plan(Parameters(STAKE, BOND), load_artifacts())
    begun = send_raw(PROXY, SALT + plan.genesis_code, sender=people.stranger)
    meter.common("deploy Genesis", begun.gas)
    genesis = ape.project.Genesis.at(plan.genesis, fetch_from_explorer=False)
    for name in plan.names:
        receipt = send(genesis.create, plan.creation_code(name), sender=people.stranger)
        meter.common(f"deploy {name}", receipt.gas)


# --- keys


def _keys(meter: Meter, market: Market, people: People) -> None:
    rings, buyer = market.key_rings, people.buyers[0]
    meter.worst("KeyRings.register", send(rings.register, KEY, sender=buyer).gas)
    meter.common("KeyRings.register", send(rings.register, HASH, sender=buyer).gas)
    meter.common("KeyRings.post", send(rings.post, 1, HASH, CID, sender=buyer).gas)


# --- registry and pool


def _registry(meter: Meter, market: Market, people: People) -> None:
    registry, seller, other = market.registry, people.sellers[0], people.sellers[1]
    eight = sorted(tag_of(f"tag {i}") for i in range(8))
    eight_more = sorted(tag_of(f"further tag {i}") for i in range(8))

    def offer(tags: list[bytes], sender: Any) -> tuple[int, int]:
        receipt = send(registry.offer, tags, CID, KEY, sender=sender, value=BOND)
        return event(receipt, registry.Offered)["offerId"], receipt.gas

    small, gas = offer([TAG], seller)
    meter.common("SellerRegistry.offer", gas)
    large, gas = offer(eight, seller)
    meter.worst("SellerRegistry.offer", gas)
    offer(eight, other)  # so that leaving moves another offer under every tag
    for name, args in (("pause", ()), ("resume", ())):
        for offer_id, note in ((small, meter.common), (large, meter.worst)):
            note(
                f"SellerRegistry.{name}",
                send(getattr(registry, name), offer_id, *args, sender=seller).gas,
            )
    change = send(registry.update, small, [tag_of("other")], CID, KEY, sender=seller)
    meter.common("SellerRegistry.update", change.gas)
    offer(eight, other)
    change = send(registry.update, large, eight_more, CID, KEY, sender=seller)
    meter.worst("SellerRegistry.update", change.gas)
    offer(eight_more, other)
    meter.common("SellerRegistry.leave", send(registry.leave, small, sender=seller).gas)
    meter.worst("SellerRegistry.leave", send(registry.leave, large, sender=seller).gas)


def _unbonding(meter: Meter, _market: Market, people: People) -> None:
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
    meter.common("SellerRegistry.withdrawBond", withdrawal.gas)
    withdrawal = send(pool.withdrawStake, node, sender=node)
    meter.common("ConePool.withdrawStake", withdrawal.gas)


def _pool(meter: Meter, market: Market, people: People) -> None:
    pool, first, last = market.pool, people.nodes[0], people.nodes[-1]
    meter.common("ConePool.leave", send(pool.leave, sender=last).gas)
    meter.worst("ConePool.leave", send(pool.leave, sender=first).gas)
    again = send(pool.join, KEY, sender=last)
    meter.common("ConePool.join", again.gas)
    newcomer = send(pool.join, KEY, sender=people.stranger, value=STAKE)
    meter.worst("ConePool.join", newcomer.gas)


# --- auctions


def _open_auction(meter: Meter, market: Market, people: People) -> None:
    house, (one, two, _) = market.auction_house, people.buyers
    auction_id, receipt = open_auction(market, request(), sender=one)
    meter.common("AuctionHouse.open", receipt.gas)
    meter.common("AuctionHouse.cancel", send(house.cancel, auction_id, sender=one).gas)
    auction_id, _ = open_auction(market, request(), sender=one)
    send(house.bid, auction_id, 1000, sender=one, value=1000)
    outbid = send(house.bid, auction_id, 2000, sender=two, value=2000)
    meter.common("AuctionHouse.bid: outbids for the first time", outbid.gas)
    again = send(house.bid, auction_id, 4000, sender=one, value=4000)
    again = send(house.bid, auction_id, 8000, sender=two, value=8000)
    meter.common("AuctionHouse.bid", again.gas)
    withdrawal = send(market.escrow.withdraw, ETHER, one, sender=one)
    meter.common("Escrow.withdraw", withdrawal.gas)


def _token_auction(meter: Meter, market: Market, people: People) -> None:
    house, escrow, (one, two, _) = market.auction_house, market.escrow, people.buyers
    token = deploy(helper("PlainToken"), sender=one)
    for buyer in (one, two):
        send(token.mint, buyer, STAKE, sender=one)
        send(token.approve, escrow, STAKE, sender=buyer)
    terms = TERMS._replace(token=token.address)
    auction_id, _ = open_auction(market, request(), sender=one, terms=terms)
    send(house.bid, auction_id, 1000, sender=one)
    meter.worst("AuctionHouse.bid", send(house.bid, auction_id, 2000, sender=two).gas)
    withdrawal = send(escrow.withdraw, token, people.stranger, sender=one)
    meter.worst("Escrow.withdraw", withdrawal.gas)


def _sealed_auction(meter: Meter, market: Market, people: People) -> None:
    house, wanted, bidders = market.auction_house, request(), people.buyers
    terms = TERMS._replace(
        kind=AuctionKind.SEALED_SECOND_PRICE, increment_bps=0, reveal_blocks=10, reserve=1000
    )
    auction_id, receipt = open_auction(market, wanted, sender=bidders[0], terms=terms)
    meter.worst("AuctionHouse.open", receipt.gas)
    amounts, deposit = (1500, 1200, 1800), 2000
    salts = [keccak(bytes([i])) for i in range(len(bidders))]
    silent = people.stranger
    bids = [*zip(bidders, amounts, salts, strict=True), (silent, 1000, KEY)]
    gas = []
    for bidder, amount, salt in bids:
        commitment = look(house.sealedCommitment, bidder.address, auction_id, amount, salt)
        sealing = send(house.sealBid, auction_id, commitment, 1, sender=bidder, value=deposit)
        gas.append(sealing.gas)
    meter.worst("AuctionHouse.sealBid", gas[0])
    meter.common("AuctionHouse.sealBid", gas[1])
    mine_past(auction_of(market, auction_id).close_block)
    leading, losing, overtaking = (
        send(house.revealBid, auction_id, amount, salt, sender=bidder).gas
        for bidder, amount, salt in bids[:3]
    )
    meter.common("AuctionHouse.revealBid", losing)
    meter.worst("AuctionHouse.revealBid", max(leading, overtaking))
    mine_past(auction_of(market, auction_id).latest_block)
    closing = send(house.close, auction_id, wanted, sender=people.stranger)
    meter.worst("AuctionHouse.close", closing.gas)
    rest = send(house.reclaim, auction_id, silent.address, sender=people.stranger)
    meter.common("AuctionHouse.reclaim", rest.gas)


# --- a job of 12 nodes and 8 sellers


def _job(meter: Meter, market: Market, people: People) -> None:
    play = win(market, people, rules=RULES._replace(rounds=3))
    assert play.created is not None
    meter.common("AuctionHouse.close", play.created.gas)
    meter.common("Jobs.advance: first sample", play.start().gas)
    for number in (1, 2, 3):
        posts = [play.post(index).gas for index in play.sampled()]
        meter.worst("Jobs.postUpdate", posts[0])
        meter.common("Jobs.postUpdate", posts[-1])
        meter.common("Jobs.advance: inbox closed", play.advance().gas)
        result = play.result()
        opened = play.begin_mini_round().gas
        meter.common("Jobs.advance: mini-round opened", opened)
        commits, reveals = _votes(play, result.digest)
        if number == 1:
            meter.worst("Yoda.commit", max(commits))
            meter.worst("Yoda.reveal: first of its mini-round", reveals[0])
            meter.votes["own, first in the job"] = commits[1] + reveals[1]
        else:
            meter.common("Yoda.commit", commits[1])
            meter.common("Yoda.reveal", reveals[1])
            meter.votes["own"] = commits[1] + reveals[1]
            meter.votes["own, mean of the mini-round"] = round(
                (sum(commits) + sum(reveals)) / len(commits)
            )
        meter.common("Jobs.advance: digest accepted", play.advance().gas)
        opening = play.open(result).gas
        if number == 1:
            meter.worst("Jobs.open", opening)
        elif number == 2:
            meter.common("Jobs.open", opening)
        else:
            meter.common("Jobs.open: settles", opening)
    assert play.job.state == JobState.SETTLED
    meter.worst("Escrow.claimSeller", play.claim_seller(0).gas)
    meter.common("Escrow.claimSeller", play.claim_seller(2).gas)
    by_votes = {len(play.right_votes(seat)): seat for seat in play.voters()}
    meter.common("Escrow.claimCone: one vote", play.claim_cone(by_votes[min(by_votes)]).gas)
    most = max(by_votes)
    meter.worst(f"Escrow.claimCone: {most} votes", play.claim_cone(by_votes[most]).gas)


def _votes(play: Play, digest: bytes) -> tuple[list[int], list[int]]:
    """Gas of every commitment and of every reveal of the mini-round."""
    vote, seats = play.vote_for(digest), play.seats_asked()
    commits = [play.commit(seat, vote).gas for seat in seats]
    return commits, [play.reveal(seat, vote).gas for seat in seats]


def _slashing(meter: Meter, market: Market, people: People) -> None:
    """Of the nodes asked one lies, one copies, one commits and never reveals."""
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
    meter.worst("Yoda.reveal: first of its words", play.reveal(liar, words[liar]).gas)
    play.reveal(copier, words[copier])
    for seat in honest[1:]:
        play.reveal(seat, truth)
    mine_past(play.poll.reveal_deadline)
    play.advance()
    play.open(result)
    one, *others = play.offences()
    meter.common("ConePool.slash: one offence", play.slash(one).gas)
    meter.worst(f"ConePool.slash: {len(others)} offences", play.slash(*others).gas)
    meter.worst("Jobs.advance: judged and settled", play.advance().gas)


# --- votes in batches


def _batch(meter: Meter, people: People) -> None:
    """`BATCH` nodes with keys sign; a stranger sends for all of them."""
    market = deploy_market(people.deployer)
    register_sellers(market, people.sellers)
    nodes = {}
    for i in range(BATCH):
        node: LocalAccount = Account.from_key(keccak(b"node" + bytes([i])))
        rpc("anvil_setBalance", node.address, hex(10 * STAKE))
        rpc("anvil_impersonateAccount", node.address)
        nodes[node.address] = node
    join_nodes(market, list(nodes))
    play = win(market, people, rules=RULES._replace(rounds=2, base=BATCH - 1))
    play.start()
    for _ in range(2):
        play.collect()
        result = play.result()
        play.begin_mini_round()
        commit, reveal = _batched_votes(play, nodes, result.digest)
        play.advance()
        play.open(result)
    meter.common(f"Yoda.commitBatch: {BATCH} votes", commit)
    meter.common(f"Yoda.revealBatch: {BATCH} votes", reveal)
    meter.votes[f"batched, of {BATCH}"] = round((commit + reveal) / BATCH)


def _batched_votes(play: Play, nodes: dict[str, LocalAccount], digest: bytes) -> tuple[int, int]:
    yoda, poll, vote = play.market.yoda, play.poll, play.vote_for(digest)
    signed, openings = [], []
    for index, seat in enumerate(play.seats_asked()):
        address = play.node(seat)
        commitment = play.ballot(address).commitment(*vote)
        args = (play.job_id, poll.round, poll.mini_round, seat, commitment)
        hashed = bytes(look(yoda.commitHash, *args))
        signature = nodes[address].unsafe_sign_hash(hashed).signature
        signed.append((address, seat, commitment, bytes(signature)))
        openings.append((index, address, play.position(seat), *vote))
    sender = play.people.stranger
    commit = send(yoda.commitBatch, play.job_id, signed, sender=sender)
    entries = event(commit, yoda.BatchCommitted)["entries"]
    assert len(entries) == BATCH
    reveal = send(yoda.revealBatch, play.job_id, entries, openings, sender=sender)
    assert play.mini.revealed == BATCH
    return commit.gas, reveal.gas


# --- what must not grow with the sellers


def _many_sellers(meter: Meter, people: People, sellers: int) -> None:
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


@click.command(help=__doc__)
def main() -> None:
    """Measure, and write the record."""
    before = committed() if (FOLDER / "snapshot.json").is_file() else {}
    console = Console(stderr=True)
    with ape.networks.ethereum.local.use_provider("foundry"), console.status("playing every call"):
        ape.project.load_contracts(use_cache=False)
        people = People.of(ape.accounts.test_accounts)
        market = deploy_market(people.deployer)
        register_sellers(market, people.sellers)
        join_nodes(market, people.nodes)
        meter = measure(market, people)
    FOLDER.mkdir(parents=True, exist_ok=True)
    (FOLDER / "snapshot.json").write_text(json.dumps(record(meter), indent=2) + "\n")
    (FOLDER / "README.md").write_text(table(meter))
    for change in grown(meter.figures(), before) if before else []:
        click.echo(f"grew: {change}", err=True)
    for name, target, figure, holds in targets(meter):
        click.echo(f"{name}: {figure:,.5g} ({target}){'' if holds else ' MISSED'}")


if __name__ == "__main__":
    sys.exit(main())

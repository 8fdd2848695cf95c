"""The chain takes back what it said: parties do again what was taken away."""

from __future__ import annotations

from collections.abc import Iterator, Sized
from pathlib import Path

import pytest
from eth_abi.abi import encode
from eth_utils.crypto import keccak
from structlog.testing import capture_logs
from web3.types import RPCEndpoint

from d2m.chain.contracts.auctions import AuctionHouse
from d2m.chain.contracts.contract import DeployedContract
from d2m.chain.contracts.market import Market
from d2m.chain.contracts.yoda import NO_SEED
from d2m.chain.deployment.genesis import BLOCK_HASHES
from d2m.chain.heads import HeadWatch
from d2m.jobs.rounds import RoundComputer
from d2m.parties.buyer.requester import LASTING_BLOCKS
from d2m.parties.cone.node import ConeNode, Vote, vote_honestly
from d2m.parties.daemon import Party
from d2m.parties.seller.offers import ensure_offered, pause
from d2m.protocol.types import JobState, Poll
from tests.support.turns import (
    EVERYBODY,
    SELLING,
    committed_in,
    is_collecting,
    is_voting,
    mine,
    reorganise,
    stop_the_clock,
    turn_until,
    view,
    voting,
)
from tests.support.world import (
    NODES,
    SELLERS,
    STAKE,
    TAG,
    TERMS,
    World,
    world,
)


@pytest.mark.slow  # half a minute and more: several jobs, or one played twice
def test_a_commitment_that_was_taken_back_is_made_again(tmp_path: Path) -> None:
    with voting(tmp_path) as (market, node):
        turn_until(node, lambda: bool(committed_in(market, node)))
        [first] = committed_in(market, node)
        reorganise(node.chain, first)
        assert committed_in(market, node) == []
        turn_until(node, lambda: bool(committed_in(market, node)))
        provider = node.chain.w3.provider
        provider.make_request(RPCEndpoint("evm_setIntervalMining"), [1])
        market.play()
        assert market.job().state == JobState.SETTLED
        losers = [log["args"]["node"] for log in market.chain(0).logs("ConePool", "NodeSlashed")]
        assert node.chain.address not in losers


def test_another_seed_gives_another_vote_and_nothing_is_computed_twice(tmp_path: Path) -> None:
    with voting(tmp_path, random_seed=BLOCK_HASHES) as (market, node):
        turn_until(node, lambda: bool(committed_in(market, node)))
        poll, seed = view(market).poll, market.contracts.yoda.seed(1, 1, 1)
        before = node._vote(1, poll)
        # From the block that named the seed's on: its own would be the same again if it was empty.
        reorganise(node.chain, poll.seed_block - 1)
        market.look_until(lambda: is_voting(market), SELLING)
        assert market.contracts.yoda.seed(1, 1, 1) != seed
        turn_until(node, lambda: bool(committed_in(market, node)))
        after = node._vote(1, view(market).poll)
        assert before is not None
        assert after is not None
        assert before.audit != after.audit
        assert node.market.yoda.seed(1, 1, 1) == market.contracts.yoda.seed(1, 1, 1)


def test_a_node_waits_until_the_seed_is_settled(tmp_path: Path) -> None:
    with voting(tmp_path) as (market, node):
        settled = view(market).poll.seed_block + 2
        turn_until(node, lambda: bool(committed_in(market, node)))
        assert committed_in(market, node)[0] > settled


def test_a_vote_read_while_the_chain_is_reorganised_is_not_committed_to(tmp_path: Path) -> None:
    """As geth does it: the mini-round's opening is lost for a moment, and with it the seed."""
    with voting(tmp_path) as (market, node):
        reads = []

        def lose_the_opening(rounds: RoundComputer, job_id: int, poll: Poll) -> Vote:
            reads.append(poll)
            if len(reads) != 2:  # the first is made while the seed settles
                return vote_honestly(rounds, job_id, poll)
            reorganise(node.chain, poll.seed_block + 1)
            vote = vote_honestly(rounds, job_id, poll)
            assert node.market.yoda.seed(job_id, poll.round, poll.mini_round) == NO_SEED
            chain = market.chain(0)
            chain.send(market.contracts.jobs.functions.advance(job_id))
            return vote

        node._voting = lose_the_opening
        turn_until(node, lambda: len(reads) > 1)
        assert committed_in(market, node) == []
        turn_until(node, lambda: bool(committed_in(market, node)))


def test_a_seller_posts_again_what_was_taken_back(tmp_path: Path) -> None:
    with world(tmp_path) as market:
        market.register()
        market.open(EVERYBODY)
        stop_the_clock(market)
        market.look_until(lambda: is_collecting(market), ["buyer 1"])
        sampled = next(n for n in range(len(SELLERS)) if market.job().sample >> n & 1)
        seller = market.seller(sampled)
        turn_until(seller, lambda: bool(market.contracts.jobs.updates(1, 1)))
        [posted] = market.chain(0).logs("Jobs", "UpdatePosted")
        reorganise(seller.chain, posted["blockNumber"])
        assert market.contracts.jobs.updates(1, 1) == {}
        turn_until(seller, lambda: bool(market.contracts.jobs.updates(1, 1)))
        assert (
            market.contracts.jobs.updates(1, 1)[sampled].content_hash
            == posted["args"]["contentHash"]
        )


@pytest.fixture
def still(tmp_path: Path) -> Iterator[World]:
    """A market with its members, whose blocks come with transactions."""
    with world(tmp_path) as market:
        market.register()
        stop_the_clock(market)
        yield market


def won(market: World) -> None:
    """Play until the first sample is drawn: the members are known, their key is not handed out."""
    market.open(EVERYBODY)
    market.look_until(lambda: is_collecting(market), ["buyer 1"])


def test_a_key_that_was_handed_out_and_taken_back_is_handed_out_again(still: World) -> None:
    won(still)
    opener = still.buyer(0)
    turn_until(opener, lambda: bool(still.contracts.key_rings.rings(1)))
    turn_until(opener, lambda: opener.memory.handed_out is not None)
    [ring] = still.contracts.key_rings.rings(1)
    reorganise(opener.chain, ring.block)
    assert still.contracts.key_rings.rings(1) == []
    turn_until(opener, lambda: bool(still.contracts.key_rings.rings(1)))
    assert still.contracts.key_rings.rings(1)[0].content_hash == ring.content_hash


def test_an_opener_stays_until_its_post_of_the_key_is_final(still: World) -> None:
    won(still)
    opener = still.buyer(0)
    turn_until(opener, lambda: opener.memory.handed_out is not None)
    [ring] = still.contracts.key_rings.rings(1)
    assert not opener.is_out
    still.mine_to(ring.block + LASTING_BLOCKS)
    turn_until(opener, lambda: opener.is_out)
    assert still.job().state == JobState.COLLECTING


def test_a_bidder_whose_auction_and_bid_are_gone_waits_and_bids_again(still: World) -> None:
    still.open(EVERYBODY)
    opened = still.chain(0).block_number()
    bidder = still.buyer(1)
    turn_until(bidder, lambda: still.auction().leader == bidder.chain.address)
    reorganise(bidder.chain, opened)
    with capture_logs() as logs:
        for _turn in range(5):
            mine(bidder.chain)
            bidder._turn(lambda: bidder.is_out)
    assert len([log for log in logs if "it is waited for" in log.get("why", "")]) == 1
    still.open(EVERYBODY)
    turn_until(bidder, lambda: still.auction().leader == bidder.chain.address)
    still.mine_to(still.auction().last_block + 1)
    turn_until(bidder, lambda: still.contracts.jobs.count() == 1)


def test_an_auction_that_is_not_there_yet_is_waited_for(still: World) -> None:
    still.auction_id = 1
    with capture_logs() as logs:
        bidder = still.buyer(1)
        mine(bidder.chain)
        bidder._turn(lambda: bidder.is_out)
    said = [log["why"] for log in logs if log["event"] == "auction"]
    assert said == ["there is no auction 1, 0 have been opened so far: it is waited for"]
    still.open(EVERYBODY)
    turn_until(bidder, lambda: still.auction().leader == bidder.chain.address)


def test_a_stranger_s_auction_under_the_same_id_is_not_bid_in(still: World) -> None:
    still.open(EVERYBODY)
    opened, request = still.chain(0).block_number(), still.contracts.auctions.request(1)
    bidder = still.buyer(1)
    reorganise(bidder.chain, opened)
    AuctionHouse(still.chain(5)).open(request, TERMS)
    for _turn in range(3):
        mine(bidder.chain)
        bidder._turn(lambda: bidder.is_out)
    assert still.auction().highest_bid == 0
    still.open(EVERYBODY)
    assert still.auction_id == 2
    turn_until(bidder, lambda: still.auction().leader == bidder.chain.address)
    assert still.contracts.auctions.auction(1).highest_bid == 0


def test_a_bidders_key_that_was_taken_back_is_registered_while_its_bid_stands(
    still: World,
) -> None:
    still.open(EVERYBODY)
    bidder = still.buyer(1)
    turn_until(bidder, lambda: still.auction().leader == bidder.chain.address)
    other = b"\7" * 32
    bidder.market.key_rings.register(other)  # as if it had been first
    wanted = bytes(bidder.key.public_key)
    turn_until(bidder, lambda: still.contracts.key_rings.key(bidder.chain.address) == wanted)


def test_a_seat_that_was_taken_back_is_taken_again(still: World) -> None:
    node = still.node(0)
    turn_until(node, lambda: node.memory.is_seated)
    node.market.pool.leave()
    left = still.chain(0).block_number()
    turn_until(node, lambda: not node.memory.is_seated)
    assert not node.health.why  # its owner's wish
    reorganise(node.chain, left)
    turn_until(node, lambda: node.memory.is_seated)
    [joined] = still.chain(0).logs(
        "ConePool", "NodeJoined", argument_filters={"node": node.chain.address}
    )
    reorganise(node.chain, joined["blockNumber"])
    assert still.contracts.pool.node(node.chain.address).stake == 0
    turn_until(node, lambda: still.contracts.pool.node(node.chain.address).stake == STAKE)


def test_a_node_that_lost_its_seat_for_good_is_unhealthy(still: World) -> None:
    node = still.node(0)
    turn_until(node, lambda: node.memory.is_seated)
    node.market.pool.leave()
    slash(still, node, STAKE // 50)
    turn_until(node, lambda: bool(node.health.why))
    assert f"({STAKE // 50} wei) of its stake are missing: start `cone serve`" in node.health.why
    node.join()  # as at the start of `cone serve`
    turn_until(node, lambda: not node.health.why)


def slash(market: World, node: ConeNode, amount: int) -> None:
    """Take from a node's stake, in the first word of what the pool knows of it."""
    provider, pool = node.chain.w3.provider, node.market.pool.address
    known = node.market.pool.node(node.chain.address).stake
    for slot in range(8):
        key = keccak(encode(["address", "uint256"], [node.chain.address, slot]))
        word = bytes(node.chain.w3.eth.get_storage_at(pool, int.from_bytes(key, "big")))
        if int.from_bytes(word[16:], "big") == known:
            changed = word[:16] + (known - amount).to_bytes(16, "big")
            place = [pool, "0x" + key.hex(), "0x" + changed.hex()]
            provider.make_request(RPCEndpoint("anvil_setStorageAt"), place)
            return
    raise AssertionError("the pool keeps stakes elsewhere")


def test_an_offer_that_was_taken_back_is_made_again_and_served(still: World) -> None:
    seller = still.seller(3)
    turn_until(seller, lambda: seller.memory.is_offered)
    [made] = [
        log
        for log in still.chain(0).logs("SellerRegistry", "Offered")
        if log["args"]["seller"] == seller.chain.address
    ]
    reorganise(seller.chain, made["blockNumber"])
    assert still.contracts.registry.offers_by(seller.chain.address) == {}
    # Meanwhile another has the number that the offer had.
    other = Market(still.chain(9))
    assert ensure_offered(other, still.store, [TAG], b"other", b"\1" * 32) == seller._offer_id
    turn_until(seller, lambda: bool(still.contracts.registry.offers_by(seller.chain.address)))
    [offer_id] = still.contracts.registry.offers_by(seller.chain.address)
    assert seller._offer_id == offer_id == made["args"]["offerId"] + 1


def test_a_pause_of_the_owners_outlasts_a_reorganisation(still: World) -> None:
    seller = still.seller(0)
    turn_until(seller, lambda: seller.memory.is_offered)
    offer_id = seller._offer_id
    pause(Market(still.chain(10)), offer_id)
    turn_until(seller, lambda: not seller._offer.listed)
    mine(seller.chain)
    reorganise(seller.chain, still.chain(0).block_number())
    turn_until(seller, lambda: seller.memory.is_offered)
    assert not still.contracts.registry.offer(offer_id).listed


def test_a_commitment_to_another_vote_is_not_revealed_and_said_once(tmp_path: Path) -> None:
    with voting(tmp_path) as (market, node):
        other = keccak(b"to the vote of a seed that is gone")
        node.market.yoda.commit(1, node._seat(1), other)
        market.look_until(
            lambda: view(market).mini_round.committed == len(NODES),
            [f"node {number}" for number in range(1, len(NODES))],
        )
        with capture_logs() as logs:
            for _turn in range(5):
                mine(node.chain)
                node._next_look = 0
                node._turn(lambda: False)
        events = [log["event"] for log in logs if log["log_level"] != "info"]
        assert [event[:13] for event in events] == ["not revealed", "silent: the v"]


def test_a_market_that_the_chain_has_lost_is_said_and_waited_for(still: World) -> None:
    node = still.node(0)
    turn_until(node, lambda: node.memory.is_seated)
    provider, pool = node.chain.w3.provider, node.market.pool.address
    code = "0x" + bytes(node.chain.w3.eth.get_code(pool)).hex()
    reorganise(node.chain, node.chain.block_number())
    provider.make_request(RPCEndpoint("anvil_setCode"), [pool, "0x"])
    turn_until(node, lambda: "deployment: no code of ConePool at" in node.health.why)
    provider.make_request(RPCEndpoint("anvil_setCode"), [pool, code])
    turn_until(node, lambda: not node.health.why)
    assert node.memory.is_seated


def test_a_block_that_only_a_receipt_has_shown_is_missed(still: World) -> None:
    """Its sibling has the same parent, the last head that was asked for."""
    seller = still.seller(0)
    turn_until(seller, lambda: seller.memory.is_offered)
    mine(seller.chain)
    seller._follow()
    before = seller.memory
    pause(seller.market, seller._offer_id)
    reorganise(seller.chain, seller.chain.block_number())
    seller._follow()
    assert seller.memory is not before


def test_nothing_that_a_party_knows_of_the_chain_survives_a_reorganisation(
    tmp_path: Path,
) -> None:
    with world(tmp_path) as market:
        market.register()
        market.open(EVERYBODY)
        market.play()
        for party in market.parties.values():
            party.forget()
            kept = {
                name for name, value in known(party).items() if isinstance(value, Sized) and value
            }
            # Computed rounds are kept by all that they follow from, so they hold on any branch.
            assert kept <= {"Party._told", "HeadWatch._seen", "RoundComputer._computed"}
            assert party.memory == party.new_memory()


def known(party: Party) -> dict[str, object]:
    """What a party and its parts hold, by class and name."""
    parts = [party, party.market, party.inputs, party.rounds, party._retention]
    parts += [each for each in vars(party.market).values() if isinstance(each, DeployedContract)]
    parts += [party.chain, party.chain.heads, party.chain._sender]
    settings = ("watches", "_samples", "_folder", "_artifacts", "_names", "deployment", "_secret")
    return {
        f"{type(part).__name__ if part is not party else 'Party'}.{name}": value
        for part in parts
        for name, value in vars(part).items()
        if name not in settings and isinstance(value, (dict, set, list))
    }


def test_heads(tmp_path: Path) -> None:
    with world(tmp_path) as market:
        chain = market.chain(0)
        stop_the_clock(market)
        watch = HeadWatch(chain.w3)
        assert not watch.next()[1]
        assert not watch.next()[1]  # the same
        market.mine_to(chain.block_number() + 1)
        assert not watch.next()[1]  # its child
        market.mine_to(chain.block_number() + 5)
        head, gone = watch.next()
        assert not gone  # a descendant
        reorganise(chain, head.number)
        assert watch.next()[1]  # a sibling
        market.mine_to(chain.block_number() + 3)
        assert not watch.next()[1]
        reorganise(chain, chain.block_number() - 1)
        market.mine_to(chain.block_number() + 4)
        assert watch.next()[1]  # gone, and already built upon
        chain.w3.provider.make_request(RPCEndpoint("anvil_rollback"), [2])
        assert watch.next()[1]  # shorter than it was

"""What is kept of a job, for how long, and how it leaves the market as one file."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from d2m.chain.contracts.market import Market
from d2m.clients.kubo import Kubo, kubo_swarm, running
from d2m.errors import PartyError
from d2m.jobs import retention
from d2m.jobs.contents import SAMPLER, Content, job_contents
from d2m.jobs.export import export_job
from d2m.jobs.reach import peers_of, reach
from d2m.protocol.types import JobState, Rules
from d2m.store import Cid, IpfsStore, NotFound, ReadAhead, Store
from d2m.store.car import read_car
from d2m.store.ipfs_node import Patience
from tests.support.kubo import store_on
from tests.support.world import BUYERS, NODES, RULES, SELLERS, STAKE, TERMS, World, world

LIMIT = 1 << 20
KEEP_BLOCKS = 3000
"""In place of the week, which takes anvil minutes to mine."""
RAW = {"cid-version": "1", "raw-leaves": "true"}
ONE_ROUND = RULES._replace(rounds=1)


@pytest.fixture(autouse=True)
def short_week(monkeypatch: pytest.MonkeyPatch) -> None:
    assert retention.KEEP_BLOCKS == 7 * 7200
    monkeypatch.setattr(retention, "KEEP_BLOCKS", KEEP_BLOCKS)


def held(store: Store, contents: Sequence[Content]) -> set[tuple[str, int]]:
    """Role and round of the contents that a store still gives."""
    found = set()
    for content in contents:
        try:
            store.get(content.cid, limit=LIMIT)
            found.add((content.role, content.round))
        except NotFound:
            continue
    return found


def begin(market: World, rules: Rules = RULES) -> None:
    """Everybody has joined, both have bid, and the auction is about to be closed."""
    market.register()
    market.open(rules, terms=TERMS._replace(window_blocks=1000))
    market.look_until(lambda: market.auction().leader == market.signer(2).address, BUYERS)
    market.mine_to(market.auction().close_block)


def look(market: World, name: str) -> None:
    """One look of a party that was started again."""
    party = market.makers()[name]()
    party.poll_jobs(party.chain.block_number())


@pytest.mark.slow  # half a minute: a week of blocks
def test_a_job_s_content_is_kept_for_a_week_and_its_last_sampler_for_good(tmp_path: Path) -> None:
    with world(tmp_path) as market:
        begin(market)
        market.play()
        contracts, store = market.contracts, market.store
        contents = job_contents(contracts, 1)
        roles = [content.role for content in contents]
        assert roles.count("update") == len(contracts.jobs.updates(1, 1)) + len(
            contracts.jobs.updates(1, 2)
        )
        assert roles.count("model") == roles.count(SAMPLER) == RULES.rounds
        assert roles[:2] == ["specification", "evaluation set"]
        everything = {(content.role, content.round) for content in contents}

        look(market, "node 0")
        assert held(store, contents) == everything
        market.mine_to(contracts.jobs.end_blocks()[1] + KEEP_BLOCKS)
        look(market, "node 0")
        assert held(store, contents) == {(SAMPLER, RULES.rounds)}


@pytest.mark.slow  # half a minute and more: several jobs, or one played twice
def test_what_another_job_needs_stays(tmp_path: Path) -> None:
    """The second auction names the specification and the evaluation set of the first job."""
    with world(tmp_path) as market:
        begin(market, ONE_ROUND)
        market.play()
        market.mine_to(market.contracts.jobs.end_blocks()[1] + KEEP_BLOCKS)
        market.open(ONE_ROUND, terms=TERMS._replace(window_blocks=1000))
        look(market, "seller 0")
        shared = {("specification", 0), ("evaluation set", 0)}
        contents = job_contents(market.contracts, 1)
        assert held(market.store, contents) == {*shared, (SAMPLER, 1)}

        contracts = Market(market.chain(1))
        request = contracts.auctions.request(market.auction_id)
        contracts.auctions.bid(market.auction_id, STAKE, value=STAKE)
        market.register()  # slashed nodes have lost their seats
        market.mine_to(market.auction().last_block + 1)
        contracts.auctions.close(market.auction_id, request)
        assert contracts.jobs.count() == 2
        look(market, "seller 0")
        assert held(market.store, contents) == {*shared, (SAMPLER, 1)}


def test_a_job_becomes_one_file(tmp_path: Path) -> None:
    with world(tmp_path) as market:
        begin(market, ONE_ROUND)
        market.play()
        contracts, out = market.contracts, tmp_path / "job.car"
        assert export_job(contracts, market.store, 1, out) == []
        contents = job_contents(contracts, 1)
        with out.open("rb") as file:
            car = read_car(file)
        assert set(car.roots) == {content.cid for content in contents}
        for content in contents:  # all small enough for one block
            assert car.blocks[content.cid] == market.store.get(content.cid, limit=LIMIT)

        lost = [content for content in contents if content.role == "update"]
        for content in lost:
            market.store.unpin(content.cid)
        assert export_job(contracts, market.store, 1, out) == lost
        for content in contents:
            market.store.unpin(content.cid)
        before = out.read_bytes()
        with pytest.raises(PartyError, match="nobody gives any content of job 1"):
            export_job(contracts, market.store, 1, out)
        with pytest.raises(PartyError, match="no job 2: the market has had 1"):
            export_job(contracts, market.store, 2, out)
        assert out.read_bytes() == before
        assert not list(tmp_path.glob(".writing-*"))


@pytest.mark.ipfs
def test_a_market_on_two_ipfs_nodes(tmp_path: Path) -> None:
    """Every other party uses the one node, the rest the other: all they share goes between them."""
    with world(tmp_path) as market, kubo_swarm(tmp_path, 2) as [first, second]:
        market.ipfs = [IpfsStore(node.rpc) for node in (first, second)]
        begin(market)
        market.play()
        assert market.job().state == JobState.SETTLED
        delivery = json.loads((tmp_path / "delivered-1" / "delivery.json").read_text())
        assert delivery["hash_matches"]
        assert list((tmp_path / "store").glob("*")) == []

        contracts = market.contracts
        contents = job_contents(contracts, 1)
        for node in (first, second):
            assert all(node.is_pinned(content.cid) for content in contents)
        assert [peer.peer_id for peer in peers_of(market.ipfs[0])] == [second.peer_id]
        assert not any(why_not for _content, why_not in reach(contracts, market.ipfs[0], 1))
        stranger = Kubo(tmp_path / "stranger", first.swarm_key)
        with running([stranger]):
            unread = list(reach(contracts, store_on(stranger), 1))
        assert all("nobody gave" in why_not for _content, why_not in unread)
        sellers = {market.signer(10 + number).address for number in range(len(SELLERS))}
        authors = {content.author for content, _ in unread if content.role == "update"}
        assert authors <= sellers
        assert len(unread) == len(contents)

        market.mine_to(contracts.jobs.end_blocks()[1] + KEEP_BLOCKS)
        look(market, "node 0")
        last = [each for each in contents if (each.role, each.round) == (SAMPLER, RULES.rounds)]
        assert [each for each in contents if first.is_pinned(each.cid)] == last
        assert all(second.is_pinned(content.cid) for content in contents)
        for node, party in ((first, "node 0"), (second, "node 1")):
            assert any(name.endswith("/1/1") for name in pins(second).values()), "some is to go"
            look(market, party)
            kept = {cid: name.rpartition("/")[2] for cid, name in pins(node).items()}
            assert kept.pop(str(last[0].cid)) == str(RULES.rounds)
            assert set(kept.values()) == {"offer"}, "results of lost votes are gone, too"


@pytest.mark.ipfs
@pytest.mark.parametrize("limited", [False, True], ids=["collected by hand", "storage limit"])
def test_garbage_collection_during_a_job_takes_none_of_its_content(
    tmp_path: Path, limited: bool
) -> None:
    """All the time, by its owner or because the node is full; content of others is taken."""
    with world(tmp_path) as market, kubo_swarm(tmp_path, 2) as nodes:
        if limited:
            for node in nodes:
                node.stop()
                node.configure({"Datastore.StorageMax": "1KB", "Datastore.GCPeriod": "100ms"})
                node.start("--enable-gc")
            nodes[0].connect(nodes[1])
        market.ipfs = [IpfsStore(node.rpc) for node in nodes]
        garbage = Cid.of(b"of another use")
        with collecting_garbage([] if limited else nodes):
            for node in nodes:
                assert node.ask("add", b"of another use", pin="false", **RAW).ok
            begin(market)
            market.play()
        assert market.job().state == JobState.SETTLED
        for node in nodes:
            assert not node.holds(garbage)
            assert all(node.is_pinned(each.cid) for each in job_contents(market.contracts, 1))


@contextmanager
def collecting_garbage(nodes: Sequence[Kubo]) -> Iterator[None]:
    """`ipfs repo gc` on each node, again and again."""
    is_over = threading.Event()

    def collect() -> None:
        while not is_over.wait(0.05):
            for node in nodes:
                assert node.ask("repo/gc").ok

    with ThreadPoolExecutor(1) as pool:
        collected = pool.submit(collect)
        try:
            yield
        finally:
            is_over.set()
            collected.result()


def pins(node: Kubo) -> dict[str, str]:
    """Those of the market, by name."""
    return {cid: name for cid, name in node.pins().items() if name.startswith("d2m/")}


def test_a_party_whose_node_is_away_finishes_later(tmp_path: Path) -> None:
    """A seller's share is claimed with content: without it the job is not over for the seller."""
    with world(tmp_path) as market:
        begin(market, ONE_ROUND)
        others = [*(f"node {n}" for n in range(len(NODES))), "buyer 0", "buyer 1"]
        sellers = [f"seller {number}" for number in range(len(SELLERS))]
        market.look_until(lambda: market.contracts.jobs.count() == 1, others)
        market.look_until(lambda: market.job().state.ended, [*others, *sellers])
        seller = market.seller(0)
        reachable = seller.inputs.store
        away = IpfsStore("/ip4/127.0.0.1/tcp/9", patience=Patience(pause=0.01))
        seller.inputs.store = ReadAhead(away)
        seller.poll_jobs(seller.chain.block_number())
        assert seller.jobs_ended == 0
        seller.inputs.store = reachable
        seller.poll_jobs(seller.chain.block_number())
        assert seller.jobs_ended == 1

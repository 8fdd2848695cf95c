"""Sealed jobs: who reads what, keys that are missing, wrong, or kept from somebody."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from nacl.public import PrivateKey
from structlog.testing import capture_logs

from d2m.chain.contracts.market import Market
from d2m.errors import PartyError
from d2m.jobs import rings
from d2m.jobs.inputs import JobInputs
from d2m.jobs.keys import JobKeys
from d2m.jobs.rounds import RoundComputer
from d2m.learning.round import parse_sampler
from d2m.learning.spec import JobSpec
from d2m.learning.updates import encode_evaluation
from d2m.parties.buyer.requester import LASTING_BLOCKS, Requester
from d2m.parties.seller.offers import ensure_offered
from d2m.protocol.types import FailureReason, JobState
from d2m.sealing.content import MAGIC
from d2m.sealing.errors import NoKey
from d2m.sealing.ring import ENTRY_BYTES, Ring, build_ring
from d2m.store.ahead import ReadAhead
from d2m.store.cid import Cid
from d2m.store.fetch import content_hash
from tests.support.money import deposited, withdrawn
from tests.support.world import NODES, RULES, SELLERS, TAG, World, world

STRANGER, NODE, SELLER, OPENER, WINNER = 9, 20, 10, 1, 2
"""Accounts."""
WEAK = b"\1" + bytes(31)
"""A point of low order: nothing can be encrypted to it."""
LIMIT = 1 << 20
ALL_NODES = tuple(f"node {number}" for number in range(len(NODES)))
ALL_SELLERS = tuple(f"seller {number}" for number in range(len(SELLERS)))
BRIEF = RULES._replace(rounds=1, commit_blocks=15, reveal_blocks=15)


def only_rings(market: World, account: int, key: PrivateKey | None = None) -> RoundComputer:
    """The rounds of an account that reads key rings and made no request."""
    contracts, store = market.contracts, ReadAhead(market.store)
    keys = JobKeys(contracts, store, key or market.key(account))
    return RoundComputer(JobInputs(contracts, store, keys))


def is_collecting(market: World) -> bool:
    return bool(market.contracts.jobs.count()) and market.job().state == JobState.COLLECTING


def pinned(market: World) -> Iterator[bytes]:
    """Everything in the store."""
    for path in (market.folder / "store").iterdir():
        yield market.store.get(Cid.parse(path.name), limit=LIMIT)


def test_only_members_read_a_job(tmp_path: Path) -> None:
    with world(tmp_path) as market:
        market.register()
        market.open(RULES._replace(rounds=1))
        market.play()
        contracts = market.contracts
        assert market.job().state == JobState.SETTLED
        assert [ring.poster for ring in contracts.key_rings.rings(1)] == [
            market.signer(OPENER).address
        ]

        # In the clear are the specification, the sampler's states and descriptions of data.
        plain = encode_evaluation(market.evaluation)
        model = only_rings(market, WINNER).inputs.model(1, 1)
        for blob in pinned(market):
            assert blob not in plain or len(blob) < 64
            assert blob != model
            assert plain not in blob
            assert is_sealed(blob) or is_public(blob)

        nodes = [only_rings(market, NODE + number) for number in range(len(NODES))]
        for rounds in [*nodes, only_rings(market, WINNER), market.rounds(OPENER)]:
            assert encode_evaluation(rounds.inputs.evaluation(1)) == plain
            assert rounds.inputs.model(1, 1) == model
        for number in range(len(SELLERS)):
            rounds = only_rings(market, SELLER + number)
            assert rounds.inputs.model(1, 1) == model
            with pytest.raises(NoKey, match="key of the models only"):
                rounds.inputs.evaluation(1)
            with pytest.raises(NoKey, match="key of the models only"):
                rounds.output(1, 1)
        stranger = only_rings(market, STRANGER).inputs
        for read in (stranger.evaluation, stranger.access):
            with pytest.raises(NoKey, match="no entry for the key"):
                read(1)
        with pytest.raises(NoKey, match="no entry for the key"):
            stranger.model(1, 1)
        # An account that lost the key it had registered, and goes on with another.
        with pytest.raises(NoKey, match="was another key registered"):
            only_rings(market, NODE, PrivateKey.generate()).inputs.access(1)

        folder = tmp_path / "delivered-1"
        delivery = json.loads((folder / "delivery.json").read_text())
        assert (folder / "model.safetensors").read_bytes() == model
        assert delivery["file_hash"] == "0x" + content_hash(model).hex()
        assert delivery["model_hash"] == "0x" + contracts.jobs.result(1, 1).model_hash.hex()
        assert delivery["hash_matches"]


def is_sealed(blob: bytes) -> bool:
    return blob.startswith(MAGIC)


def is_public(blob: bytes) -> bool:
    if blob == b"one writer's digits":
        return True
    try:
        JobSpec.from_bytes(blob)
    except ValueError:
        return bool(parse_sampler(blob))
    return True


def test_without_a_key_ring_the_job_fails_and_the_buyer_has_its_money_back(
    tmp_path: Path,
) -> None:
    """The opener is gone. Sellers need no ring for their first updates; nodes cannot open them."""
    with world(tmp_path) as market:
        market.register()
        market.open(BRIEF)
        with capture_logs() as logs:
            market.play(["buyer 1", *ALL_SELLERS, *ALL_NODES])
        job, contracts = market.job(), market.contracts
        assert (job.state, job.failure) == (JobState.FAILED, FailureReason.UNDECIDED)
        assert sorted(contracts.jobs.updates(1, 1)) == [i for i in range(4) if job.sample >> i & 1]
        copier = market.signer(NODE + NODES.index("copier")).address
        voters = {each["node"] for each in contracts.yoda.reveals_in_round(1, 1)}
        assert voters <= {copier}  # it opens nothing, so it needs no key
        assert withdrawn(market, WINNER) == deposited(market, WINNER)
        assert contracts.chain.logs("ConePool", "NodeSlashed") == []
        reasons = {log["why"] for log in logs if log["event"] == "job cannot be served now"}
        assert reasons == {"NoKey: nobody has posted a key ring for job 1 yet"}


def hand_out_only(market: World, readers: Sequence[bytes], trainers: Sequence[bytes]) -> Ring:
    """The opener posts a ring with some of the members."""
    rounds = market.rounds(OPENER)
    access = rounds.inputs.access(1)
    ring = build_ring(access.full_key(), access.lock.request_id, readers, trainers)
    rings.post_ring(Market(market.chain(OPENER)), market.store, 1, ring)
    return ring


def test_nodes_give_a_key_to_whom_the_opener_has_left_out(tmp_path: Path) -> None:
    with world(tmp_path) as market:
        market.register()
        weak = Market(market.chain(14))
        ensure_offered(weak, market.store, [TAG], b"weak", WEAK)
        market.open()
        market.look_until(lambda: is_collecting(market), ["buyer 1"])
        members = market.contracts.member_keys(1)
        assert len(members.readers) == len(NODES) + 1
        assert len(members.trainers) == len(SELLERS) + 1
        ring = hand_out_only(market, members.readers[2:3], members.trainers[:1])
        assert len(ring.data) < 4 * ENTRY_BYTES
        with pytest.raises(NoKey, match="no entry"):
            only_rings(market, NODE).inputs.access(1)

        market.look_until(lambda: len(market.contracts.key_rings.rings(1)) == 2, ALL_NODES)
        market.look_until(lambda: True, ALL_NODES)
        first, mended = market.contracts.key_rings.rings(1)
        assert first.content_hash == content_hash(ring.data)
        assert mended.poster == market.signer(NODE + 2).address
        for number in range(len(NODES)):
            assert only_rings(market, NODE + number).inputs.access(1).job_key is not None
        for number in range(len(SELLERS)):
            assert only_rings(market, SELLER + number).inputs.access(1).job_key is None

        # What members register from now on changes nothing, and nobody pays for it again.
        offers = market.contracts.jobs.offers(1).ids
        update = market.contracts.registry.functions.update
        chain = market.chain(SELLER)
        chain.send(update(offers[0], [TAG.encode().ljust(32, b"\0")], b"\1", b"\7" * 32))
        assert market.contracts.member_keys(1) == members
        market.look_until(lambda: True, ALL_NODES)
        assert len(market.contracts.key_rings.rings(1)) == 2


def test_a_strangers_ring_is_not_heeded(tmp_path: Path) -> None:
    """It is the right one, copied before others see it: were it heeded, nobody would mend."""
    with world(tmp_path) as market:
        market.register()
        market.open()
        market.look_until(lambda: is_collecting(market), ["buyer 1"])
        ring = rings.make_ring(market.rounds(OPENER).inputs, 1)
        for _time in range(2):
            rings.post_ring(Market(market.chain(STRANGER)), market.store, 1, ring)
        with pytest.raises(NoKey, match="nobody has posted"):
            only_rings(market, NODE).inputs.access(1)

        for _time in range(2):  # the second time as after kill -9
            opener = new_opener(market, OPENER)
            opener.poll_jobs(opener.chain.block_number())
            assert not opener.is_done
        market.mine_to(opener.chain.block_number() + LASTING_BLOCKS)
        opener.poll_jobs(opener.chain.block_number())
        assert opener.is_done
        assert [each.content_hash for each in market.contracts.key_rings.rings(1)] == [
            content_hash(ring.data)
        ] * 3
        assert only_rings(market, NODE).inputs.access(1).job_key is not None


def new_opener(market: World, account: int, secret_of: int | None = None) -> Requester:
    return Requester(
        market.chain(account),
        market.store,
        market.key(account),
        market.request_secret(account if secret_of is None else secret_of),
        auction_id=market.auction_id,
        patience_blocks=2,
    )


def test_an_opener_that_lost_its_key_and_one_that_is_none(tmp_path: Path) -> None:
    with world(tmp_path) as market:
        market.register()
        market.open()
        waiting = new_opener(market, OPENER)
        waiting.poll_jobs(waiting.chain.block_number())
        assert not waiting.is_done
        market.look_until(lambda: is_collecting(market), ["buyer 1"])

        other = new_opener(market, WINNER)
        with pytest.raises(PartyError, match="only that account can hand out"):
            other.poll_jobs(other.chain.block_number())

        lost = new_opener(market, OPENER, secret_of=STRANGER)
        logs: list[Any]
        with capture_logs() as logs:
            lost.poll_jobs(lost.chain.block_number())
        assert lost.is_done
        assert [log["event"] for log in logs if log["log_level"] == "error"] == [
            "no key to hand out"
        ]
        assert market.contracts.key_rings.rings(1) == []


def test_an_opener_whose_auction_comes_to_nothing_is_done(tmp_path: Path) -> None:
    with world(tmp_path) as market:
        market.register()
        market.open()
        opener = new_opener(market, OPENER)
        market.mine_to(market.auction().close_block + 20)
        opener.poll_jobs(opener.chain.block_number())
        opener.poll_jobs(opener.chain.block_number())
        assert not opener.is_done  # a re-organisation may make a job of it yet
        market.mine_to(opener.chain.block_number() + LASTING_BLOCKS)
        opener.poll_jobs(opener.chain.block_number())
        assert opener.is_done
        assert market.contracts.jobs.count() == 0


def test_buyers_register_their_keys_before_they_bid(tmp_path: Path) -> None:
    with world(tmp_path) as market:
        market.register()
        market.open()
        for _time in range(2):
            buyer = market.buyer(1)
            buyer.poll_jobs(buyer.chain.block_number())
        logs = market.chain(0).logs("KeyRings", "KeyRegistered")
        assert [bytes(log["args"]["publicKey"]) for log in logs] == [
            bytes(market.key(WINNER).public_key)
        ]

from __future__ import annotations

from typing import Any

import ape
import pytest
from eth_abi.abi import encode
from eth_utils.crypto import keccak

from d2m.learning.draws import first_draw
from d2m.protocol.types import JobState, Phase
from tests.support.evm import deploy, event, height, look, mine, mine_past, rpc, simulate
from tests.support.play import (
    RULES,
    Market,
    People,
    Play,
    deploy_market,
    join_nodes,
    register_sellers,
    win,
)

PURPOSE, OTHER = keccak(b"purpose"), keccak(b"other purpose")
NOTHING = bytes(32)
HISTORY = "0x0000F90827F1C53a10cb7A02335B175320002935"
HISTORY_CODE = (  # of EIP-2935
    "0x3373fffffffffffffffffffffffffffffffffffffffe14604657602036036042575f35600143038111"
    "604257611fff81430311604257611fff9006545f5260205ff35b5f5ffd5b5f35611fff60014303065500"
)
SERVED = 8191  # blocks that the history contract remembers


@pytest.fixture(scope="module")
def source(people: People) -> Any:
    return deploy(ape.project.BlockhashRandomness, sender=people.deployer)


def block_hash(number: int) -> bytes:
    return bytes.fromhex(rpc("eth_getBlockByNumber", hex(number), False)["hash"][2:])


def seed(purpose: bytes, hash_: bytes) -> bytes:
    return keccak(encode(["bytes32", "bytes32"], [purpose, hash_]))


def read(source: Any, block: int, purpose: bytes = PURPOSE) -> tuple[bytes, bool]:
    """What the next transaction would read."""
    found, expired = look(source.read, block, purpose)
    return bytes(found), expired


# Seeds from block hashes


def test_the_hash_is_known_in_the_block_after(source: Any) -> None:
    block = height() + 1
    assert read(source, block + 100) == (NOTHING, False)
    assert read(source, block) == (NOTHING, False), "the block itself does not know its hash"
    mine()
    hash_ = block_hash(block)
    assert read(source, block) == (seed(PURPOSE, hash_), False)
    assert read(source, block, OTHER) == (seed(OTHER, hash_), False)


def test_a_hash_expires_after_256_blocks(source: Any) -> None:
    """On a chain without the history contract of EIP-2935, as here."""
    assert rpc("eth_getCode", HISTORY, "latest") == "0x"
    block = height()
    hash_ = block_hash(block)
    mine_past(block + 255)
    assert read(source, block) == (seed(PURPOSE, hash_), False), "256 blocks back"
    mine()
    assert read(source, block) == (NOTHING, True)


def test_the_history_contract_reaches_further(source: Any) -> None:
    rpc("anvil_setCode", HISTORY, HISTORY_CODE)
    block, hash_ = height(), keccak(b"an old block")
    slot = (block % SERVED).to_bytes(32, "big")
    rpc("anvil_setStorageAt", HISTORY, "0x" + slot.hex(), "0x" + hash_.hex())
    for age, expected in [
        (257, (seed(PURPOSE, hash_), False)),
        (SERVED, (seed(PURPOSE, hash_), False)),
        (SERVED + 1, (NOTHING, True)),
        (10**6, (NOTHING, True)),
    ]:
        assert read_at(source, block, block + age) == expected
    assert read_at(source, block + 1, block + 300) == (NOTHING, True), "a hash not recorded"


def read_at(source: Any, block: int, now: int) -> tuple[bytes, bool]:
    answer = simulate(source.read, block, PURPOSE, sender=source.address, at=now)
    return answer[:32], bool(int.from_bytes(answer[32:], "big"))


# A job on block hashes


@pytest.fixture
def play(people: People) -> Play:
    market = deploy_market(people.deployer, "BlockhashRandomness")
    register_sellers(market, people.sellers)
    join_nodes(market, people.nodes)
    return win(market, people)


def test_a_job_draws_from_block_hashes(play: Play) -> None:
    block = play.job.deadline
    started = event(play.start(), play.market.jobs.RoundStarted)
    sample_seed = seed(keccak(encode(["uint256"], [play.job_id])), block_hash(block))
    drawn = first_draw(8, RULES.sample_size, sample_seed)
    assert bytes(started["sampleSeed"]) == sample_seed
    assert started["sample"] == sum(1 << i for i, times in enumerate(drawn) if times)
    play.collect()
    block = play.poll.seed_block
    opened = event(play.begin_mini_round(), play.market.yoda.MiniRoundOpened)
    purpose = keccak(encode(["uint256"] * 3, [play.job_id, 1, 1]))
    assert bytes(opened["seed"]) == seed(purpose, block_hash(block))


def test_a_sample_whose_seed_expired_is_scheduled_anew(play: Play) -> None:
    jobs = play.market.jobs
    mine_past(play.job.deadline + 256)
    assert look(jobs.isDue, play.job_id)
    receipt = play.advance()
    expected = {"jobId": play.job_id, "seedBlock": receipt.block + 1}
    assert event(receipt, jobs.SampleScheduled) == expected
    assert (play.job.state, play.job.deadline) == (JobState.SEEDING, receipt.block + 1)
    play.start()
    assert play.job.state is JobState.COLLECTING


def test_a_mini_round_whose_seed_expired_is_scheduled_anew(play: Play) -> None:
    yoda = play.market.yoda
    play.start()
    play.collect()
    mine_past(play.poll.seed_block + 256)
    assert look(yoda.isDue, play.job_id)
    receipt = play.advance()
    assert event(receipt, yoda.MiniRoundScheduled) == {
        "jobId": play.job_id,
        "round": 1,
        "miniRound": 1,
        "seedBlock": receipt.block + 1,
    }
    assert (play.poll.phase, play.poll.asked) == (Phase.SEEDING, 0)
    play.decide(play.result().digest)
    play.open(play.result())
    assert play.verdict(1).right_votes == 5


# Seeds for local chains


def test_seeded_randomness_is_the_same_in_every_run(people: People) -> None:
    container = ape.project.SeededRandomness
    first, second, other = (
        deploy(container, keccak(word), sender=people.deployer) for word in (b"a", b"a", b"b")
    )
    block = height()
    assert read(first, block) == (seed(PURPOSE, keccak(b"a")), False)
    assert read(first, block) == read(second, block) == read(second, block - 2)
    assert read(first, block) != read(first, block, OTHER)
    assert read(first, block) != read(other, block)


def test_seeded_randomness_waits_for_the_block_too(staffed: Market) -> None:
    block = height() + 1
    assert read(staffed.randomness, block) == (NOTHING, False)
    mine()
    assert read(staffed.randomness, block)[0] != NOTHING
    assert read_at(staffed.randomness, block, block + 10**6) == read(staffed.randomness, block)

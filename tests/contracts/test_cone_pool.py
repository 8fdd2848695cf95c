from __future__ import annotations

from typing import Any

import ape
import pytest
from eth_account import Account
from eth_utils.crypto import keccak

from d2m.protocol.sortition import execution_set
from d2m.protocol.types import Conduct, Node
from tests.support.crowd import Crowd
from tests.support.evm import (
    NOBODY,
    act,
    balance,
    deploy,
    event,
    height,
    helper,
    look,
    mine,
    mine_past,
    one_block,
    queue,
    refusal,
    refused_deployment,
    send,
    simulate,
)
from tests.support.play import HASH, KEY, STAKE, People

UNIT = 10_000  # wei, the smallest stake unit
UNBONDING = 7200  # a day of blocks: too long to mine in a test
SHORT = 10
SHORTENED = {b"\x61" + UNBONDING.to_bytes(2, "big"): b"\x61" + SHORT.to_bytes(2, "big")}  # PUSH2


@pytest.fixture(scope="module")
def jobs(people: People) -> Any:
    """Stands for the job contract: freezes and releases."""
    return people.buyers[0]


@pytest.fixture(scope="module")
def pool(people: People, jobs: Any) -> Any:
    """A pool whose stakes unbond soon; otherwise the contract as it is."""
    container = ape.project.ConePool
    return deploy(container, jobs, STAKE, sender=people.deployer, patches=SHORTENED)


def join(pool: Any, *nodes: Any) -> None:
    for node in nodes:
        send(pool.join, KEY, sender=node, value=STAKE)


def node_of(pool: Any, node: Any) -> Node:
    return Node(*look(pool.nodeOf, node))


def seated(pool: Any, block: int | None = None) -> list[str]:
    at = height() if block is None else block
    return [look(pool.nodeAt, seat, at) for seat in range(look(pool.seatsAt, at))]


@pytest.mark.parametrize("unit", [0, 9999, 2**128, 2**256 - 1])
def test_a_stake_unit_has_bounds(pool: Any, people: People, unit: int) -> None:
    """Of less than 10,000 wei a penalty could be rounded to nothing."""
    args = (ape.project.ConePool, people.deployer.address, unit)
    refused_deployment(pool.BadStakeUnit, *args, sender=people.deployer)


@pytest.mark.parametrize("unit", [10_000, 10_001, 2**128 - 1])
def test_penalties_are_parts_of_the_stake_unit(people: People, unit: int) -> None:
    pool = deploy(ape.project.ConePool, people.deployer, unit, sender=people.deployer)
    assert look(pool.MIN_STAKE_UNIT) == 10_000
    shares = {
        Conduct.UNJUDGED: 0,
        Conduct.NOT_ASKED: 0,
        Conduct.RIGHT: 0,
        Conduct.LOST_RESULT: look(pool.LOST_RESULT_BPS),
        Conduct.WRONG_AUDIT: look(pool.WRONG_AUDIT_BPS),
        Conduct.SILENT: look(pool.SILENCE_BPS),
    }
    assert list(shares.values()) == [0, 0, 0, 5000, 2500, 200]
    for conduct, share in shares.items():
        assert look(pool.penaltyOf, conduct) == unit * share // 10_000


def test_a_node_takes_a_seat(pool: Any, people: People) -> None:
    node = people.nodes[0]
    receipt = send(pool.join, KEY, sender=node, value=STAKE)
    assert event(receipt, pool.NodeJoined) == {"node": node, "publicKey": KEY, "stake": STAKE}
    assert node_of(pool, node) == Node(STAKE, 0, receipt.block, 0, KEY)
    assert seated(pool) == [node]
    assert seated(pool, receipt.block - 1) == []
    assert balance(pool) == STAKE


def test_a_seat_costs_one_stake_unit_and_a_key(pool: Any, people: People) -> None:
    node = people.nodes[0]
    assert look(pool.stakeUnit) == STAKE
    for value in (0, STAKE - 1, STAKE + 1, 2 * STAKE):
        refused = refusal(pool.WrongStake, pool.join, KEY, sender=node, value=value)
        assert refused == {"required": STAKE}
    refusal(pool.MissingPublicKey, pool.join, bytes(32), sender=node, value=STAKE)


def test_one_address_has_one_seat(pool: Any, people: People) -> None:
    node = people.nodes[0]
    join(pool, node)
    for value in (0, STAKE):
        refusal(pool.AlreadySeated, pool.join, KEY, sender=node, value=value)
    send(pool.leave, sender=node)
    mine(SHORT)
    send(pool.withdrawStake, node.address, sender=node)
    join(pool, node)
    assert seated(pool) == [node]


def test_who_comes_back_before_withdrawing_pays_nothing(pool: Any, people: People) -> None:
    """The stake is still there; leaving again binds it anew."""
    x, y = people.nodes[:2]
    join(pool, x, y)
    send(pool.leave, sender=x)
    assert refusal(pool.WrongStake, pool.join, KEY, sender=x, value=STAKE) == {"required": 0}
    receipt = send(pool.join, HASH, sender=x)
    assert event(receipt, pool.NodeJoined) == {"node": x, "publicKey": HASH, "stake": STAKE}
    assert node_of(pool, x) == Node(STAKE, 1, receipt.block, 0, HASH)
    assert (seated(pool), balance(pool)) == ([y, x], 2 * STAKE)
    mine(SHORT)
    refusal(pool.NotLeaving, pool.withdrawStake, x.address, sender=x)


def test_who_stakes_twice_is_asked_twice_as_often(pool: Any, people: People) -> None:
    """One unit is one seat, and every seat has the same chance of every draw."""
    rich, poor = people.nodes[:4], people.nodes[4:6]
    join(pool, rich[0], poor[0], *rich[1:], poor[1])
    holders, asked = seated(pool), 2
    draws = [execution_set(6, 0, asked, keccak(bytes([i // 256, i % 256]))) for i in range(600)]
    shares = [sum(holders[seat] in rich for seat in draw) for draw in draws]
    # Of two seats drawn without replacement from 4 + 2: mean 4/3, variance 16/45.
    assert sum(shares) / len(draws) == pytest.approx(4 / 3, abs=5 * (16 / 45 / len(draws)) ** 0.5)


def test_a_seat_is_held_by_who_sat_there(pool: Any, people: People) -> None:
    """`holds` takes a short cut where nobody has moved; it says what `nodeAt` says."""
    nodes, outsider = people.nodes[:4], people.stranger.address
    join(pool, *nodes)
    send(pool.leave, sender=nodes[1])
    join(pool, people.nodes[4])
    send(pool.join, KEY, sender=nodes[1])
    send(pool.leave, sender=nodes[0])
    asked = [*(each.address for each in people.nodes[:5]), outsider, NOBODY]
    for block in range(height() - 8, height() + 1):
        for seat in range(6):
            sitting = look(pool.nodeAt, seat, block)
            holding = [each for each in asked if look(pool.holds, each, seat, block)]
            assert holding == ([] if sitting == NOBODY else [sitting])


def test_a_full_pool_takes_nobody_in(people: People, jobs: Any) -> None:
    pool = deploy(ape.project.ConePool, jobs, UNIT, sender=people.deployer)
    seats = look(pool.MAX_SEATS)
    crowd = Crowd.hire(seats + 1, people.deployer)
    crowd.chorus(range(seats), pool.join, KEY, value=UNIT)
    assert look(pool.seatsAt, height()) == seats == 1024
    refusal(pool.PoolFull, pool.join, KEY, sender=people.nodes[0], value=UNIT)
    crowd.play([crowd.move(7, pool.leave), crowd.move(seats, pool.join, KEY, value=UNIT)])
    assert look(pool.nodeAt, seats - 1, height()) == crowd.actors[seats]
    assert look(pool.nodeAt, 7, height()) == crowd.actors[seats - 1]


def test_a_node_gives_up_its_seat(pool: Any, people: People) -> None:
    x, y, z = people.nodes[:3]
    join(pool, x, y, z)
    receipt = send(pool.leave, sender=x)
    unlock = receipt.block + SHORT
    assert event(receipt, pool.NodeLeft) == {"node": x, "unlockBlock": unlock}
    assert node_of(pool, x).exit_block == receipt.block
    assert node_of(pool, z) == Node(STAKE, 0, receipt.block, 0, KEY), "the last moves into the gap"
    assert seated(pool) == [z, y]
    assert seated(pool, receipt.block - 1) == [x, y, z]
    refusal(pool.NotSeated, pool.leave, sender=x)
    refusal(pool.NotSeated, pool.leave, sender=people.stranger)


def test_stake_is_withdrawn_after_the_unbonding(pool: Any, people: People) -> None:
    node, elsewhere = people.nodes[0], Account.create().address
    join(pool, node, people.nodes[1])
    withdraw = (pool.withdrawStake, elsewhere)
    refusal(pool.NotLeaving, *withdraw, sender=node)
    unlock = send(pool.leave, sender=node).block + SHORT
    mine_past(unlock - 2)
    assert refusal(pool.StakeBound, *withdraw, sender=node) == {"unlockBlock": unlock}
    mine()
    receipt = send(*withdraw, sender=node)
    assert receipt.block == unlock
    assert event(receipt, pool.StakeWithdrawn) == {"node": node, "to": elsewhere, "amount": STAKE}
    assert (balance(elsewhere), balance(pool)) == (STAKE, STAKE)
    assert node_of(pool, node) == Node(0, 0, 0, 0, bytes(32))
    refusal(pool.NotLeaving, *withdraw, sender=node)


def test_unbonding_takes_a_day(people: People, jobs: Any) -> None:
    pool = deploy(ape.project.ConePool, jobs, STAKE, sender=people.deployer)
    node = people.nodes[0]
    join(pool, node)
    receipt = send(pool.leave, sender=node)
    unlock = receipt.block + UNBONDING
    assert event(receipt, pool.NodeLeft)["unlockBlock"] == unlock
    withdraw = (pool.withdrawStake, node.address)
    assert refusal(pool.StakeBound, *withdraw, sender=node, at=unlock - 1) == {
        "unlockBlock": unlock
    }
    simulate(*withdraw, sender=node, at=unlock)


def test_a_receiver_that_refuses_keeps_the_stake_where_it_is(pool: Any, people: People) -> None:
    crowd = Crowd.hire(1, people.deployer)
    (actor,) = crowd.actors
    crowd.play([crowd.move(0, pool.join, KEY, value=STAKE)])
    crowd.play([crowd.move(0, pool.leave)])
    mine(SHORT)
    refused = refusal(pool.PaymentRefused, pool.withdrawStake, actor, sender=actor)
    assert refused["to"].lower() == actor.lower()
    elsewhere = Account.create().address
    crowd.play([crowd.move(0, pool.withdrawStake, elsewhere)])
    assert balance(elsewhere) == STAKE


def test_who_calls_back_while_being_paid_is_paid_once(pool: Any, people: People) -> None:
    """The pool holds other nodes' stakes, so a second payment could be made."""
    thief, owner = deploy(helper("Reentrant"), sender=people.deployer), {"sender": people.deployer}
    join(pool, *people.nodes[:2])
    act(thief, pool.join, KEY, value=STAKE, **owner)
    act(thief, pool.leave, **owner)
    mine(SHORT)
    withdraw = bytes(pool.withdrawStake.encode_input(thief.address))
    send(thief.plan, pool.address, withdraw, **owner)
    act(thief, pool.withdrawStake, thief.address, **owner)
    assert (look(thief.payments), look(thief.reentered)) == (1, False)
    assert (balance(thief), balance(pool)) == (STAKE, 2 * STAKE)


def test_only_the_job_contract_freezes_and_releases(pool: Any, people: People) -> None:
    for method in (pool.freezePool, pool.releasePool):
        refusal(pool.OnlyJobs, method, 1, sender=people.stranger)


def test_a_freeze_remembers_the_block_before(pool: Any, people: People, jobs: Any) -> None:
    join(pool, *people.nodes[:2])
    receipt = send(pool.freezePool, 1, sender=jobs)
    expected = {"jobId": 1, "freezeBlock": receipt.block - 1, "seats": 2}
    assert event(receipt, pool.PoolFrozen) == expected
    assert event(send(pool.releasePool, 1, sender=jobs), pool.PoolReleased) == {"jobId": 1}


def test_who_joins_in_the_block_of_a_freeze_is_not_in_it(
    pool: Any, people: People, jobs: Any
) -> None:
    x, y = people.nodes[:2]
    join(pool, x)
    with one_block() as hashes:
        queue(hashes, pool.join, KEY, sender=y, value=STAKE)
        queue(hashes, pool.freezePool, 1, sender=jobs)
    assert seated(pool, height() - 1) == [x]
    assert seated(pool) == [x, y]


def test_who_leaves_in_the_block_of_a_freeze_is_in_it_and_bound(
    pool: Any, people: People, jobs: Any
) -> None:
    x, y = people.nodes[:2]
    join(pool, x, y)
    with one_block() as hashes:
        queue(hashes, pool.leave, sender=x)
        queue(hashes, pool.freezePool, 1, sender=jobs)
    assert seated(pool, height() - 1) == [x, y]
    mine(SHORT)
    refusal(pool.StakeBound, pool.withdrawStake, x.address, sender=x)
    send(pool.releasePool, 1, sender=jobs)
    send(pool.withdrawStake, x.address, sender=x)


def test_who_left_before_the_freeze_is_not_bound(pool: Any, people: People, jobs: Any) -> None:
    x, y = people.nodes[:2]
    join(pool, x, y)
    exit_block = send(pool.leave, sender=x).block
    send(pool.freezePool, 1, sender=jobs)
    assert not look(pool.isFrozen, exit_block)
    mine(SHORT)
    send(pool.withdrawStake, x.address, sender=x)


def test_a_seat_bought_later_does_not_enter_a_freeze(pool: Any, people: People, jobs: Any) -> None:
    x, y, z = people.nodes[:3]
    join(pool, x, y)
    block = event(send(pool.freezePool, 1, sender=jobs), pool.PoolFrozen)["freezeBlock"]
    send(pool.leave, sender=x)
    join(pool, z)
    assert seated(pool, block) == [x, y]
    assert look(pool.nodeAt, 2, block) == NOBODY


@pytest.mark.parametrize("endings", [(1, 2, 3), (3, 2, 1), (2, 1, 3), (2, 3, 1), (1, 3, 2)])
def test_overlapping_jobs_bind_until_the_last_that_froze_has_ended(
    pool: Any, people: People, jobs: Any, endings: tuple[int, ...]
) -> None:
    """Jobs 1 and 2 froze the node; job 3 began after it had left."""
    node = people.nodes[0]
    join(pool, node, people.nodes[1])
    send(pool.freezePool, 1, sender=jobs)
    mine()
    send(pool.freezePool, 2, sender=jobs)
    exit_block = send(pool.leave, sender=node).block
    send(pool.freezePool, 3, sender=jobs)
    mine(SHORT)
    running = {1, 2, 3}
    for job in endings:
        assert look(pool.isFrozen, exit_block) == bool(running & {1, 2})
        if running & {1, 2}:
            refusal(pool.StakeBound, pool.withdrawStake, node.address, sender=node)
        send(pool.releasePool, job, sender=jobs)
        running.remove(job)
    assert not look(pool.isFrozen, exit_block)
    assert not look(pool.isFrozen, 2**63), "nothing is left in the list of running jobs"
    send(pool.withdrawStake, node.address, sender=node)
    send(pool.freezePool, 4, sender=jobs)
    assert look(pool.isFrozen, height())


def test_running_jobs_are_listed_in_the_order_of_their_freezes(pool: Any, jobs: Any) -> None:
    def running() -> list[int]:
        found, job = [], look(pool.oldestJob)
        while job:
            found.append(job)
            job = look(pool.jobAfter, job)
        return found

    assert running() == []
    for job in (1, 2, 3, 4):
        send(pool.freezePool, job, sender=jobs)
    assert running() == [1, 2, 3, 4]
    for job, left in ((2, [1, 3, 4]), (4, [1, 3]), (1, [3]), (3, [])):
        send(pool.releasePool, job, sender=jobs)
        assert running() == left

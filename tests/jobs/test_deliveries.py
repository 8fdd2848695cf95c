"""With which updates a node computes, and which of two answers it votes for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import pytest

from d2m.chain.contracts.jobs import PostedUpdate
from d2m.jobs.answer import Answer
from d2m.jobs.deliveries import (
    Found,
    chosen_answer,
    reading_deadline,
    updates_to_compute_with,
)
from d2m.store import NotYet
from d2m.store.fetch import Delivery

HERE, MALFORMED = Delivery(b"update"), Delivery(None, "another layout")
SOUGHT, ABSENT = Delivery(None, "is being read", True, True), Delivery(None, "nobody", True)
DEADLINE = 100


def found(*deliveries: Delivery, arrivals: dict[int, int] | None = None) -> Found:
    posted = tuple((index, PostedUpdate(b"hash", b"cid")) for index in range(len(deliveries)))
    return Found(posted, dict(enumerate(deliveries)), arrivals or {})


def sets(what: Found, block: int, deadline: int | None = DEADLINE) -> list[set[int]]:
    return [set(each) for each in updates_to_compute_with(what, 1, deadline, block)]


def test_who_has_everything_waits_for_nothing() -> None:
    assert sets(found(HERE, MALFORMED, HERE), 1) == [{0, 1, 2}]
    assert sets(found(), 1, None) == [set()]


@pytest.mark.parametrize("block", [1, DEADLINE - 1])
def test_what_is_absent_is_waited_for_until_the_deadline(block: int) -> None:
    with pytest.raises(
        NotYet, match=r"1 of 2 updates .*\[1\].* until block 100; the first: nobody"
    ):
        sets(found(HERE, ABSENT), block)
    with pytest.raises(NotYet, match="until the vote"):
        sets(found(HERE, ABSENT), block, None)


def test_from_the_deadline_on_it_counts_as_not_delivered() -> None:
    assert sets(found(HERE, ABSENT, MALFORMED), DEADLINE) == [{0, 2}]


def test_what_was_never_searched_for_to_the_end_does_not() -> None:
    """The own node was away, and nobody knows what it would have found."""
    with pytest.raises(NotYet):
        sets(found(HERE, SOUGHT), DEADLINE + 1)


def test_what_came_at_the_deadline_or_later_makes_a_second_set() -> None:
    came = found(HERE, HERE, HERE, arrivals={0: DEADLINE - 1, 1: DEADLINE, 2: DEADLINE + 5})
    assert sets(came, DEADLINE + 6) == [{0}, {0, 1, 2}]
    still_absent = found(HERE, HERE, ABSENT, arrivals={1: DEADLINE})
    assert sets(still_absent, DEADLINE + 6) == [{0}, {0, 1}]


def test_the_deadline_leaves_half_of_the_window_to_compute_in() -> None:
    assert reading_deadline(150, 50) == 125
    assert reading_deadline(150, 5) == 148


# --- two answers


@dataclass
class Result:
    digest: bytes


ON_TIME, LATER = (cast(Answer, Answer(cast(Any, Result(name)), ())) for name in (b"one", b"two"))
ME, A, B, C = "0xme", "0xa", "0xb", "0xc"


def vote(node: str, mini_round: int, result: bytes) -> dict[str, Any]:
    return {"node": node, "miniRound": mini_round, "result": result}


def chosen(*votes: dict[str, Any], mini_round: int = 2) -> bytes:
    answer = chosen_answer([ON_TIME, LATER], votes, cast(Any, ME), mini_round)
    return answer.result.digest


def test_without_other_votes_that_of_the_updates_on_time() -> None:
    assert chosen() == b"one"
    assert chosen(vote(A, 1, b"a lie"), vote(B, 1, b"a lie")) == b"one"


def test_most_of_the_votes_before_tell_whether_others_had_it() -> None:
    assert chosen(vote(A, 1, b"two"), vote(B, 1, b"two"), vote(C, 1, b"one")) == b"two"
    assert chosen(vote(A, 1, b"two"), vote(B, 1, b"one")) == b"one"


def test_votes_of_the_same_mini_round_are_not_followed() -> None:
    """They can be seen only by a node that has committed, and begins anew."""
    assert chosen(vote(A, 2, b"two"), vote(B, 2, b"two")) == b"one"


def test_an_own_vote_stands() -> None:
    """Two votes in one round would convict the node."""
    assert chosen(*(vote(each, 1, b"two") for each in (A, B, C)), vote(ME, 1, b"one")) == b"one"
    assert chosen(vote(A, 1, b"one"), vote(ME, 1, b"two"), mini_round=3) == b"two"

"""Which of a round's updates a node computes with: those that it had at the round's deadline.

Nodes that computed with different updates would outvote each other, so all of them stop waiting at
the same block. A later one counts only where other nodes' votes show that they had it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from eth_typing import ChecksumAddress

from d2m.chain.contracts.jobs import PostedUpdate
from d2m.jobs.answer import Answer
from d2m.store.errors import NotYet
from d2m.store.fetch import Delivery

Posted = tuple[tuple[int, PostedUpdate], ...]
"""The updates that the chain names for a round, by index of the offer."""


class Found(NamedTuple):
    """Updates of a round that a node has."""

    posted: Posted
    deliveries: Mapping[int, Delivery]
    """By index of the offer."""
    arrivals: Mapping[int, int]
    """The block at which each one came, by index of the offer; 0 where it was here before."""


def updates_to_compute_with(
    found: Found, round_number: int, deadline: int | None, block: int
) -> list[frozenset[int]]:
    """Indices of the updates that were here on time; then of all, where more have come since.

    Malformed ones count as here: nothing about them will change. `deadline` is that of the round,
    None before its vote has begun. Raises NotYet where something is absent and the deadline has
    not come, or it has not been searched for to the end.
    """
    here = frozenset(i for i, each in found.deliveries.items() if not each.is_absent)
    missing = sorted(found.deliveries.keys() - here)
    is_sought = any(found.deliveries[index].is_sought for index in missing)
    if missing and (deadline is None or block < deadline or is_sought):
        raise NotYet(
            f"{len(missing)} of {len(found.deliveries)} updates of round {round_number} are not"
            f" here (offers {missing}), waited for until"
            f" {'the vote' if deadline is None else f'block {deadline}'};"
            f" the first: {found.deliveries[missing[0]].why}"
        )
    late = {i for i in here if deadline is not None and found.arrivals.get(i, 0) >= deadline}
    return [here - late, here] if late else [here]


def reading_deadline(commit_deadline: int, commit_blocks: int) -> int:
    """The block from which a round's absent updates are not waited for, the same for all nodes.

    `commit_deadline` is the last block to commit in the round's first mini-round. Half of that
    window is for reading, after all the time for posting; the other half for computing.
    """
    return commit_deadline - commit_blocks // 2


def chosen_answer(
    answers: Sequence[Answer],
    reveals: Iterable[Mapping[str, Any]],
    node: ChecksumAddress,
    mini_round: int,
) -> Answer:
    """The answer to vote for in a mini-round, of those that updates on time and late ones give.

    `reveals` are the votes revealed in the round. The node's own earlier vote stands: two different
    ones would convict it. Else the answer counts that most nodes have voted for in the mini-rounds
    before, in doubt that of the updates on time.
    """
    votes = [(each["node"], each["miniRound"], each["result"]) for each in reveals]
    own = {result for voter, _at, result in votes if voter == node}
    said = Counter(result for _voter, at, result in votes if at < mini_round)
    digests = [answer.result.digest for answer in answers]
    for answer, digest in zip(answers, digests, strict=True):
        if digest in own:
            return answer
    return answers[max(range(len(answers)), key=lambda place: (said[digests[place]], -place))]

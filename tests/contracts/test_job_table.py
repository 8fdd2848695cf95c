"""Every state of a job, before and after its deadline, and every caller: as docs/protocol.md says.

The document's tables are read and every cell of them is played, so neither can drift.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from d2m.learning.earnings import contribution_proof
from d2m.protocol.ballots import RoundResult
from d2m.protocol.types import JobState, Offence, Phase
from tests.support.evm import mine_past, refusal, rewound, send
from tests.support.play import CID, CONTRIBUTIONS, HASH, Market, People, Play, Vote, win

DOCUMENT = Path(__file__).parents[2] / "docs" / "protocol.md"
HEADING = "## Every state, deadline and caller\n"
CALLERS = ("buyer", "sampled seller", "other seller", "asked node", "other node", "stranger")
FUNCTIONS = {
    "postUpdate": "jobs",
    "commit": "yoda",
    "reveal": "yoda",
    "open": "jobs",
    "advance": "jobs",
    "slash": "pool",
    "claimSeller": "escrow",
    "claimCone": "escrow",
}
ABSENT = 99  # the id of no job


# The document


class Cell(NamedTuple):
    function: str
    situation: str
    caller: str


def section() -> str:
    text = DOCUMENT.read_text()
    assert text.count(HEADING) == 1
    return re.split(r"^## ", text.split(HEADING)[1], flags=re.MULTILINE)[0]


def tables() -> list[list[list[str]]]:
    """The body rows of the section's tables."""
    blocks = re.findall(r"(?:^\|.*\n)+", section(), re.MULTILINE)
    rows = [[line.strip("|\n").split("|") for line in block.splitlines()] for block in blocks]
    return [[[cell.strip() for cell in row] for row in table[2:]] for table in rows]


def described_situations() -> list[str]:
    return [row[0] for row in tables()[0]]


def cells() -> dict[Cell, str]:
    """What the second table says, `all others` and `others` written out."""
    rows = [(f.strip("`"), w.split(", "), c, o) for f, w, c, o in tables()[1]]
    named: dict[tuple[str, str], set[str]] = {}
    for function, when, caller, _ in rows:
        for situation in when:
            named.setdefault((function, situation), set()).add(caller)
    found: dict[Cell, str] = {}
    for function, when, caller, outcome in rows:
        rest = [s for s in SITUATIONS if (function, s) not in named]
        for situation in rest if when == ["all others"] else when:
            callers = {
                "anyone": set(CALLERS),
                "others": set(CALLERS) - named.get((function, situation), set()),
            }
            for each in callers.get(caller, {caller}):
                cell = Cell(function, situation, each)
                assert cell not in found, f"{cell} stands twice"
                found[cell] = outcome
    return found


# The situations


@dataclass
class Scene:
    """A job in one situation, and the parties that act in it."""

    play: Play
    result: RoundResult
    asked: int = 0
    """Seat of the asked node that calls."""
    sampled: int = 0

    @classmethod
    def of(cls, play: Play, asked: int = 0, **changes: int) -> Scene:
        """`asked`: who votes, where somebody is asked."""
        scene = cls(play, play.result(**changes), asked)
        if sampled := play.sampled():
            scene.sampled = sampled[0]
        return scene

    def account(self, caller: str) -> Any:
        people = self.play.people
        sample = self.play.job.sample | 1 << self.sampled
        other_seller = next(i for i in range(8) if not sample >> i & 1)
        voters = {each.seat for each in self.play.cast} | {self.asked}
        asked = set(self.play.seats_asked()) if self._votes else voters
        other_node = next(i for i in range(12) if i not in asked)
        return {
            "buyer": people.buyers[0],
            "sampled seller": people.sellers[self.sampled],
            "other seller": people.sellers[other_seller],
            "asked node": people.nodes[self.asked],
            "other node": people.nodes[other_node],
            "stranger": people.stranger,
        }[caller]

    @property
    def _votes(self) -> bool:
        return self.play.poll.phase is Phase.VOTING

    def arguments(self, function: str, account: Any) -> tuple[Any, ...]:
        """What an honest caller of the function would pass."""
        people, vote = self.play.people, self.vote
        seat = people.nodes.index(account) if account in people.nodes else self.asked
        index = people.sellers.index(account) if account in people.sellers else self.sampled
        share, proof = contribution_proof(CONTRIBUTIONS, 0)
        ballot = self.play.ballot(people.nodes[seat].address)
        return {
            "postUpdate": lambda: (self.play.job.round, index, HASH, CID),
            "commit": lambda: (seat, ballot.commitment(*vote)),
            "reveal": lambda: (self.position(self.asked), *vote),
            "open": lambda: (self.result.abi_tuple,),
            "advance": lambda: (),
            "slash": lambda: ([Offence(1, 1, self.asked)],),
            "claimSeller": lambda: (*share, proof),
            "claimCone": lambda: (self.asked, [(1, 1)]),
        }[function]()

    @property
    def vote(self) -> Vote:
        return self.play.vote_for(self.result.digest)

    def position(self, seat: int) -> int:
        return self.play.position(seat) if self._votes else 0


def at_deadline(play: Play) -> Play:
    mine_past(play.job.deadline)
    return play


def absent(play: Play) -> Scene:
    return Scene.of(Play(play.market, play.people, ABSENT))


def collecting(play: Play) -> Play:
    play.start()
    return play


def collected(play: Play) -> Play:
    for index in collecting(play).sampled():
        play.post(index)
    return play


def deciding(play: Play) -> Play:
    collected(play).advance()
    return play


def committing(play: Play) -> Scene:
    deciding(play).begin_mini_round()
    return Scene.of(play, play.seats_asked()[0])


def committing_empty(play: Play) -> Scene:
    scene = committing(play)
    mine_past(play.poll.commit_deadline)
    return scene


def revealing(play: Play) -> Scene:
    """Everybody asked has committed."""
    scene = committing(play)
    for seat in play.seats_asked():
        play.commit(seat, scene.vote)
    return scene


def revealing_full(play: Play) -> Scene:
    scene = revealing(play)
    for seat in play.seats_asked():
        play.reveal(seat, scene.vote)
    return scene


def revealing_late(play: Play) -> Scene:
    scene = revealing(play)
    mine_past(play.poll.reveal_deadline)
    return scene


def undecided(play: Play) -> Scene:
    """The whole pool has been asked twice in vain."""
    deciding(play).begin_mini_round()
    last_of_second = 6  # the sets of each draw: 5, 6 and 1
    while play.poll.mini_round < last_of_second:
        play.advance_in_silence()
        play.begin_mini_round()
    mine_past(play.poll.reveal_deadline)
    return Scene.of(play, play.seats_asked()[0])


def opening(play: Play, **changes: int) -> Scene:
    """An accepted digest of a result with these changes, everybody having voted for it."""
    deciding(play)
    play.decide(play.result(**changes).digest)
    return Scene.of(play, play.cast[0].seat, **changes)


def opening_blemished(play: Play) -> Scene:
    """The same for a final result, one node having kept silent."""
    deciding(play)
    result = play.result(metric_numerator=99)
    silent: list[int] = []
    play.mini_round(lambda seat: result.digest if silent or silent.append(seat) else None)
    return Scene.of(play, silent[0], metric_numerator=99)


def judging(play: Play) -> Scene:
    scene = opening_blemished(play)
    play.open(scene.result)
    return scene


def judging_done(play: Play) -> Scene:
    scene = judging(play)
    play.slash(Offence(1, 1, scene.asked))
    return scene


def late(scene: Scene) -> Scene:
    at_deadline(scene.play)
    return scene


def settled(play: Play) -> Scene:
    scene = opening(play, metric_numerator=99)
    play.open(scene.result)
    return scene


def failed(play: Play) -> Scene:
    """After one accepted round."""
    scene = opening(play)
    play.open(scene.result)
    at_deadline(play).advance()
    return scene


def posted_late(play: Play) -> Play:
    collecting(play).post(play.sampled()[0])
    return at_deadline(play)


def seed_mined(play: Play) -> Play:
    mine_past(deciding(play).poll.seed_block)
    return play


SITUATIONS: dict[str, Callable[[Play], Scene]] = {
    "None": absent,
    "Seeding": Scene.of,
    "Seeding due": lambda play: Scene.of(at_deadline(play)),
    "Collecting": lambda play: Scene.of(collecting(play)),
    "Collecting full": lambda play: Scene.of(collected(play)),
    "Collecting late": lambda play: Scene.of(posted_late(play)),
    "Collecting empty": lambda play: Scene.of(at_deadline(collecting(play))),
    "Deciding": lambda play: Scene.of(deciding(play)),
    "Deciding due": lambda play: Scene.of(seed_mined(play)),
    "Committing": committing,
    "Committing empty": committing_empty,
    "Revealing": revealing,
    "Revealing full": revealing_full,
    "Revealing late": revealing_late,
    "Undecided": undecided,
    "Opening": opening,
    "Opening final": lambda play: opening(play, metric_numerator=99),
    "Opening blemished": opening_blemished,
    "Opening late": lambda play: late(opening(play)),
    "Judging": judging,
    "Judging done": judging_done,
    "Judging late": lambda play: late(judging(play)),
    "Settled": settled,
    "Failed": failed,
}


# The walk


def test_the_tables_leave_nothing_out() -> None:
    assert described_situations() == list(SITUATIONS)
    states = {situation.split()[0] for situation in SITUATIONS}
    vote = {"Committing", "Revealing", "Undecided"}
    assert states - vote == {state.name.title() for state in JobState}
    assert set(cells()) == {Cell(*each) for each in product(FUNCTIONS, SITUATIONS, CALLERS)}


@pytest.mark.parametrize("situation", SITUATIONS)
def test_every_cell_is_as_the_document_says(
    staffed: Market, people: People, situation: str
) -> None:
    scene = SITUATIONS[situation](win(staffed, people))
    accounts = {caller: scene.account(caller) for caller in CALLERS}
    assert len({each.address for each in accounts.values()}) == len(CALLERS)
    methods = {name: getattr(getattr(staffed, part), name) for name, part in FUNCTIONS.items()}
    errors = {name: getattr(staffed, part) for name, part in FUNCTIONS.items()}
    said = cells()
    for function, (caller, account) in product(FUNCTIONS, accounts.items()):
        outcome = said[Cell(function, situation, caller)]
        args = (scene.play.job_id, *scene.arguments(function, account))
        if outcome.startswith("→ "):
            leads_to(scene.play, outcome.removeprefix("→ "), methods[function], args, account)
            continue
        error = getattr(errors[function], outcome.strip("`"))
        refusal(error, methods[function], *args, sender=account)


def leads_to(play: Play, state: str, method: Any, args: tuple[Any, ...], account: Any) -> None:
    with rewound():
        send(method, *args, sender=account)
        assert play.job.state.name.title() == state, method

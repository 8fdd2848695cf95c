from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.evm import deploy, height, helper, look, mine, rewound, send
from tests.support.play import People

MEMBERS = [1, 2, 3, 4, 2**64, 2**160 - 1]
# Toggles of one block: who is absent joins, who is present leaves. Empty: a block passes.
BLOCKS = st.lists(st.lists(st.sampled_from(MEMBERS), max_size=5), min_size=1, max_size=8)


class Model:
    """The list as Python has it: the last member moves into the gap."""

    def __init__(self) -> None:
        self.members: list[int] = []

    def toggle(self, member: int) -> None:
        if member not in self.members:
            self.members.append(member)
            return
        index = self.members.index(member)
        last = self.members.pop()
        if index < len(self.members):
            self.members[index] = last


@pytest.fixture(scope="module")
def harness(people: People) -> Any:
    return deploy(helper("ListHarness"), sender=people.deployer)


@settings(max_examples=40)
@given(blocks=BLOCKS)
def test_every_earlier_block_stays_readable(harness: Any, people: People, blocks: Any) -> None:
    with rewound():
        model, history = Model(), {height(): []}
        for toggles in blocks:
            if toggles:
                send(harness.toggle, toggles, sender=people.deployer)
            else:
                mine()
            for member in toggles:
                model.toggle(member)
            history[height()] = list(model.members)
        found = {block: list(look(harness.at, block)) for block in history}
        assert found == {block: [*members, 0] for block, members in history.items()}
        assert look(harness.count) == len(model.members)
        places = [look(harness.placeOf, member) for member in model.members]
        assert places == list(range(len(model.members))), "the list says who moves where"

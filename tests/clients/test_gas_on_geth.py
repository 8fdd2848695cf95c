"""No call takes more gas than the table says that the parties' transactions take limits from."""

from __future__ import annotations

import pytest

from d2m.clients.geth import Rules
from tools.gas.on_geth import measured
from tools.gas.record import by_rules, flat, grown

pytestmark = [pytest.mark.clients, pytest.mark.slow]


@pytest.mark.parametrize("rules", Rules)
def test_nothing_has_grown_on_geth(rules: Rules) -> None:
    """Where growth is meant, `make gas` writes the new table."""
    now, before = flat(measured(rules)), flat(by_rules()[rules.value])
    assert grown(now, before) == []
    assert set(now) == set(before)

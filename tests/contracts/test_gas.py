"""No call has grown dearer, and no contract larger, than the committed record by over 2 %."""

from __future__ import annotations

import pytest

from tests.support.play import Market, People
from tools.gas.measure import measure, measure_more
from tools.gas.prices import BEGIN, DOCUMENT, END, priced
from tools.gas.record import TOLERANCE, Meter, by_rules, committed, grown


@pytest.fixture(scope="module")
def figures(staffed: Market, people: People) -> dict[str, int]:
    meter = Meter()
    measure(meter, staffed, people)
    measure_more(meter, people)
    return meter.figures()


def test_nothing_has_grown(figures: dict[str, int]) -> None:
    """Where growth is meant, `make gas` writes the new record."""
    assert grown(figures, committed()) == []


def test_the_record_names_nothing_else(figures: dict[str, int]) -> None:
    assert set(committed()) == set(figures)


def test_growth_is_noticed(figures: dict[str, int]) -> None:
    name, figure = next(iter(figures.items()))
    smaller = int(figure / (1 + TOLERANCE)) - 1
    assert grown({name: figure}, {name: smaller}) == [f"{name}: {smaller} → {figure}"]
    assert grown({name: figure}, {}) == [f"{name}: not recorded → {figure}"]
    assert grown({name: figure}, {name: figure}) == []


def test_the_prices_in_the_guide_are_those_of_the_tables() -> None:
    shown = DOCUMENT.read_text().split(BEGIN)[1].split(END)[0]
    assert shown.strip() == priced(by_rules())

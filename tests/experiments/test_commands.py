"""`python -m experiments`: the studies there are, and what reaches them."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

from experiments.__main__ import main
from experiments.paper import study as paper
from experiments.paper.grids import GRIDS
from experiments.registry import STUDIES
from experiments.study import Facts, Recorded, option

ROOT = Path(__file__).parents[2]
RECORDS = ROOT / "docs/experiments"
RUN = re.compile(r"python -m experiments run ([^`\n\"]+)")


def invoke(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments)


def pages(facts: Facts, folder: Path) -> list[Path]:
    page = folder / f"{facts['name']}.md"
    page.write_text(f"{facts}\n")
    return [page]


@pytest.fixture
def add(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[Facts]]:
    """Adds a study to the registry; returns what it is asked for."""

    def added(name: str, **attributes: Any) -> list[Facts]:
        asked: list[Facts] = []

        def play(**options: Any) -> Facts:
            asked.append(options)
            return {"name": name, **options}

        studied = {"play": play, "pages": pages, "about": "", **attributes}
        monkeypatch.setitem(STUDIES, name, Recorded(name=name, **studied))
        return asked

    return added


def rounds(default: int) -> click.Option:
    return option("--rounds", type=click.IntRange(1), default=default)


def test_every_study_is_listed_in_the_order_of_make_reproduce() -> None:
    names = [line.split()[0] for line in invoke("list").output.splitlines()]
    alone = "sampler contributions membership deviations exactness training chain yoda digits"
    assert names[:-1] == [*GRIDS, *alone.split()]
    assert "45 s of one core" in invoke("list").output


def test_a_study_has_its_options_and_writes_record_and_page(add: Any, tmp_path: Path) -> None:
    asked = add("first", options=(rounds(5), option("--seed", default=3)))
    result = invoke("run", "first", "--rounds", "9", "--out", str(tmp_path))
    assert asked == [{"rounds": 9, "seed": 3}], result.output
    assert result.output.split() == [str(tmp_path / "first.json"), str(tmp_path / "first.md")]
    assert '"rounds": 9' in (tmp_path / "first.json").read_text()
    assert "--seed" in invoke("run", "first", "--help").output


def test_an_option_reaches_every_study_that_has_it(add: Any, tmp_path: Path) -> None:
    first = add("first", options=(rounds(5), option("--seed", default=3)))
    second = add("second", options=(rounds(7),))
    invoke("run", "first", "second", "--seed", "4", "--out", str(tmp_path))
    invoke("run", "first", "second", "--rounds", "1", "--out", str(tmp_path))
    assert first == [{"rounds": 5, "seed": 4}, {"rounds": 1, "seed": 3}]
    assert second == [{"rounds": 7}, {"rounds": 1}]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["sampler", "--pairs", "3"], "No such option: --pairs"),
        (["--full", "sampler"], "no study named here has --full"),
        (["samplers"], "no study is called samplers"),
        (["sampler", "--seeds", "0"], "0 is not in the range"),
    ],
)
def test_what_no_study_knows_is_refused(arguments: list[str], message: str) -> None:
    result = invoke("run", *arguments)
    assert result.exit_code == 2
    assert message in result.output


def test_pages_are_made_again_from_the_record(add: Any, tmp_path: Path) -> None:
    asked = add("first", options=(rounds(5),))
    assert "first is not recorded" in invoke("report", "first", "--out", str(tmp_path)).output
    invoke("run", "first", "--out", str(tmp_path))
    before = (tmp_path / "first.md").read_text()
    (tmp_path / "first.md").unlink()
    result = invoke("report", "first", "--out", str(tmp_path))
    assert result.output.split() == [str(tmp_path / "first.md")]
    assert (tmp_path / "first.md").read_text() == before
    assert len(asked) == 1


def test_a_study_that_finds_what_must_not_be_fails_after_it_is_written(
    add: Any, tmp_path: Path
) -> None:
    add("first", fault=lambda _: "one digest differs")
    result = invoke("run", "first", "--out", str(tmp_path))
    assert result.exit_code == 1
    assert "one digest differs" in result.output
    assert (tmp_path / "first.md").exists()


def test_a_stopped_study_writes_nothing_and_says_so(add: Any, tmp_path: Path) -> None:
    def stopped() -> Facts:
        raise KeyboardInterrupt

    add("first", play=stopped)
    result = invoke("run", "first", "--out", str(tmp_path))
    assert result.exit_code == 130
    assert result.output == "interrupted: nothing is written\n"
    assert list(tmp_path.iterdir()) == []


def test_grids_named_together_are_played_together(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    batches = []
    monkeypatch.setattr(paper, "run_cells", lambda cells, *_: batches.append(list(cells)))
    monkeypatch.setattr(paper.Grid, "report", lambda *_, **__: [])
    assert invoke("run", "nodes", "scale", "--out", str(tmp_path)).exit_code == 0
    assert batches[0] == [*GRIDS["nodes"](False), *GRIDS["scale"](False)]


def test_recorded_commands_are_commands_of_today() -> None:
    texts = [path.read_text() for path in RECORDS.glob("*.*") if path.suffix in (".md", ".json")]
    commands = {each.split("\\")[0].strip() for text in texts for each in RUN.findall(text)}
    assert len(commands) >= 6
    for each in commands:
        name, *options = each.split()
        context = main.commands["run"].make_context("run", [name, *options])
        assert context.params["names"] == (name,)


@pytest.mark.parametrize(
    "name", [name for name in STUDIES if (RECORDS / f"{name}.json").exists() and name not in GRIDS]
)
def test_recorded_pages_follow_from_their_records(name: str, tmp_path: Path) -> None:
    (tmp_path / f"{name}.json").write_bytes((RECORDS / f"{name}.json").read_bytes())
    for page in STUDIES[name].report(tmp_path):
        if page.suffix != ".svg":  # its bytes depend on the machine's libraries
            assert page.read_text() == (RECORDS / page.name).read_text()

"""What is out of bounds is refused before anything is asked: option, value and bounds are named."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from d2m.chain.errors import Reverted
from d2m.chain.remedies import REMEDIES, explained
from d2m.cli.main import main
from d2m.cli.options.buyer import Request, rules_of
from d2m.errors import PartyError
from d2m.learning.defaults import SPECS
from d2m.protocol import bounds
from d2m.protocol.types import ETHER, tag_of
from tests.support.world import RULES

NOWHERE = "http://127.0.0.1:9"
"""No node: whoever asks it fails with other words."""


@pytest.fixture
def place(tmp_path: Path) -> list[str]:
    for name in ("key", "record", "file"):
        (tmp_path / name).write_text("")
    file = str(tmp_path / "file")
    return [
        *("--rpc", NOWHERE, "--key", str(tmp_path / "key")),
        *("--deployment", str(tmp_path / "record"), "--store", str(tmp_path)),
        *("--spec", file, "--evaluation", file, "--data", file, "--folder", str(tmp_path)),
    ]


TAKES = {
    "open": ("--spec", "--evaluation"),
    "seller": ("--data",),
    "buyer": ("--folder",),
    "cone": (),
    "keys": (),
}
"""Beside the place: what each command takes of it."""
COMMANDS = {
    "open": ("buyer", "open", "--yes"),
    "seller": ("seller", "serve", "--yes"),
    "buyer": ("buyer", "bid", "--yes"),
    "keys": ("buyer", "keys", "--yes"),
    "cone": ("cone", "serve", "--yes"),
}
COMMON = ("--rpc", "--key", "--deployment", "--store")
NEEDS = {
    "open": ("--tag", "digits"),
    "seller": ("--tag", "digits"),
    "buyer": ("--auction", "1", "--limit", "1 ether"),
    "keys": ("--auction", "1"),
}
WINDOW = "range 5<=x<=50400"


@pytest.mark.parametrize(
    ("command", "option", "value", "bound"),
    [
        ("open", "--auction-blocks", "4", WINDOW),
        ("open", "--auction-blocks", "50401", WINDOW),
        ("open", "--reveal-blocks", "4", WINDOW),
        ("open", "--window-blocks", "-1", WINDOW),
        ("open", "--window-blocks", "99999999999999", WINDOW),
        ("open", "--target", "93", "range 0.0001<=x<=1"),
        ("open", "--target", "0", "range 0.0001<=x<=1"),
        ("open", "--target", "nan", "is no number"),
        ("open", "--rounds", "0", "range 1<=x<=256"),
        ("open", "--rounds", "257", "range 1<=x<=256"),
        ("open", "--byzantine", "0.1", "range 0.2<=x<=0.45"),
        ("open", "--byzantine", "0.5", "range 0.2<=x<=0.45"),
        ("open", "--error", "0", "range 1e-06<=x<=0.1"),
        ("open", "--base", "120", "range 1<=x<=119"),
        ("open", "--increment", "-0.1", "range 0.0<=x<=1.0"),
        ("open", "--increment", "2", "range 0.0<=x<=1.0"),
        ("open", "--reserve", "0", f"not from 1 to {bounds.RESERVE.most}"),
        ("open", "--reserve", "100000000000 ether", f"not from 1 to {bounds.RESERVE.most}"),
        ("open", "--token", "0x12", "40 hexadecimal digits"),
        ("open", "--tag", "a" * 33, "has 33 bytes, which is not from 1 to 32"),
        ("open", "--tag", "é" * 17, "has 34 bytes, which is not from 1 to 32"),
        ("open", "--tag", "", "has 0 bytes, which is not from 1 to 32"),
        ("seller", "--tag", "a" * 33, "has 33 bytes, which is not from 1 to 32"),
        ("seller", "--offer", "0", "range 1<=x"),
        ("seller", "--jobs", "0", "range x>=1"),
        ("cone", "--patience", "-1", "range x>=0"),
        ("cone", "--max-fee", "0", "not from 1 to"),
        ("cone", "--max-fee", "-1 gwei", "is no amount"),
        ("buyer", "--auction", "-1", "range 1<=x"),
        ("buyer", "--limit", "0", f"not from 1 to {2**128 - 1}"),
        ("keys", "--auction", "-1", "range 1<=x"),
    ],
)
def test_an_option_out_of_bounds_is_named_with_its_value_and_bounds(
    place: list[str], command: str, option: str, value: str, bound: str
) -> None:
    taken = [*COMMON, *TAKES[command]]
    pairs = zip(place[::2], place[1::2], strict=True)
    options = [part for pair in pairs if pair[0] in taken for part in pair]
    done = CliRunner().invoke(
        main, [*COMMANDS[command], *options, *NEEDS.get(command, ()), option, value]
    )
    assert done.exit_code == 2, done.output
    assert option in done.output
    assert value in done.output
    assert bound in done.output


@pytest.mark.parametrize(
    ("tags", "words"),
    [(["a", "a"], "a, a: a tag is named twice"), (list("abcdefghi"), "9 tags are named")],
)
def test_tags_of_one_offer(place: list[str], tags: list[str], words: str) -> None:
    named = [part for tag in tags for part in ("--tag", tag)]
    done = CliRunner().invoke(main, [*COMMANDS["seller"], *place[:8], "--data", place[9], *named])
    assert done.exit_code == 2
    assert words in done.output


@pytest.mark.parametrize(("option", "value"), [("--job", "-1"), ("--auction", "0")])
def test_looking_takes_the_same_numbers(place: list[str], option: str, value: str) -> None:
    done = CliRunner().invoke(
        main, ["market", "status", *place[:2], "--deployment", place[5], option, value]
    )
    assert done.exit_code == 2
    assert f"{value} is not in the range" in done.output


REQUEST = Request(
    tag="digits",
    spec=Path("job.json"),
    evaluation=Path("evaluation.npz"),
    target=0.9,
    rounds=10,
    byzantine=0.3,
    error=0.001,
    base=2,
    window_blocks=50,
    kind="open",
    token=ETHER,
    auction_blocks=50,
    reveal_blocks=50,
    increment=0.05,
    reserve=1,
)


def test_rounds_and_windows_have_a_bound_together() -> None:
    spec = SPECS["digits"](bytes(32))
    rules_of(replace(REQUEST, rounds=4, window_blocks=40_500), spec)
    with pytest.raises(PartyError, match="--rounds 5 of 4 windows of --window-blocks 40500 are"):
        rules_of(replace(REQUEST, rounds=5, window_blocks=40_500), spec)


def test_what_only_a_contract_refuses_has_its_bounds_too() -> None:
    for name, bound in bounds.RULES.items():
        told = explained(Reverted("RuleOutOfBounds", {"rule": tag_of(name)}))
        assert told == f"the rule {name} must be {bound.least} to {bound.most}: change it"
    assert list(bounds.by_name(RULES)) == list(bounds.RULES)
    told = explained(Reverted("TermsOutOfBounds", {}))
    assert "windows 5 to 50400 blocks" in told
    assert "token must be a contract" in told
    assert json.dumps(list(REMEDIES)) == json.dumps(sorted(REMEDIES))

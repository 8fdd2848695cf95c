"""Commands of `d2m` and `ape run` in documents: they exist, and take the options that are given.

The pages by role and the three machines of docs/deploy.md are played in tests/clients; this holds
every other mention, in code blocks and within sentences.
"""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
import pytest

from d2m.cli.access import KeyFileAccess
from d2m.cli.commands import buyer, cone, deploy, market, seller
from scripts import demo
from scripts._network import NodeCommand
from scripts._wallet import ApeAccess

ROOT = Path(__file__).parents[1]
DOCUMENTS = [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")]
GROUPS = {"seller": seller, "cone": cone, "buyer": buyer, "market": market}
COMMAND = re.compile(
    r"(?<![\w./-])(?:d2m|ape run) (?:seller|cone|buyer|market|deploy|demo)\b[^`\n|;&#<>…]*"
)
ENDS = re.compile(r"[.,:)]+$")


def tree(program: str) -> dict[str, click.Command]:
    access = KeyFileAccess() if program == "d2m" else ApeAccess()
    found: dict[str, click.Command] = {"deploy": deploy.command(access), "demo": demo.cli}
    return {**found, **{name: module.commands(access) for name, module in GROUPS.items()}}


TREES = {program: tree(program) for program in ("d2m", "ape run")}


def commands(text: str) -> list[str]:
    """Each with what follows it on its line, and on those that go on from it."""
    return COMMAND.findall(re.sub(r"\\\n\s*", " ", text))


def fault(line: str) -> str | None:
    """What a command line names that is not there."""
    program = "d2m" if line.startswith("d2m") else "ape run"
    words = shlex.split(line.removeprefix(program).replace("'", ""), posix=False)
    command = TREES[program][words.pop(0)]
    while isinstance(command, click.Group) and words and re.fullmatch(r"[a-z][a-z-]*", words[0]):
        name = words.pop(0)
        if name not in command.commands:
            return f"{line}: there is no {name}"
        command = command.commands[name]
    known = {option for each in command.params for option in each.opts} | {"--help"}
    known |= {"--network"} if isinstance(command, NodeCommand) else set()
    given = [ENDS.sub("", word) for word in words if word.startswith("--")]
    unknown = [each.partition("=")[0] for each in given if each.partition("=")[0] not in known]
    return f"{line}: there is no {unknown[0]}" if unknown else None


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_commands_and_their_options_exist(document: Path) -> None:
    faults = [found for each in commands(document.read_text()) if (found := fault(each))]
    assert faults == []


def test_the_pattern_finds_commands() -> None:
    lines = [each for document in DOCUMENTS for each in commands(document.read_text())]
    assert len(lines) > 60
    assert fault("d2m seller fly --tag digits") == "d2m seller fly --tag digits: there is no fly"
    assert fault("ape run cone serve --rpc x") == "ape run cone serve --rpc x: there is no --rpc"
    assert fault("d2m cone serve --rpc x") is None

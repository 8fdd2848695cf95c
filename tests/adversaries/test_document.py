"""docs/adversaries.md names tests that exist, and leaves none of this folder out."""

from __future__ import annotations

import ast
import re
from pathlib import Path

PROJECT = Path(__file__).parents[2]
DOCUMENT = (PROJECT / "docs" / "adversaries.md").read_text()
NAMED = re.findall(r"`(tests/\S+\.py)::(test_\w+)`", DOCUMENT)


def written_in(path: Path) -> dict[str, str | None]:
    """The test functions of a file with their docstrings."""
    functions = [
        each for each in ast.parse(path.read_text()).body if isinstance(each, ast.FunctionDef)
    ]
    return {
        each.name: ast.get_docstring(each) for each in functions if each.name.startswith("test_")
    }


def test_every_test_that_the_document_names_exists() -> None:
    assert len(NAMED) > 50
    for path, name in NAMED:
        assert name in written_in(PROJECT / path), f"{path} has no {name}"


def test_every_attack_mounted_here_is_in_the_document_and_says_what_it_is() -> None:
    for path in Path(__file__).parent.glob("test_*.py"):
        if path == Path(__file__):
            continue
        for name, docstring in written_in(path).items():
            assert (str(path.relative_to(PROJECT)), name) in NAMED, f"{name} is not in the table"
            assert docstring, f"{name} does not say what the attacker does"

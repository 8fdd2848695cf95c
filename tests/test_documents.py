"""What the documents point at is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
DOCUMENTS = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(document: Path) -> None:
    targets = re.findall(r"\]\((?!https?:|#)([^)#]+)", document.read_text())
    assert [each for each in targets if not (document.parent / each).exists()] == []


def test_security_names_tests_and_proofs_that_are_there() -> None:
    named = re.findall(r"`[\w/]*?([\w.]+\.(?:py|t\.sol))`", (ROOT / "docs/security.md").read_text())
    present = {path.name for top in ("tests", "scripts") for path in (ROOT / top).rglob("*.*")}
    assert len(named) > 30, "the pattern finds them"
    assert sorted(set(named) - present) == []

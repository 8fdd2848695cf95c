"""What the documents point at is there, and they are written by the rules of prose."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
MADE = {
    *ROOT.glob("docs/experiments/*.md"),
    *(ROOT / "docs" / name for name in ("gas/README.md", "mutations.md", "stateful.md")),
}
"""Pages that programs write: their prose is in the programs, and the next run replaces them."""
WRITTEN = [each for each in DOCUMENTS if each not in MADE]
LONGEST_LINE = 100
MOST_WORDS = 80
NO_BEGINNING = ("Of", "What", "Who", "Whom", "Whose")
"""No sentence and no docstring begins with one of them; questions and headings may."""

ITEM = r"(?:[-*+]|\d+[.)]) +"
LINK = r"!?\[[^\]]*\]\([^)]*\)[.,;:]?"
ONE_PIECE = re.compile(rf"\s*(?:{ITEM})?(?:\S+|{LINK})")
"""A line that cannot be broken: one word, or one link."""
MARKUP = re.compile(r"`[^`]*`|[*_\[]+")


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def lines_outside_code(text: str) -> Iterator[str]:
    """Lines of the text, with an empty one for each line of a code block."""
    fenced, indented, before = False, False, ""
    for line in text.splitlines():
        fence = line.lstrip().startswith("```")
        indented = line.startswith("    ") and (indented or not before.strip())
        yield "" if fenced or fence or indented else line
        fenced ^= fence
        before = line


def passages(text: str) -> Iterator[str]:
    """Paragraphs, list items and cells of tables, each on one line; no headings."""
    passage: list[str] = []
    for line in [*lines_outside_code(text), ""]:
        row, heading = line.startswith("|"), re.match(r"#+ ", line)
        new = re.match(rf"\s*(?:> ?)*{ITEM}", line)
        if (row or heading or new or not line.strip()) and passage:
            yield " ".join(passage)
            passage = []
        if row:
            yield from (cell.strip() for cell in line.strip("|").split("|"))
        elif line.strip() and not heading:
            passage.append(line[new.end() :] if new else line.strip())


def forbidden_sentences(passage: str) -> list[str]:
    plain = MARKUP.sub(lambda found: "x" if "`" in found[0] else "", passage)
    sentences = re.split(r"(?<=[.!?])\s+", plain)
    return [
        each
        for each in sentences
        if re.match(rf"(?:{'|'.join(NO_BEGINNING)})\b", each) and not each.endswith("?")
    ]


def docstrings(source: str) -> Iterator[str]:
    """Docstrings of modules, classes and functions, and those that follow a constant or field."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Expr(value=ast.Constant(value=str(text))):
                yield text


@pytest.mark.parametrize("document", DOCUMENTS, ids=name)
def test_links_lead_somewhere(document: Path) -> None:
    targets = re.findall(r"\]\((?!https?:|#)([^)#]+)", document.read_text())
    assert [each for each in targets if not (document.parent / each).exists()] == []


def test_security_names_tests_and_proofs_that_are_there() -> None:
    named = re.findall(r"`[\w/]*?([\w.]+\.(?:py|t\.sol))`", (ROOT / "docs/security.md").read_text())
    tops = ("tests", "scripts", "tools")
    present = {path.name for top in tops for path in (ROOT / top).rglob("*.*")}
    assert len(named) > 30, "the pattern finds them"
    assert sorted(set(named) - present) == []


@pytest.mark.parametrize("document", WRITTEN, ids=name)
def test_lines_of_documents_are_short(document: Path) -> None:
    lines = enumerate(document.read_text().splitlines(), start=1)
    assert [
        number
        for number, line in lines
        if len(line) > LONGEST_LINE and not line.startswith("|") and not ONE_PIECE.fullmatch(line)
    ] == []


@pytest.mark.parametrize("document", WRITTEN, ids=name)
def test_paragraphs_and_list_items_are_short(document: Path) -> None:
    found = [each for each in passages(document.read_text()) if len(each.split()) > MOST_WORDS]
    assert found == []


@pytest.mark.parametrize("document", WRITTEN, ids=name)
def test_sentences_of_documents_begin_with_their_subject(document: Path) -> None:
    assert [s for each in passages(document.read_text()) for s in forbidden_sentences(each)] == []


def test_the_rules_of_prose_find_what_breaks_them() -> None:
    text = (
        "# What\n\nOf gas, now.\n\n- **Who** pays. It ends.\n- What is it? `Of` it.\n\n| Whose |\n"
    )
    assert list(passages(text)) == [
        "Of gas, now.",
        "**Who** pays. It ends.",
        "What is it? `Of` it.",
        "Whose",
    ]
    found = [s for each in passages(text) for s in forbidden_sentences(each)]
    assert found == ["Of gas, now.", "Who pays.", "Whose"]
    assert list(passages("    Of code\n\n```\nWho\n```\nOne\n  two\n- three\n")) == [
        "One two",
        "three",
    ]


def test_sentences_of_docstrings_begin_with_a_verb_or_a_noun() -> None:
    modules = [
        path for top in ("offchain", "scripts", "tools") for path in (ROOT / top).rglob("*.py")
    ]
    assert len(modules) > 200, "the pattern finds them"
    assert [
        f"{name(module)}: {sentence}"
        for module in modules
        for text in docstrings(module.read_text())
        for paragraph in text.split("\n\n")
        for sentence in forbidden_sentences(" ".join(paragraph.split()))
    ] == []

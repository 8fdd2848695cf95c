from __future__ import annotations

import re
import stat
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from d2m.demo.report import Report, save_report
from d2m.demo.report.html import render_html
from d2m.demo.report.plots import plots

Facts = dict[str, Any]
HOSTILE = "</td><script>alert(1)</script><img src=x onerror=alert(2)>\"'&"
VOID = {"meta", "img", "br", "hr", "link", "input"}


class Page(HTMLParser):
    """Collects tags, attributes and visible text, and checks that tags are balanced."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.text = ""
        self.open: list[str] = []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data

    def values(self, name: str) -> list[str]:
        return [value for attribute, value in self.attributes if attribute == name]


def page_of(facts: Facts) -> Page:
    return Page(render_html(Report.from_dict(facts)))


def test_holds_the_same_facts_as_the_terminal(sealed_facts: Facts) -> None:
    facts = sealed_facts
    text = page_of(facts).text
    for fact in (
        "B1 pays 9.000000 ETH",
        "Round 6: accuracy 91.11 %",
        "S3 (sign_flip)",
        "3 wrong audit",
        "sealed, the winner pays the highest other bid",
        "22.7 % of contributions",
        "holds: paid in = paid out + still held",
        facts["delivery"]["model_cid"],
        facts["auction"]["winner"],
        "build/market/report.html",
    ):
        assert fact in text


def test_loads_nothing(facts: Facts) -> None:
    html = render_html(Report.from_dict(facts))
    page = Page(html)
    assert not {"script", "link", "iframe", "object", "img"} & set(page.tags)
    assert all(value.startswith("#") for value in page.values("href"))
    assert page.values("src") == []
    assert "://" not in html
    assert "@import" not in html
    assert all(target.startswith("#") for target in re.findall(r"url\(['\"]?([^)]*)", html))
    assert "default-src 'none'; style-src 'unsafe-inline'" in page.values("content")


def test_escapes_hostile_text_everywhere(facts: Facts) -> None:
    facts["outcome"] = facts["auction"]["tag"] = HOSTILE
    facts["chain"]["client"] = HOSTILE
    facts["rounds"][0]["updates"][1]["reason"] = HOSTILE
    facts["options"][HOSTILE] = HOSTILE
    facts["gas"][HOSTILE] = facts["gas"]["bid"]
    facts["contract_balances_wei"][HOSTILE] = 0
    facts["artifacts"][HOSTILE] = HOSTILE
    facts["delivery"]["model_cid"] = HOSTILE
    next(iter(facts["payouts_wei"].values()))["why"] = HOSTILE
    page = page_of(facts)
    assert not {"script", "img"} & set(page.tags)
    assert page.values("onerror") == []
    assert page.text.count(HOSTILE) >= 8


def test_ids_are_unique_and_references_resolve(facts: Facts) -> None:
    html = render_html(Report.from_dict(facts))
    page = Page(html)
    ids = page.values("id")
    assert len(ids) == len(set(ids))
    used = {value[1:] for value in page.values("href")} | set(re.findall(r"url\(#([^)]*)\)", html))
    assert used
    assert used <= set(ids)


def test_every_plot_has_words_and_numbers(facts: Facts) -> None:
    report = Report.from_dict(facts)
    drawn = {plot.name: plot for plot in plots(report)}
    assert list(drawn) == ["accuracy", "probabilities", "votes", "payouts"]
    page = Page(render_html(report))
    assert page.tags.count("svg") == len(drawn)
    assert page.values("role").count("img") == len(drawn)
    for plot in drawn.values():
        assert plot.alt in page.values("aria-label")
        assert all(len(row) == len(plot.table.columns) for row in plot.table.rows)
    assert "from 51.9 % to 91.1 %; the target is 90.00 %" in drawn["accuracy"].alt
    assert "(S3 S8)" in drawn["probabilities"].alt
    assert "all Byzantine parties together earned 0." in drawn["payouts"].alt


def test_plots_draw_text_and_theme_colours(facts: Facts) -> None:
    for plot in plots(Report.from_dict(facts)):
        assert "<text" in plot.svg
        assert "var(--honest)" in plot.svg
        assert not re.search(r"#0[1-5]0[1-5]0[1-5]", plot.svg)
    assert "prefers-color-scheme: dark" in render_html(Report.from_dict(facts))


def test_votes_are_counted_as_they_were_judged(facts: Facts) -> None:
    votes = next(plot for plot in plots(Report.from_dict(facts)) if plot.name == "votes")
    counted = [[int(cell.text) for cell in row[1:]] for row in votes.table.rows]
    minis = [mini for played in facts["rounds"] for mini in played["mini_rounds"]]
    assert [row[0] for row in counted] == [mini["asked"] for mini in minis]
    for column, conduct in ((1, "right"), (2, "wrong audit"), (3, "lost result")):
        judged = [[voter["conduct"] for voter in mini["voters"]] for mini in minis]
        assert [row[column] for row in counted] == [each.count(conduct) for each in judged]
    assert sum(row[2] for row in counted) == 3
    assert all(asked == sum(rest) for asked, *rest in counted)


def test_nodes_that_did_not_reveal_are_counted(facts: Facts) -> None:
    facts["rounds"][0]["mini_rounds"][0]["asked"] += 2
    votes = next(plot for plot in plots(Report.from_dict(facts)) if plot.name == "votes")
    assert votes.alt.endswith("2 not revealed.")


def test_the_same_run_gives_the_same_page(facts: Facts) -> None:
    report = Report.from_dict(facts)
    assert render_html(report) == render_html(report)


def test_a_failed_job(failed_facts: Facts) -> None:
    report = Report.from_dict(failed_facts)
    assert [plot.name for plot in plots(report)] == ["votes"]
    text = Page(render_html(report)).text
    assert "failed: round 1 accepted no result" in text
    assert "none was delivered" in text


def test_a_job_without_rounds(failed_facts: Facts) -> None:
    failed_facts["rounds"] = []
    assert "svg" not in page_of(failed_facts).tags


def test_many_sellers_and_rounds(facts: Facts) -> None:
    base = facts["rounds"][0]
    facts["rounds"] = [{**base, "round": number} for number in range(1, 31)]
    facts["auction"]["matched"] += [f"0x{number:040d}" for number in range(1, 60)]
    assert len(plots(Report.from_dict(facts))) == 4


def test_both_files_are_written(facts: Facts, tmp_path: Path) -> None:
    report = Report.from_dict(facts)
    folder = tmp_path / "build" / "market"
    save_report(report, folder)
    assert sorted(file.name for file in folder.iterdir()) == ["report.html", "report.json"]
    assert Report.from_json((folder / "report.json").read_text("utf-8")) == report
    assert stat.S_IMODE((folder / "report.html").stat().st_mode) == 0o644

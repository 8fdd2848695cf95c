from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from click.testing import CliRunner

from d2m.demo.report import Report
from d2m.demo.report.picture import LIGHT, main, picture
from d2m.demo.report.plots import plots

TEMPLATE = Path(__file__).parents[3] / "offchain" / "d2m" / "demo" / "report" / "report.html.j2"


def test_the_picture_of_a_run_stands_alone(sealed_facts: dict[str, Any], tmp_path: Path) -> None:
    report = Report.from_dict(sealed_facts)
    (tmp_path / "report.json").write_text(report.to_json())
    done = CliRunner().invoke(main, [str(tmp_path / "report.json"), str(tmp_path / "job.svg")])
    assert done.exit_code == 0, done.output
    text = (tmp_path / "job.svg").read_text()
    svg = ElementTree.fromstring(text)
    assert svg.tag == "{http://www.w3.org/2000/svg}svg"
    titles = {element.text for element in svg.iter("{http://www.w3.org/2000/svg}text")}
    assert {plot.title for plot in plots(report)} <= titles
    assert "var(" not in text
    assert set(re.findall(r"https?://[^\"<> ]+", text)) == {"http://www.w3.org/2000/svg"}
    references = set(re.findall(r'(?:href="#|url\(#)([^")]+)', text))
    assert references <= {element.get("id") for element in svg.iter()}
    assert picture(report) == text, "the same run gives the same picture"


def test_its_colours_are_those_of_the_page_in_the_light() -> None:
    assert set(LIGHT.values()) <= set(re.findall(r"#[0-9a-f]{6}", TEMPLATE.read_text()))

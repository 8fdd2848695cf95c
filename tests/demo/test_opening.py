"""The demo opens its auction by the command that users have, whose options have bounds."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from d2m.demo.options import DemoOptions
from d2m.demo.party import open_
from d2m.demo.play import _open_arguments


@pytest.mark.parametrize("auction", ["open", "sealed-first", "sealed-second"])
def test_the_demo_s_options_are_within_the_command_s_bounds(tmp_path: Path, auction: str) -> None:
    file = tmp_path / "file"
    file.touch()
    stage = SimpleNamespace(
        spec=SimpleNamespace(sample_size=6),
        spec_file=file,
        evaluation_file=file,
        deployment=file,
        store=tmp_path,
        buyers=[SimpleNamespace(key=file)],
        key_options=lambda member: ["--key", str(member.key), "--passphrase-file", str(file)],
    )
    run: Any = SimpleNamespace(
        stage=stage,
        options=DemoOptions(auction=auction),
        anvil=SimpleNamespace(url="http://127.0.0.1:8545"),
    )
    name, *arguments = _open_arguments(run)
    context = open_.make_context(name, arguments)
    assert context.params["kind"] == auction

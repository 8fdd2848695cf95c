"""What anybody does without an account."""

from __future__ import annotations

from pathlib import Path

from d2m.clients.anvil import Anvil
from tests.scripts.conftest import ape_run


def test_a_job_that_is_not_there_is_refused_in_one_line(
    node: Anvil, record: Path, tmp_path: Path
) -> None:
    place = ("--deployment", str(record), "--store", str(tmp_path / "store"))
    network = ("--network", f"ethereum:local:{node.url}")
    out = tmp_path / "job.car"
    done = ape_run("market", "export", *network, *place, "--job", "1", "--out", str(out))
    assert done.returncode == 1
    assert "there is no job 1: the market has had 0" in done.stderr
    assert "Traceback" not in done.stderr
    assert not out.exists()


def test_incentives_of_an_auction_that_is_not_there(node: Anvil, record: Path) -> None:
    network = ("--network", f"ethereum:local:{node.url}", "--deployment", str(record))
    done = ape_run("market", "incentives", *network, "--auction", "1", "--price", "2 ether")
    assert done.returncode == 1
    assert "there is no auction 1: `market status` lists them" in done.stderr
    assert "Traceback" not in done.stderr

"""What anybody does without an account."""

from __future__ import annotations

from pathlib import Path

from offchain.chain.anvil import Anvil
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

"""Real processes: started, failing, stopped."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from d2m.demo.processes import PartyFailed, Processes


def test_a_party_that_breaks_down_is_named_with_its_log(tmp_path: Path) -> None:
    with Processes(tmp_path) as processes:
        process = processes.start("S0", ["seller", "--nonsense"])
        process.popen.wait()
        with pytest.raises(PartyFailed, match=r"S0 ended with status 2, see .*S0\.log: .*nonsense"):
            processes.check()


def test_a_key_file_open_to_others_is_one_line(tmp_path: Path) -> None:
    key = tmp_path / "open.key"
    key.write_text("0x" + "11" * 32)
    key.chmod(0o644)
    record = tmp_path / "deployment.json"
    record.write_text("{}")
    place = ["--rpc", "http://127.0.0.1:9", "--deployment", str(record), "--store", str(tmp_path)]
    with Processes(tmp_path / "logs") as processes:
        process = processes.start("C0", ["cone", "--key", str(key), *place])
        assert process.popen.wait() == 1
        lines = process.log.read_text().splitlines()
        assert lines == [f"Error: {key} is open to others: run `chmod 600 {key}`"]


def test_leaving_the_context_leaves_no_process(tmp_path: Path) -> None:
    with Processes(tmp_path) as processes:
        waiting = processes.start("starting", ["buyer", "--help"]).popen
    assert waiting.returncode is not None
    with pytest.raises(ProcessLookupError):
        os.kill(waiting.pid, 0)


def test_a_process_that_was_stopped_did_not_fail(tmp_path: Path) -> None:
    with Processes(tmp_path) as processes:
        stopped = processes.start("starting", ["buyer", "--help"])
        processes.stop([stopped])
        assert stopped.popen.returncode != 0
        processes.check()

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


def test_a_private_key_in_plain_text_is_refused_in_one_line(tmp_path: Path) -> None:
    key, record = tmp_path / "plain.key", tmp_path / "deployment.json"
    key.write_text("0x" + "11" * 32)
    record.write_text("{}")
    place = ["--rpc", "http://127.0.0.1:9", "--deployment", str(record), "--store", str(tmp_path)]
    signing = ["--key", str(key), "--passphrase-file", str(record)]
    with Processes(tmp_path / "logs") as processes:
        process = processes.start("C0", ["cone", *signing, *place])
        assert process.popen.wait() == 1
        (line,) = process.log.read_text().splitlines()
    assert line.startswith(
        f"Error: {key} is no encrypted key file (V3 JSON): `ape accounts import`"
    )


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

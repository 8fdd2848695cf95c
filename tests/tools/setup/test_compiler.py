"""The Solidity compiler: both its forms work, and no download is believed without its checksum."""

from __future__ import annotations

import hashlib
import json
import subprocess
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from tools.setup import compiler
from tools.setup.console import ROOT, SetupError

WRAPPER = ROOT / "tools/setup/solc.cjs"
NATIVE = f"#!/bin/sh\necho 'Version: {compiler.VERSION}+commit.{compiler.COMMIT}.Linux.g++'\n"
SOURCE = """// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;
contract Nine { uint256 public nine = 9; }
"""


@pytest.mark.parametrize("solc", [compiler.COMPILER, WRAPPER], ids=["installed", "npm"])
def test_compiles_standard_json(solc: Path) -> None:
    wanted = {"*": {"*": ["abi", "evm.bytecode.object"]}}
    task = {
        "language": "Solidity",
        "sources": {"Nine.sol": {"content": SOURCE}},
        "settings": {"evmVersion": "cancun", "outputSelection": wanted},
    }
    answer = subprocess.run(
        [solc, "--standard-json"],
        input=json.dumps(task),
        capture_output=True,
        text=True,
        check=True,
    )
    nine = json.loads(answer.stdout)["contracts"]["Nine.sol"]["Nine"]
    assert [entry["name"] for entry in nine["abi"]] == ["nine"]
    assert bytes.fromhex(nine["evm"]["bytecode"]["object"])


@pytest.mark.parametrize("solc", [compiler.COMPILER, WRAPPER], ids=["installed", "npm"])
def test_says_its_version(solc: Path) -> None:
    assert f"{compiler.VERSION}+commit.{compiler.COMMIT}" in compiler.reported_version(solc)


def test_the_npm_form_refuses_other_ways_of_calling_it() -> None:
    answer = subprocess.run(
        [WRAPPER, "--bin", "A.sol"], capture_output=True, text=True, check=False
    )
    assert answer.returncode == 1
    assert answer.stderr.count("\n") == 1


@pytest.fixture
def target(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the set-up under test puts its compiler, instead of this checkout's place."""
    place = tmp_path / "solcx" / compiler.COMPILER.name
    monkeypatch.setattr(compiler, "FOLDER", place.parent)
    monkeypatch.setattr(compiler, "COMPILER", place)
    monkeypatch.delenv("D2M_SOLC", raising=False)
    return place


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder that a stand-in for the compiler's official site serves."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:
            pass

    served = tmp_path / "site" / "linux-amd64"
    served.mkdir(parents=True)
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(served.parent)))
    Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setattr(compiler, "_SITE", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setattr(compiler.sys, "platform", "linux")
    monkeypatch.setattr(compiler.platform, "machine", lambda: "x86_64")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    yield served
    server.shutdown()
    server.server_close()


def publish(
    site: Path, content: str, *, version: str = compiler.VERSION, checksum: str = ""
) -> None:
    """Put a compiler on the site, with its true checksum unless another is given."""
    (site / "solc").write_text(content)
    build = {
        "path": "solc",
        "longVersion": f"{version}+commit.{compiler.COMMIT}",
        "sha256": "0x" + (checksum or hashlib.sha256(content.encode()).hexdigest()),
    }
    (site / "list.json").write_text(json.dumps({"builds": [build]}))


def test_downloads_the_native_compiler(site: Path, target: Path) -> None:
    publish(site, NATIVE)
    compiler.install()
    assert target.read_text() == NATIVE
    assert not target.is_symlink()


def test_refuses_a_download_that_differs_from_its_checksum(site: Path, target: Path) -> None:
    publish(site, NATIVE, checksum="00" * 32)
    with pytest.raises(SetupError, match="checksum"):
        compiler.install()
    assert not target.exists()


def test_takes_the_npm_form_where_the_site_lacks_the_version(site: Path, target: Path) -> None:
    publish(site, NATIVE, version="0.8.1")
    compiler.install()
    assert target.resolve() == WRAPPER


def test_takes_the_npm_form_where_the_native_one_does_not_run(site: Path, target: Path) -> None:
    publish(site, "#!/bin/sh\nexit 127\n")
    compiler.install()
    assert target.resolve() == WRAPPER


def test_takes_the_npm_form_where_the_site_is_no_compiler_site(site: Path, target: Path) -> None:
    (site / "list.json").write_text("<html>please log in</html>")
    compiler.install()
    assert target.resolve() == WRAPPER


@pytest.mark.parametrize("named", ["folder", "file"])
def test_takes_the_compiler_that_is_named(
    named: str, target: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = tmp_path / "own" / target.name
    own.parent.mkdir()
    own.write_text(NATIVE)
    monkeypatch.setenv("D2M_SOLC", str(own.parent if named == "folder" else own))
    compiler.install()
    assert target.read_text() == NATIVE


def test_refuses_another_compiler_than_the_pinned_one(
    target: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = tmp_path / "solc"
    own.write_text(NATIVE.replace(compiler.VERSION, "0.8.20"))
    monkeypatch.setenv("D2M_SOLC", str(own))
    with pytest.raises(SetupError, match=r"D2M_SOLC=.* is not a working Solidity compiler"):
        compiler.install()
    assert not target.exists()
    assert own.exists()

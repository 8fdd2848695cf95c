"""The pins: one version of everything, named alike wherever it is named."""

from __future__ import annotations

import json
import re
from typing import Any

import yaml

from tools.setup import compiler, contracts
from tools.setup.console import ROOT


def locked_versions(name: str = "lock") -> dict[str, str]:
    lock = (ROOT / f"requirements/{name}.txt").read_text()
    return dict(re.findall(r"^([a-z0-9-]+)==(\S+)", lock, re.MULTILINE))


def npm_lock() -> dict[str, Any]:
    packages: dict[str, Any] = json.loads((ROOT / "package-lock.json").read_text())["packages"]
    return packages


def ape_config() -> dict[str, Any]:
    config: dict[str, Any] = yaml.safe_load((ROOT / "ape-config.yaml").read_text())
    return config


def test_one_solidity_compiler_is_named_everywhere() -> None:
    assert ape_config()["solidity"]["version"] == compiler.VERSION
    assert npm_lock()["node_modules/solc"]["version"] == compiler.VERSION
    for source in (ROOT / "contracts").rglob("*.sol"):
        if ".cache" not in source.parts:
            assert re.search(
                rf"^pragma solidity {compiler.VERSION};", source.read_text(), re.MULTILINE
            )


def test_ape_plugins_and_libraries_are_those_of_the_locks() -> None:
    config = ape_config()
    for plugin in config["plugins"]:
        assert locked_versions()[f"ape-{plugin['name']}"] == plugin["version"]
    for library in config["dependencies"]:
        assert npm_lock()[f"node_modules/{library['npm']}"]["version"] == library["version"]


def test_every_python_package_is_pinned_with_hashes() -> None:
    lock = (ROOT / "requirements/lock.txt").read_text()
    entries = [entry for entry in re.split(r"\n(?=\S)", lock) if not entry.startswith("#")]
    assert len(entries) > 100
    for entry in entries:
        assert re.match(r"[a-z0-9-]+==", entry)
        assert "--hash=sha256:" in entry


def test_ray_keeps_the_versions_of_the_lock() -> None:
    market, ray = locked_versions(), locked_versions("ray")
    shared = market.keys() & ray.keys()
    assert len(shared) > 10
    assert {name: ray[name] for name in shared} == {name: market[name] for name in shared}


def test_torch_stays_out_of_the_lock() -> None:
    # The lock would bring the CUDA build on Linux, with several GB of libraries.
    assert not [name for name in locked_versions() if re.match(r"torch$|nvidia-|triton$", name)]


def test_the_npm_lock_serves_every_machine() -> None:
    packages = npm_lock()
    assert not [name for name, entry in packages.items() if "resolved" in entry]
    for tool in ("anvil", "forge"):
        for needed, version in packages[f"node_modules/@foundry-rs/{tool}"][
            "optionalDependencies"
        ].items():
            assert packages[f"node_modules/{needed}"]["version"] == version


def test_ape_sees_every_contract(project: Any) -> None:
    # It silently stops at 500 files, copies of the libraries included.
    present = {
        path.relative_to(ROOT)
        for path in (ROOT / "contracts").rglob("*.sol")
        if ".cache" not in path.parts
    }
    assert {path.relative_to(ROOT) for path in project.sources.paths} == present
    assert contracts._files_ape_reads() <= contracts._MOST_FILES

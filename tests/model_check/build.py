"""The contracts compiled for the state machine, as they are or with a planted bug.

Sources are copied first, so that neither a patch nor a build touches the project's own files.
"""

from __future__ import annotations

import fcntl
import json
import subprocess
from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

PROJECT = Path(__file__).parents[2]
BUILDS = PROJECT / ".build" / "market_machine"
OWN = Path("tests/model_check/solidity")
TOKENS = Path("tests/contracts/solidity/Tokens.sol")
SETTINGS = """\
[profile.default]
src = "sources"
out = "out"
libs = ["node_modules"]
remappings = [
    "@openzeppelin/contracts/=node_modules/@openzeppelin/contracts/",
    "solady/=node_modules/solady/",
]
evm_version = "cancun"
optimizer = true
optimizer_runs = 200
solc = "{solc}"
offline = true
lint = {{ lint_on_build = false }}
"""
NEEDED = (
    *("SellerRegistry", "ConePool", "Yoda", "Escrow", "AuctionHouse", "Jobs"),
    *("Auditor", "Chameleon", "ForgetfulRandomness", "PlainToken", "FeeToken", "FalseToken"),
)


class Patch(NamedTuple):
    """A change of one place of a source file, named from the project's folder."""

    path: str
    old: str
    new: str


SHORT_UNBONDING = Patch(
    "contracts/lib/Limits.sol",
    "uint256 constant UNBONDING_BLOCKS = 7200;",
    "uint256 constant UNBONDING_BLOCKS = 25;",
)
"""Or every exit would need thousands of empty blocks, a minute of mining."""


class PatchFailed(Exception):
    """The text to replace is not there, or is there more than once."""


class BuildFailed(Exception):
    """The sources do not compile."""


def build(patches: Sequence[Patch] = ()) -> Mapping[str, bytes]:
    """Creation code by contract name. What was compiled before is taken from `.build`."""
    sources = patched([SHORT_UNBONDING, *patches])
    kept = BUILDS / f"{_digest(sources)}.json"
    if not kept.is_file():
        BUILDS.mkdir(parents=True, exist_ok=True)
        with (BUILDS / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            kept.write_text(json.dumps(_compile(sources, BUILDS / "tree")))
    return {name: bytes.fromhex(code) for name, code in json.loads(kept.read_text()).items()}


def contracts_digest() -> str:
    """Names the contracts that a run was about: of the sources below `contracts/`, unpatched."""
    sources = {path: text for path, text in patched([]).items() if path.parts[0] == "contracts"}
    return _digest(sources)


def _digest(sources: Mapping[Path, str]) -> str:
    text = "".join(f"{path}\n{source}" for path, source in sorted(sources.items()))
    return sha256((text + SETTINGS).encode()).hexdigest()[:16]


def patched(patches: Sequence[Patch]) -> dict[Path, str]:
    """All sources by path. PatchFailed where a text is not there exactly once."""
    paths = [path for path in (PROJECT / "contracts").rglob("*.sol") if ".cache" not in path.parts]
    paths += [*(PROJECT / OWN).glob("*.sol"), PROJECT / TOKENS]
    sources = {path.relative_to(PROJECT): path.read_text() for path in paths}
    for patch in patches:
        path = Path(patch.path)
        found = sources[path].count(patch.old)
        if found != 1:
            raise PatchFailed(f"{patch.path} holds {found} times: {patch.old}")
        sources[path] = sources[path].replace(patch.old, patch.new)
    return sources


def _compile(sources: Mapping[Path, str], tree: Path) -> dict[str, str]:
    """Forge compiles again what has changed since the last time, and what imports it."""
    for path, text in sources.items():
        target = tree / "sources" / path
        target.parent.mkdir(parents=True, exist_ok=True)
        if not target.is_file() or target.read_text() != text:
            target.write_text(text)
    solc = PROJECT / ".tools" / "solcx" / "solc-v0.8.37"
    (tree / "foundry.toml").write_text(SETTINGS.format(solc=solc))
    if not (tree / "node_modules").exists():
        (tree / "node_modules").symlink_to((PROJECT / "node_modules").resolve())
    command = [str(PROJECT / ".venv" / "bin" / "forge"), "build", "--root", str(tree)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise BuildFailed(done.stdout + done.stderr)
    return {name: _creation_code(tree, name) for name in NEEDED}


def _creation_code(tree: Path, name: str) -> str:
    (artifact,) = (tree / "out").glob(f"*/{name}.json")
    return str(json.loads(artifact.read_text())["bytecode"]["object"]).removeprefix("0x")

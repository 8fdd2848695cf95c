"""Audits the contracts: static analysis with slither, proofs with halmos.

Writes what was found to `docs/audit`, the same for every run over the same contracts. Fails on a
finding that is not accepted with a reason, on a stale reason, and on a proof that does not hold.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, TypeAlias

from tools.audit.accepted import ACCEPTED

ROOT = Path(__file__).resolve().parents[2]
REPORTS = ROOT / "docs" / "audit"

_TOOLS = ROOT / ".tools" / "audit" / "bin"
_FORGE_OUT = "build/forge"
_WORK = ROOT / "build" / "audit"
_PROOFS = "tests/proofs"
# Besides a false assertion: overflow, division by zero.
_PANICS = "0x01,0x11,0x12"
_PATIENCE_SECONDS = 180
"""For one file of proofs; each takes a minute at most. z3 locks up now and then, by chance."""
_ATTEMPTS = 3

Finding: TypeAlias = "tuple[str, str]"
"""The detector, and where: `Contract.function`."""


def main() -> int:
    """Run both, and return the exit status."""
    _WORK.mkdir(parents=True, exist_ok=True)
    REPORTS.mkdir(parents=True, exist_ok=True)
    faults = [*_step("static analysis", analyse), *_step("proofs", prove)]
    for fault in faults:
        print(f"audit: {fault}", file=sys.stderr)
    print(f"audit: {len(faults) or 'no'} faults; reports in {REPORTS.relative_to(ROOT)}")
    return 1 if faults else 0


def _step(title: str, step: Callable[[], list[str]]) -> list[str]:
    print(f"audit: {title} …", flush=True)
    start = time.monotonic()
    faults = step()
    print(f"audit: {title} done ({time.monotonic() - start:.0f} s)", flush=True)
    return faults


def analyse() -> list[str]:
    """Run slither on the contracts; returns what is wrong, a line each."""
    answer = _WORK / "slither.json"
    options = ["--filter-paths", f"node_modules|contracts/.cache|{_PROOFS}", "--json", str(answer)]
    output = _run("slither", ".", *options, writes=answer)
    if not answer.exists() or not (found := json.loads(answer.read_text()))["success"]:
        return [f"slither did not run: {output[-1] if output else 'it printed nothing'}"]
    findings = [
        (finding["check"], place(finding["elements"][0]))
        for finding in found["results"].get("detectors", [])
    ]
    faults = unaccepted(findings)
    _report("slither", [*_said(output, "analyzed"), "", *accepted_lines(findings), *faults])
    return faults


def place(element: dict[str, Any]) -> str:
    """`Contract.function` of what slither points at: a function, or a variable in one."""
    names = [element["name"]]
    while parent := element.get("type_specific_fields", {}).get("parent"):
        element = parent
        if element["type"] in ("contract", "function"):
            names.append(element["name"])
    return ".".join(names[::-1][:2])


def unaccepted(findings: list[Finding]) -> list[str]:
    """Findings without a reason, and reasons without a finding."""
    unknown = [each for each in findings if not any(_matches(each, key) for key in ACCEPTED)]
    stale = [key for key in ACCEPTED if not any(_matches(each, key) for each in findings)]
    return [f"slither: {check} in {where}" for check, where in sorted(set(unknown))] + [
        f"nothing is found any more, remove the reason: {check} in {where}"
        for check, where in sorted(stale)
    ]


def accepted_lines(findings: list[Finding]) -> list[str]:
    """The accepted findings, counted, with the reason of each."""
    lines = []
    for (check, where), reason in sorted(ACCEPTED.items()):
        count = sum(_matches(each, (check, where)) for each in findings)
        lines.append(f"accepted {count:2}  {check} in {where}: {reason}")
    return lines


def _matches(finding: Finding, accepted: Finding) -> bool:
    return finding[0] == accepted[0] and fnmatchcase(finding[1], accepted[1])


def prove() -> list[str]:
    """Run halmos on the proofs; returns what is wrong, a line each."""
    lines: list[str] = []
    faults: list[str] = []
    for path in sorted((ROOT / _PROOFS).glob("*.t.sol")):
        contracts, output = _proved(path)
        if not contracts:
            last = output[-1] if output else f"nothing said in {_PATIENCE_SECONDS} s"
            faults.append(f"halmos did not run to its end on {path.name}: {last}")
        for contract, results in sorted(contracts.items()):
            name = contract.partition(":")[2]
            stated = _statements(path, name)
            lines += ["", f"{path.name}: {_title(path, name)}"]
            for result in results:
                verdict = "proved" if holds(result) else "FAILED"
                lines.append(f"  {verdict}  {stated.get(result['name'], result['name'])}")
                if not holds(result):
                    faults.append(f"halmos: {name}.{result['name']} fails or was not decided")
    _report("halmos", [f"halmos {_version('halmos')}", *lines])
    return faults


def _proved(path: Path) -> tuple[dict[str, Any], list[str]]:
    """The results of one file of proofs by contract, none where it came to no end; its words."""
    answer = _WORK / f"{path.stem}.json"
    contracts = "|".join(re.findall(r"^contract (\w+Proof)\b", path.read_text(), re.MULTILINE))
    options = ["--forge-build-out", _FORGE_OUT, "--panic-error-codes", _PANICS, "--no-status"]
    # A second a branch, then both sides are taken: with 1 ms z3's timer went off so often that it
    # locked z3; with no end z3 did not come back from the ranks of a pool.
    options += ["--solver-timeout-branching", "1000", "--solver-timeout-assertion", "120s"]
    options += ["--match-contract", f"^({contracts})$", "--json-output", str(answer)]
    output: list[str] = []
    for _ in range(_ATTEMPTS):
        print(f"audit: {path.name} …", flush=True)
        output = _run("halmos", *options, writes=answer)
        if answer.exists():
            return json.loads(answer.read_text())["test_results"], output
    return {}, output


def holds(result: dict[str, Any]) -> bool:
    """Whether a proof holds on every path, none of them cut off at the bound of a loop."""
    return bool(result["exitcode"] == 0 and result["num_bounded_loops"] == 0)


def _title(source: Path, contract: str) -> str:
    title = re.search(
        rf"@title (.+)\n(?:///.*\n)*contract {contract} ", source.read_text(encoding="utf-8")
    )
    return title.group(1) if title else contract


def _statements(source: Path, contract: str) -> dict[str, str]:
    """Statement of each function's proof in a contract, from its NatSpec."""
    built = json.loads((ROOT / _FORGE_OUT / source.name / f"{contract}.json").read_text())
    methods = built["metadata"]["output"]["userdoc"]["methods"]
    return {name: each["notice"] for name, each in methods.items()}


def _run(tool: str, *options: str, writes: Path) -> list[str]:
    """The lines that a tool prints; its whole output stays beside what it writes."""
    writes.unlink(missing_ok=True)
    path = os.pathsep.join([str(_TOOLS), str(ROOT / ".venv" / "bin"), os.environ["PATH"]])
    log = writes.with_suffix(".log")
    with log.open("w") as output, suppress(subprocess.TimeoutExpired):
        subprocess.run(
            [str(_TOOLS / tool), *options],
            cwd=ROOT,
            env={**os.environ, "PATH": path},
            stdout=output,
            stderr=subprocess.STDOUT,
            timeout=_PATIENCE_SECONDS,
            check=False,
        )
    output_lines = log.read_text(encoding="utf-8").splitlines()
    return [line for line in output_lines if line.strip()]


def _said(output: list[str], word: str) -> list[str]:
    """Extent of slither's run in its own words: how many contracts and detectors."""
    said = [line.partition("analyzed ")[2] for line in output if f" {word} " in line]
    return [f"slither {_version('slither')}: {line}" for line in said]


def _version(tool: str) -> str:
    answer = subprocess.run(
        [_TOOLS / tool, "--version"], capture_output=True, text=True, check=True
    )
    return answer.stdout.split()[-1]


def _report(name: str, lines: list[str]) -> None:
    (REPORTS / f"{name}.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())

"""`make model-check`: more than 100,000 steps of the whole market, and the record of them.

    python -m tools.model_check.thorough --steps 100000 --seed 1

Plays come in parts of some thousand steps, each on a fresh node and from a seed of its own: the
first from `--seed`, each further one from the next number. A run that was interrupted goes on
with the seed that follows the last part shown.
"""

from __future__ import annotations

import argparse
import multiprocessing
import signal
import sys
import time
import traceback
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.model_check.build import build, contracts_digest
from tests.model_check.runs import play
from tests.model_check.stage import staged

INTRODUCTION = """\
# Model check: the whole market beside an independent model

Written by `make model-check` (`tests/model_check/`). The contracts are deployed on a node, staffed,
and played by Hypothesis' state machine: buyers in open and sealed auctions, in ether and in tokens,
two of which cheat; sellers; seven nodes at first that are honest, lie together or alone, copy
results, commit and keep silent, or do nothing; copycats;
parties that are contracts and refuse money or call back while they are paid; thieves who call
anything at any time; and time. Windows are of 5 to 12 blocks, a seed expires after 12, unbonding
takes 25 instead of 7,200.

A step is one transaction, one refused call, or some blocks that pass. Before each the model
(`tests/model_check/model/`, one module a mechanism) foretells whether it is refused and with
which error and arguments; after each

- everything that the contracts hold equals the model, word by word: auctions, sealed bids, purses,
  offers, nodes, seats, jobs, polls, mini-rounds, verdicts, pots, credits, and every party's ether
  and tokens to the wei;
- the ether and the tokens of every contract are the sum of credits, purses, pots, stakes and bonds;
- every job that has passed its deadline is due, and `advance` succeeds exactly where something is
  due;
- nobody has got out more than it paid in and earned;
- a result is accepted exactly where the rational test of `d2m.protocol.likelihood`
  accepts the model's own count of the votes.

At the end of every third play, on average, everybody stops. Whoever likes ends all jobs and
auctions, everything owed is claimed and withdrawn, and the contracts must be empty to the last wei.

`make test` plays 20 plays of 100 steps. That the checks can fail is shown in
[mutations.md](mutations.md).
"""

EXAMPLES = 20  # of one part
STEPS = 200  # of one example
WORKERS = 2


@dataclass
class Part:
    """Counts of one part of a run; `failure` is the report of a difference."""

    seed: int
    steps: int = 0
    examples: int = 0
    seen: Counter[str] = field(default_factory=Counter)
    failure: str = ""


def main(arguments: list[str] | None = None) -> int:
    """Play as many steps as asked for; the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--steps", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1, help="of the first part")
    parser.add_argument("--record", type=Path, help="where to write the table of what happened")
    options = parser.parse_args(arguments)
    started, total = time.monotonic(), Part(options.seed)
    try:
        for part in parts(options.seed, options.steps):
            add(total, part)
            seconds = time.monotonic() - started
            print(
                f"seed {part.seed}: {part.steps} steps; in all {total.steps:,} of "
                f"{options.steps:,} steps, {total.seen['settled']} jobs settled, {seconds:.0f} s",
                flush=True,
            )
            if part.failure:
                print(part.failure)
                return 1
    except KeyboardInterrupt:
        print(f"interrupted after {total.steps:,} steps without a difference")
        return 130
    if options.record:
        seconds = time.monotonic() - started
        options.record.write_text(record(total, options.steps, seconds))
    return 0


def parts(seed: int, steps: int) -> Iterator[Part]:
    """Parts in the order in which they end, until they have `steps` together."""
    build()  # once, before the workers ask for it
    context = multiprocessing.get_context("spawn")
    done = 0
    # Leaving the block, by an interruption too, ends the workers; their nodes end with them.
    with context.Pool(WORKERS, initializer=_leave_interrupts) as pool:
        for part in pool.imap_unordered(play_part, range(seed, seed + steps)):
            yield part
            done += part.steps
            if done >= steps:
                return


def _leave_interrupts() -> None:
    """Ctrl-C is for the parent."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def play_part(seed: int) -> Part:
    """One part, on a node of its own."""
    part = Part(seed)
    with staged(build()) as stage:
        before = stage.steps
        try:
            play(stage, seed=seed, examples=EXAMPLES, steps=STEPS)
        except Exception:
            part.failure = traceback.format_exc()
        part.steps, part.examples, part.seen = stage.steps - before, stage.examples, stage.seen
    return part


def add(total: Part, part: Part) -> None:
    """Add a part's counts to the total."""
    total.steps += part.steps
    total.examples += part.examples
    total.seen.update(part.seen)


def record(total: Part, wanted: int, seconds: float) -> str:
    """The table of docs/model-check.md."""
    command = f'make model-check ARGS="--steps {wanted} --seed {total.seed}"'
    lines = [
        INTRODUCTION,
        "| | |",
        "|---|---|",
        f"| command | `{command}` |",
        f"| contracts | sources {contracts_digest()} |",
        f"| steps | {total.steps:,} |",
        f"| plays from the same start | {total.examples:,} |",
        f"| time | {seconds / 60:.0f} minutes, {WORKERS} processes |",
        "| outcome | no difference, no law broken |",
        "",
        "## What happened",
        "",
        "| event | times |",
        "|---|---:|",
        *_rows(total.seen, lambda name: not name.startswith(("done: ", "refused: "))),
        "",
        "## Transactions that went through",
        "",
        "| function | times |",
        "|---|---:|",
        *_rows(total.seen, lambda name: name.startswith("done: ")),
        "",
        "## Calls that were refused, as foretold to the last argument of the error",
        "",
        "| error | times |",
        "|---|---:|",
        *_rows(total.seen, lambda name: name.startswith("refused: ")),
        "",
    ]
    return "\n".join(lines)


def _rows(seen: Counter[str], wanted: object) -> list[str]:
    assert callable(wanted)
    names = sorted(name for name in seen if wanted(name))
    short = {name: name.removeprefix("done: ").removeprefix("refused: ") for name in names}
    return [f"| {short[name]} | {seen[name]:,} |" for name in names]


if __name__ == "__main__":
    sys.exit(main())

"""`make mutations`: plants one bug at a time in copies of the contracts; the machine must find it.

    python -m tools.model_check.mutations

Fails when the text that a bug replaces is not found, and when a bug survives.
"""

from __future__ import annotations

import argparse
import multiprocessing
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from tests.model_check.audit import Differs
from tests.model_check.build import Patch, build
from tests.model_check.runs import play
from tests.model_check.stage import staged

SEED, EXAMPLES, STEPS = 1, 200, 150
WORKERS = 2

HOUSE = "contracts/auction/AuctionHouse.sol"
CREDITS = "contracts/lib/Credits.sol"
ESCROW = "contracts/escrow/Escrow.sol"
JOBS = "contracts/jobs/Jobs.sol"
POOL = "contracts/cone/ConePool.sol"
REGISTRY = "contracts/registry/SellerRegistry.sol"
SPLIT = "contracts/escrow/Split.sol"
YODA = "contracts/yoda/Yoda.sol"


class Mutant(NamedTuple):
    """A bug, by what it does wrong."""

    name: str
    patches: Sequence[Patch]


class Catch(NamedTuple):
    """The finding that gave a mutant away, after how many steps and plays; None: it survived."""

    mutant: Mutant
    where: str | None
    steps: int
    examples: int


def bug(name: str, path: str, old: str, new: str = "", *more: Patch) -> Mutant:
    """A mutant of one file, or of more."""
    return Mutant(name, (Patch(path, old, new), *more))


MUTANTS = (
    bug(
        "a credit is cleared only after the ether was sent",
        CREDITS,
        "        delete credit[token][msg.sender];\n        emit",
        "        if (token != ETHER) delete credit[token][msg.sender];\n        emit",
        Patch(
            CREDITS,
            "if (!paid) revert PaymentRefused(to);",
            "if (!paid) revert PaymentRefused(to);\n        delete credit[token][msg.sender];",
        ),
    ),
    bug(
        "shares of a pot are rounded one by one",
        SPLIT,
        "return (pot * end) / whole - (pot * start) / whole;",
        "return (pot * (end - start)) / whole;",
    ),
    bug(
        "the second price falls below the reserve",
        HOUSE,
        "return auction.secondBid > auction.reserve ? auction.secondBid : auction.reserve;",
        "return auction.secondBid;",
    ),
    bug(
        "a revealed bid forfeits all the same",
        HOUSE,
        "auction.forfeits -= uint128(_forfeit(deposit));",
    ),
    bug(
        "the outbid's money goes to the new leader",
        HOUSE,
        "escrow.refund(auctionId, token, outbid, outbidAmount);",
        "escrow.refund(auctionId, token, msg.sender, outbidAmount);",
    ),
    bug(
        "a tie goes to the later commitment",
        HOUSE,
        "return place < auction.leaderPlace;",
        "return place > auction.leaderPlace;",
    ),
    bug(
        "the winner of a sealed auction gets nothing back",
        HOUSE,
        "        escrow.refund(auctionId, token, winner, held - price);\n",
    ),
    bug(
        "a bid in the window shortens it",
        HOUSE,
        "        if (extended <= auction.closeBlock) return;\n",
    ),
    bug(
        "an unrevealed bid is reclaimed again and again",
        HOUSE,
        "        sealed_.closed = true;\n        uint256 forfeited",
        "        uint256 forfeited",
    ),
    bug(
        "a vote is paid twice",
        ESCROW,
        "        _paidVotes[key] |= bit;\n",
    ),
    bug(
        "a seller is paid twice",
        ESCROW,
        "        _paidSellers[jobId] |= bit;\n",
        "",
        Patch(ESCROW, "        pots.sellerPaid += uint128(amount);\n", ""),
    ),
    bug(
        "a failed job is settled again",
        JOBS,
        "job.state = failed ? State.Failed : State.Settled;",
        "if (!failed) job.state = State.Settled;",
        Patch(ESCROW, "        if (pots.settled) revert AlreadySettled();\n", ""),
    ),
    bug(
        "the sellers' part is kept where nobody has a share",
        ESCROW,
        "_credit(pots.token, settlement.buyer, price - conePot - sellerPot);",
        "_credit(pots.token, settlement.buyer, price - earned);",
    ),
    bug(
        "what is slashed stays in the stake",
        POOL,
        "        node.stake -= uint128(amount);\n",
    ),
    bug(
        "slashed stake goes to the caller",
        POOL,
        "IJobs(jobs).escrow().addSlashed{value: taken}(jobId);",
        "payable(msg.sender).transfer(taken);",
    ),
    bug(
        "a slashed node keeps its seat",
        POOL,
        "        if (_seats.contains(uint160(account))) _unseat(account);\n",
    ),
    bug(
        "an offence is punished twice",
        POOL,
        "        if (_punished[key] & bit != 0) return 0;\n",
    ),
    bug(
        "a frozen stake can be withdrawn",
        POOL,
        "if (block.number < unlockBlock || isFrozen(node.exitBlock))",
        "if (block.number < unlockBlock)",
    ),
    bug(
        "the node that fills a gap does not know its seat",
        POOL,
        "        if (moved != 0) _sit(_nodes[address(moved)], seat);\n",
        "        moved;\n        seat;\n",
    ),
    bug(
        "a bond can be withdrawn twice",
        REGISTRY,
        "        made.bond = 0;\n",
    ),
    bug(
        "the window of reveals closes a block early",
        YODA,
        "now_.commitDeadline < block.number && block.number <= now_.revealDeadline",
        "now_.commitDeadline < block.number && block.number < now_.revealDeadline",
    ),
    bug(
        "an inbox closes a block early",
        JOBS,
        "return job.posted == job.sample || block.number > job.deadline;",
        "return job.posted == job.sample || block.number >= job.deadline;",
    ),
    bug(
        "strays are tallied twice",
        YODA,
        "mini.turnout.followers());\n        if (_test",
        "mini.turnout.revealedCount());\n        if (_test",
    ),
    bug(
        "strays are not tallied",
        YODA,
        "            _count(jobId, _polls[jobId], words.result, 1);\n",
    ),
    bug(
        "whoever leads is accepted, whatever the threshold",
        YODA,
        "tally.accepted = tally.score >= tally.threshold;",
        "tally.accepted = tally.score > 0;",
    ),
    bug(
        "silence is no evidence",
        YODA,
        "(uint256 asked, uint256 leader) = (poll.asked, tally.leaderVotes);",
        "(uint256 asked, uint256 leader) = (tally.votes, tally.leaderVotes);",
    ),
    bug(
        "the overtaken leader is no runner-up",
        YODA,
        "            poll.runnerUpVotes = poll.leaderVotes;\n",
    ),
    bug(
        "the second draw keeps the votes of the first",
        YODA,
        "        poll.votes = 0;\n",
    ),
    bug(
        "a commitment opens in a later mini-round",
        YODA,
        "return EfficientHashLib.hash(bytes32(uint256(uint160(node))), key, commitment);",
        "return key == 0 ? key : keccak256(abi.encode(node, commitment));",
    ),
    bug(
        "a copied commitment opens for its author",
        YODA,
        "return EfficientHashLib.hash(bytes32(uint256(uint160(node))), key, commitment);",
        "return node == address(0) ? bytes32(0) : EfficientHashLib.hash(key, commitment);",
    ),
    bug(
        "the silent are taken for right",
        YODA,
        "        if (!mini.turnout.hasRevealed(position)) return Conduct.Silent;\n",
    ),
    bug(
        "an expired seed is not drawn anew",
        YODA,
        "        if (expired) return _schedule(jobId, poll, miniRound);\n",
        "        expired;\n",
    ),
)


def main(arguments: list[str] | None = None) -> int:
    """Plant each bug and have it found; the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--record", type=Path, help="where to write the table")
    parser.add_argument("--only", default="", help="mutants whose name holds this text")
    options = parser.parse_args(arguments)
    started, catches = time.monotonic(), []
    chosen = [each for each in MUTANTS if options.only in each.name]
    with multiprocessing.get_context("spawn").Pool(WORKERS) as pool:
        for catch in pool.imap(hunt, chosen):
            catches.append(catch)
            print(_line(catch), flush=True)
    if options.record:
        options.record.write_text(record(catches, time.monotonic() - started))
    survivors = [each.mutant.name for each in catches if each.where is None]
    for name in survivors:
        print(f"survived: {name}")
    return 1 if survivors else 0


def hunt(mutant: Mutant) -> Catch:
    """Play against the mutant until model and contracts differ."""
    with staged(build(mutant.patches)) as stage:
        where = None
        try:
            play(stage, seed=SEED, examples=EXAMPLES, steps=STEPS)
        except Differs as differs:
            where = differs.where
        return Catch(mutant, where, stage.steps, stage.examples)


def _line(catch: Catch) -> str:
    where = catch.where or "SURVIVED"
    return f"{catch.mutant.name}: {where} ({catch.steps} steps, {catch.examples} plays)"


def record(catches: Sequence[Catch], seconds: float) -> str:
    """The table of docs/mutations.md."""
    lines = [
        "# Planted bugs and what finds them",
        "",
        "Written by `make mutations`; `tools/model_check/mutations.py` holds the bugs as texts.",
        "Each is planted alone, in a copy of the contracts; then the state machine plays with seed",
        f"{SEED}, at most {EXAMPLES} plays of {STEPS} steps, until the contracts differ from the",
        "model. A bug that survives fails the run.",
        "",
        f"{len(catches)} bugs, {sum(each.where is not None for each in catches)} found, "
        f"{seconds / 60:.0f} minutes.",
        "",
        "| bug | in | seen by | steps | plays |",
        "|---|---|---|---:|---:|",
        *map(_row, catches),
        "",
    ]
    return "\n".join(lines)


def _row(catch: Catch) -> str:
    files = ", ".join(dict.fromkeys(Path(each.path).stem for each in catch.mutant.patches))
    where = catch.where or "**nothing**"
    return f"| {catch.mutant.name} | {files} | {where} | {catch.steps} | {catch.examples} |"


if __name__ == "__main__":
    sys.exit(main())

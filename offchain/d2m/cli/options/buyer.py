"""Options of buyers and requesters: a request, and a bid."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import click
from eth_typing import ChecksumAddress

from d2m.cli import types
from d2m.cli.options.common import (
    auction_option,
    existing_file,
    folder_path,
    gathered,
    least_option,
    patience_option,
    to_option,
    token_option,
)
from d2m.errors import PartyError
from d2m.learning.spec import JobSpec
from d2m.protocol import bounds
from d2m.protocol.constants import BPS, PPM
from d2m.protocol.types import AuctionKind, Rules, Terms

KINDS = {
    "open": AuctionKind.OPEN,
    "sealed-first": AuctionKind.SEALED_FIRST_PRICE,
    "sealed-second": AuctionKind.SEALED_SECOND_PRICE,
}
"""Auction kinds by the names that the commands use."""


@dataclass(frozen=True)
class Request:
    """A request: the job, its rules, the auction's terms."""

    tag: str
    spec: Path
    evaluation: Path
    target: float
    rounds: int
    byzantine: float
    error: float
    base: int
    window_blocks: int
    kind: str
    token: str
    auction_blocks: int
    reveal_blocks: int
    increment: float
    reserve: int


@dataclass(frozen=True)
class Bidding:
    """A bid in an auction, and where a won model goes."""

    auction_id: int
    limit: int
    larger_deposit: bool
    folder: Path
    patience_blocks: int
    to: ChecksumAddress | None
    least_withdrawal: int | None


request_options = gathered(
    "request",
    Request,
    click.option(
        "--tag",
        type=types.Tag(),
        required=True,
        help="Sellers registered under it are matched.",
    ),
    click.option("--spec", type=existing_file, required=True, help="Job specification, JSON."),
    click.option("--evaluation", type=existing_file, required=True, help="Evaluation set, .npz."),
    click.option(
        "--target", type=types.target, default=0.9, show_default=True, help="Accuracy to reach."
    ),
    click.option(
        "--rounds",
        type=types.whole(bounds.RULES["rounds"]),
        default=10,
        show_default=True,
        help="Most global rounds.",
    ),
    click.option(
        "--byzantine",
        type=types.byzantine,
        default=0.3,
        show_default=True,
        help="Tolerated share of nodes.",
    ),
    click.option(
        "--error",
        type=types.tolerated_error,
        default=0.001,
        show_default=True,
        help="Tolerated chance of error.",
    ),
    click.option(
        "--base",
        type=types.whole(bounds.RULES["base"]),
        default=2,
        show_default=True,
        help="Execution sets' base.",
    ),
    click.option(
        "--window-blocks",
        type=types.whole(bounds.RULES["updateBlocks"]),
        default=50,
        show_default=True,
        help="Blocks to post updates, to commit, to reveal, to open, to slash: each at most.",
    ),
    click.option(
        "--kind",
        type=click.Choice(sorted(KINDS)),
        default="open",
        show_default=True,
        help="Auction.",
    ),
    token_option,
    click.option(
        "--auction-blocks",
        type=types.whole(bounds.AUCTION_BLOCKS),
        default=50,
        show_default=True,
        help="Blocks to bid in.",
    ),
    click.option(
        "--reveal-blocks",
        type=types.whole(bounds.AUCTION_BLOCKS),
        default=50,
        show_default=True,
        help="Blocks to reveal sealed bids in.",
    ),
    click.option(
        "--increment",
        type=types.Share(bounds.INCREMENT_BPS, BPS),
        default=0.05,
        show_default=True,
        help="Least raise of an open bid.",
    ),
    click.option(
        "--reserve",
        type=types.Wei(bounds.RESERVE),
        default="0.01 ether",
        show_default=True,
        help="Least bid.",
    ),
)


bidding_options = gathered(
    "bidding",
    Bidding,
    auction_option,
    click.option(
        "--limit",
        type=types.Wei(),
        required=True,
        help="Highest bid, like '0.5 ether' (of a token: a number of its smallest units);"
        " a sealed bid is for this amount.",
    ),
    click.option(
        "--larger-deposit",
        is_flag=True,
        help="Deposit twice what a sealed bid needs, so that less is learnt of it.",
    ),
    click.option("--folder", type=folder_path, required=True, help="Where the model goes."),
    patience_option,
    to_option,
    least_option,
)


def rules_of(request: Request, spec: JobSpec) -> Rules:
    """The rules of a request, each of which is within its own bounds.

    Raises PartyError where they do not go together.
    """
    window = request.window_blocks
    rules = Rules(
        target_bps=round(request.target * BPS),
        rounds=request.rounds,
        sample_size=spec.sample_size,
        byzantine_bps=round(request.byzantine * BPS),
        base=request.base,
        error_ppm=round(request.error * PPM),
        update_blocks=window,
        commit_blocks=window,
        reveal_blocks=window,
        open_blocks=window,
        judge_blocks=window,
    )
    _check_rules(bounds.by_name(rules), rules, window)
    return rules


def _check_rules(found: Mapping[str, int], rules: Rules, window: int) -> None:
    sample, blocks = bounds.RULES["sampleSize"], bounds.RULES[bounds.JOB_BLOCKS_RULE]
    if not sample.least <= rules.sample_size <= sample.most:
        raise PartyError(
            f"the specification samples {rules.sample_size} sellers a round: it must be"
            f" {sample.least} to {sample.most}"
        )
    total = found[bounds.JOB_BLOCKS_RULE]
    if total > blocks.most:
        raise PartyError(
            f"--rounds {rules.rounds} of 4 windows of --window-blocks {window} are {total} blocks:"
            f" a job has up to {blocks.most}, lower one of the two"
        )


def terms_of(request: Request) -> Terms:
    """The terms of a request's auction."""
    kind = KINDS[request.kind]
    is_open = kind == AuctionKind.OPEN
    return Terms(
        kind=kind,
        token=request.token,
        window_blocks=request.auction_blocks,
        reveal_blocks=0 if is_open else request.reveal_blocks,
        increment_bps=round(request.increment * BPS) if is_open else 0,
        reserve=request.reserve,
    )

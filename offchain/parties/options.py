"""Command-line options of the parties, the same with a key file and with a wallet."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

import click
from eth_utils.currency import to_wei

from offchain.chain.records import BPS, PPM, Rules, Terms
from offchain.learning.spec import JobSpec

Command = Callable[..., Any]

existing_file = click.Path(exists=True, dir_okay=False, path_type=Path)
folder_path = click.Path(file_okay=False, path_type=Path)


class Wei(click.ParamType):
    """An amount with its unit: `0.5 ether`, `20 gwei`, `7 wei`."""

    name = "amount"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """The amount in wei."""
        if isinstance(value, int):
            return value
        try:
            number, unit = value.split()
            return to_wei(Decimal(number), unit)
        except (ValueError, InvalidOperation):
            self.fail(f"{value!r} is no amount: write one like '0.5 ether' or '20 gwei'", param)


def combined(*options: Callable[[Command], Command]) -> Callable[[Command], Command]:
    """Several options as one decorator, in the order of the help text."""

    def apply(command: Command) -> Command:
        for option in reversed(options):
            command = option(command)
        return command

    return apply


place_options = combined(
    click.option(
        "--deployment", type=existing_file, required=True, help="Record of the contracts."
    ),
    click.option("--store", type=folder_path, required=True, help="Folder of the content store."),
)

seller_options = combined(
    click.option("--data", type=existing_file, required=True, help="Own data, .npz."),
    click.option(
        "--tag", "tags", multiple=True, required=True, help="What the data is about; repeatable."
    ),
)

serving_options = combined(
    click.option("--jobs", type=int, help="Leave after this many jobs; without it, serve on."),
    click.option(
        "--patience",
        "patience_blocks",
        type=int,
        default=5,
        show_default=True,
        help="Blocks to leave an overdue job to others before pushing it on.",
    ),
)

request_options = combined(
    click.option("--tag", required=True, help="Sellers registered under it are matched."),
    click.option("--spec", type=existing_file, required=True, help="Job specification, JSON."),
    click.option("--evaluation", type=existing_file, required=True, help="Evaluation set, .npz."),
    click.option("--target", type=float, default=0.9, show_default=True, help="Accuracy to reach."),
    click.option("--rounds", type=int, default=10, show_default=True, help="Most global rounds."),
    click.option(
        "--byzantine", type=float, default=0.3, show_default=True, help="Tolerated share of nodes."
    ),
    click.option(
        "--error", type=float, default=0.001, show_default=True, help="Tolerated chance of error."
    ),
    click.option("--base", type=int, default=2, show_default=True, help="Execution sets' base."),
    click.option(
        "--window-blocks",
        type=int,
        default=50,
        show_default=True,
        help="Blocks to post updates, to commit, to reveal, to open: each this long at most.",
    ),
    click.option(
        "--auction-blocks", type=int, default=50, show_default=True, help="Blocks to bid in."
    ),
    click.option(
        "--increment", type=float, default=0.05, show_default=True, help="Least raise of a bid."
    ),
    click.option("--reserve", type=Wei(), default="0.01 ether", show_default=True),
)

auction_options = combined(
    click.option("--auction", "auction_id", type=int, required=True, help="Id of the auction."),
    click.option("--limit", type=Wei(), required=True, help="Highest bid, like '0.5 ether'."),
    click.option("--folder", type=folder_path, required=True, help="Where the model goes."),
    click.option(
        "--patience",
        "patience_blocks",
        type=int,
        default=0,
        show_default=True,
        help="Blocks to leave an overdue job to others before pushing it on.",
    ),
)


def rules_of(options: Mapping[str, Any], spec: JobSpec) -> Rules:
    """The request's rules out of `request_options`."""
    window = options["window_blocks"]
    return Rules(
        target_bps=round(options["target"] * BPS),
        rounds=options["rounds"],
        sample_size=spec.sample_size,
        byzantine_bps=round(options["byzantine"] * BPS),
        base=options["base"],
        error_ppm=round(options["error"] * PPM),
        update_blocks=window,
        commit_blocks=window,
        reveal_blocks=window,
        open_blocks=window,
    )


def terms_of(options: Mapping[str, Any]) -> Terms:
    """The auction's terms out of `request_options`."""
    increment = round(options["increment"] * BPS)
    return Terms(options["auction_blocks"], increment, options["reserve"])

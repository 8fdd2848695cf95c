"""Options that several commands share, and how options become groups.

A command gets each group of options as one value.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import wraps
from pathlib import Path
from typing import Any

import click
from eth_typing import ChecksumAddress

from d2m.cli import types
from d2m.parties.monitor import Address
from d2m.protocol.types import ETHER
from d2m.store.choice import NODE_VARIABLE

Command = Callable[..., Any]


existing_file = click.Path(exists=True, dir_okay=False, path_type=Path)


folder_path = click.Path(file_okay=False, path_type=Path)


def combined(*options: Callable[[Command], Command]) -> Callable[[Command], Command]:
    """Several options as one decorator, in the order of the help text."""

    def apply(command: Command) -> Command:
        for option in reversed(options):
            command = option(command)
        return command

    return apply


def gathered(
    name: str, group: type, *options: Callable[[Command], Command]
) -> Callable[[Command], Command]:
    """Options as one decorator; the command gets their values as `name`, a `group`."""

    def apply(command: Command) -> Command:
        @wraps(command)
        def gathering(*args: Any, **values: Any) -> Any:
            own = {field.name: values.pop(field.name) for field in fields(group)}
            return command(*args, **{name: group(**own)}, **values)

        return combined(*options)(gathering)

    return apply


@dataclass(frozen=True)
class Place:
    """The market's deployment, and the store that takes part in it."""

    deployment: Path
    store: Path | None
    ipfs: str | None


deployment_option = click.option(
    "--deployment",
    type=click.Path(exists=True, path_type=Path),
    required=True,
    help="Record of the contracts, or a folder of records by chain.",
)


store_options = combined(
    click.option(
        "--ipfs",
        help="RPC of an own IPFS node, like /ip4/127.0.0.1/tcp/5001; without it and --store, the"
        f" one that {NODE_VARIABLE} names.",
    ),
    click.option("--store", type=folder_path, help="Folder that takes the place of an IPFS node."),
)


place_options = gathered("place", Place, deployment_option, store_options)


max_fee_option = click.option(
    "--max-fee",
    type=types.price_of_gas,
    help="Most to pay per gas, like '200 gwei'; without it, whatever the chain asks for.",
)


@dataclass(frozen=True)
class Serving:
    """How a seller or a CONE node serves."""

    to: ChecksumAddress | None
    least_withdrawal: int | None
    pay_tokens: tuple[str, ...]
    jobs: int | None
    patience_blocks: int
    metrics_address: Address | None


auction_option = click.option(
    "--auction", "auction_id", type=types.number_of, required=True, help="Id of the auction."
)


token_option = click.option(
    "--token", type=types.ChainAddress(), default=ETHER, help="ERC-20 token; without it, ether."
)


to_option = click.option(
    "--to",
    type=types.Recipient(),
    help="Who gets what is withdrawn; without it, the account itself.",
)


least_option = click.option(
    "--least-withdrawal",
    type=types.Wei(),
    help="Least ether that is withdrawn, like '0.01 ether'; without it, more than that costs.",
)


patience_option = click.option(
    "--patience",
    "patience_blocks",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    help="Blocks to leave an overdue job to others before pushing it on.",
)


serving_options = gathered(
    "serving",
    Serving,
    to_option,
    least_option,
    click.option(
        "--pay-token",
        "pay_tokens",
        type=types.ChainAddress(),
        multiple=True,
        help="ERC-20 token whose pay is withdrawn, too; repeatable. Pay in others stays a credit.",
    ),
    click.option(
        "--jobs", type=click.IntRange(1), help="Leave after this many jobs; without it, serve on."
    ),
    click.option(
        "--patience",
        "patience_blocks",
        type=click.IntRange(0),
        default=5,
        show_default=True,
        help="Blocks to leave an overdue job to others before pushing it on.",
    ),
    click.option(
        "--metrics",
        "metrics_address",
        type=types.Address(),
        help="Serve /metrics (Prometheus) and /healthz there; without it, nowhere.",
    ),
)

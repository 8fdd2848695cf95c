"""Command-line options of the parties, the same with a key file and with a wallet."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

import click
from eth_utils.address import is_address, to_checksum_address
from eth_utils.currency import to_wei

from offchain.chain.records import BPS, ETHER, PPM, AuctionKind, Rules, Terms
from offchain.learning.spec import JobSpec
from offchain.parties.monitor import parse_address
from offchain.privacy.errors import PrivacyError
from offchain.privacy.seller import PrivateTraining
from offchain.privacy.terms import KINDS as PRIVACY_KINDS
from offchain.privacy.terms import PrivacyTerms
from offchain.store.choice import NODE_VARIABLE

Command = Callable[..., Any]

KINDS = {
    "open": AuctionKind.OPEN,
    "sealed-first": AuctionKind.SEALED_FIRST_PRICE,
    "sealed-second": AuctionKind.SEALED_SECOND_PRICE,
}
"""Auction kinds by the names that the commands use."""

existing_file = click.Path(exists=True, dir_okay=False, path_type=Path)
folder_path = click.Path(file_okay=False, path_type=Path)


class Wei(click.ParamType):
    """An amount with its unit: `0.5 ether`, `20 gwei`; without one, in the smallest unit."""

    name = "amount"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """The amount in wei."""
        if isinstance(value, int):
            return value
        if value.isdecimal():
            return int(value)
        try:
            number, unit = value.split()
            return to_wei(Decimal(number), unit)
        except (ValueError, InvalidOperation):
            self.fail(f"{value!r} is no amount: write one like '0.5 ether' or '20 gwei'", param)


class Token(click.ParamType):
    """The address of an ERC-20 token."""

    name = "address"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The address with its checksum."""
        if not is_address(value):
            self.fail(f"{value!r} is no address: write 0x and 40 hexadecimal digits", param)
        return str(to_checksum_address(value))


class Address(click.ParamType):
    """Where to listen, HOST:PORT."""

    name = "host:port"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, int]:
        """Host and port."""
        try:
            return parse_address(value)
        except ValueError:
            self.fail(f"{value!r} is no address: write one like '127.0.0.1:9464'", param)


def combined(*options: Callable[[Command], Command]) -> Callable[[Command], Command]:
    """Several options as one decorator, in the order of the help text."""

    def apply(command: Command) -> Command:
        for option in reversed(options):
            command = option(command)
        return command

    return apply


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

reading_options = combined(deployment_option, store_options)

max_fee_option = click.option(
    "--max-fee",
    type=Wei(),
    help="Most to pay per gas, like '200 gwei'; without it, whatever the chain asks for.",
)

place_options = combined(reading_options, max_fee_option)

seller_options = combined(
    click.option("--data", type=existing_file, required=True, help="Own data, .npz."),
    click.option(
        "--tag", "tags", multiple=True, required=True, help="What the data is about; repeatable."
    ),
    click.option("--offer", "offer_id", type=int, help="Change this offer instead of a new one."),
)

privacy_options = combined(
    click.option(
        "--privacy",
        type=click.Choice(PRIVACY_KINDS),
        help="Train with differential privacy: of each record, or of the whole data set at once.",
    ),
    click.option("--clip", type=float, help="L2 norm that gradients, or the update, are cut to."),
    click.option("--noise", type=float, help="Deviation of the added noise, in clips."),
    click.option("--epsilon", type=float, help="Budget of privacy ε; rounds past it are sat out."),
    click.option("--delta", type=float, help="Its δ, well below one over the number of records."),
    click.option(
        "--ledger",
        type=folder_path,
        help="Own folder that keeps what privacy was spent; back it up.",
    ),
)

statement_options = combined(
    privacy_options,
    click.option("--data", type=existing_file, help="With --spec: tell what a round would cost."),
    click.option("--spec", type=existing_file, help="Job specification, JSON."),
)

offer_option = click.option("--offer", "offer_id", type=int, required=True, help="Id of the offer.")

auction_option = click.option(
    "--auction", "auction_id", type=int, required=True, help="Id of the auction."
)

token_option = click.option(
    "--token", type=Token(), default=ETHER, help="ERC-20 token; without it, ether."
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
    click.option(
        "--metrics",
        "metrics_address",
        type=Address(),
        help="Serve /metrics (Prometheus) and /healthz there; without it, nowhere.",
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
        "--auction-blocks", type=int, default=50, show_default=True, help="Blocks to bid in."
    ),
    click.option(
        "--reveal-blocks",
        type=int,
        default=50,
        show_default=True,
        help="Blocks to reveal sealed bids in.",
    ),
    click.option(
        "--increment",
        type=float,
        default=0.05,
        show_default=True,
        help="Least raise of an open bid.",
    ),
    click.option(
        "--reserve", type=Wei(), default="0.01 ether", show_default=True, help="Least bid."
    ),
)

patience_option = click.option(
    "--patience",
    "patience_blocks",
    type=int,
    default=0,
    show_default=True,
    help="Blocks to leave an overdue job to others before pushing it on.",
)

auction_options = combined(
    auction_option,
    click.option(
        "--limit",
        type=Wei(),
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
)

keys_options = combined(auction_option, patience_option)


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
        judge_blocks=window,
    )


def terms_of(options: Mapping[str, Any]) -> Terms:
    """The auction's terms out of `request_options`."""
    kind = KINDS[options["kind"]]
    is_open = kind == AuctionKind.OPEN
    return Terms(
        kind=kind,
        token=options["token"],
        window_blocks=options["auction_blocks"],
        reveal_blocks=0 if is_open else options["reveal_blocks"],
        increment_bps=round(options["increment"] * BPS) if is_open else 0,
        reserve=options["reserve"],
    )


def privacy_of(options: dict[str, Any]) -> PrivateTraining | None:
    """Take `privacy_options` out of `options`; None without --privacy. Raises PrivacyError."""
    kind = options.pop("privacy")
    chosen = {name: options.pop(name) for name in ("clip", "noise", "epsilon", "delta", "ledger")}
    given = [f"--{name}" for name, value in chosen.items() if value is not None]
    if kind is None:
        if given:
            raise PrivacyError(
                f"{', '.join(given)} without --privacy protects nothing: add --privacy"
                f" {PRIVACY_KINDS[0]} or --privacy {PRIVACY_KINDS[1]}"
            )
        return None
    missing = [f"--{name}" for name, value in chosen.items() if value is None]
    if missing:
        raise PrivacyError(
            f"--privacy needs {', '.join(missing)} too, such as --clip 1.0 --noise 1.1 --epsilon 8"
            " --delta 1e-5 --ledger privacy"
        )
    folder = chosen.pop("ledger")
    return PrivateTraining(PrivacyTerms(kind, **chosen), folder)

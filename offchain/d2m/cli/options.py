"""Options of the commands, in groups: a command gets each group as one value.

They are the same with a key file (`d2m …`) and with any account of Ape (`ape run …`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from functools import wraps
from pathlib import Path
from typing import Any

import click
from eth_typing import ChecksumAddress

from d2m.cli import types
from d2m.errors import PartyError
from d2m.learning.spec import JobSpec
from d2m.parties.monitor import Address
from d2m.parties.seller.private import PrivateTraining
from d2m.privacy.errors import PrivacyError
from d2m.privacy.terms import KINDS as PRIVACY_KINDS
from d2m.privacy.terms import PrivacyTerms
from d2m.protocol import bounds
from d2m.protocol.constants import BPS, PPM
from d2m.protocol.types import ETHER, AuctionKind, Rules, Terms
from d2m.store.choice import NODE_VARIABLE

Command = Callable[..., Any]

KINDS = {
    "open": AuctionKind.OPEN,
    "sealed-first": AuctionKind.SEALED_FIRST_PRICE,
    "sealed-second": AuctionKind.SEALED_SECOND_PRICE,
}
"""Auction kinds by the names that the commands use."""

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


# --- where the market is


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


# --- the seller


@dataclass(frozen=True)
class Offering:
    """A seller's data and what it is offered under."""

    data: Path
    tags: tuple[str, ...]
    offer_id: int | None


@dataclass(frozen=True)
class Privacy:
    """Differential privacy of a seller's training; none where `mechanism` is None."""

    mechanism: str | None
    clip: float | None
    noise: float | None
    epsilon: float | None
    delta: float | None
    ledger: Path | None


@dataclass(frozen=True)
class Serving:
    """How a seller or a CONE node serves."""

    to: ChecksumAddress | None
    jobs: int | None
    patience_blocks: int
    metrics_address: Address | None


def _check_tags(_ctx: click.Context, _param: click.Parameter, tags: tuple[str, ...]) -> Any:
    if len(set(tags)) != len(tags):
        raise click.BadParameter(f"{', '.join(tags)}: a tag is named twice")
    if len(tags) > bounds.TAGS.most:
        raise click.BadParameter(
            f"{len(tags)} tags are named: an offer has up to {bounds.TAGS.most}"
        )
    return tags


offering_options = gathered(
    "offering",
    Offering,
    click.option("--data", type=existing_file, required=True, help="Own data, .npz."),
    click.option(
        "--tag",
        "tags",
        type=types.Tag(),
        multiple=True,
        required=True,
        callback=_check_tags,
        help="What the data is about; repeatable.",
    ),
    click.option(
        "--offer", "offer_id", type=types.number_of, help="Change this offer instead of a new one."
    ),
)

privacy_options = gathered(
    "privacy",
    Privacy,
    click.option(
        "--privacy",
        "mechanism",
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

forecast_options = combined(
    click.option("--data", type=existing_file, help="With --spec: tell what a round would cost."),
    click.option("--spec", type=existing_file, help="Job specification, JSON."),
)

offer_option = click.option(
    "--offer", "offer_id", type=types.number_of, required=True, help="Id of the offer."
)

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

serving_options = gathered(
    "serving",
    Serving,
    to_option,
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


# --- the buyer


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

patience_option = click.option(
    "--patience",
    "patience_blocks",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    help="Blocks to leave an overdue job to others before pushing it on.",
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
)

keys_options = combined(auction_option, patience_option)


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


def privacy_of(options: Privacy) -> PrivateTraining | None:
    """The private training that was chosen; None without --privacy. Raises PrivacyError."""
    chosen = {
        "clip": options.clip,
        "noise": options.noise,
        "epsilon": options.epsilon,
        "delta": options.delta,
        "ledger": options.ledger,
    }
    given = [f"--{name}" for name, value in chosen.items() if value is not None]
    if options.mechanism is None:
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
    folder: Any = chosen.pop("ledger")
    terms: dict[str, Any] = chosen
    return PrivateTraining(PrivacyTerms(options.mechanism, **terms), folder)

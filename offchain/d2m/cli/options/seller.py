"""Options of sellers: their data, and the privacy of their training."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from d2m.cli import types
from d2m.cli.options.common import combined, existing_file, folder_path, gathered
from d2m.parties.seller.private import PrivateTraining
from d2m.privacy.errors import PrivacyError
from d2m.privacy.terms import KINDS as PRIVACY_KINDS
from d2m.privacy.terms import PrivacyTerms
from d2m.protocol import bounds


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

"""The seller's commands: offer data, serve, pause or end an offer."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import click
import torch
from eth_typing import ChecksumAddress

from d2m.cli.access import Access, Caller
from d2m.cli.commands.serving import after, end_dry, no_gate, serve
from d2m.cli.estimates import estimate_seller
from d2m.cli.options.common import Place, Serving, place_options, serving_options, to_option
from d2m.cli.options.seller import (
    Offering,
    Privacy,
    forecast_options,
    offer_option,
    offering_options,
    privacy_of,
    privacy_options,
)
from d2m.cli.session import Session, one_line_errors
from d2m.cli.specification import read_spec
from d2m.data.files import read_samples
from d2m.parties.daemon import stop_on_signals
from d2m.parties.monitor import monitored
from d2m.parties.seller import offers
from d2m.parties.seller.seller import Samples, Seller, Trainer, train_honestly
from d2m.privacy.errors import PrivacyError
from d2m.privacy.statement import forecast, statement
from d2m.protocol.amounts import shown_amount
from d2m.protocol.types import text_of


def serve_seller(
    session: Session,
    offering: Offering,
    privacy: Privacy,
    serving: Serving,
    *,
    training: Trainer = train_honestly,
    gate: Callable[[], None] = no_gate,
) -> None:
    """Offer the data and serve as its seller; what it earns goes to `serving.to`."""
    torch.set_num_threads(1)  # sellers share a machine in the demo; local models are small
    samples = Samples(*read_samples(offering.data))
    private = privacy_of(privacy)
    if private is not None:
        if training is not train_honestly:
            raise PrivacyError(
                "--privacy is for honest sellers: leave --behaviour or --privacy out"
            )
        private.check(samples)
    store = session.store  # before anybody is asked
    gate()
    if session.confirmation is not None:
        tags = len(offering.tags)
        session.confirmation.confirm(estimate_seller(session.market, offering.offer_id, tags))
    session.chain.settle_earlier()
    seller = Seller(
        session.chain,
        store,
        session.key,
        samples,
        offer_id=ensure_offer(session, samples, offering),
        training=private or training,
        patience_blocks=serving.patience_blocks,
    )
    if session.is_dry:  # a look would train, which spends of a privacy budget
        end_dry(session)
        return
    seller.pay_to = serving.to or seller.pay_to
    seller.tokens = frozenset(serving.pay_tokens)
    seller.least_withdrawal = serving.least_withdrawal
    stop_on_signals(seller)
    with monitored(serving.metrics_address, seller.health):
        serve(session, seller, until=after(serving.jobs, seller))


def ensure_offer(session: Session, samples: Samples, offering: Offering) -> int:
    """Have the data stand under its tags; the offer's id."""
    described = {"tags": sorted(offering.tags), "samples": len(samples.labels)}
    return offers.ensure_offered(
        session.market,
        session.store,
        offering.tags,
        json.dumps(described).encode(),
        bytes(session.key.public_key),
        offering.offer_id,
    )


def state_privacy(privacy: Privacy, data: Path | None, spec: Path | None) -> Iterator[str]:
    """Lines on what a ledger has spent and, with data and job, on what a round would cost."""
    folder, epsilon, delta = privacy.ledger, privacy.epsilon, privacy.delta
    if folder is None or epsilon is None or delta is None:
        given = {"ledger": folder, "epsilon": epsilon, "delta": delta}
        missing = [f"--{name}" for name, value in given.items() if value is None]
        raise PrivacyError(f"say {', '.join(missing)}: the folder and the budget of the seller")
    yield statement(folder, epsilon, delta)
    if data is None and spec is None:
        return
    private = privacy_of(privacy)
    if data is None or spec is None or private is None:
        raise PrivacyError(
            "the cost of a round takes --data, --spec, --privacy, --clip and --noise"
        )
    _inputs, labels = read_samples(data)
    yield forecast(folder, private.terms, len(labels), read_spec(spec).training)


def commands(access: Access) -> click.Group:
    """The group `seller`."""

    @click.group()
    def seller() -> None:
        """Offer data, serve as its seller, pause or end an offer."""

    @access.signing
    @place_options
    @offering_options
    @privacy_options
    @serving_options
    def serve(
        caller: Caller, place: Place, offering: Offering, privacy: Privacy, serving: Serving
    ) -> None:
        """Offer a data file, train when sampled, collect the share.

        The data stays in this process.
        """
        with caller.session(place, serves=True) as session:
            serve_seller(session, offering, privacy, serving)

    @access.signing
    @place_options
    @offering_options
    def offer(caller: Caller, place: Place, offering: Offering) -> None:
        """Offer a data file for one bond, or change an offer; prints its id."""
        with caller.session(place) as session:
            samples = Samples(*read_samples(offering.data))
            offer_id = ensure_offer(session, samples, offering)
            caller.answer(f"offer {offer_id}", offer=offer_id)

    @click.command()
    @privacy_options
    @forecast_options
    def privacy(privacy: Privacy, data: Path | None, spec: Path | None) -> None:
        """Show how much of a privacy budget is spent, and what a job's round would cost."""
        with one_line_errors():
            for line in state_privacy(privacy, data, spec):
                click.echo(line)

    def list_(caller: Caller, place: Place) -> None:
        """Show the account's offers that have not left."""
        with caller.session(place) as session:
            for offer_id, each in offers.standing_offers(session.market).items():
                tags = [text_of(tag) for tag in each.tags]
                state = "listed" if each.listed else "paused"
                text = f"offer {offer_id}: {state}, {', '.join(tags)}"
                caller.answer(text, offer=offer_id, state=state, tags=tags, bond=each.bond)

    @access.signing
    @place_options
    @offer_option
    def pause(caller: Caller, place: Place, offer_id: int) -> None:
        """Take an offer off its tags; running jobs keep it."""
        with caller.session(place) as session:
            offers.pause(session.market, offer_id)
            caller.answer(f"offer {offer_id} is paused", offer=offer_id, state="paused")

    @access.signing
    @place_options
    @offer_option
    def resume(caller: Caller, place: Place, offer_id: int) -> None:
        """Put a paused offer back under its tags."""
        with caller.session(place) as session:
            offers.resume(session.market, offer_id)
            caller.answer(f"offer {offer_id} is listed", offer=offer_id, state="listed")

    @access.signing
    @place_options
    @offer_option
    def leave(caller: Caller, place: Place, offer_id: int) -> None:
        """End an offer; running jobs keep it, its bond follows a day of blocks later."""
        with caller.session(place) as session:
            block = offers.leave(session.market, offer_id)
            text = f"offer {offer_id} has left: its bond can be withdrawn from block {block} on"
            caller.answer(text, offer=offer_id, state="left", unlock_block=block)

    @access.signing
    @place_options
    @offer_option
    @to_option
    def withdraw_bond(
        caller: Caller, place: Place, offer_id: int, to: ChecksumAddress | None
    ) -> None:
        """Take the bond of an offer that has left."""
        with caller.session(place) as session:
            amount = session.market.registry.withdraw_bond(offer_id, to)
            text = f"withdrew the bond of offer {offer_id}: {shown_amount(amount)}"
            caller.answer(text, offer=offer_id, amount=amount)

    for command in (serve, offer, privacy, pause, resume, leave):
        seller.add_command(command)
    seller.add_command(access.signing(place_options(list_), asks=False), "list")
    seller.add_command(withdraw_bond, "withdraw-bond")
    return seller

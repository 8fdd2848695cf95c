"""The buyer's and the requester's commands: specification, auction, bids, keys, withdrawal."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from pathlib import Path

import click
import torch
from eth_typing import ChecksumAddress

from d2m.cli.access import Access, Caller
from d2m.cli.commands.serving import no_gate, serve
from d2m.cli.estimates import estimate_bid, estimate_keys
from d2m.cli.options.buyer import (
    Bidding,
    Request,
    bidding_options,
    request_options,
    rules_of,
    terms_of,
)
from d2m.cli.options.common import (
    Place,
    auction_option,
    existing_file,
    patience_option,
    place_options,
    to_option,
    token_option,
)
from d2m.cli.session import Session, one_line_errors
from d2m.cli.specification import proposed_spec, read_spec
from d2m.data.errors import DataError
from d2m.data.files import read_samples
from d2m.errors import PartyError
from d2m.learning.defaults import SPECS
from d2m.learning.spec import JobSpec
from d2m.learning.updates import EvaluationSet, check_evaluation
from d2m.parties.buyer.buyer import Bid, Buyer
from d2m.parties.buyer.requester import Requester, make_request
from d2m.parties.daemon import stop_on_signals
from d2m.parties.secrets import bid_secret
from d2m.protocol.amounts import shown_amount
from d2m.protocol.types import ETHER, Rules, Terms
from d2m.sealing.keys import KEY_BYTES, JobKey

SEED_BYTES = 32


def open_requested(session: Session, request: Request) -> int:
    """Open an auction for a job specification file and an evaluation data file; its id."""
    job_spec = read_spec(request.spec)
    samples = EvaluationSet(*read_samples(request.evaluation))
    try:
        check_evaluation(samples, job_spec.model)
    except ValueError as error:
        raise DataError(
            f"{request.evaluation} does not fit the model of {request.spec}: {error}"
        ) from error
    rules, terms = rules_of(request, job_spec), terms_of(request)
    return open_for(session, request.tag, job_spec, samples, rules, terms)


def open_for(
    session: Session,
    tag: str,
    spec: JobSpec,
    evaluation: EvaluationSet,
    rules: Rules,
    terms: Terms,
) -> int:
    """Open an auction under a new job key of the account; its id."""
    _check_token(session, terms.token)
    request_id = secrets.token_bytes(KEY_BYTES)
    key = JobKey.made_by(session.request_secret, request_id)
    asked = (tag, spec, evaluation, rules)
    request = make_request(session.market, session.store, key, request_id, *asked)
    return session.market.auctions.open(request, terms)


def _check_token(session: Session, token: str) -> None:
    if token != ETHER and not session.chain.has_code(token):
        raise PartyError(
            f"--token {token} has no code on this chain: name the contract of an ERC-20 token"
        )


def serve_buyer(session: Session, bidding: Bidding, *, gate: Callable[[], None] = no_gate) -> None:
    """Bid up to the limit, keep a won job moving, and receive its model into the folder.

    The returned money goes to `bidding.to`, by default to the account.
    """
    torch.set_num_threads(1)
    chain, store = session.chain, session.store  # before anybody is asked
    house = chain.deployment.contracts["AuctionHouse"]
    secret = bid_secret(session.signer, chain.deployment.chain_id, house)
    buyer = Buyer(
        chain,
        store,
        session.key,
        session.request_secret,
        auction_id=bidding.auction_id,
        bid=Bid(bidding.limit, secret, bidding.larger_deposit),
        folder=bidding.folder,
        patience_blocks=bidding.patience_blocks,
    )
    buyer.pay_to = bidding.to or buyer.pay_to
    buyer.least_withdrawal = bidding.least_withdrawal
    if session.confirmation is not None:
        if not session.is_dry:  # a dry run only looks
            buyer.wait_until_there()
        asked = (bidding.auction_id, bidding.limit)
        estimate = estimate_bid(session.market, *asked, larger_deposit=bidding.larger_deposit)
        session.confirmation.confirm(estimate)
    stop_on_signals(buyer)
    gate()
    chain.settle_earlier()
    serve(session, buyer, until=lambda: buyer.is_out or buyer.jobs_ended > 0)


def serve_keys(session: Session, auction_id: int, patience_blocks: int) -> None:
    """Stay until the key of the job that comes of an own auction is handed out."""
    store = session.store  # before anybody is asked
    opener = Requester(
        session.chain,
        store,
        session.key,
        session.request_secret,
        auction_id=auction_id,
        patience_blocks=patience_blocks,
    )
    if session.confirmation is not None:
        session.confirmation.confirm(estimate_keys(session.market, auction_id))
    stop_on_signals(opener)
    session.chain.settle_earlier()
    serve(session, opener, until=lambda: opener.is_done)


def commands(access: Access) -> click.Group:
    """The group `buyer`."""

    @click.group()
    def buyer() -> None:
        """Write a job specification, open an auction, bid and receive the model."""

    @buyer.command()
    @click.argument("dataset", type=click.Choice(sorted(SPECS)))
    @click.option(
        "--network",
        "exported",
        type=existing_file,
        help="Network of torch.export.save, .pt2, in place of the proposed one.",
    )
    def spec(dataset: str, exported: Path | None) -> None:
        """Print the job specification proposed for a data set, with fresh initial weights."""
        with one_line_errors():
            click.echo(proposed_spec(dataset, secrets.token_bytes(SEED_BYTES), exported))

    @access.signing
    @place_options
    @request_options
    def open_(caller: Caller, place: Place, request: Request) -> None:
        """Open an auction for a model; prints its id. Then `bid` in it, or leave `keys` running."""
        with caller.session(place) as session:
            auction_id = open_requested(session, request)
            caller.answer(f"auction {auction_id}", auction=auction_id)
        program = f"{access.program} buyer"
        click.echo(
            f"Run `{program} bid --auction {auction_id}` next, or, if this account does not bid,"
            f" `{program} keys --auction {auction_id}`: either hands the job's key to its members"
            " when the auction is over. Without it nobody can compute, and the job fails.",
            err=True,
        )

    @access.signing
    @place_options
    @auction_option
    @patience_option
    def keys(caller: Caller, place: Place, auction_id: int, patience_blocks: int) -> None:
        """Hand the key of an own auction's job to its members; stays until that is done."""
        with caller.session(place, serves=True) as session:
            serve_keys(session, auction_id, patience_blocks)

    @access.signing
    @place_options
    @bidding_options
    def bid(caller: Caller, place: Place, bidding: Bidding) -> None:
        """Bid up to the limit, keep a won job moving, receive and check its model."""
        with caller.session(place, serves=True) as session:
            serve_buyer(session, bidding)

    @access.signing
    @place_options
    @auction_option
    def cancel(caller: Caller, place: Place, auction_id: int) -> None:
        """Take back an own auction that nobody has bid in."""
        with caller.session(place) as session:
            session.market.auctions.cancel(auction_id)
            text = f"auction {auction_id} is cancelled"
            caller.answer(text, auction=auction_id, state="cancelled")

    @access.signing
    @place_options
    @token_option
    @to_option
    def withdraw(caller: Caller, place: Place, token: str, to: ChecksumAddress | None) -> None:
        """Withdraw what the market owes the account, in ether or in a token."""
        with caller.session(place) as session:
            amount = session.market.escrow.withdraw(token, to)
            caller.answer(f"withdrew {shown_amount(amount, token)}", amount=amount, token=token)

    buyer.add_command(open_, "open")
    for command in (keys, bid, cancel, withdraw):
        buyer.add_command(command)
    return buyer

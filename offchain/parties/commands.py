"""Actions of a party's commands, whoever signs: a key file or an Ape account."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import click
import torch
from eth_typing import ChecksumAddress
from nacl.public import PrivateKey

from offchain import metrics
from offchain.chain.artifacts import MANIFEST, load_artifacts
from offchain.chain.client import Chain, read_deployment
from offchain.chain.errors import ChainError, Reverted
from offchain.chain.records import ETHER, Rules, Terms
from offchain.chain.signer import Signer
from offchain.chain.transactions import Receipt
from offchain.data.errors import DataError
from offchain.data.files import read_samples
from offchain.learning.canonical import SpecError, encode_json
from offchain.learning.defaults import SPECS
from offchain.learning.exported import read_exported
from offchain.learning.spec import JobSpec
from offchain.learning.updates import EvaluationSet, check_evaluation
from offchain.parties.buyer import Bid, Buyer
from offchain.parties.cone import ConeNode, Voting, vote_honestly
from offchain.parties.errors import PartyError, explained
from offchain.parties.keys import bid_secret, encryption_key, request_secret, salt_secret
from offchain.parties.ledger import Ledger
from offchain.parties.monitor import Address, monitored
from offchain.parties.offers import ensure_offered
from offchain.parties.opener import Opener, make_request, open_auction
from offchain.parties.options import privacy_of, rules_of, terms_of
from offchain.parties.party import Party, stop_on_signals
from offchain.parties.plans import bid_plan, cone_plan, keys_plan, seller_plan
from offchain.parties.seller import Samples, Seller, Training, train_honestly
from offchain.parties.wallet import Wallet
from offchain.privacy.errors import PrivacyError
from offchain.privacy.statement import forecast, statement
from offchain.sealing.errors import SealError
from offchain.sealing.keys import KEY_BYTES, JobKey
from offchain.store.choice import open_store
from offchain.store.errors import InvalidCid, StoreError
from offchain.store.local import Store

USER_ERRORS = (
    ChainError,
    StoreError,
    InvalidCid,
    DataError,
    SpecError,
    PartyError,
    PrivacyError,
    SealError,
)
"""Errors that a user can mend: shown as one line, without a traceback."""


@dataclass(frozen=True)
class Session:
    """A party's connections: chain, store and who signs."""

    chain: Chain
    open_store: Callable[[], Store]
    """Only some commands need content: the others take no store and ask none."""
    signer: Signer
    wallet: Wallet | None = None
    """Shows and asks; None: a daemon's key file signs unattended."""

    @cached_property
    def store(self) -> Store:
        """The store that was named. Raises StoreError."""
        return self.open_store()

    @cached_property
    def ledger(self) -> Ledger:
        """Reads of the contracts, and the way to send to them."""
        return Ledger(self.chain)

    @cached_property
    def key(self) -> PrivateKey:
        """Key that opens content sealed to the account."""
        return encryption_key(self.signer)

    @cached_property
    def request_secret(self) -> bytes:
        """The keys of the account's requests follow from it."""
        deployment = self.chain.deployment
        house = deployment.contracts["AuctionHouse"]
        return request_secret(self.signer, deployment.chain_id, house)

    @property
    def is_dry(self) -> bool:
        """Whether nothing is to be sent: who serves looks once."""
        return self.wallet is not None and self.wallet.manner.dry_run


def no_gate() -> None:
    """Go to the chain at once."""


def connect(
    rpc: str,
    deployment: Path,
    store: Path | None,
    ipfs: str | None,
    signer: Signer,
    max_fee: int | None = None,
    wallet: Wallet | None = None,
) -> Session:
    """Open a party's connections; its store is the IPFS node `ipfs` or the folder `store`.

    `max_fee` in wei per gas.
    """

    def report(receipt: Receipt) -> None:
        _count(receipt)
        if wallet is not None:
            wallet.report(chain, receipt)

    record = read_deployment(deployment, rpc)
    chain = Chain(
        rpc,
        record,
        load_artifacts(MANIFEST),
        signer,
        on_receipt=report,
        on_replaced=lambda step: metrics.REPLACED.labels(step).inc(),
        on_ready=wallet.approve if wallet is not None else None,
        max_fee=max_fee,
    )
    return Session(chain, lambda: open_store(store, ipfs), signer, wallet)


def _count(receipt: Receipt) -> None:
    outcome = "succeeded" if receipt.succeeded else "reverted"
    metrics.TRANSACTIONS.labels(receipt.step, outcome).inc()
    metrics.FEES.inc(receipt.fee)


@contextmanager
def one_line_errors(wallet: Wallet | None = None) -> Iterator[None]:
    """Turn what a user can mend into one line and exit status 1; `wallet` tells machines of it."""
    try:
        yield
    except USER_ERRORS as error:
        message = explained(error) if isinstance(error, Reverted) else str(error)
        if wallet is not None:
            wallet.failed(error, message)
        raise click.ClickException(message) from error


def run_seller(
    session: Session,
    *,
    data: Path,
    tags: Sequence[str],
    offer_id: int | None,
    patience_blocks: int,
    jobs: int | None,
    metrics_address: Address | None = None,
    to: ChecksumAddress | None = None,
    training: Training = train_honestly,
    gate: Callable[[], None] = no_gate,
    **privacy: Any,
) -> None:
    """Offer the data and serve as its seller; `privacy` are the options of `privacy_options`.

    Its earnings go to `to`, by default to the account.
    """
    torch.set_num_threads(1)  # sellers share a machine in the demo; local models are small
    samples = Samples(*read_samples(data))
    private = privacy_of(privacy)
    if private is not None:
        if training is not train_honestly:
            raise PrivacyError(
                "--privacy is for honest sellers: leave --behaviour or --privacy out"
            )
        private.check(samples)
    store = session.store  # before anybody is asked
    gate()
    if session.wallet is not None:
        session.wallet.agree(seller_plan(session.ledger, offer_id, len(tags)))
    session.chain.settle_earlier()
    seller = Seller(
        session.chain,
        store,
        session.key,
        samples,
        offer_id=_offer(session, samples, tags, offer_id),
        training=private or training,
        patience_blocks=patience_blocks,
    )
    if session.is_dry:  # a look would train, which spends of a privacy budget
        _end_dry(session)
        return
    seller.pay_to = to or seller.pay_to
    stop_on_signals(seller)
    with monitored(metrics_address, seller.health):
        _serve(session, seller, until=_after(jobs, seller))


def run_privacy(data: Path | None, spec: Path | None, options: dict[str, Any]) -> Iterator[str]:
    """Lines on what a ledger has spent and, with data and job, on what a round would cost."""
    needed = ("ledger", "epsilon", "delta")
    missing = [f"--{name}" for name in needed if options[name] is None]
    if missing:
        raise PrivacyError(f"say {', '.join(missing)}: the folder and the budget of the seller")
    folder, epsilon, delta = (options[name] for name in needed)
    yield statement(folder, epsilon, delta)
    if data is None and spec is None:
        return
    private = privacy_of(options)
    if data is None or spec is None or private is None:
        raise PrivacyError(
            "the cost of a round takes --data, --spec, --privacy, --clip and --noise"
        )
    _inputs, labels = read_samples(data)
    yield forecast(folder, private.terms, len(labels), read_spec(spec).training)


def run_offer(
    session: Session, *, data: Path, tags: Sequence[str], offer_id: int | None = None
) -> int:
    """Offer the data without serving; the offer's id."""
    return _offer(session, Samples(*read_samples(data)), tags, offer_id)


def _offer(session: Session, samples: Samples, tags: Sequence[str], offer_id: int | None) -> int:
    description = json.dumps({"tags": sorted(tags), "samples": len(samples.labels)}).encode()
    key = bytes(session.key.public_key)
    return ensure_offered(session.ledger, session.store, tags, description, key, offer_id)


def run_cone(
    session: Session,
    *,
    patience_blocks: int,
    jobs: int | None,
    metrics_address: Address | None = None,
    to: ChecksumAddress | None = None,
    voting: Voting = vote_honestly,
    gate: Callable[[], None] = no_gate,
) -> None:
    """Stake and serve as a CONE node; what it earns goes to `to`, by default to the account."""
    torch.set_num_threads(1)
    chain, store = session.chain, session.store  # before anybody is asked
    if session.wallet is not None:
        session.wallet.agree(cone_plan(session.ledger))
    yoda = chain.deployment.contracts["Yoda"]
    node = ConeNode(
        chain,
        store,
        session.key,
        salt_secret(session.signer, chain.deployment.chain_id, yoda),
        voting=voting,
        patience_blocks=patience_blocks,
    )
    node.pay_to = to or node.pay_to
    stop_on_signals(node)
    gate()
    chain.settle_earlier()
    node.join()
    with monitored(metrics_address, node.health):
        _serve(session, node, until=_after(jobs, node))


def read_spec(path: Path) -> JobSpec:
    """A job specification that a person may have edited: any JSON layout. Raises SpecError."""
    try:
        return JobSpec.from_bytes(encode_json(json.loads(path.read_text())))
    except ValueError as error:
        raise SpecError(f"{path}: {error}") from error


def proposed_spec(dataset: str, init_seed: bytes, exported: Path | None = None) -> bytes:
    """The specification proposed for a data set, as canonical bytes.

    A network exported with torch.export takes the place of the proposed one; its inputs are centred
    alike. Raises SpecError, with the file's name.
    """
    spec = SPECS[dataset](init_seed)
    if exported is not None:
        spec = replace(spec, model=read_exported(exported, spec.model.input_centre))
    data = spec.to_bytes()
    try:
        JobSpec.from_bytes(data)  # what its readers would refuse is refused here
    except ValueError as error:
        raise SpecError(f"{exported or dataset}: {error}") from error
    return data


def run_open(session: Session, *, tag: str, spec: Path, evaluation: Path, **options: Any) -> int:
    """Open an auction for a job specification file and an evaluation data file; its id.

    `options` are the remaining ones of `request_options`.
    """
    job_spec = read_spec(spec)
    samples = EvaluationSet(*read_samples(evaluation))
    try:
        check_evaluation(samples, job_spec.model)
    except ValueError as error:
        raise DataError(f"{evaluation} does not fit the model of {spec}: {error}") from error
    return open_for(session, tag, job_spec, samples, rules_of(options, job_spec), terms_of(options))


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
    request = make_request(session.ledger, session.store, key, request_id, *asked)
    return open_auction(session.chain, request, terms)


def _check_token(session: Session, token: str) -> None:
    if token != ETHER and not session.chain.has_code(token):
        raise PartyError(
            f"--token {token} has no code on this chain: name the contract of an ERC-20 token"
        )


def run_buyer(
    session: Session,
    *,
    auction_id: int,
    limit: int,
    larger_deposit: bool,
    folder: Path,
    patience_blocks: int,
    to: ChecksumAddress | None = None,
    gate: Callable[[], None] = no_gate,
) -> None:
    """Bid up to `limit`, keep a won job moving, and receive its model into `folder`.

    The returned money goes to `to`, by default to the account.
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
        auction_id=auction_id,
        bid=Bid(limit, secret, larger_deposit),
        folder=folder,
        patience_blocks=patience_blocks,
    )
    buyer.pay_to = to or buyer.pay_to
    if session.wallet is not None:
        _wait_for_auction(session, buyer)
        plan = bid_plan(session.ledger, auction_id, limit, larger_deposit=larger_deposit)
        session.wallet.agree(plan)
    stop_on_signals(buyer)
    gate()
    chain.settle_earlier()
    _serve(session, buyer, until=lambda: buyer.is_out or buyer.jobs_ended > 0)


def _wait_for_auction(session: Session, buyer: Buyer) -> None:
    """Until there is an auction to agree to; not in a dry run, which only looks."""
    if not session.is_dry:
        buyer.wait_until_there()


def _serve(session: Session, party: Party, until: Callable[[], bool]) -> None:
    """Serve; in a dry run look once, which ends the program where there is something to send."""
    if not session.is_dry:
        party.serve(until=until)
        return
    party.serve(until=lambda: True)
    _end_dry(session)


def _end_dry(session: Session) -> None:
    """Say that a dry run came to no transaction."""
    assert session.wallet is not None
    session.wallet.nothing_to_send()


def run_keys(session: Session, *, auction_id: int, patience_blocks: int) -> None:
    """Stay until the key of the job that comes of an own auction is handed out."""
    store = session.store  # before anybody is asked
    opener = Opener(
        session.chain,
        store,
        session.key,
        session.request_secret,
        auction_id=auction_id,
        patience_blocks=patience_blocks,
    )
    if session.wallet is not None:
        session.wallet.agree(keys_plan(session.ledger, auction_id))
    stop_on_signals(opener)
    session.chain.settle_earlier()
    _serve(session, opener, until=lambda: opener.is_done)


def _after(jobs: int | None, party: Seller | ConeNode) -> Callable[[], bool]:
    return lambda: jobs is not None and party.jobs_ended >= jobs

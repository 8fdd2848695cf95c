"""A command's connections, and what it does with errors that a user can mend."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property

import click
from nacl.public import PrivateKey

from d2m import metrics
from d2m.chain.artifacts import MANIFEST, load_artifacts
from d2m.chain.client import Chain, read_deployment
from d2m.chain.contracts.market import Market
from d2m.chain.errors import Reverted
from d2m.chain.remedies import explained
from d2m.chain.signer import Signer
from d2m.chain.transactions import Receipt
from d2m.cli.confirmation import Confirmation
from d2m.cli.options.common import Place
from d2m.errors import UserError
from d2m.parties.secrets import encryption_key, request_secret
from d2m.store.choice import open_store
from d2m.store.local import Store


@dataclass(frozen=True)
class Session:
    """A party's connections: chain, store and signer."""

    chain: Chain
    open_store: Callable[[], Store]
    """Only some commands need content: the others take no store and ask none."""
    signer: Signer
    confirmation: Confirmation | None = None
    """Shows and asks; None where nobody is asked, as in the demo's processes."""

    @cached_property
    def store(self) -> Store:
        """The store that was named. Raises StoreError."""
        return self.open_store()

    @cached_property
    def market(self) -> Market:
        """Reads of the contracts, and the way to send to them."""
        return Market(self.chain)

    @cached_property
    def key(self) -> PrivateKey:
        """The key that opens what is sealed to the account."""
        return encryption_key(self.signer)

    @cached_property
    def request_secret(self) -> bytes:
        """The keys of the account's requests follow from it."""
        deployment = self.chain.deployment
        house = deployment.contracts["AuctionHouse"]
        return request_secret(self.signer, deployment.chain_id, house)

    @property
    def is_dry(self) -> bool:
        """Whether nothing is to be sent: a serving party looks once."""
        return self.confirmation is not None and self.confirmation.mode.dry_run


def connect(
    rpc: str,
    place: Place,
    signer: Signer,
    max_fee: int | None = None,
    confirmation: Confirmation | None = None,
) -> Session:
    """Open a party's connections; `max_fee` in wei per gas."""

    def report(receipt: Receipt) -> None:
        _count(receipt)
        if confirmation is not None:
            confirmation.report(chain, receipt)

    record = read_deployment(place.deployment, rpc)
    chain = Chain(
        rpc,
        record,
        load_artifacts(MANIFEST),
        signer,
        on_receipt=report,
        on_replaced=lambda step: metrics.REPLACED.labels(step).inc(),
        on_ready=confirmation.approve if confirmation is not None else None,
        max_fee=max_fee,
    )
    return Session(chain, lambda: open_store(place.store, place.ipfs), signer, confirmation)


def _count(receipt: Receipt) -> None:
    outcome = "succeeded" if receipt.succeeded else "reverted"
    metrics.TRANSACTIONS.labels(receipt.step, outcome).inc()
    metrics.FEES.inc(receipt.fee)


@contextmanager
def one_line_errors(confirmation: Confirmation | None = None) -> Iterator[None]:
    """Turn what a user can mend into one line and exit status 1; machines get an object too."""
    try:
        yield
    except UserError as error:
        message = explained(error) if isinstance(error, Reverted) else str(error)
        if confirmation is not None:
            confirmation.failed(error, message)
        raise click.ClickException(message) from error

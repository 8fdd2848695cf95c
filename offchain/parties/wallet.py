"""Display of each transaction to a person with a wallet, before it is signed and after."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import click
import structlog
from web3.types import EventData

from offchain.chain.amounts import shown_amount
from offchain.chain.client import Chain
from offchain.chain.errors import Declined, Reverted
from offchain.chain.prepared import Prepared
from offchain.chain.records import ETHER
from offchain.chain.transactions import Receipt
from offchain.parties.costs import Plan
from offchain.parties.readable import plain, shown, token_of

Event = tuple[str, EventData]
log = structlog.get_logger()


@dataclass(frozen=True)
class Manner:
    """How a command is to deal with whoever started it."""

    yes: bool = False
    """Sign without asking."""
    dry_run: bool = False
    """Show the first transaction, and end before it is signed."""
    as_json: bool = False
    """One JSON object for each transaction and answer, nothing else, on standard output."""
    terminal: bool = True
    """Whether there is somebody to ask."""


class Wallet:
    """Shows, asks and reports, for one command."""

    def __init__(self, manner: Manner) -> None:
        self.manner = manner
        self._unattended = False

    def agree(self, plan: Plan) -> None:
        """Show what serving costs and binds, and ask once for all that it sends.

        Raises Declined.
        """
        if self.manner.as_json:
            self._print(plan.as_json())
        else:
            click.echo("\n".join(plan.lines()))
        if not self.manner.dry_run:
            self._ask("Serve, and sign all this without asking again?")
            self._unattended = True

    def approve(self, prepared: Prepared) -> None:
        """Show a transaction that is about to be signed, and ask. Raises Declined.

        In a dry run it ends the program here, so that nothing is signed.
        """
        if self._unattended:
            return
        if self.manner.dry_run:
            self._preview(prepared)
            raise SystemExit(0)
        if not self.manner.as_json:
            self._preview(prepared)
        self._ask("Sign and send?")

    def report(self, chain: Chain, receipt: Receipt) -> None:
        """Tell of a transaction that was mined, and of the events of `chain`'s contracts."""
        self._report(receipt, chain.all_events(receipt))

    def report_creation(self, receipt: Receipt) -> None:
        """Tell of a contract that was created, ahead of there being a deployment."""
        self._report(receipt, ())

    def _report(self, receipt: Receipt, events: Sequence[Event]) -> None:
        if self.manner.as_json:
            self._print(mined_as_json(receipt, events))
        elif self._unattended:
            log.info("mined", **mined_as_json(receipt, events))
        else:
            click.echo("\n".join(mined_lines(receipt, events)))

    def answer(self, text: str, **facts: Any) -> None:
        """Tell what a command has found or done: `text` for people, `facts` for machines."""
        if self.manner.as_json:
            self._print({"type": "answer", **plain(facts)})
        else:
            click.echo(text)

    def nothing_to_send(self) -> None:
        """End a dry run that came to no transaction."""
        self.answer("nothing would be sent now", would_send=[])

    def failed(self, error: Exception, message: str) -> None:
        """Tell machines why a command ends; people see the exception's line."""
        if not self.manner.as_json:
            return
        told: dict[str, Any] = {"type": "error", "error": type(error).__name__, "message": message}
        if isinstance(error, Reverted):
            told |= {
                "error": error.name,
                "step": error.step,
                "arguments": plain(error.arguments),
            }
        self._print(told)

    def _preview(self, prepared: Prepared) -> None:
        if self.manner.as_json:
            self._print(preview_as_json(prepared))
        else:
            click.echo("\n".join(preview_lines(prepared)))

    def _ask(self, question: str) -> None:
        if self.manner.yes:
            return
        if not self.manner.terminal:
            raise Declined("there is no terminal to ask on: add --yes, or --dry-run to look first")
        if not click.confirm(question):
            raise Declined("declined: nothing was signed")

    @staticmethod
    def _print(told: dict[str, Any]) -> None:
        click.echo(json.dumps(told))


# --- in words


def preview_lines(prepared: Prepared) -> list[str]:
    """A transaction that is about to be signed."""
    token = token_of(prepared.arguments) or (ETHER if prepared.value else None)
    price = prepared.price
    rows = [(name, shown(name, each, token)) for name, each in prepared.arguments.items()]
    rows += [
        ("to", prepared.to or "nobody: it creates a contract"),
        ("value", shown_amount(prepared.value)),
        ("gas", f"about {prepared.gas}, at most {prepared.gas_limit}"),
        ("price", f"{price.base_fee} wei per gas now and {price.fees.tip} of tip"),
        ("fee now", shown_amount(prepared.fee_now)),
        ("fee at most", shown_amount(prepared.fee_most)),
    ]
    title = (
        f"{prepared.step}, in the place of the pending one" if prepared.replaces else prepared.step
    )
    return [title, *_table(rows)]


def mined_lines(receipt: Receipt, events: Sequence[Event]) -> list[str]:
    """A transaction that was mined, and what it did."""
    outcome = "mined" if receipt.succeeded else "mined, but reverted"
    token = _token_in(events)
    fee = shown_amount(receipt.fee)
    place = f"block {receipt.block}, {receipt.gas_used} gas, fee {fee}"
    lines = [f"{receipt.step} {outcome}: {place}"]
    for contract, event in events:
        arguments = [
            f"{name}={shown(name, each, _unit(contract, token))}"
            for name, each in event["args"].items()
        ]
        lines.append(f"  {contract}.{event['event']}({', '.join(arguments)})")
    return lines


def _token_in(events: Sequence[Event]) -> str | None:
    """A transaction moves one token: that of the auction or job which it is about."""
    found = (token_of(event["args"]) for _, event in events)
    return next((token for token in found if token), None)


def _unit(contract: str, token: str | None) -> str | None:
    """Stakes and bonds are in ether whatever jobs are paid in."""
    return ETHER if contract in ("ConePool", "SellerRegistry") else token


def _table(rows: Sequence[tuple[str, str]]) -> list[str]:
    width = max(len(name) for name, _ in rows)
    return [f"  {name:{width}}  {value}" for name, value in rows]


# --- for machines


def preview_as_json(prepared: Prepared) -> dict[str, Any]:
    """A transaction that would be sent. Amounts are decimal strings of wei."""
    return {
        "type": "preview",
        "step": prepared.step,
        "arguments": plain(prepared.arguments),
        "to": prepared.to or None,
        "value": str(prepared.value),
        "gas": prepared.gas,
        "gas_limit": prepared.gas_limit,
        "base_fee": str(prepared.price.base_fee),
        "priority_fee": str(prepared.price.fees.tip),
        "fee_now": str(prepared.fee_now),
        "fee_most": str(prepared.fee_most),
    }


def mined_as_json(receipt: Receipt, events: Sequence[Event]) -> dict[str, Any]:
    """A transaction that was mined. Amounts are decimal strings of wei."""
    return {
        "type": "transaction",
        "step": receipt.step,
        "hash": receipt.raw["transactionHash"].to_0x_hex(),
        "sender": receipt.sender,
        "succeeded": receipt.succeeded,
        "block": receipt.block,
        "gas": receipt.gas_used,
        "fee": str(receipt.fee),
        "events": [
            {"contract": contract, "name": event["event"], "arguments": plain(event["args"])}
            for contract, event in events
        ],
    }

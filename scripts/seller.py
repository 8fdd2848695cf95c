"""Serve as a seller: `ape run seller --account me --network … --data own.npz --tag digits`."""

from __future__ import annotations

from typing import Any

from ape.api import AccountAPI

from offchain.parties.commands import log_as_json, one_line_errors, run_seller
from offchain.parties.options import place_options, seller_options, serving_options
from scripts._wallet import open_session, sign_unattended, wallet_command


@wallet_command
@place_options
@seller_options
@serving_options
def cli(account: AccountAPI, **options: Any) -> None:
    """Offer a data file, train when sampled, collect the share. The data stays in this process."""
    log_as_json()
    sign_unattended(account)
    with one_line_errors():
        run_seller(open_session(account, options), **options)

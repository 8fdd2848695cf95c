"""Serve as a CONE node: `ape run cone --account me --network …`."""

from __future__ import annotations

from typing import Any

from ape.api import AccountAPI

from offchain.parties.commands import log_as_json, one_line_errors, run_cone
from offchain.parties.options import place_options, serving_options
from scripts._wallet import open_session, sign_unattended, wallet_command


@wallet_command
@place_options
@serving_options
def cli(account: AccountAPI, **options: Any) -> None:
    """Stake for a seat, compute rounds when asked, vote, collect the pay."""
    log_as_json()
    sign_unattended(account)
    with one_line_errors():
        run_cone(open_session(account, options), **options)

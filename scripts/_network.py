"""Where a command's node is, looked at before Ape connects to anything.

Ape takes an address that it does not know for a provider's name, tries public nodes where an IPC
socket is not there, and starts a chain of its own where an HTTP address of a local network does not
answer.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import click
from ape.cli import ConnectedProviderCommand
from web3.types import RPCEndpoint

from d2m.chain.addresses import NoNodeAddress, checked_address
from d2m.chain.errors import ChainError
from d2m.chain.provider import NamedErrorProvider
from d2m.chain.reverts import ErrorLibrary

OPTION = "--network"
_SCHEME = re.compile(r"\w+://")
_NAME = re.compile(r"[\w-]*(:(?!\d+$)[\w-]*)?")
"""Name of a provider, or of ecosystem and network; not a host with a port."""


class NodeCommand(ConnectedProviderCommand):
    """A command with `--network`, whose node is there and speaks HTTP."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Raises UsageError for what is no address, ClickException for a node that is away."""
        choice = _chosen(args)
        if choice and "--help" not in args:
            _check(choice)
        rest: list[str] = super().parse_args(ctx, args)
        return rest


def named_node(choice: str) -> str | None:
    """The address in a network choice like `ethereum:sepolia:https://…`; None for a name.

    Raises NoNodeAddress.
    """
    parts = choice.split(":", 2)
    place = parts[2] if len(parts) == 3 and not _SCHEME.match(choice) else choice
    return None if _NAME.fullmatch(place) else checked_address(place)


def _chosen(args: Sequence[str]) -> str | None:
    for position, each in enumerate(args):
        if each == OPTION:
            return args[position + 1] if position + 1 < len(args) else None
        if each.startswith(f"{OPTION}="):
            return each.partition("=")[2]
    return None


def _check(choice: str) -> None:
    try:
        url = named_node(choice)
    except NoNodeAddress as error:
        raise click.UsageError(f"{OPTION}: {error}") from None
    if url is None:
        return
    try:
        NamedErrorProvider(url, ErrorLibrary(())).make_request(RPCEndpoint("eth_chainId"), [])
    except ChainError as error:
        raise click.ClickException(f"{OPTION}: {error}") from None

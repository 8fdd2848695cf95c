"""The command `d2m`: sellers, CONE nodes, buyers and everybody else, with encrypted key files."""

from __future__ import annotations

from importlib import import_module
from typing import Any, NamedTuple

import click


class Part(NamedTuple):
    """A command of `d2m` that is loaded when it is called: some bring PyTorch along."""

    module: str
    factory: str
    help: str


PARTS = {
    "seller": Part("seller", "commands", "Offer data, serve as its seller, pause or end an offer."),
    "cone": Part("cone", "commands", "Serve as a CONE node, give up the seat, take the stake."),
    "buyer": Part("buyer", "commands", "Write a job specification, open an auction, bid, receive."),
    "market": Part("market", "commands", "Look at the market and keep what it made."),
    "deploy": Part("deploy", "command", "Deploy the market's contracts."),
}


class LazyGroup(click.Group):
    """A group that shows its commands without loading them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Their names."""
        return list(PARTS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Load a command; None where there is none of the name."""
        from d2m.cli.access import KeyFileAccess

        part = PARTS.get(cmd_name)
        if part is None:
            return None
        module = import_module(f"d2m.cli.commands.{part.module}")
        command: click.Command = getattr(module, part.factory)(KeyFileAccess())
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Their names, with a line on each."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, part.help) for name, part in PARTS.items()])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["--help", "-h"]})
@click.version_option(package_name="d2m-market")
def main(**_options: Any) -> None:
    """Take part in a decentralised market for trained models.

    Every command signs with an encrypted key file: --account NAME finds it in Ape's folder of
    accounts, --key names any other. With another account of Ape's, such as a hardware wallet, the
    same commands are `ape run seller …`, `ape run cone …` and so on.
    """

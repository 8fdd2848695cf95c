"""Offer data and serve as a seller: `ape run seller serve|offer|list|privacy|pause|…`."""

from d2m.cli.commands.seller import commands
from scripts._wallet import ApeAccess

cli = commands(ApeAccess())

"""Write a request, open an auction, bid in one: `ape run buyer spec|open|keys|bid|cancel|…`."""

from d2m.cli.commands.buyer import commands
from scripts._wallet import ApeAccess

cli = commands(ApeAccess())

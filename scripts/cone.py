"""Serve as a CONE node, or leave: `ape run cone serve|leave|withdraw-stake --account me …`."""

from d2m.cli.commands.cone import commands
from scripts._wallet import ApeAccess

cli = commands(ApeAccess())

"""Look at the market without an account: `ape run market status|incentives|export|…`."""

from d2m.cli.commands.market import commands
from scripts._wallet import ApeAccess

cli = commands(ApeAccess())

"""Deploy the market's contracts: `ape run deploy --account me --network ethereum:sepolia:node`."""

from d2m.cli.commands.deploy import command
from scripts._wallet import ApeAccess

cli = command(ApeAccess())

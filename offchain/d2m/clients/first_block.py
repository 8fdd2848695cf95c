"""The genesis file of a private network of geth: `python -m d2m.clients.first_block FILE`.

By mainnet's rules of today, with the system contracts and the deployment proxy in place. FILE has
an address a line: each has 10,000 ether there.
"""

from __future__ import annotations

import json
from pathlib import Path

import click
from eth_utils.address import is_address, to_checksum_address

from d2m.clients.geth import ACCOUNT_ETHER, Rules, genesis

PRIVATE_CHAIN_ID = 4242


@click.command(help=__doc__)
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--chain-id", default=PRIVATE_CHAIN_ID, show_default=True)
def main(file: Path, chain_id: int) -> None:
    """Entry point."""
    first = genesis(Rules.MAINNET, [], chain_id=chain_id)
    for line in file.read_text().split():
        if not is_address(line):
            raise click.ClickException(f"{file}: {line!r} is no address: put one on each line")
        first["alloc"][to_checksum_address(line)] = {"balance": hex(ACCOUNT_ETHER * 10**18)}
    click.echo(json.dumps(first, indent=2))


if __name__ == "__main__":
    main()

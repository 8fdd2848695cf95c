"""The table of what things cost in ether, in docs/deploy.md, from the tables of gas."""

from __future__ import annotations

from pathlib import Path

from d2m.chain.gas import MAINNET, SEPOLIA
from tools.gas.record import deployment_gas
from tools.gas.usual import WHOLE_JOB

DOCUMENT = Path("docs/deploy.md")
BEGIN, END = "<!-- prices -->", "<!-- end of prices -->"
GWEI = (1, 20)
"""Prices of gas that are shown."""
Pairs = dict[str, list[int]]
ROWS = {
    "a CONE node's seat": "ConePool.join",
    "a seller's offer under one tag": "SellerRegistry.offer: 1 tag",
    "a seller's update of a round": "Jobs.postUpdate",
    "a vote by its own transactions": "vote: own, mean of the mini-round",
    WHOLE_JOB: WHOLE_JOB,
}


def priced(tables: dict[str, Pairs]) -> str:
    """Rows of gas by both rules, and what they are in ether."""
    prices = " | ".join(f"at {gwei} gwei" for gwei in GWEI)
    lines = [f"| | mainnet, gas | {prices} | Sepolia, gas | {prices} |", "|---" * 7 + "|"]
    used = {name: (tables[MAINNET][row][0], tables[SEPOLIA][row][0]) for name, row in ROWS.items()}
    once = {
        "the deployment, once": (deployment_gas(tables[MAINNET]), deployment_gas(tables[SEPOLIA]))
    }
    for name, by_rules in {**once, **used}.items():
        cells = [cell for gas in by_rules for cell in (_rounded(gas), *_in_ether(gas))]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def write_prices(tables: dict[str, Pairs]) -> None:
    """Put the rows between their marks in the document."""
    before, rest = DOCUMENT.read_text().split(BEGIN, 1)
    after = rest.split(END, 1)[1]
    DOCUMENT.write_text(f"{before}{BEGIN}\n\n{priced(tables)}\n\n{END}{after}")


def _rounded(gas: int) -> str:
    digits = len(str(gas)) - 3
    return f"{round(gas, -digits):,}"


def _in_ether(gas: int) -> list[str]:
    """To two digits."""
    rounded = (float(f"{gas * gwei / 10**9:.2g}") for gwei in GWEI)
    return [f"{each:.6f}".rstrip("0") + " ether" for each in rounded]

"""EIP-1559 fees: what to offer, within what the operator allows, and how to outbid oneself."""

from __future__ import annotations

from typing import NamedTuple

from web3.types import FeeHistory

from d2m.chain.errors import FeeTooHigh

PRIORITY_FEE_FLOOR = 10**9  # wei per gas; nodes take it even where recent blocks were empty
BASE_FEE_FACTOR = 2  # room for the base fee to grow while a transaction waits (six full blocks)
FEE_HISTORY_BLOCKS = 4
RAISE_PERCENT = 15
"""Above a transaction that is to be replaced: clients demand 10 %, some 12.5 %, of both fees."""
OUTBID_PERCENT = 100
"""Above a refused replacement of a transaction whose fees are not known."""
GWEI = 10**9


class Fees(NamedTuple):
    """Fees that a transaction offers, in wei per gas."""

    tip: int
    """The priority fee."""
    most: int
    """Base fee and tip together, at most."""

    def raised(self, least: Fees, percent: int, cap: int | None) -> Fees | None:
        """Both fees raised by `percent`, and to `least`; None where `cap` forbids the raise."""
        tip, most = (-(-fee * (100 + percent) // 100) for fee in self)
        if cap is not None and most > cap:
            return None
        wanted = max(most, least.most)
        return Fees(max(tip, least.tip), wanted if cap is None else min(wanted, cap))


def offered(history: FeeHistory, cap: int | None) -> Fees:
    """Fees to offer after `history`, at most `cap` wei per gas.

    Raises FeeTooHigh when not even the next block would take a transaction at the cap.
    """
    base = history["baseFeePerGas"][-1]
    tip = max([PRIORITY_FEE_FLOOR, *(tips[0] for tips in history["reward"])])
    if cap is None:
        return Fees(tip, BASE_FEE_FACTOR * base + tip)
    if base + PRIORITY_FEE_FLOOR > cap:
        raise FeeTooHigh(
            f"the chain asks for {base / GWEI:.3g} gwei per gas, allowed are {cap / GWEI:.3g}:"
            " nothing is sent until the price falls, or --max-fee is raised"
        )
    return Fees(min(tip, cap - base), min(BASE_FEE_FACTOR * base + tip, cap))

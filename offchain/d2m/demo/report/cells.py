"""Cells that several sections share."""

from __future__ import annotations

from d2m.demo.report.names import short_address
from d2m.demo.report.tables import Cell, Column
from d2m.protocol.amounts import ether, wei_exact

ADDRESS = Column("address", spelt_out=True)


def money_cell(wei: int) -> Cell:
    """An amount."""
    return Cell(ether(wei), full=wei_exact(wei))


def net_cell(wei: int) -> Cell:
    """A gain, or a loss where below zero."""
    sign = "-" if wei < 0 else "+"
    return Cell(sign + ether(abs(wei)), "bad" if wei < 0 else "plain", full=f"{wei} wei")


def address_cell(party: str) -> Cell:
    """An address, abridged where there is no room."""
    return Cell(short_address(party), full=party)


def behaviour_cell(kind: str) -> Cell:
    """A behaviour, a Byzantine one in words too, so that it shows without colours."""
    if kind == "honest":
        return Cell(kind)
    return Cell(f"{kind} (Byzantine)", "bad")

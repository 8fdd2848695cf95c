"""Types of options: each refuses what is out of its bounds, with the value and the bounds."""

from __future__ import annotations

import math
from typing import Any

import click
from eth_utils.address import is_address, to_checksum_address

from d2m.chain.addresses import NoNodeAddress, checked_address
from d2m.parties.monitor import parse_address
from d2m.protocol.amounts import parse_amount
from d2m.protocol.bounds import AMOUNT, ID, RULES, TAG_BYTES, UINT256, Bound
from d2m.protocol.constants import BPS, PPM
from d2m.protocol.types import ETHER, tag_of


def whole(bound: Bound) -> click.IntRange:
    """A whole number within `bound`."""
    return click.IntRange(bound.least, bound.most)


class Share(click.FloatRange):
    """A share of one, which the contracts hold in `units` of a whole, within `bound` of them."""

    name = "share"

    def __init__(self, bound: Bound, units: int) -> None:
        super().__init__(bound.least / units, bound.most / units)

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """The share."""
        share = float(super().convert(value, param, ctx))
        if math.isnan(share):
            self.fail(f"{value!r} is no number", param)
        return share


class Wei(click.ParamType):
    """An amount with its unit: `0.5 ether`, `20 gwei`; without one, in the smallest unit."""

    name = "amount"

    def __init__(self, bound: Bound = AMOUNT) -> None:
        self._bound = bound

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """The amount in wei."""
        try:
            return parse_amount(value, self._bound)
        except ValueError as error:
            self.fail(str(error), param)


class ChainAddress(click.ParamType):
    """The address of an account or contract on the chain."""

    name = "address"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The address with its checksum."""
        if not is_address(value):
            self.fail(f"{value!r} is no address: write 0x and 40 hexadecimal digits", param)
        return str(to_checksum_address(value))


class Recipient(ChainAddress):
    """Where money goes: anywhere but to nobody."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The address with its checksum."""
        address = super().convert(value, param, ctx)
        if address == ETHER:
            self.fail(f"{value} is nobody's address: what goes there is lost", param)
        return address


class Tag(click.ParamType):
    """Subject of data or of a job, at most 32 bytes."""

    name = "text"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The text as it is."""
        try:
            tag_of(value)
        except ValueError:
            self.fail(
                f"{value!r} has {len(value.encode())} bytes, which is not from {TAG_BYTES.least} to"
                f" {TAG_BYTES.most}",
                param,
            )
        return str(value)


class NodeAddress(click.ParamType):
    """Where a chain's node answers, over HTTP."""

    name = "url"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The address as it is."""
        try:
            return checked_address(value)
        except NoNodeAddress as error:
            self.fail(str(error), param)


class Address(click.ParamType):
    """Where to listen, HOST:PORT."""

    name = "host:port"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, int]:
        """Host and port."""
        try:
            return parse_address(value)
        except ValueError:
            self.fail(f"{value!r} is no address: write one like '127.0.0.1:9464'", param)


number_of = whole(ID)
"""Number of an auction, a job or an offer."""
price_of_gas = Wei(Bound(1, UINT256))
target = Share(RULES["targetBps"], BPS)
byzantine = Share(RULES["byzantineBps"], BPS)
tolerated_error = Share(RULES["errorPpm"], PPM)

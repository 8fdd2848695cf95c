"""Many parties behind one contract: they act in one transaction, or in one `eth_call`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from eth_abi.abi import decode

from tests.support.evm import Receipt, deploy, helper, rpc, send, simulate

HIRED_AT_ONCE = 400  # as many as fit into a block's gas
ACTING_AT_ONCE = 100
Move = tuple[int, str, int, bytes]


@dataclass(frozen=True)
class Crowd:
    """`actors` are contracts that take no ether back."""

    contract: Any
    actors: Sequence[str]
    owner: Any

    @classmethod
    def hire(cls, count: int, owner: Any) -> Crowd:
        contract = deploy(helper("Crowd"), sender=owner)
        for hired in range(0, count, HIRED_AT_ONCE):
            send(contract.hire, min(HIRED_AT_ONCE, count - hired), sender=owner)
        rpc("anvil_setBalance", contract.address, hex(10**24))
        return cls(contract, [str(each) for each in contract.everyone()], owner)

    def move(self, actor: int, method: Any, *args: Any, value: int = 0) -> Move:
        """What one of the actors is to do."""
        return actor, method.contract.address, value, bytes(method.encode_input(*args))

    def chorus(self, actors: range, method: Any, *args: Any, value: int = 0) -> None:
        """The same move by every actor, in as few transactions as blocks have room for."""
        data = bytes(method.encode_input(*args))
        for first in range(actors.start, actors.stop, ACTING_AT_ONCE):
            count = min(ACTING_AT_ONCE, actors.stop - first)
            rest = (first, count, method.contract.address, value, data)
            send(self.contract.chorus, *rest, sender=self.owner)

    def play(self, moves: Sequence[Move]) -> Receipt:
        """All moves in one transaction."""
        return send(self.contract.play, list(moves), sender=self.owner)

    def imagine(self, moves: Sequence[Move]) -> list[bytes]:
        """What each move would return, nothing being changed."""
        answer = simulate(self.contract.play, list(moves), sender=self.owner)
        (answers,) = decode(["bytes[]"], answer)
        return [bytes(each) for each in answers]

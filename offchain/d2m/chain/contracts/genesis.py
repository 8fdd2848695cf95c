"""The contract that creates all others, and remembers in which blocks."""

from __future__ import annotations

from d2m.chain.contracts.contract import DeployedContract
from d2m.chain.transactions import Receipt, Transaction


class Genesis(DeployedContract):
    """`Genesis`, which is there before the rest of a deployment."""

    name = "Genesis"

    def start_block(self) -> int:
        """The block in which it came into being."""
        return int(self.chain.call(self.functions.startBlock()))

    def created_in(self, part: int) -> int:
        """The block in which a part was created; 0 before."""
        return int(self.chain.call(self.functions.createdIn(part)))

    def create(self, part: str, code: bytes) -> Receipt:
        """Create the next part, of this name, from its creation code; for anyone.

        Refused with Complete once every part exists, with WrongCode for the code of another part,
        and with PartFailed where its constructor refuses or the gas does not suffice.
        """
        creation = Transaction(self.functions.create(code), step=f"deploy {part}")
        return self.chain.send_many([creation])[0]

"""The staked pool of CONE nodes: seats, stakes and slashing."""

from __future__ import annotations

from collections.abc import Sequence

from eth_typing import ChecksumAddress

from d2m.chain.contracts.contract import DeployedContract
from d2m.chain.transactions import Receipt
from d2m.protocol.types import Node, Offence


class ConePool(DeployedContract):
    """`IConePool`."""

    name = "ConePool"

    # --- reads

    def stake_unit(self) -> int:
        """Wei that one seat costs."""
        return int(self.chain.call(self.functions.stakeUnit()))

    def node(self, address: ChecksumAddress) -> Node:
        """The pool's record of a node."""
        return Node(*self.chain.call(self.functions.nodeOf(address)))

    def all_nodes(self) -> list[Node]:
        """The records of all nodes that ever joined, by address."""
        joined = {each["node"] for each in self.events("NodeJoined")}
        node_of = self.functions.nodeOf
        found = self.chain.call_many([node_of(address) for address in sorted(joined)])
        return [Node(*each) for each in found]

    def seats_at(self, block: int) -> int:
        """Seats taken at the end of a block."""
        return int(self.chain.call(self.functions.seatsAt(block)))

    def nodes_at(self, block: int, seats: int) -> list[ChecksumAddress]:
        """The nodes on the first `seats` seats at the end of a block."""
        node_at = self.functions.nodeAt
        return self.chain.call_many([node_at(seat, block) for seat in range(seats)])

    def running_jobs(self) -> list[int]:
        """The jobs that hold stake, oldest first."""
        found: list[int] = []
        job_id = self.chain.call(self.functions.oldestJob())
        while job_id:
            found.append(job_id)
            job_id = self.chain.call(self.functions.jobAfter(job_id))
        return found

    def unpunished(self, job_id: int, offences: Sequence[Offence]) -> list[Offence]:
        """Those of the offences that nobody has been slashed for, nor is about to be."""
        is_slashed = self.functions.isSlashed
        calls = [is_slashed(job_id, offence) for offence in offences]
        done = self.chain.call_many(calls, block="pending")
        return [offence for offence, slashed in zip(offences, done, strict=True) if not slashed]

    def keys_at(self, block: int, nodes: Sequence[ChecksumAddress]) -> list[bytes]:
        """The X25519 keys that the nodes had at the end of a block, in their order."""
        return self.last_keys("NodeJoined", "node", nodes, block)

    # --- writes

    def join(self, public_key: bytes, stake: int) -> Receipt:
        """Take a seat with `stake` wei, which tops up what the pool holds of the account's.

        Refused with MissingPublicKey for a key of zero, with AlreadySeated, with PoolFull, and with
        WrongStake unless `stake` is exactly what a unit lacks.
        """
        return self.chain.send(self.functions.join(public_key), value=stake)

    def leave(self) -> int:
        """Give up the account's seat; the block from which its stake may be withdrawn.

        Refused with NotSeated.
        """
        receipt = self.chain.send(self.functions.leave())
        return int(self.told(receipt, "NodeLeft")["unlockBlock"])

    def withdraw_stake(self, to: ChecksumAddress | None = None) -> int:
        """Have the stake of the account, which has left, paid, to itself by default; in wei.

        Refused with NotLeaving, with StakeBound before its block or while a job that froze it runs,
        and with PaymentRefused where `to` does not take it.
        """
        receipt = self.chain.send(self.functions.withdrawStake(to or self.chain.address))
        return int(self.told(receipt, "StakeWithdrawn")["amount"])

    def slash(self, job_id: int, offences: Sequence[Offence]) -> Receipt:
        """Slash for what nodes did in opened rounds of a running job; for anyone.

        Offences that were punished before are passed over. Refused with NotRunning once the job
        has ended, and with NoOffence where a seat did nothing wrong or it cannot be told yet.
        """
        return self.chain.send(self.functions.slash(job_id, offences))

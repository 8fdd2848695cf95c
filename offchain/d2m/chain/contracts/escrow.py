"""The escrow: all money of buyers, and the credits that are paid out of it."""

from __future__ import annotations

from collections.abc import Sequence

from eth_typing import ChecksumAddress

from d2m.chain.contracts.contract import DeployedContract
from d2m.chain.transactions import Receipt
from d2m.protocol.types import Pots


class Escrow(DeployedContract):
    """`IEscrow`. Amounts are in the smallest unit of their token; zero stands for ether: wei."""

    name = "Escrow"

    # --- reads

    def purses(self, auction_ids: Sequence[int]) -> list[int]:
        """Amount in the purse of each auction, in the auction's token."""
        purse_of = self.functions.purseOf
        return self.chain.call_many([purse_of(auction_id) for auction_id in auction_ids])

    def pots(self, job_ids: Sequence[int]) -> list[Pots]:
        """The pots of each job."""
        pots_of = self.functions.potsOf
        return [Pots(*each) for each in self.chain.call_many([pots_of(job) for job in job_ids])]

    def all_credits(self, token: str) -> list[int]:
        """Credit in `token` of each account that was ever credited anything, by address."""
        credited = {each["account"] for each in self.events("Credited")}
        credit = self.functions.credit
        return self.chain.call_many([credit(token, account) for account in sorted(credited)])

    # --- writes

    def claim_seller(
        self, job_id: int, index: int, start: int, end: int, proof: Sequence[bytes]
    ) -> Receipt:
        """Credit the seller at `index` its share, by a Merkle proof of its interval; for anyone.

        Refused with NotSettled before the settlement, with BadProof for another share, with
        AlreadyPaid, and with PotExceeded where accepted contributions overlap.
        """
        return self.chain.send(self.functions.claimSeller(job_id, index, start, end, proof))

    def claim_cone(self, job_id: int, seat: int, votes: Sequence[tuple[int, int]]) -> Receipt:
        """Credit the node on `seat` for votes, each a round and a mini-round; for anyone.

        Refused with NotSettled before the settlement, with NotRight for a vote that was not, with
        AlreadyPaid, and with PotExceeded for more votes than were counted.
        """
        return self.chain.send(self.functions.claimCone(job_id, seat, votes))

    def withdraw(
        self, token: str, to: ChecksumAddress | None = None, *, most_gas: int | None = None
    ) -> int:
        """Have the account's credit in `token` paid, to itself by default; the amount.

        Refused with NothingToWithdraw, with PaymentRefused where `to` does not take ether, and with
        what the token itself refuses. Raises TooMuchGas where it would take more than `most_gas`.
        """
        function = self.functions.withdraw(token, to or self.chain.address)
        receipt = self.chain.send(function, most_gas=most_gas)
        return int(self.told(receipt, "Withdrawn")["amount"])

"""The voting contract: which of the computed results is the true one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from eth_typing import ChecksumAddress

from d2m.chain.client import Chain
from d2m.chain.contracts.contract import DeployedContract
from d2m.chain.transactions import Receipt
from d2m.protocol.types import Conduct, MiniRound, Offence, Verdict

NO_SEED = bytes(32)


class Yoda(DeployedContract):
    """`IYoda`. Seeds are read once."""

    name = "Yoda"

    def __init__(self, chain: Chain) -> None:
        super().__init__(chain)
        self._seeds: dict[tuple[int, int, int], bytes] = {}

    def forget(self) -> None:
        """Read everything again."""
        self._seeds.clear()

    # --- reads

    def mini_round(self, job_id: int, round_number: int, mini_round: int) -> MiniRound:
        """The record of a mini-round."""
        found = self.functions.miniRoundOf(job_id, round_number, mini_round)
        return MiniRound(*self.chain.call(found))

    def seed(self, job_id: int, round_number: int, mini_round: int) -> bytes:
        """The seed of a mini-round; zero while it is not known."""
        key = (job_id, round_number, mini_round)
        if self._seeds.get(key, NO_SEED) == NO_SEED:
            self._seeds[key] = bytes(self.mini_round(*key).seed)
        return self._seeds[key]

    def round_seed(self, job_id: int, round_number: int) -> bytes:
        """The seed of the round computation: that of the round's first mini-round."""
        return self.seed(job_id, round_number, 1)

    def first_commit_deadline(self, job_id: int, round_number: int) -> int | None:
        """The last block to commit in a round's first mini-round; None before that is open."""
        opened = self.events("MiniRoundOpened", jobId=job_id, round=round_number)
        found = [int(each["commitDeadline"]) for each in opened if each["miniRound"] == 1]
        return found[-1] if found else None

    def is_committing(self, job_id: int) -> bool:
        """Whether commitments are taken in the block that comes next."""
        return bool(self.chain.call(self.functions.isCommitting(job_id), block="pending"))

    def is_revealing(self, job_id: int) -> bool:
        """Whether reveals are taken in the block that comes next."""
        return bool(self.chain.call(self.functions.isRevealing(job_id), block="pending"))

    def verdict(self, job_id: int, round_number: int) -> Verdict:
        """The accepted digest of a round; a zero digest while there is none."""
        return Verdict(*self.chain.call(self.functions.verdictOf(job_id, round_number)))

    def reveals(self, job_id: int, node: ChecksumAddress) -> list[dict[str, Any]]:
        """Every vote that a node revealed in a job, as event arguments."""
        return self.events("Revealed", jobId=job_id, node=node)

    def reveals_in_round(self, job_id: int, round_number: int) -> list[dict[str, Any]]:
        """Every vote revealed in a round, in chain order, as event arguments."""
        found = self.events("Revealed", jobId=job_id)
        return [each for each in found if each["round"] == round_number]

    def conduct(self, job_id: int, places: Sequence[Offence]) -> list[Conduct]:
        """The contract's judgement of what each seat did there, in the order of `places`."""
        conduct_of = self.functions.conductOf
        found = self.chain.call_many([conduct_of(job_id, *place) for place in places])
        return [Conduct(each) for each in found]

    # --- writes

    def commit(self, job_id: int, seat: int, commitment: bytes) -> Receipt:
        """Commit the account's vote of the present mini-round, from its seat at the freeze.

        Refused with NotCommitting outside the window, with NotYourSeat or NotAsked where the seat
        is another's or not in the execution set, and with AlreadyCommitted.
        """
        return self.chain.send(self.functions.commit(job_id, seat, commitment))

    def reveal(
        self, job_id: int, position: int, result_word: bytes, audit: bytes, salt: bytes
    ) -> Receipt:
        """Open the account's commitment at its position in the execution set.

        Refused with NotRevealing outside the window, with EmptyResult for a result word of zero,
        with CommitmentMismatch for words that were not committed to, and with AlreadyRevealed.
        """
        words = (result_word, audit, salt)
        return self.chain.send(self.functions.reveal(job_id, position, *words))

"""A seller: trains on its own data when it is sampled, posts the update, collects its share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from eth_utils.crypto import keccak

from offchain.chain.client import Chain
from offchain.chain.errors import Reverted
from offchain.chain.records import Job, JobState, tag_of
from offchain.data.files import Labels
from offchain.learning.contributions import contribution_proof
from offchain.learning.grid import ByteArray, IntVector
from offchain.learning.models import ModelSpec
from offchain.learning.training import train
from offchain.learning.updates import encode_update
from offchain.parties.ledger import Situation
from offchain.parties.party import Party
from offchain.store.fetch import content_hash
from offchain.store.local import Store

Training = Callable[["Samples", ModelSpec, Callable[["Samples"], IntVector]], IntVector]
"""How an update comes about: an honest seller applies the given local training to its samples."""


@dataclass(frozen=True)
class Samples:
    """A seller's own data: uint8 inputs (n, …) and labels (n,)."""

    inputs: ByteArray
    labels: Labels


def train_honestly(
    samples: Samples, _model: ModelSpec, training: Callable[[Samples], IntVector]
) -> IntVector:
    """The update of the seller's real data."""
    return training(samples)


class Seller(Party):
    """One seller. Its data stays in this process; only updates leave it."""

    watches = ("Jobs",)

    def __init__(
        self,
        chain: Chain,
        store: Store,
        samples: Samples,
        *,
        training: Training = train_honestly,
        patience_blocks: int,
    ) -> None:
        super().__init__(chain, store, patience_blocks=patience_blocks)
        self._samples = samples
        self._training = training
        self._posted: set[tuple[int, int]] = set()

    def register(self, tags: Sequence[str], description: bytes, public_key: bytes) -> None:
        """Offer the data under `tags`, unless it is offered so already."""
        wanted = sorted(tag_of(tag) for tag in tags)
        registry = self.ledger.registry
        cid = self.desk.store.put(description)
        known = self.chain.call(registry.functions.sellerOf(self.chain.address))
        if known == (public_key, cid.binary, wanted):
            return
        self.chain.send(registry.functions.register(wanted, cid.binary, public_key))
        self.log.info("registered", tags=list(tags))

    def concerns(self, job_id: int, job: Job) -> bool:
        """Whether the seller's data was matched. Before the first sample nothing is asked of it."""
        return job.state != JobState.SEEDING and self.chain.address in self.ledger.sellers(job_id)

    def act(self, job_id: int, situation: Situation) -> None:
        """Train and post when sampled."""
        job = situation.job
        index = self.ledger.sellers(job_id).index(self.chain.address)
        waiting = job.state == JobState.COLLECTING and (job.sample & ~job.posted) >> index & 1
        if not waiting or (job_id, job.round) in self._posted:
            return
        update = encode_update(self.update(job_id, job.round))
        cid = self.desk.store.put(update)
        post = self.ledger.jobs.functions.postUpdate
        try:
            self.chain.send(post(job_id, job.round, index, content_hash(update), cid.binary))
        except Reverted as refused:
            self.log.warning("update refused", job=job_id, round=job.round, why=str(refused))
        else:
            self.log.info("posted update", job=job_id, round=job.round, cid=str(cid))
        self._posted.add((job_id, job.round))

    def update(self, job_id: int, round_number: int) -> IntVector:
        """The update of one round, int32 (d,): the same whenever it is computed again."""
        spec = self.desk.spec(job_id)
        weights = self.desk.state_before(job_id, round_number).weights
        seed = training_seed(self.chain.address, job_id, round_number)

        def training(samples: Samples) -> IntVector:
            return train(spec.model, weights, samples.inputs, samples.labels, spec.training, seed)

        return self._training(self._samples, spec.model, training)

    def finish(self, job_id: int, situation: Situation) -> None:
        """Claim the seller's share with its proof, and withdraw."""
        job = situation.job
        if job.accepted_rounds:
            self._claim(job_id, job.accepted_rounds)
        self.withdraw(self.ledger.escrow)

    def _claim(self, job_id: int, last_round: int) -> None:
        index = self.ledger.sellers(job_id).index(self.chain.address)
        try:
            share, proof = contribution_proof(self.desk.contributions(job_id, last_round), index)
        except KeyError:
            self.log.info("no share", job=job_id)
            return
        claim = self.ledger.escrow.functions.claimSeller
        try:
            self.chain.send(claim(job_id, index, share.start, share.end, proof))
        except Reverted as refused:
            # Anybody may have claimed for this seller before.
            self.log.info("share not claimed", job=job_id, why=str(refused))


def training_seed(seller: str, job_id: int, round_number: int) -> int:
    """A seed of 63 bits that orders a seller's batches, different in every round."""
    data = f"{seller}/{job_id}/{round_number}"
    return int.from_bytes(keccak(text=data)[:8], "big") >> 1

"""A seller: trains on its own data when it is sampled, posts the update, collects its share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache

from eth_utils.crypto import keccak
from nacl.public import PrivateKey

from d2m import metrics
from d2m.chain.client import Chain
from d2m.chain.errors import Reverted
from d2m.data.files import Labels
from d2m.learning.earnings import contribution_proof
from d2m.learning.grid import ByteArray, IntVector
from d2m.learning.spec import JobSpec
from d2m.learning.training.local import train
from d2m.learning.updates import encode_update
from d2m.parties.daemon import Memory, Party
from d2m.parties.seller.offers import restore
from d2m.privacy.errors import BudgetSpent
from d2m.protocol.types import Job, JobState, JobView
from d2m.sealing.content import Post, seal_update
from d2m.store.cid import Cid
from d2m.store.fetch import content_hash
from d2m.store.local import Store

Trainer = Callable[["Samples", "LocalTask"], IntVector]
"""How an update comes about: an honest seller applies the given local training to its samples."""

UPDATES_REMEMBERED = 4
"""Trained and not posted yet, because the chain did not take them: one for each running job."""


@dataclass(frozen=True)
class Samples:
    """A seller's own data: uint8 inputs (n, …) and labels (n,)."""

    inputs: ByteArray
    labels: Labels


@dataclass(frozen=True, eq=False)
class LocalTask:
    """The local training that one round asks for; called with samples it gives their update."""

    job: str
    """Chain, contract and number: no other market has a job of this name."""
    round_number: int
    spec: JobSpec
    weights: IntVector
    seed: int

    def __call__(self, samples: Samples) -> IntVector:
        """The update int32 (d,). Raises ValueError on data that does not fit."""
        data = (samples.inputs, samples.labels)
        spec = self.spec
        return train(spec.model, self.weights, *data, spec.training, self.seed, self.round_number)


def train_honestly(samples: Samples, training: LocalTask) -> IntVector:
    """The update of the seller's real data."""
    return training(samples)


@dataclass
class SellerMemory(Memory):
    """Memory of a seller."""

    is_offered: bool = False
    """Whether the offer was found on this branch of the chain."""
    sits_out: set[tuple[int, int]] = field(default_factory=set)
    """Rounds, by job and number, for which its privacy allows no update."""
    refused: dict[tuple[int, int], str] = field(default_factory=dict)
    """Why a round's update was not taken, as it was logged."""


class Seller(Party):
    """The seller of one offer. Its data stays in this process; only updates leave it."""

    watches = ("Jobs", "KeyRings")
    memory: SellerMemory
    new_memory = SellerMemory

    def __init__(
        self,
        chain: Chain,
        store: Store,
        key: PrivateKey,
        samples: Samples,
        *,
        offer_id: int,
        training: Trainer = train_honestly,
        patience_blocks: int,
    ) -> None:
        super().__init__(chain, store, key, patience_blocks=patience_blocks)
        self._samples = samples
        self._offer_id = offer_id
        self._training = training
        self._offer = self.market.registry.offer(offer_id)
        """As it was last seen: what it says finds it again under another number."""
        self._trained = lru_cache(maxsize=UPDATES_REMEMBERED)(self._encoded_update)

    def forget(self) -> None:
        """Train again: on another branch rounds begin with other models."""
        super().forget()
        self._trained.cache_clear()

    def keep_registered(self, block: int) -> None:
        """Have the offer stand that the owner had when the chain was re-organised.

        Changes by the owner meanwhile, a pause or the end of the offer too, are left as they are.
        """
        if not self.memory.is_offered:
            offer_id = restore(self.market, self._offer_id, self._offer)
            if offer_id != self._offer_id:
                self.log.warning("offer has another id now", was=self._offer_id, offer=offer_id)
            self._offer_id = offer_id
            self.memory.is_offered = True
        self._offer = self.market.registry.offer(self._offer_id)

    def involves(self, job_id: int, job: Job) -> bool:
        """Whether the offer was matched. Before the first sample nothing is asked of it."""
        return (
            job.state != JobState.SEEDING and self._offer_id in self.market.jobs.offers(job_id).ids
        )

    def act(self, job_id: int, view: JobView) -> None:
        """Train and post when sampled."""
        job, index = view.job, self._index(job_id)
        place = (job_id, job.round)
        if not (job.sample & ~job.posted) >> index & 1 or place in self.memory.sits_out:
            return
        if job.state == JobState.DECIDING:
            self.missed("posted", job=job_id, round=job.round)
        if job.state != JobState.COLLECTING:
            return
        self.inputs.read_ahead(job_id, job.round)
        try:
            sealed = self._seal(Post(job_id, job.round, self.chain.address, index))
        except BudgetSpent as refused:
            self.log.warning("sits out", job=job_id, round=job.round, why=str(refused))
            self.memory.sits_out.add(place)
            return
        self._post(place, index, sealed)

    def _post(self, place: tuple[int, int], index: int, sealed: bytes) -> None:
        """Post an update. A refusal is met again at the next look, if the chain still wants one."""
        job_id, round_number = place
        self.inputs.pin(job_id, round_number, sealed)
        cid = Cid.of(sealed)
        try:
            named = (content_hash(sealed), cid.binary)
            self.market.jobs.post_update(job_id, round_number, index, *named)
        except Reverted as refused:
            self.wake_at(self.chain.block_number() + 1)
            if self.memory.refused.get(place) != str(refused):
                self.memory.refused[place] = str(refused)
                self.log.warning("update refused", job=job_id, round=round_number, why=str(refused))
            return
        metrics.DONE.labels("posted").inc()
        self.log.info("posted update", job=job_id, round=round_number, cid=str(cid))

    def _seal(self, post: Post) -> bytes:
        """The update of one round, as only nodes and buyer can read it, and only there."""
        lock = self.inputs.lock(post.job_id)  # before training: without it nothing can be posted
        update = self._trained(post.job_id, post.round)
        return seal_update(self.market.id, post, self.key, lock, update)

    def update(self, job_id: int, round_number: int) -> IntVector:
        """The update of one round, int32 (d,): the same whenever it is computed again.

        Raises BudgetSpent where the seller's privacy allows no further release.
        """
        deployment = self.chain.deployment
        training = LocalTask(
            job=f"{deployment.chain_id}/{deployment.contracts['Jobs']}/{job_id}",
            round_number=round_number,
            spec=self.inputs.spec(job_id),
            weights=self.inputs.state_before(job_id, round_number).weights,
            seed=training_seed(self.chain.address, job_id, round_number),
        )
        return self._training(self._samples, training)

    def _encoded_update(self, job_id: int, round_number: int) -> bytes:
        with metrics.TRAINING_SECONDS.time():
            return encode_update(self.update(job_id, round_number))

    def finish(self, job_id: int, view: JobView) -> None:
        """Claim the offer's share with its proof, and withdraw."""
        if view.job.accepted_rounds:
            self._claim(job_id, view.job.accepted_rounds)
        self.withdraw(view.pots.token)

    def _index(self, job_id: int) -> int:
        """Where the offer stands among the job's."""
        return self.market.jobs.offers(job_id).ids.index(self._offer_id)

    def _claim(self, job_id: int, last_round: int) -> None:
        index = self._index(job_id)
        try:
            share, proof = contribution_proof(self.inputs.contributions(job_id, last_round), index)
        except KeyError:
            self.log.info("no share", job=job_id)
            return
        try:
            self.market.escrow.claim_seller(job_id, index, share.start, share.end, proof)
        except Reverted as refused:
            # Anybody may have claimed for this seller before.
            self.log.info("share not claimed", job=job_id, why=str(refused))


def training_seed(seller: str, job_id: int, round_number: int) -> int:
    """A seed of 63 bits that orders a seller's batches, different in every round."""
    data = f"{seller}/{job_id}/{round_number}"
    return int.from_bytes(keccak(text=data)[:8], "big") >> 1

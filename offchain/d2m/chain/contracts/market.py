"""The contracts of one deployment, and the questions that take several of them."""

from __future__ import annotations

from functools import cached_property
from typing import NamedTuple

from eth_typing import ChecksumAddress

from d2m.chain.client import Chain
from d2m.chain.contracts.auctions import AuctionHouse
from d2m.chain.contracts.cone_pool import ConePool
from d2m.chain.contracts.escrow import Escrow
from d2m.chain.contracts.jobs import Jobs
from d2m.chain.contracts.key_rings import KeyRings
from d2m.chain.contracts.lens import Lens
from d2m.chain.contracts.seller_registry import SellerRegistry
from d2m.chain.contracts.yoda import Yoda
from d2m.protocol.types import JobView
from d2m.sealing.content import MarketId


class MemberKeys(NamedTuple):
    """The X25519 keys that a job's members had registered when it froze them, repeats included."""

    readers: list[bytes]
    """Keys of nodes and winner, who read everything."""
    trainers: list[bytes]
    """Keys of sellers, who read the models."""


class Market:
    """One deployment's contracts. Values that only a re-organisation could change are read once."""

    def __init__(self, chain: Chain) -> None:
        self.chain = chain
        self.auctions = AuctionHouse(chain)
        self.escrow = Escrow(chain)
        self.jobs = Jobs(chain)
        self.key_rings = KeyRings(chain)
        self.lens = Lens(chain)
        self.pool = ConePool(chain)
        self.registry = SellerRegistry(chain)
        self.yoda = Yoda(chain)
        self._nodes: dict[int, list[ChecksumAddress]] = {}

    def forget(self) -> None:
        """Read everything again: the chain was re-organised, or much depends on what is next."""
        self._nodes.clear()
        for each in (self.auctions, self.jobs, self.yoda):
            each.forget()

    @cached_property
    def id(self) -> MarketId:
        """The market that content is sealed for."""
        deployment = self.chain.deployment
        return MarketId(deployment.chain_id, self.auctions.address, self.jobs.address)

    def situation(self, job_id: int) -> JobView:
        """A job as the latest block left it; `due` tells of the block that comes next."""
        return self.lens.job(job_id)._replace(due=self.jobs.is_due(job_id))

    def nodes(self, job_id: int) -> list[ChecksumAddress]:
        """The nodes of the job's frozen pool, by seat."""
        if job_id not in self._nodes:
            frozen = self.lens.job(job_id).frozen
            self._nodes[job_id] = self.pool.nodes_at(frozen.freeze_block, frozen.seats)
        return self._nodes[job_id]

    def member_keys(self, job_id: int) -> MemberKeys:
        """The members' keys at the freeze: what they register later changes no key ring."""
        job = self.lens.job(job_id).job
        of_offer = self.registry.keys_at(job.freeze_block, self.jobs.offers(job_id).ids)
        of_node = self.pool.keys_at(job.freeze_block, self.nodes(job_id))
        of_buyer = self.key_rings.keys_at(job.freeze_block, [job.buyer])
        return MemberKeys(of_node + of_buyer, of_offer)

    def registered(self, tag: bytes) -> tuple[int, int]:
        """Offers under a tag, and seats taken, at the end of the latest block."""
        block = self.chain.block_number()
        count_at, seats_at = self.registry.functions.countAt, self.pool.functions.seatsAt
        offers, seats = self.chain.call_many([count_at(tag, block), seats_at(block)])
        return offers, seats

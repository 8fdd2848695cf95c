"""An account's keys to a job's sealed content: found in key rings, or made by itself as opener."""

from __future__ import annotations

from nacl.public import PrivateKey

from d2m.chain.contracts.key_rings import PostedRing
from d2m.chain.contracts.market import Market
from d2m.jobs.pins import job_pin
from d2m.sealing.errors import NoKey, SealError
from d2m.sealing.keys import Access, JobKey, Lock
from d2m.sealing.ring import RING_LIMIT, unseal_ring
from d2m.store.cid import Cid
from d2m.store.errors import InvalidCid, NotYet, StoreError
from d2m.store.fetch import fetch_verified
from d2m.store.local import Store

OPENER_RINGS_READ = 8
"""Key rings of one opener that are read. One is enough; the others allow corrections."""


class JobKeys:
    """Finds what an account may read of a job. It keeps nothing."""

    def __init__(
        self, market: Market, store: Store, own: PrivateKey, request_secret: bytes | None = None
    ) -> None:
        """`own` is the key that the account registered; `request_secret` is that of an opener."""
        self.own = own
        self._market = market
        self._store = store
        self._request_secret = request_secret

    def access(self, job_id: int, lock: Lock) -> Access:
        """The most that the account may read of the job whose request says `lock`.

        Raises NoKey while there is no key ring that serves, with what is wrong with those there,
        and NotYet while one is being read.
        """
        if self._request_secret is not None:
            key = JobKey.made_by(self._request_secret, lock.request_id)
            if key.key_id == lock.key_id:
                return Access.full(lock, key)
        return self._from_rings(job_id, lock)

    def _from_rings(self, job_id: int, lock: Lock) -> Access:
        found: Access | None = None
        awaited: NotYet | None = None
        faults = []
        for ring in heeded_rings(self._market, job_id):
            try:
                access = self._read(job_id, ring, lock)
            except NotYet as error:
                awaited = awaited or error
                continue
            except (SealError, StoreError, InvalidCid) as error:
                faults.append(f"{ring.poster}'s key ring: {error}")
                continue
            if access.job_key is not None:
                return access
            found = found or access
        if found is not None:
            return found
        if awaited is not None:
            raise awaited
        raise NoKey("; ".join(faults) or f"nobody has posted a key ring for job {job_id} yet")

    def _read(self, job_id: int, ring: PostedRing, lock: Lock) -> Access:
        cid, pin = Cid(ring.cid), job_pin(self._market.id, job_id, 0)
        data = fetch_verified(self._store, cid, ring.content_hash, limit=RING_LIMIT, name=pin)
        return unseal_ring(data, lock, self.own)


def heeded_rings(market: Market, job_id: int) -> list[PostedRing]:
    """The opener's rings, then one of each node: anybody may post, and post anything."""
    rings, opener = market.key_rings.rings(job_id), market.auctions.opener(job_id)
    heeded = [ring for ring in rings if ring.poster == opener][:OPENER_RINGS_READ]
    unread = set(market.nodes(job_id)) - {opener}
    for ring in rings:
        if ring.poster in unread:
            unread.remove(ring.poster)
            heeded.append(ring)
    return heeded

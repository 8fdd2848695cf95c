"""Handing a job's key to its members: by the opener, and by nodes where it left some out."""

from __future__ import annotations

import structlog

from d2m.chain.contracts.market import Market
from d2m.jobs.inputs import JobInputs
from d2m.jobs.keys import heeded_rings
from d2m.jobs.pins import job_pin
from d2m.protocol.types import Job, JobState
from d2m.sealing.errors import SealError
from d2m.sealing.ring import Ring, build_ring
from d2m.store.errors import StoreError
from d2m.store.fetch import content_hash
from d2m.store.local import Store

log = structlog.get_logger()


def make_ring(inputs: JobInputs, job_id: int) -> Ring:
    """The one right key ring of a job, by whoever holds its key. Raises SealError."""
    access, members = inputs.access(job_id), inputs.market.member_keys(job_id)
    return build_ring(access.full_key(), access.lock.request_id, *members)


def hand_out(inputs: JobInputs, job_id: int, job: Job) -> int | None:
    """Post the job's key ring, as its opener, unless it is posted.

    Returns the block since which nobody waits for it: that of the post, 0 where the job has ended
    or there is no key to hand out; None while the post is not on the chain. Before the first sample
    the members are not known.
    """
    if job.state == JobState.SEEDING:
        return None
    if job.state.ended:
        return 0
    try:
        ring = make_ring(inputs, job_id)
    except StoreError as error:
        log.warning("cannot hand out the key now", job=job_id, why=str(error))
        return None
    except (SealError, ValueError) as error:
        # Trying again is of no use: what the request names is not sealed with this account's key.
        log.error("no key to hand out", job=job_id, why=str(error))
        return 0
    posted = _posted_in(inputs, job_id, ring)
    if posted is None:
        for public in ring.unusable:
            log.warning(
                "a member's key is unusable: it gets none", job=job_id, public_key=public.hex()
            )
        post_ring(inputs.market, inputs.store, job_id, ring)
    return posted


def mend(inputs: JobInputs, job_id: int, seat: int) -> bool:
    """Post the right key ring where no posted one is, as the node on a seat; whether all is well.

    A member that was left out could not compute, and would be slashed for its silence. Nodes take
    turns by seat, a block each, so that only one of them pays.
    """
    posted = heeded_rings(inputs.market, job_id)
    if not posted:
        return False
    ring, chain = make_ring(inputs, job_id), inputs.market.chain
    inputs.pin(job_id, 0, ring.data)  # so that it is there also where the opener serves it to few
    if _posted_in(inputs, job_id, ring) is not None or chain.address in {
        each.poster for each in posted
    }:
        return True
    if chain.block_number() <= posted[0].block + seat:
        return False
    log.warning("the key ring leaves members out, or gives them wrong keys", job=job_id)
    post_ring(inputs.market, inputs.store, job_id, ring)
    return True


def _posted_in(inputs: JobInputs, job_id: int, ring: Ring) -> int | None:
    """The block in which a ring was posted first, by whom readers heed."""
    wanted = content_hash(ring.data)
    blocks = [
        each.block for each in heeded_rings(inputs.market, job_id) if each.content_hash == wanted
    ]
    return min(blocks, default=None)


def post_ring(market: Market, store: Store, job_id: int, ring: Ring) -> None:
    """Pin a key ring, and say on chain where it is."""
    cid = store.put(ring.data, name=job_pin(market.id, job_id, 0))
    market.key_rings.post(job_id, content_hash(ring.data), cid.binary)
    log.info("posted key ring", job=job_id, cid=str(cid))

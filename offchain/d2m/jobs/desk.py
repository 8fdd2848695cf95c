"""A party's desk: a job's inputs, fetched from chain and store, checked, opened and decoded."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import lru_cache, partial
from typing import NamedTuple

import structlog
from eth_typing import ChecksumAddress

from d2m import metrics
from d2m.chain.contracts.market import Market
from d2m.chain.errors import LogsUnready
from d2m.jobs.answer import Answer, answer
from d2m.jobs.contents import (
    EVALUATION,
    MODEL,
    RING,
    SAMPLER,
    SPECIFICATION,
    UPDATE,
    job_contents,
)
from d2m.jobs.deliveries import Found, Posted, reading_deadline, updates_to_compute_with
from d2m.jobs.keys import JobKeys
from d2m.jobs.pins import job_pin
from d2m.learning.grid import IntVector
from d2m.learning.round import (
    RoundOutput,
    State,
    initial_state,
    next_state,
    parse_sampler,
)
from d2m.learning.spec import JobSpec
from d2m.learning.updates import (
    EvaluationSet,
    decode_evaluation,
    decode_model,
    update_size,
)
from d2m.protocol.ballots import RoundResult
from d2m.protocol.types import Request
from d2m.sealing.content import (
    OVERHEAD,
    UPDATE_OVERHEAD,
    Post,
    Purpose,
    open_evaluation,
    open_model,
    open_update,
    read_lock,
    seal_model,
)
from d2m.sealing.errors import Unreadable
from d2m.sealing.keys import Access, Lock
from d2m.sealing.ring import RING_LIMIT
from d2m.store.ahead import ReadAhead
from d2m.store.cid import Cid
from d2m.store.errors import InvalidCid, StoreError
from d2m.store.fetch import fetch_deliveries, fetch_verified

SPEC_LIMIT = 64 << 10
"""Bytes of a job specification: generous for a page of JSON."""
EVALUATION_LIMIT = 256 << 20
"""Bytes of an evaluation set: 10,000 colour images of 32 x 32 take 31 MB."""
SAMPLER_LIMIT = 64 << 10
"""Bytes of a sampler state: three lists of at most 256 words of 32 bytes, and their heads."""
MODEL_HEADER_LIMIT = 64 << 10
"""Bytes of a model file beside its parameters of 4 bytes each: names and shapes."""
ROUNDS_REMEMBERED = 4
"""Computed rounds kept in memory: the present one, and some for other jobs."""

log = structlog.get_logger()


class Inputs(NamedTuple):
    """All that a round's output follows from: where these are the same, so is the output."""

    job_id: int
    round: int
    request: Request
    sellers: tuple[ChecksumAddress, ...]
    sample_seed: bytes
    before: tuple[RoundResult, ...]
    """The accepted results of the last two rounds."""
    updates: Posted
    delivered: tuple[int, ...]
    """Which of them the node has, by index of the offer: it may be more an hour later."""
    seed: bytes


class Desk:
    """Reads and computes; it keeps nothing that could not be read and computed again."""

    def __init__(self, market: Market, store: ReadAhead, keys: JobKeys) -> None:
        self.market = market
        self.store = store
        self._keys = keys
        self.lock = lru_cache(maxsize=None)(self._lock)
        self.access = lru_cache(maxsize=None)(self._access)
        self.spec = lru_cache(maxsize=None)(self._spec)
        self.evaluation = lru_cache(maxsize=2)(self._evaluation)
        self._computed: OrderedDict[Inputs, RoundOutput] = OrderedDict()

    def forget(self) -> None:
        """Read everything again. Computed rounds are kept: their inputs say what they are of."""
        self.market.forget()
        for each in (self.spec, self.lock, self.access):
            each.cache_clear()
        self.evaluation.cache_clear()

    def state_before(self, job_id: int, round_number: int) -> State:
        """The state that round `round_number` starts from."""
        if round_number == 1:
            return self._initial_state(job_id)
        probabilities, contributions, draws = parse_sampler(self._sampler(job_id, round_number - 1))
        return State(
            round=round_number,
            weights=self._weights(job_id, round_number - 1),
            previous=self._weights(job_id, round_number - 2),
            probabilities=probabilities,
            contributions=contributions,
            draws=draws,
        )

    def sealed_model(self, job_id: int, round_number: int) -> bytes:
        """The accepted model of a round, as the bytes whose hash the chain holds."""
        result = self.market.jobs.result(job_id, round_number)
        limit = _model_limit(self.spec(job_id))
        return self._fetch(job_id, round_number, result.model_cid, result.model_hash, limit)

    def model(self, job_id: int, round_number: int) -> bytes:
        """The accepted model of a round, opened: canonical safetensors bytes."""
        sealed = self.sealed_model(job_id, round_number)
        return open_model(self.market.id, job_id, round_number, self.access(job_id), sealed)

    def contributions(self, job_id: int, round_number: int) -> tuple[int, ...]:
        """The sellers' contributions in the accepted result of a round."""
        return parse_sampler(self._sampler(job_id, round_number))[1]

    def answers(self, job_id: int, round_number: int) -> list[Answer]:
        """Answers that an honest node may vote for, content pinned: by the updates here on time.

        Where more have come since, there is a second one by all that are here now. Raises NotYet
        while updates are waited for.
        """
        spec, seal = self.spec(job_id), self.model_seal(job_id, round_number)
        outputs = self._outputs(job_id, round_number)
        found = [answer(job_id, round_number, output, spec, seal) for output in outputs]
        for each in found:
            self.pin(job_id, round_number, *each.blobs)
        return found

    def answer(self, job_id: int, round_number: int) -> Answer:
        """That of the updates that were here on time."""
        return self.answers(job_id, round_number)[0]

    def output(self, job_id: int, round_number: int) -> RoundOutput:
        """The round's outcome by the updates that were here on time."""
        return next(self._outputs(job_id, round_number))

    def pin(self, job_id: int, round_number: int, *blobs: bytes) -> None:
        """Keep content that came of a round."""
        for blob in blobs:
            self.store.put(blob, name=job_pin(self.market.id, job_id, round_number))

    def read_ahead(self, job_id: int, round_number: int) -> None:
        """Have what computing a round takes read in the background; nothing is waited for."""
        limits = {
            (SPECIFICATION, 0): SPEC_LIMIT,
            (EVALUATION, 0): EVALUATION_LIMIT + OVERHEAD,
            (RING, 0): RING_LIMIT,
        }
        with suppress(StoreError, InvalidCid, ValueError):  # said where the round needs it
            spec = self.spec(job_id)
            limits[UPDATE, round_number] = _update_limit(spec)
            for earlier in (round_number - 1, round_number - 2):
                limits[MODEL, earlier] = _model_limit(spec)
                limits[SAMPLER, earlier] = SAMPLER_LIMIT
        for content in job_contents(self.market, job_id):
            limit = limits.get((content.role, content.round))
            if limit is not None:
                pin = job_pin(self.market.id, job_id, content.round)
                self.store.prepare(content.cid, limit=limit, name=pin)

    def model_seal(self, job_id: int, round_number: int) -> Callable[[bytes], bytes]:
        """Seal of the model that a round gives."""
        return partial(seal_model, self.market.id, job_id, round_number, self.access(job_id))

    def _initial_state(self, job_id: int) -> State:
        seed = self.market.situation(job_id).job.sample_seed
        return initial_state(self.spec(job_id), len(self.market.jobs.sellers(job_id)), seed)

    def _weights(self, job_id: int, round_number: int) -> IntVector:
        """The accepted weights of a round, those before round 1 for 0."""
        if not round_number:
            return self._initial_state(job_id).weights
        return decode_model(self.model(job_id, round_number), self.spec(job_id).model)

    def _spec(self, job_id: int) -> JobSpec:
        request = self.market.jobs.request(job_id)
        named = (request.spec_cid, request.spec_hash)
        return JobSpec.from_bytes(self._fetch(job_id, 0, *named, SPEC_LIMIT))

    def _lock(self, job_id: int) -> Lock:
        """Lock that the request states in the clear of the job's key, before the evaluation set.

        Raises Unreadable where the buyer has posted something else.
        """
        return read_lock(self._sealed_evaluation(job_id), Purpose.EVALUATION)

    def _access(self, job_id: int) -> Access:
        """Access of this party. Raises NoKey while it has no key."""
        return self._keys.access(job_id, self.lock(job_id))

    def _sealed_evaluation(self, job_id: int) -> bytes:
        request = self.market.jobs.request(job_id)
        limit = EVALUATION_LIMIT + OVERHEAD
        return self._fetch(job_id, 0, request.evaluation_cid, request.evaluation_hash, limit)

    def _evaluation(self, job_id: int) -> EvaluationSet:
        opener, access = self.market.auctions.opener(job_id), self.access(job_id)
        sealed = self._sealed_evaluation(job_id)
        plain = open_evaluation(self.market.id, opener, access, sealed)
        return decode_evaluation(plain, self.spec(job_id).model)

    def _sampler(self, job_id: int, round_number: int) -> bytes:
        result = self.market.jobs.result(job_id, round_number)
        named = (result.sampler_cid, result.sampler_hash)
        return self._fetch(job_id, round_number, *named, SAMPLER_LIMIT)

    # --- computing

    def _outputs(self, job_id: int, round_number: int) -> Iterator[RoundOutput]:
        """The round's outcome by the updates on time, then by all, each computed once."""
        found = self._found(job_id, round_number)
        deadline = self._reading_deadline(job_id, round_number)
        block = self.market.chain.block_number()
        for indices in updates_to_compute_with(found, round_number, deadline, block):
            inputs = self._inputs(job_id, round_number, found.posted, tuple(sorted(indices)))
            if inputs not in self._computed:
                self._computed[inputs] = self._compute(inputs, found)
            self._computed.move_to_end(inputs)
            while len(self._computed) > ROUNDS_REMEMBERED:
                self._computed.popitem(last=False)
            yield self._computed[inputs]

    def _found(self, job_id: int, round_number: int) -> Found:
        """Updates of a round that are here."""
        posted = self._posted(job_id, round_number)
        deliveries = fetch_deliveries(
            self.store,
            [(each.cid, each.content_hash) for _index, each in posted],
            limit=_update_limit(self.spec(job_id)),
            name=job_pin(self.market.id, job_id, round_number),
        )
        indices = [index for index, _each in posted]
        arrivals = {index: self.store.arrival(each.cid) for index, each in posted}
        return Found(posted, dict(zip(indices, deliveries, strict=True)), arrivals)

    def _posted(self, job_id: int, round_number: int) -> Posted:
        """The updates posted in a round, by index of the offer.

        Raises LogsUnready where the job counts more in its present round: a node's logs may lag
        behind its state, and a vote over fewer updates than the others' is a lost one.
        """
        updates = self.market.jobs.updates(job_id, round_number)
        job = self.market.situation(job_id).job
        if job.round == round_number and job.posted.bit_count() > len(updates):
            raise LogsUnready(
                f"the node's logs tell of {len(updates)} updates in round {round_number} of job"
                f" {job_id}, its state of {job.posted.bit_count()}: wait until they agree"
            )
        return tuple(sorted(updates.items()))

    def _reading_deadline(self, job_id: int, round_number: int) -> int | None:
        last = self.market.yoda.first_commit_deadline(job_id, round_number)
        if last is None:
            return None
        return reading_deadline(last, self.market.jobs.request(job_id).rules.commit_blocks)

    def _inputs(
        self, job_id: int, round_number: int, posted: Posted, delivered: tuple[int, ...]
    ) -> Inputs:
        earlier = range(max(1, round_number - 2), round_number)
        return Inputs(
            job_id,
            round_number,
            self.market.jobs.request(job_id),
            tuple(self.market.jobs.sellers(job_id)),
            self.market.situation(job_id).job.sample_seed,
            tuple(self.market.jobs.result(job_id, each) for each in earlier),
            posted,
            delivered,
            self.market.yoda.round_seed(job_id, round_number),
        )

    def _compute(self, inputs: Inputs, found: Found) -> RoundOutput:
        spec, number = self.spec(inputs.job_id), inputs.round
        updates = self._opened(inputs, found)
        state = self.state_before(inputs.job_id, number)
        evaluation = self.evaluation(inputs.job_id)
        with metrics.ROUND_SECONDS.time():
            output = next_state(state, updates, evaluation, inputs.seed, spec)
        for verdict in output.verdicts:
            if not verdict.kept:
                place = {"job": inputs.job_id, "round": number, "index": verdict.index}
                log.info("update refused", **place, reason=verdict.reason, why=verdict.detail)
        return output

    def _opened(self, inputs: Inputs, found: Found) -> dict[int, bytes]:
        """The posted updates by index, opened; none where it is absent, malformed or not sealed.

        Raises NoKey: a node that cannot read updates must not take them for unreadable.
        """
        access, market_id = self.access(inputs.job_id), self.market.id
        opened: dict[int, bytes] = {}
        for index, _update in inputs.updates:
            opened[index] = b""
            post = Post(inputs.job_id, inputs.round, inputs.sellers[index], index)
            place = {"job": post.job_id, "round": post.round, "index": index}
            delivery = found.deliveries[index]
            if index not in inputs.delivered:
                log.warning("update absent", **place, why=delivery.why or "it came too late")
            elif delivery.data is None:
                log.warning("update malformed", **place, why=delivery.why)
            else:
                try:
                    opened[index] = open_update(market_id, post, access, delivery.data)
                except Unreadable as error:
                    log.warning("update unreadable", **place, why=str(error))
        return opened

    def _fetch(
        self, job_id: int, round_number: int, cid: bytes, content_hash: bytes, limit: int
    ) -> bytes:
        pin = job_pin(self.market.id, job_id, round_number)
        return fetch_verified(self.store, Cid(cid), content_hash, limit=limit, name=pin)


def _update_limit(spec: JobSpec) -> int:
    return update_size(spec.model.dimension) + UPDATE_OVERHEAD


def _model_limit(spec: JobSpec) -> int:
    return 4 * spec.model.dimension + MODEL_HEADER_LIMIT + OVERHEAD

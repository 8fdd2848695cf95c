"""A job's inputs for a member: fetched from chain and store, checked, unsealed and decoded.

A round is computed in two steps. `JobInputs.of_round` reads on the chain all that its output
follows from, as `RoundInputs`; `JobInputs.gather` fetches the contents that these name. `rounds`
computes with nothing else.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import NamedTuple

import structlog
from eth_typing import ChecksumAddress

from d2m.chain.contracts.market import Market
from d2m.chain.errors import LogsUnready
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
from d2m.learning.round import (
    State,
    initial_state,
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
    read_lock,
    seal_model,
    unseal_evaluation,
    unseal_model,
    unseal_update,
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
SETS_REMEMBERED = 2
"""Evaluation sets kept in memory, the largest of a job's contents."""

log = structlog.get_logger()


class RoundInputs(NamedTuple):
    """All that a round's output follows from, as the chain says it: equal inputs, equal output."""

    job_id: int
    round: int
    request: Request
    opener: ChecksumAddress
    sellers: tuple[ChecksumAddress, ...]
    sample_seed: bytes
    before: tuple[RoundResult, ...]
    """The accepted results of the last two rounds, the older one first."""
    updates: Posted
    delivered: tuple[int, ...]
    """Which of them the node has, by index of the offer: it may be more an hour later."""
    seed: bytes


@dataclass(frozen=True)
class RoundContents:
    """The contents behind a round's inputs: the arguments of the round computation."""

    spec: JobSpec
    state: State
    evaluation: EvaluationSet
    updates: dict[int, bytes]
    """By index of the offer; empty where one is absent, malformed or not sealed."""
    seed: bytes


class JobInputs:
    """Reads; it keeps nothing that could not be read again, and all of it by what it follows from.

    Contents are kept by the request that names them, so that a re-organisation, which may give a
    job another request, makes none of them wrong.
    """

    def __init__(self, market: Market, store: ReadAhead, keys: JobKeys) -> None:
        self.market = market
        self.store = store
        self._keys = keys
        self.lock = lru_cache(maxsize=None)(self._lock)
        self.access = lru_cache(maxsize=None)(self._access)
        self._spec = lru_cache(maxsize=None)(self._read_spec)
        self._evaluation = lru_cache(maxsize=SETS_REMEMBERED)(self._read_evaluation)

    def forget(self) -> None:
        """Read the chain again."""
        self.market.forget()
        self.lock.cache_clear()
        self.access.cache_clear()

    # --- a job's contents

    def spec(self, job_id: int) -> JobSpec:
        """The specification. Raises SpecError, StoreError."""
        return self._spec(job_id, self.market.jobs.request(job_id))

    def evaluation(self, job_id: int) -> EvaluationSet:
        """The evaluation set, unsealed. Raises NoKey, Unreadable, StoreError."""
        opener = self.market.auctions.opener(job_id)
        return self._evaluation(job_id, self.market.jobs.request(job_id), opener)

    def state_before(self, job_id: int, round_number: int) -> State:
        """The state that a round starts from."""
        return self._state(self._chain_inputs(job_id, round_number))

    def sealed_model(self, job_id: int, round_number: int) -> bytes:
        """The accepted model of a round, as the bytes whose hash the chain holds."""
        return self._sealed_model(self.market.jobs.result(job_id, round_number), self.spec(job_id))

    def model(self, job_id: int, round_number: int) -> bytes:
        """The accepted model of a round, unsealed: canonical safetensors bytes."""
        return self._model(self.market.jobs.result(job_id, round_number), self.spec(job_id))

    def contributions(self, job_id: int, round_number: int) -> tuple[int, ...]:
        """The sellers' contributions in the accepted result of a round."""
        return parse_sampler(self._sampler(self.market.jobs.result(job_id, round_number)))[1]

    def model_seal(self, job_id: int, round_number: int) -> Callable[[bytes], bytes]:
        """Seal of the model that a round gives."""
        return partial(seal_model, self.market.id, job_id, round_number, self.access(job_id))

    def pin(self, job_id: int, round_number: int, *blobs: bytes) -> None:
        """Keep content that came of a round."""
        for blob in blobs:
            self.store.put(blob, name=job_pin(self.market.id, job_id, round_number))

    def read_ahead(self, job_id: int, round_number: int) -> None:
        """Have the contents behind a round read in the background; nothing is waited for."""
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

    # --- a round's inputs

    def of_round(self, job_id: int, round_number: int) -> list[tuple[RoundInputs, Found]]:
        """A round's inputs with the updates that were here on time; then with all, if more came.

        Raises NotYet while updates are waited for.
        """
        found = self._found(job_id, round_number)
        deadline = self._reading_deadline(job_id, round_number)
        block = self.market.chain.block_number()
        inputs = self._chain_inputs(job_id, round_number)._replace(
            updates=found.posted, seed=self.market.yoda.round_seed(job_id, round_number)
        )
        return [
            (inputs._replace(delivered=tuple(sorted(indices))), found)
            for indices in updates_to_compute_with(found, round_number, deadline, block)
        ]

    def gather(self, inputs: RoundInputs, found: Found) -> RoundContents:
        """The contents that a round's inputs name.

        Raises NoKey: a node that cannot read updates must not take them for unreadable.
        """
        return RoundContents(
            self._spec(inputs.job_id, inputs.request),
            self._state(inputs),
            self._evaluation(inputs.job_id, inputs.request, inputs.opener),
            self._unsealed(inputs, found),
            inputs.seed,
        )

    def _chain_inputs(self, job_id: int, round_number: int) -> RoundInputs:
        """A round's inputs but for updates and seed, which come last."""
        earlier = range(max(1, round_number - 2), round_number)
        return RoundInputs(
            job_id,
            round_number,
            self.market.jobs.request(job_id),
            self.market.auctions.opener(job_id),
            tuple(self.market.jobs.sellers(job_id)),
            self.market.situation(job_id).job.sample_seed,
            tuple(self.market.jobs.result(job_id, each) for each in earlier),
            updates=(),
            delivered=(),
            seed=b"",
        )

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

    # --- contents behind inputs

    def _state(self, inputs: RoundInputs) -> State:
        """The state that a round starts from, by the results before it."""
        spec = self._spec(inputs.job_id, inputs.request)
        if len(inputs.before) < 2:
            first = initial_state(spec, len(inputs.sellers), inputs.sample_seed)
        if not inputs.before:
            return first
        weights = [decode_model(self._model(result, spec), spec.model) for result in inputs.before]
        probabilities, contributions, draws = parse_sampler(self._sampler(inputs.before[-1]))
        return State(
            round=inputs.round,
            weights=weights[-1],
            previous=weights[0] if len(weights) > 1 else first.weights,
            probabilities=probabilities,
            contributions=contributions,
            draws=draws,
        )

    def _unsealed(self, inputs: RoundInputs, found: Found) -> dict[int, bytes]:
        access, market = self.access(inputs.job_id), self.market.id
        unsealed: dict[int, bytes] = {}
        for index, _update in inputs.updates:
            unsealed[index] = b""
            post = Post(inputs.job_id, inputs.round, inputs.sellers[index], index)
            place = {"job": post.job_id, "round": post.round, "index": index}
            delivery = found.deliveries[index]
            if index not in inputs.delivered:
                log.warning("update absent", **place, why=delivery.why or "it came too late")
            elif delivery.data is None:
                log.warning("update malformed", **place, why=delivery.why)
            else:
                try:
                    unsealed[index] = unseal_update(market, post, access, delivery.data)
                except Unreadable as error:
                    log.warning("update unreadable", **place, why=str(error))
        return unsealed

    def _read_spec(self, job_id: int, request: Request) -> JobSpec:
        named = (request.spec_cid, request.spec_hash)
        return JobSpec.from_bytes(self._fetch(job_id, 0, *named, SPEC_LIMIT))

    def _read_evaluation(
        self, job_id: int, request: Request, opener: ChecksumAddress
    ) -> EvaluationSet:
        sealed = self._sealed_evaluation(job_id, request)
        plain = unseal_evaluation(self.market.id, opener, self.access(job_id), sealed)
        return decode_evaluation(plain, self._spec(job_id, request).model)

    def _sealed_evaluation(self, job_id: int, request: Request) -> bytes:
        named = (request.evaluation_cid, request.evaluation_hash)
        return self._fetch(job_id, 0, *named, EVALUATION_LIMIT + OVERHEAD)

    def _lock(self, job_id: int) -> Lock:
        """Lock that the request states in the clear of the job's key, before the evaluation set.

        Raises Unreadable where the buyer has posted something else.
        """
        sealed = self._sealed_evaluation(job_id, self.market.jobs.request(job_id))
        return read_lock(sealed, Purpose.EVALUATION)

    def _access(self, job_id: int) -> Access:
        """Access of this party. Raises NoKey while it has no key."""
        return self._keys.access(job_id, self.lock(job_id))

    def _model(self, result: RoundResult, spec: JobSpec) -> bytes:
        sealed, access = self._sealed_model(result, spec), self.access(result.job_id)
        return unseal_model(self.market.id, result.job_id, result.round, access, sealed)

    def _sealed_model(self, result: RoundResult, spec: JobSpec) -> bytes:
        named = (result.model_cid, result.model_hash)
        return self._fetch(result.job_id, result.round, *named, _model_limit(spec))

    def _sampler(self, result: RoundResult) -> bytes:
        named = (result.sampler_cid, result.sampler_hash)
        return self._fetch(result.job_id, result.round, *named, SAMPLER_LIMIT)

    def _fetch(
        self, job_id: int, round_number: int, cid: bytes, content_hash: bytes, limit: int
    ) -> bytes:
        pin = job_pin(self.market.id, job_id, round_number)
        return fetch_verified(self.store, Cid(cid), content_hash, limit=limit, name=pin)


def _update_limit(spec: JobSpec) -> int:
    return update_size(spec.model.dimension) + UPDATE_OVERHEAD


def _model_limit(spec: JobSpec) -> int:
    return 4 * spec.model.dimension + MODEL_HEADER_LIMIT + OVERHEAD

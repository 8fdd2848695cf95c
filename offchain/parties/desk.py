"""A party's desk: a job's inputs, fetched from chain and store, checked, opened and decoded."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, partial
from typing import NamedTuple

import structlog
from eth_typing import ChecksumAddress

from offchain import metrics
from offchain.chain.records import Request
from offchain.learning.grid import IntVector
from offchain.learning.round import (
    RoundOutput,
    State,
    initial_state,
    next_state,
    parse_sampler,
)
from offchain.learning.spec import JobSpec
from offchain.learning.updates import (
    EvaluationSet,
    decode_evaluation,
    decode_model,
    update_size,
)
from offchain.parties.jobkeys import JobKeys
from offchain.parties.ledger import Ledger, PostedUpdate
from offchain.sealing.content import (
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
from offchain.sealing.errors import Unreadable
from offchain.sealing.keys import Access, Lock
from offchain.store.cid import Cid
from offchain.store.fetch import fetch_delivered, fetch_verified
from offchain.store.local import Store
from offchain.yoda.answer import Answer, answer
from offchain.yoda.votes import RoundResult

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
    updates: tuple[tuple[int, PostedUpdate], ...]
    """By index of the offer."""
    seed: bytes


class Desk:
    """Reads and computes; it keeps nothing that could not be read and computed again."""

    def __init__(self, ledger: Ledger, store: Store, keys: JobKeys) -> None:
        self.ledger = ledger
        self.store = store
        self._keys = keys
        self.lock = lru_cache(maxsize=None)(self._lock)
        self.access = lru_cache(maxsize=None)(self._access)
        self.spec = lru_cache(maxsize=None)(self._spec)
        self.evaluation = lru_cache(maxsize=2)(self._evaluation)
        self._computed = lru_cache(maxsize=ROUNDS_REMEMBERED)(self._compute)

    def forget(self) -> None:
        """Read everything again. Computed rounds are kept: their inputs say what they are of."""
        self.ledger.forget()
        for each in (self.spec, self.lock, self.access):
            each.cache_clear()
        self.evaluation.cache_clear()

    def state_before(self, job_id: int, round_number: int) -> State:
        """The state that round `round_number` starts from."""
        if round_number == 1:
            return self._initial_state(job_id)
        result = self.ledger.result(job_id, round_number - 1)
        sampler = self._fetch(result.sampler_cid, result.sampler_hash, SAMPLER_LIMIT)
        probabilities, contributions, draws = parse_sampler(sampler)
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
        result = self.ledger.result(job_id, round_number)
        limit = 4 * self.spec(job_id).model.dimension + MODEL_HEADER_LIMIT + OVERHEAD
        return self._fetch(result.model_cid, result.model_hash, limit)

    def model(self, job_id: int, round_number: int) -> bytes:
        """The accepted model of a round, opened: canonical safetensors bytes."""
        sealed = self.sealed_model(job_id, round_number)
        return open_model(self.ledger.market, job_id, round_number, self.access(job_id), sealed)

    def contributions(self, job_id: int, round_number: int) -> tuple[int, ...]:
        """The sellers' contributions in the accepted result of a round."""
        result = self.ledger.result(job_id, round_number)
        sampler = self._fetch(result.sampler_cid, result.sampler_hash, SAMPLER_LIMIT)
        return parse_sampler(sampler)[1]

    def answer(self, job_id: int, round_number: int) -> Answer:
        """What an honest node votes for, its content pinned."""
        output = self.output(job_id, round_number)
        seal = self.model_seal(job_id, round_number)
        found = answer(job_id, round_number, output, self.spec(job_id), seal)
        for blob in found.blobs:
            self.store.put(blob)
        return found

    def output(self, job_id: int, round_number: int) -> RoundOutput:
        """The round's outcome, computed once for the same inputs."""
        return self._computed(self._inputs(job_id, round_number))

    def model_seal(self, job_id: int, round_number: int) -> Callable[[bytes], bytes]:
        """What seals the model that a round gives."""
        return partial(seal_model, self.ledger.market, job_id, round_number, self.access(job_id))

    def _initial_state(self, job_id: int) -> State:
        seed = self.ledger.situation(job_id).job.sample_seed
        return initial_state(self.spec(job_id), len(self.ledger.sellers(job_id)), seed)

    def _weights(self, job_id: int, round_number: int) -> IntVector:
        """The accepted weights of a round, those before round 1 for 0."""
        if not round_number:
            return self._initial_state(job_id).weights
        return decode_model(self.model(job_id, round_number), self.spec(job_id).model)

    def _spec(self, job_id: int) -> JobSpec:
        request = self.ledger.request(job_id)
        return JobSpec.from_bytes(self._fetch(request.spec_cid, request.spec_hash, SPEC_LIMIT))

    def _lock(self, job_id: int) -> Lock:
        """What the request says in the clear of the job's key: it stands before the evaluation set.

        Raises Unreadable where the buyer has posted something else.
        """
        return read_lock(self._sealed_evaluation(job_id), Purpose.EVALUATION)

    def _access(self, job_id: int) -> Access:
        """What this party may read. Raises NoKey while it has no key."""
        return self._keys.access(job_id, self.lock(job_id))

    def _sealed_evaluation(self, job_id: int) -> bytes:
        request = self.ledger.request(job_id)
        limit = EVALUATION_LIMIT + OVERHEAD
        return self._fetch(request.evaluation_cid, request.evaluation_hash, limit)

    def _evaluation(self, job_id: int) -> EvaluationSet:
        opener, access = self.ledger.opener(job_id), self.access(job_id)
        sealed = self._sealed_evaluation(job_id)
        plain = open_evaluation(self.ledger.market, opener, access, sealed)
        return decode_evaluation(plain, self.spec(job_id).model)

    def _inputs(self, job_id: int, round_number: int) -> Inputs:
        earlier = range(max(1, round_number - 2), round_number)
        return Inputs(
            job_id,
            round_number,
            self.ledger.request(job_id),
            tuple(self.ledger.sellers(job_id)),
            self.ledger.situation(job_id).job.sample_seed,
            tuple(self.ledger.result(job_id, each) for each in earlier),
            tuple(sorted(self.ledger.updates(job_id, round_number).items())),
            self.ledger.round_seed(job_id, round_number),
        )

    def _compute(self, inputs: Inputs) -> RoundOutput:
        spec, number = self.spec(inputs.job_id), inputs.round
        updates = self._updates(inputs)
        state = self.state_before(inputs.job_id, number)
        evaluation = self.evaluation(inputs.job_id)
        with metrics.ROUND_SECONDS.time():
            output = next_state(state, updates, evaluation, inputs.seed, spec)
        for verdict in output.verdicts:
            if not verdict.kept:
                place = {"job": inputs.job_id, "round": number, "index": verdict.index}
                log.info("update refused", **place, reason=verdict.reason, why=verdict.detail)
        return output

    def _updates(self, inputs: Inputs) -> dict[int, bytes]:
        """The posted updates by index, opened; none where a seller did not pin, or seal, it.

        Raises NoKey: a node that cannot read updates must not take them for unreadable.
        """
        access, market = self.access(inputs.job_id), self.ledger.market
        limit = update_size(self.spec(inputs.job_id).model.dimension) + UPDATE_OVERHEAD
        named = [(posted.cid, posted.content_hash) for _, posted in inputs.updates]
        found: dict[int, bytes] = {}
        for (index, _), sealed in zip(
            inputs.updates, fetch_delivered(self.store, named, limit=limit), strict=True
        ):
            found[index] = b""
            if sealed is None:
                continue
            post = Post(inputs.job_id, inputs.round, inputs.sellers[index], index)
            try:
                found[index] = open_update(market, post, access, sealed)
            except Unreadable as error:
                place = {"job": post.job_id, "round": post.round, "index": index}
                log.warning("update unreadable", **place, why=str(error))
        return found

    def _fetch(self, cid: bytes, content_hash: bytes, limit: int) -> bytes:
        return fetch_verified(self.store, Cid(cid), content_hash, limit=limit)

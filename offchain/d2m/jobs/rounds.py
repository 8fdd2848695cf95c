"""The rounds of jobs, computed: a round's output is a function of its gathered contents alone."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator

import structlog

from d2m import metrics
from d2m.jobs.answer import Answer, answer
from d2m.jobs.inputs import JobInputs, RoundContents, RoundInputs
from d2m.learning.round import RoundOutput, next_state

ROUNDS_REMEMBERED = 4
"""Computed rounds kept in memory: the present one, and some for other jobs."""

log = structlog.get_logger()


def compute(contents: RoundContents) -> RoundOutput:
    """The round computation on gathered contents. Pure."""
    return next_state(
        contents.state, contents.updates, contents.evaluation, contents.seed, contents.spec
    )


class RoundComputer:
    """Computes a job's rounds, each once: outputs are kept by the inputs that they follow from."""

    def __init__(self, inputs: JobInputs) -> None:
        self.inputs = inputs
        self._computed: OrderedDict[RoundInputs, RoundOutput] = OrderedDict()

    def answers(self, job_id: int, round_number: int) -> list[Answer]:
        """Answers that an honest node may vote for, content pinned: by the updates here on time.

        Where more have come since, there is a second one by all that are here now. Raises NotYet
        while updates are waited for.
        """
        spec = self.inputs.spec(job_id)
        seal = self.inputs.model_seal(job_id, round_number)
        outputs = self._outputs(job_id, round_number)
        found = [answer(job_id, round_number, output, spec, seal) for output in outputs]
        for each in found:
            self.inputs.pin(job_id, round_number, *each.blobs)
        return found

    def answer(self, job_id: int, round_number: int) -> Answer:
        """The answer by the updates that were here on time."""
        return self.answers(job_id, round_number)[0]

    def output(self, job_id: int, round_number: int) -> RoundOutput:
        """The round's outcome by the updates that were here on time."""
        return next(self._outputs(job_id, round_number))

    def _outputs(self, job_id: int, round_number: int) -> Iterator[RoundOutput]:
        """The round's outcome by the updates on time, then by all, each computed once."""
        for inputs, found in self.inputs.of_round(job_id, round_number):
            if inputs not in self._computed:
                contents = self.inputs.gather(inputs, found)
                with metrics.ROUND_SECONDS.time():
                    self._computed[inputs] = compute(contents)
                _tell_refused(inputs, self._computed[inputs])
            self._computed.move_to_end(inputs)
            while len(self._computed) > ROUNDS_REMEMBERED:
                self._computed.popitem(last=False)
            yield self._computed[inputs]


def _tell_refused(inputs: RoundInputs, output: RoundOutput) -> None:
    for verdict in output.verdicts:
        if not verdict.kept:
            place = {"job": inputs.job_id, "round": inputs.round, "index": verdict.index}
            log.info("update refused", **place, reason=verdict.reason, why=verdict.detail)

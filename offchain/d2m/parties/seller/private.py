"""The training of a private seller: what `Seller` calls in place of honest training."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import structlog

from d2m.learning.grid import IntVector
from d2m.learning.updates import decode_update, encode_update
from d2m.parties.seller.seller import LocalTask, Samples
from d2m.privacy.gaussian import Entropy
from d2m.privacy.ledger import PrivacyLedger
from d2m.privacy.terms import PER_UPDATE, PrivacyTerms
from d2m.privacy.training import privatised, train_per_example


class PrivateTraining:
    """Trains with differential privacy and accounts for it, release by release."""

    def __init__(self, terms: PrivacyTerms, folder: Path, entropy: Entropy = os.urandom) -> None:
        self.terms = terms
        self.ledger = PrivacyLedger(folder)
        self._entropy = entropy
        self._log = structlog.get_logger().bind(party="Seller")

    def check(self, samples: Samples) -> None:
        """Say what is spent. Raises PrivacyError unless the terms fit the data, or LedgerError."""
        self.terms.check(len(samples.labels))
        self._say_spent("privacy ledger")

    def __call__(self, samples: Samples, training: LocalTask) -> IntVector:
        """The update of one round. Raises BudgetSpent past the budget, or LedgerError."""
        terms = self.terms
        answer = self.ledger.release(
            identity=identity_of(samples, training, terms),
            job=training.job,
            round_number=training.round_number,
            kind=terms.kind,
            spending=terms.cost(len(samples.labels), training.spec.training),
            budget=(terms.epsilon, terms.delta),
            compute=lambda: encode_update(self._train(samples, training)),
        )
        self._say_spent("privacy spent", job=training.job, round=training.round_number)
        return decode_update(answer, training.spec.model.dimension)

    def _train(self, samples: Samples, training: LocalTask) -> IntVector:
        if self.terms.kind == PER_UPDATE:
            return privatised(training(samples), self.terms, self._entropy)
        spec = training.spec
        return train_per_example(
            spec.model,
            training.weights,
            samples.inputs,
            samples.labels,
            spec.training,
            training.round_number,
            self.terms,
            self._entropy,
        )

    def _say_spent(self, event: str, **about: str | int) -> None:
        self._log.info(
            event,
            releases=len(self.ledger.releases()),
            epsilon=round(self.ledger.spent(self.terms.delta), 4),
            budget=self.terms.epsilon,
            delta=self.terms.delta,
            **about,
        )


def identity_of(samples: Samples, training: LocalTask, terms: PrivacyTerms) -> str:
    """A hash of all that an update follows from beside its noise, hexadecimal.

    Whatever differs makes another release, which is counted anew and gets noise of its own: two
    answers with the same noise would tell the difference of what they hide.
    """
    parts = (
        training.job.encode(),
        str(training.round_number).encode(),
        training.spec.to_bytes(),
        training.weights.tobytes(),
        json.dumps([terms.kind, terms.clip, terms.noise]).encode(),
        str((samples.inputs.shape, samples.labels.dtype)).encode(),
        samples.inputs.tobytes(),
        samples.labels.tobytes(),
    )
    digest = hashlib.sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8, "big") + part)
    return digest.hexdigest()

"""Releases of a seller, on disk: the basis of (ε, δ) across restarts.

A release is recorded, with the answer itself, before anybody else can see it. So a process that is
killed never counts too little, and one that starts again gives the recorded answer: a second one,
with other noise, would be a further release. The noise need not be repeatable for that, so it is
fresh and nothing that could give it back is kept.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from d2m.files import write_file
from d2m.privacy.accountant import spent_epsilon
from d2m.privacy.errors import BudgetSpent, LedgerError
from d2m.privacy.terms import Spending

LEDGER_FILE = "ledger.json"
_LOCK_FILE = "lock"
_VERSION = 1


@dataclass(frozen=True)
class Release:
    """One round's update as the ledger keeps it."""

    identity: str
    """Hash of all that the update follows from but the noise."""
    job: str
    round: int
    kind: str
    answer: str
    """SHA-256 of the answer's bytes, hexadecimal."""
    noise: float
    rate: float
    steps: int

    def __post_init__(self) -> None:
        texts = (self.identity, self.job, self.kind, self.answer)
        numbers = (self.noise, self.rate)
        counts = (self.round, self.steps)
        if not all(isinstance(text, str) for text in texts):
            raise ValueError("a text is none")
        if not all(isinstance(number, float) and number > 0 for number in numbers):
            raise ValueError("a number is none")
        if not all(isinstance(count, int) and count > 0 for count in counts):
            raise ValueError("a count is none")

    @property
    def spending(self) -> Spending:
        """As the accountant counts it."""
        return Spending(self.noise, self.rate, self.steps)


class PrivacyLedger:
    """The ledger in one folder of the seller's. It counts every release that was made with it.

    Releases of several data sets add up, so a data set that changed by a few records does not start
    again at nothing. Processes may share it: they wait for each other.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._file = folder / LEDGER_FILE

    def releases(self) -> tuple[Release, ...]:
        """All that was released. Raises LedgerError where that cannot be read."""
        try:
            content = json.loads(self._file.read_bytes())
            entries = content["releases"]
            if content["version"] != _VERSION or content["sha256"] != _checksum(entries):
                raise ValueError("its checksum does not fit")
            return tuple(Release(**entry) for entry in entries)
        except FileNotFoundError:
            return ()
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise LedgerError(
                f"{self._file} cannot be read ({error}): restore it from a back-up; without one"
                " nothing tells what this data has given away already"
            ) from error

    def spent(self, delta: float) -> float:
        """The ε of all releases at ``delta``."""
        return spent_epsilon((each.spending for each in self.releases()), delta)

    def release(
        self,
        *,
        identity: str,
        job: str,
        round_number: int,
        kind: str,
        spending: Spending,
        budget: tuple[float, float],
        compute: Callable[[], bytes],
    ) -> bytes:
        """The answer of a release: the recorded one, or a new one within the budget (ε, δ).

        When it returns, the release is on disk. Raises BudgetSpent before computing anything, and
        LedgerError where the ledger can be neither read nor written.
        """
        with self._locked():
            before = self.releases()
            for each in before:
                recorded = self._answer(each) if each.identity == identity else None
                if recorded is not None:
                    return recorded
            _check_budget(before, spending, budget)
            answer = compute()
            digest = hashlib.sha256(answer).hexdigest()
            new = Release(identity, job, round_number, kind, digest, **asdict(spending))
            # An answer whose release is not recorded is as good as none; the reverse would be
            # computed, and counted, once more.
            self._write(self._folder / f"{digest}.answer", answer)
            self._record((*before, new))
            self._forget(before, new)
            return answer

    def _answer(self, release: Release) -> bytes | None:
        """The recorded answer, unless it is gone or no longer what was recorded."""
        try:
            answer = (self._folder / f"{release.answer}.answer").read_bytes()
        except FileNotFoundError:
            return None
        return answer if hashlib.sha256(answer).hexdigest() == release.answer else None

    def _record(self, releases: tuple[Release, ...]) -> None:
        entries = [asdict(each) for each in releases]
        content = {"version": _VERSION, "sha256": _checksum(entries), "releases": entries}
        self._write(self._file, json.dumps(content, indent=1).encode())

    def _forget(self, before: tuple[Release, ...], new: Release) -> None:
        """Answers of the job's earlier rounds, which nobody will ask for again."""
        for each in before:
            if each.job == new.job and each.round < new.round and each.answer != new.answer:
                (self._folder / f"{each.answer}.answer").unlink(missing_ok=True)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            lock = os.open(self._folder / _LOCK_FILE, os.O_CREAT | os.O_RDWR, 0o600)
        except OSError as error:
            raise self._unwritable(error) from error
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)

    def _write(self, path: Path, data: bytes) -> None:
        """Whole and durable, or not at all."""
        try:
            write_file(path, data, private=True)
        except OSError as error:
            raise self._unwritable(error) from error

    def _unwritable(self, error: OSError) -> LedgerError:
        return LedgerError(
            f"{self._folder} cannot be written ({error}): nothing was released; make room, or give"
            " --ledger a folder of your own"
        )


def _check_budget(
    before: tuple[Release, ...], spending: Spending, budget: tuple[float, float]
) -> None:
    epsilon, delta = budget
    spendings = [each.spending for each in before]
    after = spent_epsilon([*spendings, spending], delta)
    if after > epsilon:
        raise BudgetSpent(
            f"the round would bring ε to {after:.3f}, past the budget of {epsilon:g} at"
            f" δ = {delta:g} ({spent_epsilon(spendings, delta):.3f} is spent): raise --epsilon, or"
            " pause the offer"
        )


def _checksum(entries: Any) -> str:
    """Checksum of the entries in canonical JSON: a changed number is noticed, not believed."""
    return hashlib.sha256(json.dumps(entries, sort_keys=True).encode()).hexdigest()

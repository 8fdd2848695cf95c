"""Reading content before it is needed, in the background: who asks never waits for others."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable
from contextlib import suppress

from d2m.store.cid import Cid
from d2m.store.errors import MALFORMED, InvalidCid, NotFound, NotYet, StoreError
from d2m.store.local import OWN_NAME, Store

AT_ONCE = 16
"""Contents read together for one job: each job has its own, so that none waits for another's."""


class ReadAhead:
    """A store whose `get` answers at once: with what is kept here, or with how reading it goes.

    Content that is not here is read in the background, again and again as long as it is asked for.
    """

    def __init__(self, store: Store, clock: Callable[[], int] = lambda: 0) -> None:
        """`clock` tells the time at which a content comes, such as the number of a block."""
        self._store = store
        self._clock = clock
        self._absent: set[Cid] = set()
        self._arrivals: dict[Cid, int] = {}
        self._lock = threading.Lock()
        self._reading: set[Cid] = set()
        self._failures: dict[Cid, StoreError | InvalidCid] = {}
        self._read: set[Cid] = set()
        self._places: dict[str, threading.Semaphore] = defaultdict(self._new_places)
        self._news = threading.Event()

    def put(self, data: bytes, *, name: str = OWN_NAME) -> Cid:
        """As the store behind it."""
        return self._store.put(data, name=name)

    def get(self, cid: Cid, *, limit: int, name: str = OWN_NAME) -> bytes:
        """The content, if it is kept here.

        Else it is read in the background, and this raises ``NotYet``, or what went wrong at the
        last try where there was one.
        """
        data = self._kept(cid, limit, name)
        if data is None:
            self._read.discard(cid)
            raise self._how_it_goes(cid, limit, name)
        with self._lock:
            self._failures.pop(cid, None)
        return data

    def prepare(self, cid: Cid, *, limit: int, name: str) -> None:
        """Have a content read in the background unless it has been, for a later `get`."""
        if cid not in self._read:
            self._how_it_goes(cid, limit, name)

    def kept(self, cid: Cid, *, limit: int, name: str = OWN_NAME) -> bytes:
        """As the store behind it."""
        return self._store.kept(cid, limit=limit, name=name)

    def named(self, prefix: str) -> dict[Cid, str]:
        """As the store behind it."""
        return self._store.named(prefix)

    def unpin(self, cid: Cid) -> None:
        """As the store behind it."""
        self._store.unpin(cid)

    def arrival(self, cid: bytes) -> int:
        """When the content of a binary CID came; 0 where it was here when it was first asked for.

        So is everything to a process that has begun anew.
        """
        with suppress(InvalidCid):
            return self._arrivals.get(Cid(cid), 0)
        return 0

    def has_news(self) -> bool:
        """Whether the reading of a content has ended since this was last asked."""
        has_news = self._news.is_set()
        self._news.clear()
        return has_news

    # --- in the background

    def _how_it_goes(self, cid: Cid, limit: int, name: str) -> StoreError | InvalidCid:
        """See that a content is being read; what is known of it."""
        with self._lock:
            failure = self._failures.get(cid)
            if cid not in self._reading and not isinstance(failure, MALFORMED):
                self._reading.add(cid)
                arguments = (cid, limit, name, self._places[_job_of(name)])
                # A daemon: a process that is to stop does not wait for strangers' content.
                threading.Thread(target=self._fetch, args=arguments, daemon=True).start()
            return failure or NotYet(f"{cid} is being read: wait for it")

    def _fetch(self, cid: Cid, limit: int, name: str, places: threading.Semaphore) -> None:
        failure: StoreError | InvalidCid | None = None
        with places:
            try:
                self._bring(cid, limit, name)
            except (StoreError, InvalidCid) as error:
                failure = error
            except Exception as error:  # whatever it is, it must be tried again, and said
                failure = StoreError(f"{cid} cannot be read: {type(error).__name__}: {error}")
        with self._lock:
            self._reading.discard(cid)
            is_new = failure is None or str(failure) != str(self._failures.get(cid))
            if failure is None:
                self._read.add(cid)
                self._failures.pop(cid, None)
            else:
                self._failures[cid] = failure
        if is_new:
            self._news.set()

    def _bring(self, cid: Cid, limit: int, name: str) -> None:
        """Have a content here."""
        if self._kept(cid, limit, name) is None:
            self._store.get(cid, limit=limit, name=name)
            self._note_arrival(cid)

    def _kept(self, cid: Cid, limit: int, name: str) -> bytes | None:
        """A content that is here; None, which is remembered, where it is not."""
        try:
            data = self._store.kept(cid, limit=limit, name=name)
        except NotFound:
            self._absent.add(cid)
            return None
        self._note_arrival(cid)  # another party may have brought it to the same store
        return data

    def _note_arrival(self, cid: Cid) -> None:
        """Note when a content came that was not here before."""
        if cid in self._absent:
            arrived = self._clock()
            self._arrivals.setdefault(cid, arrived)
            self._absent.discard(cid)

    @staticmethod
    def _new_places() -> threading.Semaphore:
        return threading.Semaphore(AT_ONCE)


def _job_of(name: str) -> str:
    """Group of contents that are read together: all but the last part of a name, its round."""
    return name.rpartition("/")[0]

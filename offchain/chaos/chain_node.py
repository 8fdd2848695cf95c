"""The chain's node as a service that is paused, stopped and started again with its chain."""

from __future__ import annotations

import signal
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType

from offchain.chain.anvil import Anvil, start_anvil

BLOCK_SECONDS = 1.0


class ChainNode:
    """Anvil, at the same address in every life."""

    def __init__(self, accounts: int, seed: int, state: Path) -> None:
        self._accounts = accounts
        self._seed = seed
        self._state = state
        self._life = ExitStack()
        self._port = 0
        self.anvil: Anvil | None = None

    def __enter__(self) -> ChainNode:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, _error: object, _trace: TracebackType | None
    ) -> None:
        self.resume()
        self.stop()

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self._port}"

    def start(self) -> None:
        """Begin a life, with the chain of the one before."""
        self.anvil = self._life.enter_context(
            start_anvil(
                accounts=self._accounts,
                seed=self._seed,
                block_seconds=BLOCK_SECONDS,
                port=self._port,
                state=self._state,
            )
        )
        self._port = int(self.anvil.url.rpartition(":")[2])

    def stop(self) -> None:
        """End the life; what was mined is kept."""
        self._life.close()
        self.anvil = None

    def pause(self) -> None:
        """It answers nobody, and mines nothing."""
        if self.anvil:
            self.anvil.process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """It goes on."""
        if self.anvil:
            self.anvil.process.send_signal(signal.SIGCONT)

"""Run a party's command and note which files it opens for writing and where it connects to.

`python -m tests.privacy.watched NOTES [leaking] ARGUMENTS…`. A leaking seller is a control: it
gives its records away in every way that the search is meant to find.
"""

from __future__ import annotations

import os
import sys
import tempfile
from typing import Any

WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT


def watch(notes: int) -> None:
    """Append a line to the descriptor `notes` for every such event, from now on."""

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open":
            path, mode, flags = arguments
            named = isinstance(path, (str, bytes, os.PathLike))  # and no open descriptor
            if named and ((flags or 0) & WRITING or set(mode or "") & set("wax+")):
                os.write(notes, f"open {os.fsdecode(path)}\n".encode())
        elif event == "socket.connect":
            os.write(notes, f"connect {arguments[1]}\n".encode())

    sys.addaudithook(hook)


def leak(samples: Any, training: Any) -> Any:
    """The honest update with a record in its first entries; others in the log and in a file."""
    import numpy as np
    import structlog

    rows = samples.inputs.reshape(len(samples.inputs), -1)
    structlog.get_logger().info("trained", sample=rows[0].tolist())
    handle, _name = tempfile.mkstemp()
    with os.fdopen(handle, "wb") as file:
        np.savez_compressed(file, rows)
    update = training(samples)
    record = rows[0].astype(np.int32)
    update[: len(record)] = (record - training.spec.model.input_centre) * 256
    return update


def main() -> None:
    notes, *arguments = sys.argv[1:]
    tempfile.gettempdir()  # tries the folder out by writing to it
    watch(os.open(notes, os.O_CREAT | os.O_WRONLY | os.O_APPEND))
    from d2m.adversaries.sellers.training import TRAINERS
    from d2m.demo.party import main as command

    if arguments[0] == "leaking":
        TRAINERS["honest"] = leak
        del arguments[0]
    command(arguments)


if __name__ == "__main__":
    main()

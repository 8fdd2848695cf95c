"""Encrypted key files for processes that tests start."""

from __future__ import annotations

from pathlib import Path

from d2m.chain.signer import write_key_file
from d2m.demo.stage import KEY_WORK
from d2m.files import write_file

PASSPHRASE = "correct horse"


def key_options(folder: Path, name: object, key: bytes) -> list[str]:
    """The options of a command that signs with `key`; the file stays for a party's next life."""
    file, passphrase = folder / f"{name}.key.json", folder / "passphrase"
    write_file(passphrase, PASSPHRASE, private=True)
    if not file.exists():
        write_key_file(file, key, PASSPHRASE, work=KEY_WORK)
    return ["--key", str(file), "--passphrase-file", str(passphrase)]

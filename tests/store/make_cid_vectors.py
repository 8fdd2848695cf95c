"""Ask a real IPFS node for the CIDs in ``cid_vectors.json``.

    python tests/store/make_cid_vectors.py http://127.0.0.1:5001 > tests/store/cid_vectors.json

The committed table came from js-ipfs (ipfs-core 0.18.1 behind ipfs-http-server 0.15.1); Kubo 0.42
gives the same.
"""

from __future__ import annotations

import hashlib
import json
import sys
import urllib.request
import uuid

CHUNK = 262_144  # bytes per leaf
LINKS = 174  # leaves per node
SIZES = [
    *(0, 1, 1_000, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 3 * CHUNK + 17),
    *(LINKS * CHUNK - 1, LINKS * CHUNK, LINKS * CHUNK + 1, 60_000_000),
]
ADD = "/api/v0/add?cid-version=1&raw-leaves=true&chunker=size-262144&cid-base=base32&pin=false"


def content(size: int) -> bytes:
    """The same ``size`` bytes on every machine."""
    return hashlib.shake_256(b"CID vector").digest(size)


def cid_by_node(node: str, data: bytes) -> str:
    """The CID that the node behind this RPC address gives to ``data``."""
    boundary = uuid.uuid4().hex
    head = (
        f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="vector"\r\n'
        "Content-Type: application/octet-stream\r\n\r\n"
    )
    body = head.encode() + data + f"\r\n--{boundary}--\r\n".encode()
    kind = {"Content-Type": f"multipart/form-data; boundary={boundary}"}
    request = urllib.request.Request(node + ADD, data=body, headers=kind)
    with urllib.request.urlopen(request) as answer:
        return str(json.loads(answer.read())["Hash"])


if __name__ == "__main__":
    table = {str(size): cid_by_node(sys.argv[1], content(size)) for size in SIZES}
    print(json.dumps(table, indent=2))

"""Content identifiers (CIDs) of byte strings, equal to those an IPFS node gives.

The layout is that of Kubo's ``ipfs add --cid-version=1 --raw-leaves --chunker=size-262144``:
chunks of 256 KiB as raw leaves, a balanced UnixFS tree with 174 links per node, sha2-256.
"""

from __future__ import annotations

from dataclasses import dataclass

from aleph_cid import CidHasher
from multiformats import multibase

from d2m.store.errors import InvalidCid

BINARY_LENGTH = 36  # bytes: version, codec, hash name, hash length, then 32 bytes of sha2-256
RAW_PREFIX = bytes.fromhex("01551220")  # content of one chunk
DAG_PB_PREFIX = bytes.fromhex("01701220")  # root of a tree of chunks


@dataclass(frozen=True)
class Cid:
    """A CIDv1 of a file; two are equal when their decoded bytes are, however they were written.

    Only the two kinds that this store's layout produces exist, so that every party accepts or
    refuses the same byte strings.
    """

    binary: bytes  # 36 bytes, the form the chain stores

    def __post_init__(self) -> None:
        prefix = self.binary[:4]
        known = prefix in (RAW_PREFIX, DAG_PB_PREFIX)
        if not known or len(self.binary) != BINARY_LENGTH:
            shown = self.binary[:BINARY_LENGTH].hex()
            raise InvalidCid(
                f"0x{shown} ({len(self.binary)} bytes) is no binary CIDv1 (raw or dag-pb,"
                f" sha2-256): give the {BINARY_LENGTH} bytes that the chain stores"
            )

    @classmethod
    def of(cls, content: bytes) -> Cid:
        """The CID that an IPFS node with the layout above gives to ``content``."""
        hasher = CidHasher.for_ipfs_v1_raw_leaves()
        hasher.update(content)
        return cls.parse(hasher.finalize())

    @classmethod
    def parse(cls, text: str) -> Cid:
        """Read the text form, in any multibase."""
        try:
            return cls(multibase.decode(text))
        except InvalidCid:
            raise
        except Exception as error:  # the codecs raise many kinds for malformed text
            raise InvalidCid(
                f"{text[:80]!r} is no CID: give one like bafkrei… or bafybei…"
            ) from error

    def __str__(self) -> str:
        return multibase.encode(self.binary, "base32")

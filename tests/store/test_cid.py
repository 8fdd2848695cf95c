from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from d2m.store import Cid, InvalidCid
from tests.store.make_cid_vectors import SIZES, content

EMPTY = "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku"
VECTORS: dict[str, str] = json.loads(Path(__file__).with_name("cid_vectors.json").read_text())


def test_the_table_is_complete() -> None:
    assert [int(size) for size in VECTORS] == SIZES
    assert VECTORS["0"] == EMPTY  # published for every IPFS node


@pytest.mark.parametrize("size", SIZES)
def test_cids_are_those_of_a_real_node(size: int) -> None:
    assert str(Cid.of(content(size))) == VECTORS[str(size)]


@given(st.binary(max_size=300))
def test_both_forms_read_back(data: bytes) -> None:
    cid = Cid.of(data)
    assert Cid.parse(str(cid)) == cid == Cid(cid.binary)
    assert hash(Cid.parse(str(cid))) == hash(cid)
    assert len(cid.binary) == 36


def test_the_same_cid_in_another_base_is_equal() -> None:
    binary = Cid.parse(EMPTY).binary
    assert Cid.parse("f" + binary.hex()) == Cid.parse(EMPTY)
    assert Cid.parse(EMPTY.upper()) == Cid.parse(EMPTY)


@pytest.mark.parametrize(
    "binary",
    [
        b"",
        bytes(36),
        Cid.parse(EMPTY).binary[:-1],
        Cid.parse(EMPTY).binary + b"\0",
        bytes.fromhex("1220") + bytes(32),  # CIDv0
        bytes.fromhex("01711220") + bytes(32),  # dag-cbor
        bytes.fromhex("01551320") + bytes(32),  # not sha2-256
    ],
)
def test_other_binary_forms_are_refused(binary: bytes) -> None:
    with pytest.raises(InvalidCid, match="36 bytes"):
        Cid(binary)


@pytest.mark.parametrize(
    "text",
    [
        *("", "b", "bafk", EMPTY[:-1], EMPTY + "a", EMPTY[1:], "é" + EMPTY, "\0", "../" + EMPTY),
        "QmbFMke1KXqnYyBBWxB74N4c5SBnJMVAiMNRcGu6x1AwQH",  # CIDv0
    ],
)
def test_other_texts_are_refused(text: str) -> None:
    with pytest.raises(InvalidCid):
        Cid.parse(text)


@given(st.text(max_size=70))
def test_no_text_does_anything_but_parse_or_be_refused(text: str) -> None:
    try:
        cid = Cid.parse(text)
    except InvalidCid:
        return
    assert Cid.parse(str(cid)) == cid

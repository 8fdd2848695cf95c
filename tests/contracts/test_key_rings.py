"""Buyers' keys and key rings: anybody writes, for itself alone, and nothing is held."""

from __future__ import annotations

from typing import Any

import pytest
from eth_utils.crypto import keccak

from tests.support.evm import Receipt, balance, event, look, refusal, send
from tests.support.play import CID, HASH, KEY, Market, People

OTHER_KEY, OTHER_HASH = keccak(b"other key"), keccak(b"other hash")
JOB = 7
"""No job of this number exists: the contract knows none."""


@pytest.fixture
def rings(market: Market) -> Any:
    return market.key_rings


def posted(rings: Any, receipt: Receipt) -> dict[str, Any]:
    return event(receipt, rings.KeyRingPosted)


def test_a_buyer_registers_a_key_and_replaces_it(rings: Any, people: People) -> None:
    buyer, other = people.buyers[:2]
    assert bytes(look(rings.keyOf, buyer)) == bytes(32)
    for key in (KEY, OTHER_KEY, OTHER_KEY):
        receipt = send(rings.register, key, sender=buyer)
        assert event(receipt, rings.KeyRegistered) == {"account": buyer, "publicKey": key}
        assert bytes(look(rings.keyOf, buyer)) == key
    assert bytes(look(rings.keyOf, other)) == bytes(32), "nobody registers for another"


def test_no_key_is_no_registration(rings: Any, people: People) -> None:
    refusal(rings.MissingPublicKey, rings.register, bytes(32), sender=people.buyers[0])


def test_a_ring_names_its_poster_and_its_job(rings: Any, people: People) -> None:
    receipt = send(rings.post, JOB, HASH, CID, sender=people.buyers[0])
    expected = {"jobId": JOB, "poster": people.buyers[0], "contentHash": HASH, "cid": CID}
    assert posted(rings, receipt) == expected


def test_posting_twice_or_for_anothers_job_takes_nothing_from_anybody(
    rings: Any, people: People
) -> None:
    """Whoever reads heeds posters: a stranger's post stands beside the opener's, not over it."""
    opener, stranger = people.buyers[0], people.stranger
    posts = [(opener, HASH), (stranger, OTHER_HASH), (opener, OTHER_HASH)]
    receipts = [send(rings.post, JOB, each, CID, sender=who) for who, each in posts]
    found = [posted(rings, receipt) for receipt in receipts]
    assert [(each["poster"], each["contentHash"]) for each in found] == posts


@pytest.mark.parametrize("cid", [b"", b"\1" * 65], ids=["none", "too long"])
def test_a_ring_has_a_place(rings: Any, people: People, cid: bytes) -> None:
    refusal(rings.BadCid, rings.post, JOB, HASH, cid, sender=people.stranger)


def test_a_place_may_have_64_bytes(rings: Any, people: People) -> None:
    receipt = send(rings.post, JOB, HASH, b"\1" * 64, sender=people.stranger)
    assert posted(rings, receipt)["cid"] == b"\1" * 64


def test_no_money_enters(rings: Any, people: People) -> None:
    for method, args in ((rings.register, (KEY,)), (rings.post, (JOB, HASH, CID))):
        with pytest.raises(Exception, match=r"(?i)revert|payable"):
            send(method, *args, sender=people.buyers[0], value=1)
    assert balance(rings) == 0

from __future__ import annotations

from dataclasses import fields, replace

import pytest
from eth_abi.abi import decode, encode
from eth_utils.crypto import keccak

from d2m.protocol.ballots import RESULT_TYPE, VOTE_DOMAIN, Ballot, RoundResult, audit_word

RESULT = RoundResult(
    version=2,
    job_id=7,
    round=3,
    model_hash=b"\1" * 32,
    model_cid=b"model",
    sampler_hash=b"\2" * 32,
    sampler_cid=b"sampler",
    metric_numerator=321,
    metric_denominator=360,
    predictions_hash=b"\x0c" * 32,
    contributions_root=b"\3" * 32,
    next_sample=0b1011,
)
BALLOT = Ballot(31337, "0x" + "11" * 20, "0x" + "22" * 20, 7, 3, 2)
OTHER_BALLOT = Ballot(1, "0x" + "33" * 20, "0x" + "44" * 20, 8, 4, 5)
WORDS = (b"\4" * 32, b"\5" * 32, b"\6" * 32)
SECRET = b"\7" * 32


def test_a_digest_covers_every_field() -> None:
    changed = RoundResult(
        *(3, 8, 4, b"\x09" * 32, b"x", b"\x08" * 32, b"y", 1, 2, b"\x0d" * 32, b"\x0a" * 32, 1)
    )
    digests = {RESULT.digest}
    for each in fields(RoundResult):
        digests.add(replace(RESULT, **{each.name: getattr(changed, each.name)}).digest)
    assert len(digests) == 1 + len(fields(RoundResult))


def test_a_digest_is_of_the_abi_encoding() -> None:
    encoded = encode([RESULT_TYPE], [RESULT.abi_tuple])
    assert decode([RESULT_TYPE], encoded)[0] == RESULT.abi_tuple
    assert RESULT.digest == keccak(encoded)


def test_an_audit_word_covers_seed_and_predictions() -> None:
    seed, predictions = b"\1" * 32, keccak(b"\0\1\2")
    assert audit_word(seed, predictions) == keccak(seed + predictions)
    words = {audit_word(s, p) for s in (seed, b"\2" * 32) for p in (predictions, keccak(b""))}
    assert len(words) == 4


@pytest.mark.parametrize("field", [each.name for each in fields(Ballot)])
def test_salt_and_commitment_are_bound_to_their_place(field: str) -> None:
    elsewhere = replace(BALLOT, **{field: getattr(OTHER_BALLOT, field)})
    assert elsewhere.commitment(*WORDS) != BALLOT.commitment(*WORDS)
    assert elsewhere.salt(SECRET) != BALLOT.salt(SECRET)


def test_a_commitment_is_bound_to_every_word() -> None:
    commitments = {BALLOT.commitment(*WORDS)}
    for i in range(3):
        words = [*WORDS]
        words[i] = b"\x0b" * 32
        commitments.add(BALLOT.commitment(*words))
    assert len(commitments) == 4


def test_a_commitment_is_what_the_protocol_says() -> None:
    types = ["bytes32", "uint256", "address", "address", "uint256", "uint32", "uint16"]
    place = [31337, "0x" + "11" * 20, "0x" + "22" * 20, 7, 3, 2]
    expected = keccak(encode([*types, *["bytes32"] * 3], [VOTE_DOMAIN, *place, *WORDS]))
    assert BALLOT.commitment(*WORDS) == expected
    assert keccak(text="D2M vote v1") == VOTE_DOMAIN


def test_a_salt_is_recomputed_from_the_secret() -> None:
    assert BALLOT.salt(SECRET) == replace(BALLOT).salt(SECRET)
    assert BALLOT.salt(SECRET) != BALLOT.salt(b"\x08" * 32)

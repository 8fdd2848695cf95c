"""Whatever is pinned for a job, by whomever: refused with a reason, logged, and never a crash.

One job on a real chain whose members have their keys. What the chain names is replaced by hostile
content, which lies in the real store.
"""

from __future__ import annotations

import io
import json
import pickle
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy
from structlog.testing import capture_logs

from d2m.chain.contracts.jobs import Opened, PostedUpdate
from d2m.chain.contracts.key_rings import PostedRing
from d2m.jobs.answer import answer
from d2m.jobs.rounds import RoundComputer
from d2m.learning.round import KEPT, LATE, MALFORMED, TOO_LARGE
from d2m.learning.updates import encode_update
from d2m.protocol.types import JobState
from d2m.sealing.content import (
    HEADER_BYTES,
    Post,
    Purpose,
    header,
    seal_evaluation,
    seal_model,
    seal_update,
)
from d2m.sealing.errors import NoKey, SealError
from d2m.sealing.keys import JobKey
from d2m.store.errors import NotFound, StoreError
from d2m.store.fetch import content_hash
from tests.support.world import BUYERS, REQUEST_ID, RULES, World, small_spec, world

DIMENSION = small_spec().model.dimension
TOLERATED = (StoreError, ValueError, LookupError, SealError)
"""What a party survives: it is logged, and its other jobs go on."""
NODE, SELLER = 20, 10
"""Accounts: the first node, and the first seller, whose offer has index 0."""
TEN_GIGABYTES = 10 << 30


@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A job in its first round, its keys handed out."""
    with world(tmp_path_factory.mktemp("hostile")) as found:
        found.register()
        found.open(RULES)
        found.look_until(lambda: has_keys(found), BUYERS)
        yield found


def has_keys(market: World) -> bool:
    if not market.contracts.jobs.count() or market.job().state != JobState.COLLECTING:
        return False
    return bool(market.contracts.key_rings.rings(1))


@pytest.fixture
def rounds(market: World) -> RoundComputer:
    """A node's, with nothing remembered."""
    return market.rounds(NODE)


class Executed:
    """Its pickle writes a file when it is read."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return Path.write_text, (self.path, "executed")


def zipped(size: int) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("delta", bytes(size))
    return packed.getvalue()


def announced(size: int) -> bytes:
    """Safetensors whose header speaks of `size` bytes that are not there."""
    entry = {"dtype": "I32", "shape": [size // 4], "data_offsets": [0, size]}
    text = json.dumps({"delta": entry}).encode()
    return len(text).to_bytes(8, "little") + text + bytes(16)


def tensor(array: np.ndarray[Any, Any], name: str = "delta") -> bytes:
    return safetensors.numpy.save({name: array})


def floats(value: float) -> bytes:
    return tensor(np.full(DIMENSION, value, dtype=np.float32))


GOOD = encode_update(np.zeros(DIMENSION, dtype=np.int32))
RUBBISH = {
    "nothing": b"",
    "text": b"rubbish",
    "cut short": GOOD[:-1],
    "a zip bomb": zipped(200 << 20)[: len(GOOD)],
    "a deflate bomb": zlib.compress(bytes(1 << 20)),
    "NaN": floats(float("nan")),
    "infinity": floats(float("inf")),
    "one entry too few": tensor(np.zeros(DIMENSION - 1, dtype=np.int32)),
    "two dimensions": tensor(np.zeros((DIMENSION, 1), dtype=np.int32)),
    "another type": tensor(np.zeros(DIMENSION, dtype=np.int16)),
    "another name": tensor(np.zeros(DIMENSION, dtype=np.int32), "deltb"),
    "10 GB announced": announced(TEN_GIGABYTES),
    "a header of 10 GB": TEN_GIGABYTES.to_bytes(8, "little") + bytes(64),
    "a header that says it is negative": b"\xff" * 64,
    "nested JSON": (2000).to_bytes(8, "little") + b"[" * 2000,
}
TOO_LONG = {
    "one byte more": GOOD + b"\0",
    "twice as long": GOOD * 2,
    "a zip bomb as it is": zipped(200 << 20),
    "16 MB of zeros": bytes(16 << 20),
}


def posted(rounds: RoundComputer, data: bytes) -> PostedUpdate:
    return PostedUpdate(content_hash(data), rounds.inputs.store.put(data).binary)


def sealed(market: World, rounds: RoundComputer, plain: bytes, **changes: Any) -> bytes:
    """An update as the first seller seals it, for its place or another."""
    post = Post(1, 1, market.signer(SELLER).address, 0)._replace(**changes)
    return seal_update(
        rounds.inputs.market.id, post, market.key(SELLER), rounds.inputs.lock(1), plain
    )


def verdicts(
    rounds: RoundComputer, updates: dict[int, PostedUpdate], monkeypatch: pytest.MonkeyPatch
) -> tuple[dict[int, str], list[Any]]:
    """The reason by index, and what was logged."""
    monkeypatch.setattr(rounds.inputs.market.jobs, "updates", lambda _job, _round: updates)
    with capture_logs() as logs:
        output = rounds.output(1, 1)
    return {verdict.index: verdict.reason for verdict in output.verdicts}, list(logs)


def said(logs: list[Any], *events: str) -> list[str]:
    """What is logged of the first update."""
    return [log["why"] for log in logs if log["event"] in events and log.get("index", 0) == 0]


# --- updates


def test_a_well_formed_update_is_kept(
    market: World, rounds: RoundComputer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that the refusals below say something."""
    update = posted(rounds, sealed(market, rounds, GOOD))
    reasons, logs = verdicts(rounds, {0: update}, monkeypatch)
    assert reasons[0] == KEPT
    assert set(reasons.values()) == {KEPT, LATE}
    assert said(logs, "update unreadable") == []


@pytest.mark.parametrize("name", RUBBISH)
def test_a_seller_seals_rubbish(
    name: str, market: World, rounds: RoundComputer, monkeypatch: pytest.MonkeyPatch
) -> None:
    update = posted(rounds, sealed(market, rounds, RUBBISH[name]))
    reasons, logs = verdicts(rounds, {0: update}, monkeypatch)
    assert reasons[0] in (MALFORMED, TOO_LARGE)
    (why,) = said(logs, "update refused")
    assert why


@pytest.mark.parametrize("name", [*RUBBISH, *TOO_LONG])
def test_a_seller_posts_rubbish_that_is_not_sealed(
    name: str, rounds: RoundComputer, monkeypatch: pytest.MonkeyPatch
) -> None:
    update = posted(rounds, {**RUBBISH, **TOO_LONG}[name])
    reasons, logs = verdicts(rounds, {0: update}, monkeypatch)
    assert reasons[0] == MALFORMED
    (why,) = said(logs, "update unreadable", "update malformed")
    assert "no sealed update" in why or "allowed are" in why


@pytest.mark.parametrize("name", TOO_LONG)
def test_an_update_that_is_too_long_is_not_even_read(
    name: str, market: World, rounds: RoundComputer, monkeypatch: pytest.MonkeyPatch
) -> None:
    update = posted(rounds, sealed(market, rounds, TOO_LONG[name]))
    reasons, logs = verdicts(rounds, {0: update}, monkeypatch)
    assert reasons[0] == MALFORMED
    (why,) = said(logs, "update malformed")
    assert "allowed are" in why


@pytest.mark.parametrize("is_sealed", [True, False])
def test_a_pickle_is_not_executed(
    is_sealed: bool,
    market: World,
    rounds: RoundComputer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path = tmp_path / "executed"
    data = pickle.dumps(Executed(path))
    pickle.loads(data)
    assert path.exists(), "it would have been seen"
    path.unlink()
    update = posted(rounds, sealed(market, rounds, data) if is_sealed else data)
    reasons, _logs = verdicts(rounds, {0: update}, monkeypatch)
    assert reasons[0] == MALFORMED
    assert not path.exists()


@pytest.mark.parametrize(
    "change",
    [{"job_id": 2}, {"round": 2}, {"offer_index": 1}, {"seller": "0x" + "11" * 20}],
    ids=str,
)
def test_an_update_sealed_for_another_place(
    change: dict[str, Any], market: World, rounds: RoundComputer, monkeypatch: pytest.MonkeyPatch
) -> None:
    update = posted(rounds, sealed(market, rounds, GOOD, **change))
    reasons, logs = verdicts(rounds, {0: update}, monkeypatch)
    assert reasons[0] == MALFORMED
    (why,) = said(logs, "update unreadable")
    assert "sealed for another place" in why


def test_a_copied_update_is_refused_by_every_node_alike(
    market: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second seller posts the first one's hash and CID as its own."""
    answers = []
    for account in (NODE, NODE + 1):
        rounds = market.rounds(account)
        update = posted(rounds, sealed(market, rounds, GOOD))
        reasons, _logs = verdicts(rounds, {0: update, 1: update}, monkeypatch)
        assert (reasons[0], reasons[1]) == (KEPT, MALFORMED)
        spec, seal = rounds.inputs.spec(1), rounds.inputs.model_seal(1, 1)
        answers.append(answer(1, 1, rounds.output(1, 1), spec, seal).result.digest)
    assert answers[0] == answers[1]


def test_a_content_hash_of_other_content(
    rounds: RoundComputer, monkeypatch: pytest.MonkeyPatch
) -> None:
    update = posted(rounds, b"one")._replace(content_hash=content_hash(b"other"))
    reasons, logs = verdicts(rounds, {0: update}, monkeypatch)
    assert reasons[0] == MALFORMED
    assert "treat it as not delivered" in said(logs, "update malformed")[0]


@pytest.mark.parametrize("cid", [b"\1", b"\xff" * 36, bytes(64)])
def test_a_cid_that_is_none(
    cid: bytes, rounds: RoundComputer, monkeypatch: pytest.MonkeyPatch
) -> None:
    update = PostedUpdate(content_hash(b"one"), cid)
    assert verdicts(rounds, {0: update}, monkeypatch)[0][0] == MALFORMED


# --- evaluation sets


def point_at(
    rounds: RoundComputer, monkeypatch: pytest.MonkeyPatch, data: bytes, *, what: str = "evaluation"
) -> None:
    """Have the request name other content."""
    names = {
        f"{what}_hash": content_hash(data),
        f"{what}_cid": rounds.inputs.store.put(data).binary,
    }
    changed = rounds.inputs.market.jobs.request(1)._replace(**names)
    monkeypatch.setattr(rounds.inputs.market.jobs, "request", lambda _job: changed)


@pytest.mark.parametrize("name", [*RUBBISH, *TOO_LONG])
@pytest.mark.parametrize("is_sealed", [True, False], ids=["sealed", "not sealed"])
def test_a_buyer_names_rubbish_as_evaluation_set(
    name: str,
    is_sealed: bool,
    market: World,
    rounds: RoundComputer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    data = {**RUBBISH, **TOO_LONG}[name]
    if is_sealed:
        key = JobKey.made_by(market.request_secret(1), REQUEST_ID)
        opener = market.signer(1).address
        data = seal_evaluation(rounds.inputs.market.id, opener, REQUEST_ID, key, data)
    point_at(rounds, monkeypatch, data)
    with pytest.raises(TOLERATED) as refused:
        rounds.inputs.evaluation(1)
    assert str(refused.value)
    assert not isinstance(refused.value, NotFound)


@pytest.mark.parametrize("name", [*RUBBISH, *TOO_LONG])
def test_a_buyer_names_rubbish_as_specification(
    name: str, rounds: RoundComputer, monkeypatch: pytest.MonkeyPatch
) -> None:
    point_at(rounds, monkeypatch, {**RUBBISH, **TOO_LONG}[name], what="spec")
    with pytest.raises(TOLERATED) as refused:
        rounds.inputs.spec(1)
    assert str(refused.value)
    assert not isinstance(refused.value, NotFound)


def test_another_buyers_evaluation_set_is_of_no_use(
    market: World, rounds: RoundComputer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As it stands on chain for all to copy, in a request of another opener."""
    monkeypatch.setattr(
        rounds.inputs.market.auctions, "opener", lambda _job: market.signer(2).address
    )
    with pytest.raises(NoKey, match="nobody has posted"):
        rounds.inputs.evaluation(1)
    monkeypatch.undo()
    assert rounds.inputs.access(1).job_key is not None
    monkeypatch.setattr(
        rounds.inputs.market.auctions, "opener", lambda _job: market.signer(2).address
    )
    with pytest.raises(SealError, match="sealed for another place"):
        rounds.inputs.evaluation(1)


# --- models


@pytest.mark.parametrize("name", [*RUBBISH, *TOO_LONG])
@pytest.mark.parametrize("is_sealed", [True, False], ids=["sealed", "not sealed"])
def test_an_accepted_model_is_rubbish(
    name: str, is_sealed: bool, rounds: RoundComputer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More nodes lie than the job tolerates: whoever goes on from it says why it cannot."""
    data = {**RUBBISH, **TOO_LONG}[name]
    if is_sealed:
        data = seal_model(rounds.inputs.market.id, 1, 1, rounds.inputs.access(1), data)
    monkeypatch.setattr(rounds.inputs.market.jobs, "opened", lambda *_place: accepted(rounds, data))
    with pytest.raises(TOLERATED) as refused:
        rounds.inputs.state_before(1, 2)
    assert str(refused.value)
    assert not isinstance(refused.value, NotFound)


def accepted(rounds: RoundComputer, model: bytes) -> Opened:
    """An honest result, but for its model."""
    honest = rounds.answer(1, 1).result
    cid = rounds.inputs.store.put(model).binary
    return Opened(replace(honest, model_hash=content_hash(model), model_cid=cid), 1)


# --- key rings


@pytest.mark.parametrize("name", [*RUBBISH, *TOO_LONG])
@pytest.mark.parametrize("is_headed", [True, False], ids=["with a header", "as it is"])
def test_a_key_ring_is_rubbish(
    name: str,
    is_headed: bool,
    rounds: RoundComputer,
    market: World,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clear = header(Purpose.RING, rounds.inputs.lock(1)) if is_headed else b""
    data = clear + {**RUBBISH, **TOO_LONG}[name]
    ring = PostedRing(
        market.signer(1).address, 1, content_hash(data), rounds.inputs.store.put(data).binary
    )
    good = market.contracts.key_rings.rings(1)
    monkeypatch.setattr(rounds.inputs.market.key_rings, "rings", lambda _job: [ring])
    with pytest.raises(NoKey, match=f"{ring.poster}'s key ring: ."):
        rounds.inputs.access(1)
    monkeypatch.setattr(rounds.inputs.market.key_rings, "rings", lambda _job: [ring, *good])
    assert rounds.inputs.access(1).job_key is not None, "the next ring serves"


def test_the_header_is_as_long_as_it_says(rounds: RoundComputer) -> None:
    assert len(header(Purpose.RING, rounds.inputs.lock(1))) == HEADER_BYTES

"""Planted records are searched for in everything that leaves their seller, in a real market.

Three sellers are processes with a key file each: an honest one, a private one, and a leaking one,
which shows that the search finds what it is meant to find. A record counts as found in any of the
forms of `canary.forms`. What an update tells about records by being trained on them is no such
form: `experiments.studies.membership` measures that. Updates are searched sealed and opened.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlparse

import numpy as np
import pytest
from structlog.testing import capture_logs

from d2m.chain.artifacts import MANIFEST
from d2m.data.files import write_samples
from d2m.parties.buyer.buyer import DELIVERY_FILE
from d2m.privacy.ledger import PrivacyLedger
from d2m.protocol.types import JobState
from d2m.sealing.content import Post, unseal_update
from d2m.store.cid import Cid
from tests.privacy.canary import Needle, forms, found, needles, planted
from tests.privacy.wire import Wire, wire
from tests.support import world as worlds
from tests.support.keys import key_options
from tests.support.world import NODES, RULES, TAG, World, small_spec, world

PROCESSES = ("honest", "private", "leaking")
OTHERS = (
    f"seller {len(PROCESSES)}",
    "buyer 0",
    "buyer 1",
    *(f"node {n}" for n in range(len(NODES))),
)
EVERYBODY = RULES._replace(sample_size=256, rounds=1)
A_NODE = 20
"""An account whose key opens updates."""
UPDATE_LIMIT = 1 << 20
"""Bytes, far more than an update of the small model has."""
END_SECONDS = 60
"""A test gives up on a process that does not end; none needs so long."""
NOWHERE = Path("/dev/null")
"""Keeps nothing of what is written; PyTorch's CUDA build opens it as it starts."""
PRIVATE = "--privacy per-example --clip 1 --noise 1.1 --epsilon 50 --delta 1e-4 --ledger ledger"


@dataclass
class Places:
    """What the search reads, by place, and what it searches for."""

    wanted: list[Needle] = field(default_factory=list)
    contents: dict[str, bytes] = field(default_factory=dict)

    def hits(self, seller: str) -> dict[str, set[str]]:
        """Forms by place in which a seller's records were found."""
        own = [needle for needle in self.wanted if needle.seller == seller]
        every = {place: found(content, own) for place, content in self.contents.items()}
        return {place: {form for _, form in hits} for place, hits in every.items() if hits}


def own_folder(folder: Path, name: str) -> Path:
    return folder / "own" / name


@contextmanager
def seller_process(market: World, number: int, wired: Wire) -> Iterator[subprocess.Popen[bytes]]:
    """A seller's command in its own folder; whatever it writes to elsewhere is noted there."""
    name, folder = PROCESSES[number], market.folder
    own = own_folder(folder, name)
    command = [sys.executable, "-m", "tests.privacy.watched", str(own / "notes")]
    command += ["leaking"] if name == "leaking" else []
    command += ["seller", "--rpc", wired.url, "--data", "data.npz", "--tag", TAG]
    command += key_options(own, "own", market.anvil.keys[10 + number])
    command += ["--deployment", str(folder / "deployment.json"), "--store", str(folder / "store")]
    command += ["--jobs", "1", "--patience", "2", *(PRIVATE.split() if name == "private" else ())]
    elsewhere = {"TMPDIR": str(folder / "temporary"), "HOME": str(folder / "home")}
    project = MANIFEST.parents[1]
    path = os.pathsep.join([str(project), str(project / "offchain")])
    python = {"PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"}
    with (folder / "logs" / name).open("wb") as log:
        process = subprocess.Popen(
            command,
            cwd=own,
            stdout=log,
            stderr=subprocess.STDOUT,
            env={**os.environ, **elsewhere, **python},
        )
        try:
            yield process
        finally:
            process.kill()
            process.wait()


def plant(market: World) -> Iterator[Needle]:
    """Put canaries in front of every process's data, and give what to search for."""
    centre = small_spec().model.input_centre
    for number, name in enumerate(PROCESSES):
        samples = market.samples[number]
        records = planted(name, samples.inputs.shape[1:])
        labels = np.arange(len(records), dtype=samples.labels.dtype)
        own = own_folder(market.folder, name)
        own.mkdir(parents=True)
        write_samples(
            own / "data.npz",
            np.concatenate([records, samples.inputs]),
            np.concatenate([labels, samples.labels]),
        )
        yield from needles(name, records, centre)


def play(market: World, places: Places) -> None:
    """One job to its end, and everything that it left behind."""
    for name in ("logs", "temporary", "home"):
        (market.folder / name).mkdir()
    market.record.write(market.folder / "deployment.json")
    for number in range(len(NODES)):
        market.node(number).join()
    market.offer(len(PROCESSES))
    port = urlparse(market.anvil.url).port
    with ExitStack() as stack, capture_logs() as logs:
        wires = [stack.enter_context(wire(port)) for _ in PROCESSES]
        processes = [
            stack.enter_context(seller_process(market, number, wired))
            for number, wired in enumerate(wires)
        ]
        everybody = len(PROCESSES) + 1
        market.look_until(lambda: _offers(market) == everybody, [OTHERS[0]])
        market.open(EVERYBODY)
        market.look_until(lambda: _is_over(market), OTHERS)
        for process in processes:
            assert process.wait(END_SECONDS) == 0
    for name, wired in zip(PROCESSES, wires, strict=True):
        places.contents[f"wire of {name}"] = b"\0".join(bytes(sent) for sent in wired.sent)
    places.contents["logs of the others"] = repr(logs).encode()
    places.contents["chain"] = _chain(market)
    outside = [path for path in market.folder.rglob("*") if path.is_file()]
    for path in outside:
        if market.folder / "own" not in path.parents:
            places.contents[str(path.relative_to(market.folder))] = path.read_bytes()
    places.contents |= dict(_opened(market))


def _opened(market: World) -> Iterator[tuple[str, bytes]]:
    """The posted updates as a job's members read them."""
    contracts, access = market.contracts, market.rounds(A_NODE).inputs.access(1)
    for index, posted in contracts.jobs.updates(1, 1).items():
        sealed = market.store.get(Cid(posted.cid), limit=UPDATE_LIMIT)
        post = Post(1, 1, contracts.jobs.sellers(1)[index], index)
        yield f"update {index}, opened", unseal_update(contracts.id, post, access, sealed)


def _offers(market: World) -> int:
    return len(market.chain(0).logs("SellerRegistry", "Offered"))


def _is_over(market: World) -> bool:
    settled = market.contracts.jobs.count() and market.job().state == JobState.SETTLED
    return bool(settled and any(market.folder.glob(f"delivered-*/{DELIVERY_FILE}")))


def _chain(market: World) -> bytes:
    """Input and events of every transaction, as raw bytes."""
    w3, parts = market.chain(0).w3, []
    for number in range(w3.eth.block_number + 1):
        for transaction in w3.eth.get_block(number, full_transactions=True)["transactions"]:
            parts.append(bytes(transaction["input"]))
            for log in w3.eth.get_transaction_receipt(transaction["hash"])["logs"]:
                parts += [*(bytes(topic) for topic in log["topics"]), bytes(log["data"])]
    return b"\0".join(parts)


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[World, Places]]:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(worlds, "RULES", EVERYBODY)
        folder, places = tmp_path_factory.mktemp("canary"), Places()
        with world(folder) as market:
            places.wanted = list(plant(market))
            play(market, places)
            yield market, places


@pytest.mark.parametrize("seller", ["honest", "private"])
def test_no_record_of_a_seller_is_anywhere_outside_its_folder(
    played: tuple[World, Places], seller: str
) -> None:
    market, places = played
    assert any(needle.seller == seller for needle in places.wanted)
    assert places.hits(seller) == {}
    own = (own_folder(market.folder, seller) / "data.npz").read_bytes()
    assert found(own, places.wanted)  # they are there to be found


def test_a_leak_is_found_in_update_log_and_file(played: tuple[World, Places]) -> None:
    hits = played[1].hits("leaking")
    assert hits.pop("logs/leaking") == {"decimal"}
    updates = [place for place in hits if place.startswith("update ")]
    files = [place for place in hits if place.startswith("temporary/")]
    assert updates
    assert files
    assert all("<i4 of network inputs on the grid" in hits[place] for place in updates)
    assert all("raw" in hits[place] for place in files)
    assert set(hits) == {*updates, *files}


def test_everything_that_can_leave_was_looked_at(played: tuple[World, Places]) -> None:
    market, places = played
    assert len(places.contents["chain"]) > 10_000
    for number, name in enumerate(PROCESSES):
        assert b"eth_sendRawTransaction" in places.contents[f"wire of {name}"]
        assert b"posted update" in places.contents[f"logs/{name}"]
        index = market.contracts.jobs.offers(1).sellers.index(market.signer(10 + number).address)
        assert index in market.contracts.jobs.updates(1, 1)
    assert sum(place.startswith("store/") for place in places.contents) > 10
    assert any(place.startswith("delivered-1/") for place in places.contents)


@pytest.mark.parametrize("seller", ["honest", "private"])
def test_a_seller_writes_to_its_folder_and_the_store_and_talks_to_its_node_alone(
    played: tuple[World, Places], seller: str
) -> None:
    folder = played[0].folder
    own = own_folder(folder, seller)
    notes = [line.split(" ", 1) for line in (own / "notes").read_text().splitlines()]
    written = {(own / path).resolve() for kind, path in notes if kind == "open"} - {NOWHERE}
    assert {path for path in written if not _is_among(path, own, folder / "store")} == set()
    assert len({place for kind, place in notes if kind == "connect"}) == 1


def _is_among(path: Path, *folders: Path) -> bool:
    return any(folder in (path, *path.parents) for folder in folders)


def test_what_the_private_seller_spent_is_in_its_folder(played: tuple[World, Places]) -> None:
    market, _places = played
    ledger = PrivacyLedger(own_folder(market.folder, "private") / "ledger")
    assert len(ledger.releases()) == market.job().accepted_rounds


def test_a_fragment_is_found_in_each_of_its_forms() -> None:
    """The search itself, apart from any market."""
    record = planted("somebody", (64,))[1:2]
    wanted = list(needles("somebody", record, 0))
    for form, content in forms(record[0][16:32], 0):
        assert ("somebody", form) in found(b"before" + content + b"after", wanted)
        assert found(b"before" + content[:-2] + b"after", wanted) == set()

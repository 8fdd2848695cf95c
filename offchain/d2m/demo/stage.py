"""Setting the stage of a demo: every party's own folder, key and data, and who is who."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from eth_account import Account
from eth_typing import ChecksumAddress
from eth_utils.crypto import keccak

from d2m.chain.signer import KeyFileSigner, write_key_file
from d2m.data.datasets import load
from d2m.data.files import write_samples
from d2m.data.partition import dirichlet
from d2m.demo.options import BUYER_LIMITS, DemoOptions
from d2m.files import write_file
from d2m.learning.defaults import SPECS
from d2m.learning.spec import JobSpec

DIRICHLET_ALPHA = 0.5
"""Heterogeneity of the sellers' data, as in the paper."""
OTHER_TAG = "weather"
"""Under which the one seller stands that does not match."""
PASSPHRASE = "demo"
"""It opens all key files of a run, whose accounts end with their chain."""
KEY_WORK = 2
"""Least n of scrypt: two dozen processes open their keys at once."""


@dataclass(frozen=True)
class Member:
    """One party of the demo, as its stage hands know it."""

    name: str
    role: str
    behaviour: str
    address: ChecksumAddress
    key: Path


@dataclass(frozen=True)
class Stage:
    """Files and roles of one run."""

    folder: Path
    deployer: Member
    buyers: list[Member]
    sellers: list[Member]
    """In the order in which they register."""
    bystander: Member
    """A seller of other data."""
    nodes: list[Member]
    spec: JobSpec

    @property
    def store(self) -> Path:
        """The content store that stands for IPFS."""
        return self.folder / "store"

    @property
    def deployment(self) -> Path:
        """The record of the contracts."""
        return self.folder / "deployment.json"

    @property
    def spec_file(self) -> Path:
        """The job specification."""
        return self.folder / "job.json"

    @property
    def passphrase_file(self) -> Path:
        """The passphrase of all key files."""
        return self.folder / "keys" / "passphrase"

    def key_options(self, member: Member) -> list[str]:
        """A member's key, as commands take it."""
        return ["--key", str(member.key), "--passphrase-file", str(self.passphrase_file)]

    @property
    def evaluation_file(self) -> Path:
        """The evaluation set that the buyers hold back."""
        return self.folder / "evaluation.npz"

    def data_file(self, seller: Member) -> Path:
        """A seller's own samples."""
        return self.folder / "sellers" / f"{seller.name}.npz"

    def delivery_folder(self, buyer: Member) -> Path:
        """Where a buyer keeps what it received."""
        return self.folder / "delivered" / buyer.name

    def limit(self, buyer: Member) -> int:
        """Highest bid of a buyer, in wei; where bids are sealed, its bid."""
        return BUYER_LIMITS[self.buyers.index(buyer)]

    def members(self) -> list[Member]:
        """Everybody but the deployer."""
        return [*self.buyers, *self.sellers, self.bystander, *self.nodes]


def accounts_needed(options: DemoOptions) -> int:
    """Funded accounts of a run: the deployer, the buyers, the sellers, one bystander, the nodes."""
    return 1 + len(BUYER_LIMITS) + options.sellers + 1 + options.nodes


def set_stage(options: DemoOptions, folder: Path, keys: Sequence[bytes]) -> Stage:
    """Write keys, data, evaluation set and job specification of a run into an empty `folder`."""
    shutil.rmtree(folder, ignore_errors=True)
    unused = iter(keys)

    def member(name: str, role: str, behaviour: str = "honest") -> Member:
        key = next(unused)
        path = folder / "keys" / f"{name}.json"
        write_key_file(path, key, PASSPHRASE, work=KEY_WORK)
        return Member(name, role, behaviour, Account.from_key(key).address, path)

    stage = Stage(
        folder=folder,
        deployer=member("deployer", "deployer"),
        buyers=[member(f"B{i}", "buyer") for i in range(len(BUYER_LIMITS))],
        sellers=[
            member(f"S{i}", "seller", behaviour)
            for i, behaviour in enumerate(options.seller_behaviours())
        ],
        bystander=member(f"S{options.sellers}", "seller"),
        nodes=[
            member(f"C{i}", "cone", behaviour)
            for i, behaviour in enumerate(options.node_behaviours())
        ],
        spec=SPECS[options.dataset](run_seed(options, "weights")),
    )
    write_file(stage.passphrase_file, PASSPHRASE, private=True)
    _write_data(options, stage)
    stage.spec_file.write_bytes(stage.spec.to_bytes())
    return stage


def run_seed(options: DemoOptions, purpose: str) -> bytes:
    """32 bytes that follow from the run's seed, different for each purpose."""
    return keccak(text=f"D2M demo {options.seed} {purpose}")


def signer_of(member: Member) -> KeyFileSigner:
    """The signer of a party's key file."""
    return KeyFileSigner(member.key, lambda: PASSPHRASE)


def _write_data(options: DemoOptions, stage: Stage) -> None:
    data = load(options.dataset)
    write_samples(stage.evaluation_file, data.evaluation_inputs, data.evaluation_labels)
    parts = dirichlet(data.train_labels, options.sellers, DIRICHLET_ALPHA, options.seed)
    (stage.folder / "sellers").mkdir()
    for seller, part in zip(stage.sellers, parts, strict=True):
        inputs, labels = data.train_inputs[part], data.train_labels[part]
        write_samples(stage.data_file(seller), inputs, labels)
    noise = np.random.default_rng(options.seed)
    few = parts[0][:16]
    weather = noise.integers(0, 256, data.train_inputs[few].shape, dtype=np.uint8)
    write_samples(stage.data_file(stage.bystander), weather, data.train_labels[few])

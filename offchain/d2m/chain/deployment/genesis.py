"""The market's addresses before it is deployed: they follow from the parameters and the code."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from eth_abi.abi import encode
from eth_abi.exceptions import EncodingError
from eth_typing import ChecksumAddress
from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak
from web3.types import Nonce
from web3.utils.address import get_create2_address, get_create_address

from d2m.chain.artifacts import Artifact
from d2m.chain.errors import BadDeployment, NotCompiled

GENESIS = "Genesis"
PROXY: ChecksumAddress = to_checksum_address("0x4e59b44847b379578588920cA78FbF26c0B4956C")
"""The deterministic deployment proxy: the same address and code on every chain that has it."""
SALT = keccak(text="D2M")
BLOCK_HASHES = bytes(32)
"""The random seed that stands for draws from block hashes."""
PARTS = (
    "SellerRegistry",
    "Randomness",
    "ConePool",
    "Yoda",
    "Escrow",
    "AuctionHouse",
    "Jobs",
    "Lens",
    "KeyRings",
)
"""`Genesis.Part`, in its order. Randomness is one of two contracts: the seed says which."""
TAKES = {
    "Yoda": ("Jobs", "ConePool", "Randomness"),
    "Escrow": ("Jobs", "Yoda"),
    "AuctionHouse": ("Jobs", "Escrow"),
    "Jobs": PARTS[: PARTS.index("Jobs")],
    "Lens": ("Jobs",),
}
"""The parts whose addresses are a part's constructor arguments, where it takes nothing else."""


@dataclass(frozen=True)
class Parameters:
    """Choices of a market's deployer: `Genesis`' constructor arguments but for the code."""

    stake_unit: int  # wei, of one seat
    bond_unit: int  # wei, of one offer
    random_seed: bytes = BLOCK_HASHES  # 32 bytes; for local chains

    def recorded(self) -> dict[str, str]:
        """As a record keeps them."""
        return {
            "stakeUnit": str(self.stake_unit),
            "bondUnit": str(self.bond_unit),
            "randomSeed": "0x" + self.random_seed.hex(),
        }

    @classmethod
    def of_record(cls, recorded: Mapping[str, str]) -> Parameters:
        """Raises BadDeployment for what `recorded` cannot have written."""
        try:
            stake, bond = int(recorded["stakeUnit"]), int(recorded["bondUnit"])
            seed = bytes.fromhex(recorded["randomSeed"].removeprefix("0x"))
            encode(["uint128", "uint128", "bytes32"], [stake, bond, seed])
        except (KeyError, ValueError, EncodingError) as error:
            raise BadDeployment(f"the record's parameters are unreadable ({error!r})") from None
        return cls(stake, bond, seed)


@dataclass(frozen=True)
class Layout:
    """A deployment before it happens. Raises NotCompiled where a contract has no code."""

    parameters: Parameters
    artifacts: Mapping[str, Artifact]

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The parts by contract name, in the order of their creation."""
        seeded = self.parameters.random_seed != BLOCK_HASHES
        randomness = "SeededRandomness" if seeded else "BlockhashRandomness"
        return tuple(randomness if part == "Randomness" else part for part in PARTS)

    @cached_property
    def genesis_code(self) -> bytes:
        """Creation code of `Genesis` with its arguments."""
        return self.creation_code(GENESIS) + self.genesis_arguments

    @cached_property
    def genesis_arguments(self) -> bytes:
        """ABI encoding of `Genesis`' constructor arguments."""
        chosen = self.parameters
        hashes = [keccak(self.creation_code(name)) for name in self.names]
        return encode(
            ["uint128", "uint128", "bytes32", "bytes32[]"],
            [chosen.stake_unit, chosen.bond_unit, chosen.random_seed, hashes],
        )

    @cached_property
    def genesis(self) -> ChecksumAddress:
        """Where `Genesis` is, or will be."""
        salt, code = "0x" + SALT.hex(), "0x" + self.genesis_code.hex()
        return get_create2_address(PROXY, salt, code)  # type: ignore[arg-type]

    @cached_property
    def addresses(self) -> dict[str, ChecksumAddress]:
        """Where each part is, or will be, by contract name and in the order of creation."""
        # A contract's first creation has number 1.
        return {
            name: get_create_address(self.genesis, Nonce(number))
            for number, name in enumerate(self.names, start=1)
        }

    def arguments(self, name: str) -> bytes:
        """ABI encoding of a contract's constructor arguments, as `Genesis` appends them."""
        at = dict(zip(PARTS, self.addresses.values(), strict=True))
        if name == GENESIS:
            return self.genesis_arguments
        if name == "SellerRegistry":
            return encode(["uint256"], [self.parameters.bond_unit])
        if name == "SeededRandomness":
            return encode(["bytes32"], [self.parameters.random_seed])
        if name == "ConePool":
            return encode(["address", "uint256"], [at["Jobs"], self.parameters.stake_unit])
        parts = [at[part] for part in TAKES.get(name, ())]
        return encode(["address"] * len(parts), parts)

    def creation_code(self, name: str) -> bytes:
        """The compiler's creation code, without arguments."""
        artifact = self.artifacts.get(name)
        if artifact is None or artifact.bytecode == "0x":
            raise NotCompiled(f"there is no compiled {name}: run `ape compile`")
        return bytes.fromhex(artifact.bytecode.removeprefix("0x"))

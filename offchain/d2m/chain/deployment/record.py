"""Where the market's contracts live on one chain."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from eth_typing import ChecksumAddress
from eth_utils.address import is_checksum_address
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from d2m.chain.errors import BadDeployment
from d2m.files import write_file


@dataclass(frozen=True)
class Deployment:
    """The parts of a deployment that a party needs to know."""

    chain_id: int
    block: int  # the block from which events of the contracts can exist
    contracts: dict[str, ChecksumAddress]  # by contract name

    @classmethod
    def read(cls, place: Path, chain_id: int | None = None) -> Deployment:
        """The deployment of a record; of that of `chain_id` where `place` is a folder of records.

        Raises ``BadDeployment``.
        """
        return Record.read(place, chain_id).deployment


def _checked(address: str) -> str:
    if not is_checksum_address(address):
        raise ValueError("no address with a valid checksum")
    return address


Address = Annotated[str, AfterValidator(_checked)]
Hash = Annotated[str, Field(pattern="^0x[0-9a-f]{64}$")]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Created(_Strict):
    """How one contract came to be."""

    address: Address
    block: int = Field(ge=0)
    transaction: Hash
    abi_hash: Hash  # keccak256 of the ABI as canonical JSON


class Record(_Strict):
    """Record of a deployment: a file for each chain, named by the chain's id."""

    chain_id: int = Field(ge=0)
    block: int = Field(ge=0)  # the block from which events of the contracts can exist
    parameters: dict[str, str]  # of the market, by name; amounts in wei
    compiler: dict[str, Any]  # version and settings
    contracts: dict[str, Created]  # by contract name, in the order of creation

    @property
    def deployment(self) -> Deployment:
        """The part of it that parties need."""
        at = {name: ChecksumAddress(each.address) for name, each in self.contracts.items()}  # type: ignore[arg-type]
        return Deployment(self.chain_id, self.block, at)

    def write(self, path: Path) -> None:
        """Replace ``path`` as a whole, so that a reader never sees half a record."""
        write_file(path, self.model_dump_json(indent=2) + "\n")

    @classmethod
    def read(cls, place: Path, chain_id: int | None = None) -> Record:
        """A record, or that of `chain_id` in a folder of records.

        Raises ``BadDeployment`` unless it is there and exactly of the written form.
        """
        path = _record_in(place, chain_id) if place.is_dir() else place
        try:
            record = cls.model_validate_json(path.read_text())
        except FileNotFoundError:
            raise BadDeployment(f"{path} is not there: deploy first, or name the record") from None
        except UnicodeDecodeError:
            raise BadDeployment(
                f"{path} is no JSON: get it anew, or take it away and deploy again"
            ) from None
        except ValidationError as error:
            raise BadDeployment(
                f"{path} is no deployment record ({_first(error)}):"
                " get it anew, or take it away and deploy again"
            ) from None
        return record


def record_path(folder: Path, chain_id: int) -> Path:
    """Where the record of a chain is in a folder of records."""
    return folder / f"{chain_id}.json"


def _record_in(folder: Path, chain_id: int | None) -> Path:
    known = sorted(int(each.stem) for each in folder.glob("*.json") if each.stem.isdecimal())
    if chain_id is not None and chain_id in known:
        return record_path(folder, chain_id)
    has = ", ".join(map(str, known)) or "none"
    asked = "a chain that was not named" if chain_id is None else f"chain {chain_id}"
    raise BadDeployment(
        f"{folder} has no record of {asked} (it has: {has}): deploy there, or name another network"
    )


def _first(error: ValidationError) -> str:
    fault = error.errors(include_url=False)[0]
    where = ".".join(map(str, fault["loc"]))
    return f"{where}: {fault['msg']}" if where else str(fault["msg"])

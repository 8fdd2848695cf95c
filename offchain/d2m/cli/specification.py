"""Job specifications as files: those that the market proposes, and those that a person edited."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from d2m.learning.canonical import SpecError, encode_json
from d2m.learning.defaults import SPECS
from d2m.learning.network.torch_export import read_exported
from d2m.learning.spec import JobSpec


def read_spec(path: Path) -> JobSpec:
    """A job specification that a person may have edited: any JSON layout. Raises SpecError."""
    try:
        return JobSpec.from_bytes(encode_json(json.loads(path.read_text())))
    except ValueError as error:
        raise SpecError(f"{path}: {error}") from error


def proposed_spec(dataset: str, init_seed: bytes, exported: Path | None = None) -> bytes:
    """The specification proposed for a data set, as canonical bytes.

    A network exported with torch.export takes the place of the proposed one; its inputs are centred
    alike. Raises SpecError, with the file's name.
    """
    spec = SPECS[dataset](init_seed)
    if exported is not None:
        spec = replace(spec, model=read_exported(exported, spec.model.input_centre))
    data = spec.to_bytes()
    try:
        JobSpec.from_bytes(data)  # what its readers would refuse is refused here
    except ValueError as error:
        raise SpecError(f"{exported or dataset}: {error}") from error
    return data

"""A party's own data file: ``inputs`` and ``labels`` in an .npz, never pickled."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from d2m.data.errors import DataError
from d2m.learning.grid import ByteArray

Labels = npt.NDArray[np.unsignedinteger[Any]]


def write_samples(path: Path, inputs: ByteArray, labels: Labels) -> None:
    """Write uint8 inputs (n, …) and uint8 or uint16 labels (n,) to ``path`` (.npz)."""
    _check(path, inputs, labels)
    np.savez_compressed(path, inputs=inputs, labels=labels)


def read_samples(path: Path) -> tuple[ByteArray, Labels]:
    """Inputs and labels of a data file. Raises DataError when it is missing or not one."""
    try:
        with np.load(path, allow_pickle=False) as arrays:
            inputs, labels = arrays["inputs"], arrays["labels"]
    except FileNotFoundError as error:
        raise DataError(f"{path} is missing; write the data file first") from error
    except (OSError, ValueError, KeyError, EOFError, TypeError, zipfile.BadZipFile) as error:
        raise DataError(
            f"{path} is not a data file ({error}); expected .npz with 'inputs' and 'labels'"
        ) from error
    _check(path, inputs, labels)
    return inputs, labels


def _check(path: Path, inputs: npt.NDArray[Any], labels: npt.NDArray[Any]) -> None:
    if inputs.dtype != np.uint8 or inputs.ndim < 2:
        raise DataError(f"{path}: inputs are uint8 (n, …), got {inputs.dtype} {inputs.shape}")
    if labels.dtype not in (np.uint8, np.uint16) or labels.shape != (len(inputs),):
        raise DataError(
            f"{path}: labels are uint8 or uint16 ({len(inputs)},), "
            f"got {labels.dtype} {labels.shape}"
        )

"""A party's own table, CSV or Parquet, as samples: a schema says how, the same for all parties.

A schema is a JSON file, derived once, mended by hand where ranges are known better, and published
with the request: sellers and buyer that scale alike train and measure one and the same model.

    {"label": "diagnosis", "classes": ["benign", "malignant"],
     "features": [{"name": "age", "low": 0, "high": 120}, …]}
"""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from d2m.data.errors import DataError
from d2m.data.files import Labels
from d2m.data.scaling import RealArray, quantise, ranges
from d2m.learning.grid import ByteArray

CLASSES_LIMIT = 1 << 16
"""Labels are at most uint16."""


@dataclass(frozen=True)
class Feature:
    """A numeric column and the range that becomes 0..255; what lies outside is clipped."""

    name: str
    low: float
    high: float


@dataclass(frozen=True)
class Schema:
    """How the rows of a table become samples."""

    label: str
    """The column of the labels."""
    classes: tuple[str, ...]
    """The labels' texts; class i is ``classes[i]``."""
    features: tuple[Feature, ...]
    """The columns that are inputs, in their order; other columns of a table are left out."""

    def __post_init__(self) -> None:
        """Raises ValueError on what cannot be applied."""
        names = [self.label, *(feature.name for feature in self.features)]
        if not self.features or len(set(names)) < len(names):
            raise ValueError("expected one feature or more, and every column once")
        if not 2 <= len(set(self.classes)) == len(self.classes) <= CLASSES_LIMIT:
            raise ValueError(f"expected from 2 to {CLASSES_LIMIT} different classes")
        for feature in self.features:
            if not -math.inf < feature.low < feature.high < math.inf:
                raise ValueError(f"{feature.name!r}: expected finite numbers with low < high")

    def to_bytes(self) -> bytes:
        """The JSON file, for people to read and mend."""
        return json.dumps(asdict(self), indent=1, ensure_ascii=False).encode() + b"\n"

    @classmethod
    def load(cls, path: Path) -> Schema:
        """The schema in a file. Raises DataError."""
        try:
            value = json.loads(path.read_bytes())
            features = tuple(
                Feature(str(item["name"]), float(item["low"]), float(item["high"]))
                for item in value["features"]
            )
            if not isinstance(value["classes"], list):
                raise TypeError("classes: expected a list")
            return cls(str(value["label"]), tuple(map(str, value["classes"])), features)
        except KeyError as error:
            raise DataError(f"{path} is not a schema: it lacks {error}") from error
        except (OSError, ValueError, TypeError) as error:
            raise DataError(f"{path} is not a schema: {error}") from error


@dataclass(frozen=True, eq=False)
class Samples:
    """Samples that a table becomes."""

    inputs: ByteArray
    """(n, features)"""
    labels: Labels
    """(n,), uint8, or uint16 with more than 256 classes."""
    clipped: int
    """Values that lay outside the schema's ranges."""


def derive_schema(path: Path, label: str) -> Schema:
    """A schema for a table: every column but ``label`` is a feature, its range from the data.

    Classes are the labels that occur, whole numbers by size, others by text. Raises DataError.
    """
    table = _read(path, label)
    texts = sorted(set(_texts(path, table, label)), key=_rank)
    names = [name for name in table.column_names if name != label]
    if not names:
        raise DataError(f"{path} has no column but {label!r}; expected one feature or more")
    low, high = ranges(_values(path, table, names))
    features = zip(names, low.tolist(), high.tolist(), strict=True)
    try:
        return Schema(label, tuple(texts), tuple(Feature(*feature) for feature in features))
    except ValueError as error:
        raise DataError(f"{path} gives no schema: {error}") from error


def read_table(path: Path, schema: Schema) -> Samples:
    """The samples of a table. Raises DataError, one line with the place, where it does not fit."""
    table = _read(path, schema.label)
    values = _values(path, table, [feature.name for feature in schema.features])
    low = np.array([feature.low for feature in schema.features])
    high = np.array([feature.high for feature in schema.features])
    numbers = {text: number for number, text in enumerate(schema.classes)}
    texts = _texts(path, table, schema.label)
    for row, text in enumerate(texts, start=1):
        if text not in numbers:
            raise DataError(
                f"{path}: label {text!r} in data row {row} is none of the schema's "
                f"{len(numbers)} classes ({', '.join(schema.classes[:10])})"
            )
    kind = np.uint8 if len(numbers) <= 256 else np.uint16
    return Samples(
        inputs=quantise(values, low, high),
        labels=np.array([numbers[text] for text in texts], dtype=kind),
        clipped=int(((values < low) | (values > high)).sum()),
    )


def _read(path: Path, label: str) -> Any:
    """The Arrow table of a file that has rows."""
    if path.suffix not in (".csv", ".parquet"):
        raise DataError(f"{path} is neither .csv nor .parquet; convert it to one of them")
    try:
        if path.suffix == ".csv":
            # Labels stay as they are written: 01 is a text, not the number 1.
            options = pa.csv.ConvertOptions(column_types={label: pa.string()})
            table = pa.csv.read_csv(path, convert_options=options)
        else:
            table = pa.parquet.read_table(path)
    except FileNotFoundError as error:
        raise DataError(f"{path} is missing") from error
    except (pa.ArrowException, OSError) as error:
        reason = str(error).splitlines()[0]
        raise DataError(f"{path} is not a {path.suffix[1:]} table: {reason}") from error
    if not table.num_rows:
        raise DataError(f"{path} has no rows")
    return table


def _column(path: Path, table: Any, name: str) -> Any:
    count = table.column_names.count(name)
    if count != 1:
        raise DataError(
            f"{path} has {count or 'no'} columns {name!r}; expected one (there are "
            f"{', '.join(table.column_names[:20])})"
        )
    return table.column(name)


def _values(path: Path, table: Any, names: list[str]) -> RealArray:
    """Finite float64 (n, k) of k columns."""
    columns = []
    for name in names:
        try:
            column = _column(path, table, name).cast(pa.float64()).to_numpy()
        except pa.ArrowException as error:
            raise DataError(
                f"{path}: column {name!r} is not numeric ({error}); encode it, or leave it out"
            ) from error
        bad = np.flatnonzero(~np.isfinite(column))
        if len(bad):
            raise DataError(
                f"{path}: column {name!r} is empty or not finite in data row {bad[0] + 1}"
                f" ({len(bad)} such rows); fill them in or leave them out"
            )
        columns.append(column)
    return np.stack(columns, axis=1)


def _texts(path: Path, table: Any, label: str) -> list[str]:
    column = _column(path, table, label)
    try:
        if pa.types.is_floating(column.type):
            column = column.cast(pa.int64())
        texts: list[str | None] = column.cast(pa.string()).to_pylist()
    except pa.ArrowException as error:
        raise DataError(f"{path}: column {label!r} holds no labels ({error})") from error
    for row, text in enumerate(texts, start=1):
        if not text:
            raise DataError(f"{path}: the label in data row {row} is empty; leave such rows out")
    return [text for text in texts if text]


def _rank(text: str) -> tuple[bool, int, str]:
    """Whole numbers by size before all other texts."""
    number = text.isdecimal()
    return (not number, int(text) if number else 0, text)

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from d2m.data.convert import cli
from d2m.data.errors import DataError
from d2m.data.files import read_samples
from d2m.data.tables import Feature, Schema, derive_schema, read_table

COLUMNS = {
    "patient": ["p1", "p2", "p3", "p4"],
    "age": [20, 95, 50, 130],
    "dose": [0.5, 1.0, 0.0, 0.25],
    "finding": ["benign", "malignant", "benign", "benign"],
}
SCHEMA = Schema(
    "finding",
    ("benign", "malignant"),
    (Feature("dose", 0.0, 1.0), Feature("age", 20.0, 122.0)),
)


def write(folder: Path, columns: dict, form: str = "csv") -> Path:
    path = folder / f"table.{form}"
    if form == "parquet":
        pq.write_table(pa.table(columns), path)
        return path
    rows = [columns, *zip(*columns.values(), strict=True)]
    path.write_text("".join(",".join(map(str, row)) + "\n" for row in rows))
    return path


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_a_table_becomes_samples_as_its_schema_says(tmp_path, form):
    samples = read_table(write(tmp_path, COLUMNS, form), SCHEMA)
    assert samples.inputs.tolist() == [[128, 0], [255, 188], [0, 75], [64, 255]]
    assert samples.inputs.dtype == samples.labels.dtype == np.uint8
    assert samples.labels.tolist() == [0, 1, 0, 0]
    assert samples.clipped == 1


def test_two_parties_with_other_data_scale_alike(tmp_path):
    """The same row has the same bytes, whatever else stands in a party's table."""
    alone = {name: values[1:2] for name, values in COLUMNS.items()}
    (tmp_path / "other").mkdir()
    first = read_table(write(tmp_path, COLUMNS), SCHEMA)
    second = read_table(write(tmp_path / "other", alone, "parquet"), SCHEMA)
    assert (first.inputs[1] == second.inputs[0]).all()
    assert first.labels[1] == second.labels[0] == 1


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_a_schema_is_derived_from_a_table(tmp_path, form):
    values = np.linspace(0, 200, 201)
    table = {"label": ["b", "10", "9", *["2"] * 198], "x": values, "constant": [3] * 201}
    schema = derive_schema(write(tmp_path, table, form), "label")
    assert schema.label == "label"
    assert schema.classes == ("2", "9", "10", "b")
    assert schema.features == (Feature("x", 2.0, 198.0), Feature("constant", 3.0, 4.0))


def test_a_schema_survives_the_way_there_and_back(tmp_path):
    (tmp_path / "schema.json").write_bytes(SCHEMA.to_bytes())
    assert Schema.load(tmp_path / "schema.json") == SCHEMA


def test_labels_are_texts_in_a_csv_file_and_whole_numbers_may_be_floats_in_parquet(tmp_path):
    schema = Schema("label", ("01", "1", "NA"), (Feature("x", 0, 1),))
    table = write(tmp_path, {"x": [0, 1, 0], "label": ["1", "01", "NA"]})
    assert read_table(table, schema).labels.tolist() == [1, 0, 2]
    floats = write(tmp_path, {"x": [0, 1], "label": [1.0, 0.0]}, "parquet")
    digits = Schema("label", ("0", "1"), (Feature("x", 0, 1),))
    assert read_table(floats, digits).labels.tolist() == [1, 0]


def test_more_than_256_classes_take_two_bytes(tmp_path):
    classes = tuple(map(str, range(300)))
    table = write(tmp_path, {"x": [0, 1], "label": [299, 3]})
    labels = read_table(table, Schema("label", classes, (Feature("x", 0, 1),))).labels
    assert labels.dtype == np.uint16
    assert labels.tolist() == [299, 3]


def changed(**columns) -> dict:
    return {**COLUMNS, **columns}


@pytest.mark.parametrize("form", ["csv", "parquet"])
@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({k: v for k, v in COLUMNS.items() if k != "age"}, r"no columns 'age'.*patient, dose"),
        ({k: v for k, v in COLUMNS.items() if k != "finding"}, "no columns 'finding'"),
        (changed(age=["20", "95", "fifty", "130"]), r"'age' is not numeric.*fifty"),
        (changed(dose=[0.5, float("nan"), 0.0, 1.0]), r"'dose' is empty or not finite in data row"),
        (changed(dose=[0.5, 1.0, float("inf"), 1.0]), r"data row 3 \(1 such rows\)"),
        (changed(finding=["benign", "unknown", "benign", "benign"]), r"'unknown' in data row 2"),
        (changed(finding=["benign", "", "benign", "benign"]), r"label in data row 2 is empty"),
        ({k: [] for k in COLUMNS}, "has no rows"),
    ],
    ids=["column", "labels", "text", "nan", "infinite", "class", "no label", "no rows"],
)
def test_what_does_not_fit_is_told_in_one_line(tmp_path, form, columns, message):
    with pytest.raises(DataError, match=message) as refused:
        read_table(write(tmp_path, columns, form), SCHEMA)
    assert "\n" not in str(refused.value)


def test_nulls_in_parquet_are_told_too(tmp_path):
    table = write(tmp_path, changed(age=[20, None, 50, None]), "parquet")
    with pytest.raises(DataError, match=r"'age' is empty.*data row 2 \(2 such rows\)"):
        read_table(table, SCHEMA)
    table = write(tmp_path, changed(finding=["benign", None, "benign", None]), "parquet")
    with pytest.raises(DataError, match="label in data row 2 is empty"):
        read_table(table, SCHEMA)
    table = write(tmp_path, changed(finding=[0.5, 1.0, 1.0, 1.0]), "parquet")
    with pytest.raises(DataError, match="'finding' holds no labels"):
        read_table(table, SCHEMA)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("table.csv", b"", "not a csv table"),
        ("table.csv", b"age,dose,finding\n1,2\n", "not a csv table.*Expected 3 columns"),
        ("table.csv", b"age,dose,finding\n1,2,\xff\n", "not a csv table"),
        ("table.csv", b"age,age,dose,finding\n1,2,3,benign\n", "2 columns 'age'"),
        ("table.parquet", b"", "not a parquet table"),
        ("table.parquet", b"age,dose,finding\n", "not a parquet table"),
        ("table.xlsx", b"PK", r"neither \.csv nor \.parquet"),
    ],
)
def test_a_file_that_is_no_table_is_told_in_one_line(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=message) as refused:
        read_table(tmp_path / name, SCHEMA)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("name", ["none.csv", "none.parquet"])
def test_a_missing_table_is_named(tmp_path, name):
    with pytest.raises(DataError, match="missing"):
        read_table(tmp_path / name, SCHEMA)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"classes": ["benign"]}, "from 2 to"),
        ({"classes": ["benign", "benign"]}, "different classes"),
        ({"classes": "ab"}, "expected a list"),
        ({"features": []}, "one feature or more"),
        ({"features": [{"name": "finding", "low": 0, "high": 1}]}, "every column once"),
        ({"features": [{"name": "age", "low": 1, "high": 1}]}, "low < high"),
        ({"features": [{"name": "age", "low": 0, "high": float("inf")}]}, "finite"),
        ({"features": [{"name": "age", "low": 0, "high": "tall"}]}, "tall"),
        ({"features": [{"name": "age", "low": 0}]}, "lacks 'high'"),
        ({"features": 3}, "not a schema"),
        (None, "not a schema"),
    ],
)
def test_a_schema_that_cannot_be_applied_is_refused(tmp_path, change, message):
    path = tmp_path / "schema.json"
    value = json.loads(SCHEMA.to_bytes())
    path.write_text("{" if change is None else json.dumps({**value, **change}))
    with pytest.raises(DataError, match=message) as refused:
        Schema.load(path)
    assert "\n" not in str(refused.value)


def test_a_table_of_one_class_or_without_features_gives_no_schema(tmp_path):
    with pytest.raises(DataError, match="gives no schema"):
        derive_schema(write(tmp_path, {"x": [1, 2], "label": ["a", "a"]}), "label")
    with pytest.raises(DataError, match="no column but 'label'"):
        derive_schema(write(tmp_path, {"label": ["a", "b"]}), "label")


def run(*arguments: object):
    return CliRunner().invoke(cli, [str(argument) for argument in arguments])


def test_the_command_derives_a_schema_and_applies_it(tmp_path):
    columns = {name: values for name, values in COLUMNS.items() if name != "patient"}
    table, schema, out = write(tmp_path, columns), tmp_path / "s.json", tmp_path / "own.npz"
    derived = run("derive", table, schema, "--label", "finding")
    assert derived.exit_code == 0, derived.output
    assert "2 features, 2 classes" in derived.output
    applied = run("apply", table, schema, out)
    assert applied.exit_code == 0, applied.output
    assert "4 samples of 2 features" in applied.output
    assert sha256(schema.read_bytes()).hexdigest() in applied.output
    inputs, labels = read_samples(out)
    expected = read_table(table, Schema.load(schema))
    assert (inputs == expected.inputs).all()
    assert labels.tolist() == [0, 1, 0, 0]


def test_the_command_says_how_much_lay_outside(tmp_path):
    (tmp_path / "s.json").write_bytes(SCHEMA.to_bytes())
    applied = run("apply", write(tmp_path, COLUMNS), tmp_path / "s.json", tmp_path / "own.npz")
    assert "12.50% of the values lay outside" in applied.output


def test_the_command_fails_in_one_line(tmp_path):
    schema = tmp_path / "s.json"
    table = write(tmp_path, COLUMNS)
    failed = run("derive", table, schema)
    assert failed.exit_code == 1
    assert "no columns 'label'" in failed.output
    assert "'patient' is not numeric" in run("derive", table, schema, "--label", "finding").output
    assert not schema.exists()
    assert "is not a schema" in run("apply", table, schema, tmp_path / "own.npz").output
    schema.write_bytes(SCHEMA.to_bytes())
    assert "exists" in run("derive", table, schema, "--label", "finding").output
    nowhere = tmp_path / "nowhere" / "own.npz"
    assert "No such file" in run("apply", table, schema, nowhere).output
    assert "ends in .npz" in run("apply", table, schema, tmp_path / "own.csv").output

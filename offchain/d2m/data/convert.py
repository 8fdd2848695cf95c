"""A party's own table as a data file: `python -m d2m.data.convert`.

One party, mostly the buyer, derives a schema and publishes it; everybody applies it.
"""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

import click

from d2m.data.errors import DataError
from d2m.data.files import write_samples
from d2m.data.tables import Schema, derive_schema, read_table

file_path = click.Path(path_type=Path, dir_okay=False)
table_argument = click.argument("table", type=file_path)
schema_argument = click.argument("schema", type=file_path)


@click.group()
def cli() -> None:
    """Turn TABLE, .csv or .parquet, into a data file for a seller or a buyer."""


@cli.command()
@table_argument
@schema_argument
@click.option("--label", default="label", show_default=True, help="Column of the labels.")
def derive(table: Path, schema: Path, label: str) -> None:
    """Write the new file SCHEMA, with ranges and classes from TABLE, to be looked through.

    Take out columns that are no inputs, such as an id, and put in the ranges and classes that
    other parties' data may have.
    """
    if schema.exists():
        raise click.ClickException(f"{schema} exists, and others may use it; choose another name")
    try:
        found = derive_schema(table, label)
        schema.write_bytes(found.to_bytes())
    except (DataError, OSError) as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"{len(found.features)} features, {len(found.classes)} classes: {schema}")


@cli.command()
@table_argument
@schema_argument
@click.argument("samples", type=file_path)
def apply(table: Path, schema: Path, samples: Path) -> None:
    """Write TABLE's rows to SAMPLES (.npz) as SCHEMA says."""
    if samples.suffix != ".npz":
        raise click.BadParameter("expected a name that ends in .npz", param_hint="SAMPLES")
    try:
        found = read_table(table, Schema.load(schema))
        write_samples(samples, found.inputs, found.labels)
    except (DataError, OSError) as error:
        raise click.ClickException(str(error)) from error
    rows, columns = found.inputs.shape
    click.echo(
        f"{rows} samples of {columns} features: {samples}\n"
        f"{found.clipped / (rows * columns):.2%} of the values lay outside the schema's ranges\n"
        f"schema {sha256(schema.read_bytes()).hexdigest()}, the same for all parties"
    )


if __name__ == "__main__":
    cli()

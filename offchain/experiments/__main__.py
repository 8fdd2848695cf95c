"""Experiments: `python -m experiments list` names the studies, `run` and `report` make their pages.

Most play without a chain, on the round computation that CONE nodes run.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import takewhile
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from d2m.data.errors import DataError
from experiments.paper.batch import run_cells
from experiments.paper.cells import Cell
from experiments.paper.engines import EngineMissing
from experiments.paper.options import CELL, DEVICE, FOLDER
from experiments.paper.run import run_cell
from experiments.paper.study import Grid, play
from experiments.paper.tables import summary
from experiments.registry import STUDIES
from experiments.study import REPORT, NotRecorded, Study

STOPPED = 130
"""Exit status of a program that Ctrl-C ended."""
_MORE = "python -m experiments {} NAME --help shows the options of a study."


class _Stopped(click.ClickException):
    """Ctrl-C, with what it leaves."""

    exit_code = STOPPED

    def show(self, file: Any = None) -> None:
        """Say it."""
        click.echo(self.message, err=True)


@contextmanager
def _told_when_stopped(study: Study) -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt:
        raise _Stopped(study.interrupted) from None


class _OnStudies(click.Command):
    """A command on studies, named first: it has their options, those of grids where none is."""

    def __init__(
        self, *args: Any, options_of: Callable[[Study], Sequence[click.Option]], **attributes: Any
    ) -> None:
        super().__init__(*args, **attributes)
        self.epilog = _MORE.format(self.name)
        self._options_of = options_of
        self._own = self.params

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Take the options of the studies named."""
        named = [STUDIES[name] for name in takewhile(STUDIES.__contains__, args)]
        asked = named or [study for study in STUDIES.values() if isinstance(study, Grid)]
        options = {each.name: each for study in asked for each in self._options_of(study)}
        self.params = [*self._own, *options.values()]
        return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """Call with the studies, each with its options."""
        names = ctx.params["names"]
        if unknown := set(names) - STUDIES.keys():
            raise click.UsageError(f"no study is called {min(unknown)}: choose of list", ctx)
        chosen = [
            study
            for study in STUDIES.values()
            if study.name in names or not (names or study.by_name_alone)
        ]
        given = {
            name
            for name in ctx.params
            if ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE
        } - {each.name for each in self._own}
        known = {each.name for study in chosen for each in self._options_of(study)}
        if given - known:
            raise click.UsageError(f"no study named here has --{min(given - known)}", ctx)
        studies = [(study, self._values(ctx, study, given)) for study in chosen]
        assert self.callback is not None
        return ctx.invoke(self.callback, studies=studies, out=ctx.params["out"])

    def _values(self, ctx: click.Context, study: Study, given: set[str]) -> dict[str, Any]:
        return {
            str(each.name): ctx.params[str(each.name)]
            if each.name in given
            else each.process_value(ctx, each.get_default(ctx))
            for each in self._options_of(study)
        }


_names = click.argument("names", metavar="[NAME]…", nargs=-1)
_out = click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=REPORT,
    show_default=True,
    help="Folder of records, pages and plots.",
)
Chosen = Iterable[tuple[Study, dict[str, Any]]]


@click.group(help=__doc__)
def main() -> None:
    """The commands below."""


@main.command("list")
def list_studies() -> None:
    """Name every study, what it asks, and how long it takes."""
    for study in STUDIES.values():
        notes = filter(None, [study.takes, "by name alone" if study.by_name_alone else ""])
        click.echo(f"{study.name:13}  {study.about}  {', '.join(notes)}".rstrip())
    click.echo("All together: 2 hours on two cores; with --full days.")


@main.command(name="run", cls=_OnStudies, options_of=lambda study: study.options)
@_names
@_out
def run(studies: Chosen, out: Path) -> None:
    """Run studies, all of them when none is named, and write their records, pages and plots.

    An option reaches each study named that has it. Cells of grids that are finished are not run
    again; after Ctrl-C the same command goes on from the last round of every cell.
    """
    grids = {study: options for study, options in studies if isinstance(study, Grid)}
    if grids:
        with _told_when_stopped(next(iter(grids))):
            play(list(grids), **next(iter(grids.values())))
    for study, options in studies:
        with _told_when_stopped(study):
            for line in study.run(out, **options):
                click.echo(line)


@main.command(name="report", cls=_OnStudies, options_of=lambda study: study.report_options)
@_names
@_out
def report(studies: Chosen, out: Path) -> None:
    """Rebuild the pages and plots of studies that have been run, of all when none is named."""
    for study, options in studies:
        try:
            for path in study.report(out, **options):
                click.echo(path)
        except NotRecorded as missing:
            click.echo(f"left out: {missing}", err=True)


def cell(results: Path, device: str, **values: Any) -> None:
    """Run one cell, resuming it where it was interrupted, and print its row."""
    chosen = Cell(**values)
    run_cells([chosen], results, "local", 1, device)
    click.echo(summary(run_cell(chosen, results)))


main.add_command(
    click.Command("cell", params=[*CELL, FOLDER, DEVICE], callback=cell, help=cell.__doc__)
)


def _started() -> int:
    # Ape ends a program on Ctrl-C without a word. SIGTERM: workers must not outlive the command.
    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, signal.default_int_handler)
    try:
        main(standalone_mode=False)
    except click.exceptions.Abort:
        click.echo(Grid.interrupted, err=True)
        return STOPPED
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (DataError, EngineMissing, ValueError) as error:
        click.echo(f"error: {error}", err=True)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(_started())

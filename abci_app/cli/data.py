"""`gradus data`: make datasets from tables, list, show and verify them."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from abci_app.cli.errors import CommandError
from abci_app.cli.exit_status import ExitStatus
from abci_app.cli.options import combine, home_option, output_option
from abci_app.cli.output import print_rows
from abci_app.cli.progress import progress_bar
from abci_app.data import csv, named
from abci_app.data.columns import Column, NumericColumn
from abci_app.data.dataset import HELD_OUT_PPM, SCALINGS, Dataset, Options, new_dataset
from abci_app.data.errors import DataError
from abci_app.data.manifest import CONTEXT_MAX, Manifest
from abci_app.data.store import DatasetStore
from abci_app.data.table import Progress as Report
from abci_app.data.table import Table
from abci_app.data.text import CONTEXT, PYDOC, TextOptions, load_pydoc, new_text_dataset, read_text_file
from abci_app.data.text import HELD_OUT_PPM as TEXT_HELD_OUT_PPM

ROOT_PREFIX_CHARS = 8


def datasets_folder(home: Path) -> Path:
    """Where datasets lie under a Gradus home."""
    return home / "datasets"


folder_option = click.option("--dir", "folder", type=click.Path(path_type=Path),
                             help="Folder of datasets [HOME/datasets].")
store_options = combine(home_option, folder_option, output_option)


def open_store(home: Path, folder: Path | None) -> DatasetStore:
    """The store that the options name."""
    return DatasetStore((folder or datasets_folder(home)).expanduser())


@contextmanager
def data_errors(source: str = "") -> Iterator[None]:
    """DataError as a command's error, with its source, row and column."""
    try:
        yield
    except DataError as error:
        message = f"{source}: {error}" if source and error.row is not None else str(error)
        status = ExitStatus(error.exit_status)
        raise CommandError(message, error.hint, status, row=error.row, column=error.column) from None


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def data() -> None:
    """Turn tables and texts into datasets that miners and auditors check by hash."""


@data.command()
@click.argument("source", metavar="NAME|FILE.csv")
@click.option("--label", help="Column of classes to tell apart. A file needs it, or --target.")
@click.option("--target", "targets", multiple=True, metavar="COLUMN",
              help="Column of numbers to predict, instead of a label. May be repeated.")
@click.option("--name", help="What to call the dataset [the file's name].")
@click.option("--held-out-ppm", type=click.IntRange(0, 999_999), default=HELD_OUT_PPM, show_default=True,
              help="Share of rows that no miner trains on.")
@click.option("--split-seed", type=click.IntRange(0, (1 << 64) - 1), default=0, show_default=True)
@click.option("--scaling", type=click.Choice(SCALINGS), default="auto", show_default=True,
              help="One scale for each numeric column, or one for the whole table.")
@click.option("--numeric", multiple=True, metavar="COLUMN", help="Take as numbers. May be repeated.")
@click.option("--categorical", multiple=True, metavar="COLUMN", help="Take as categories. May be repeated.")
@click.option("--drop", multiple=True, metavar="COLUMN", help="Leave out. May be repeated.")
@click.option("--delimiter", help="Between cells [found in the file]; \\t for a tab.")
@store_options
def add(source: str, label: str | None, targets: tuple[str, ...], name: str | None, delimiter: str | None, home: Path,
        folder: Path | None, output: str, **choices: Any) -> None:
    """Make a dataset from a table and store it.

    NAME is one of breast_cancer, digits, iris, wine (they come with scikit-learn).

    \b
    Examples:
      gradus data add digits
      gradus data add loans.csv --label defaulted --drop loan_id
      gradus data add houses.csv --target price
    """
    with data_errors(source), progress_bar() as report:
        table, label, name = read_source(source, label, name, delimiter, report, targets)
        dataset = new_dataset(table, Options(name=name, label=label, targets=targets, progress=report, **choices))
        store = open_store(home, folder)
        is_new = store.add(dataset)
    _print_added(dataset, store, is_new, output)


@data.command()
@click.argument("source", metavar="pydoc|FILE")
@click.option("--context", type=click.IntRange(1, CONTEXT_MAX), default=CONTEXT, show_default=True,
              help="Characters from which the next is predicted at most.")
@click.option("--stride", type=click.IntRange(0, CONTEXT_MAX), default=0,
              help="Characters between the beginnings of two windows to train on [a quarter of the context].")
@click.option("--name", help="What to call the dataset [the file's name].")
@click.option("--held-out-ppm", type=click.IntRange(0, 999_999), default=TEXT_HELD_OUT_PPM, show_default=True,
              help="Share of the text that no miner trains on.")
@click.option("--split-seed", type=click.IntRange(0, (1 << 64) - 1), default=0, show_default=True)
@store_options
def text(source: str, name: str | None, home: Path, folder: Path | None, output: str, **choices: Any) -> None:
    """Make a dataset of characters from a text, for a language model, and store it.

    pydoc is Python's language reference, which comes with Python: another version of it has another text and root.

    \b
    Examples:
      gradus data text pydoc
      gradus data text novel.txt --context 128
    """
    with data_errors(source), progress_bar() as report:
        found = load_pydoc() if source == PYDOC else read_text_file(Path(source))
        options = TextOptions(name or Path(source).stem, progress=report, **choices)
        dataset = new_text_dataset(found, options)
        store = open_store(home, folder)
        is_new = store.add(dataset)
    _print_added(dataset, store, is_new, output)


def _print_added(dataset: Dataset, store: DatasetStore, is_new: bool, output: str) -> None:
    for warning in dataset.warnings:
        click.secho(f"warning: {warning}", fg="yellow", err=True)
    if output == "json":
        click.echo(json.dumps({**dataset.manifest.to_json(), "folder": str(store.folder), "added": is_new,
                               "warnings": dataset.warnings}))
        return
    _print_manifest(dataset.manifest)
    click.echo(f"{'stored in' if is_new else 'was already in'} {store.folder}", err=True)


@data.command("list")
@store_options
def list_datasets(home: Path, folder: Path | None, output: str) -> None:
    """List the datasets of a folder.

    \b
    Example: gradus data list
    """
    manifests = open_store(home, folder).read_manifests()
    print_rows([_summary(manifest) for manifest in manifests],
               ("name", "train_rows", "test_rows", "feature_count", "class_count", "rows_root"), output,
               "no datasets yet; make one: gradus data add NAME|FILE.csv")


@data.command()
@click.argument("root")
@store_options
def show(root: str, home: Path, folder: Path | None, output: str) -> None:
    """Show a dataset: split, classes, and how every column becomes features.

    ROOT: the root in hex, its first 8 characters or more, or the dataset's name.

    \b
    Example: gradus data show digits
    """
    manifest = _find(open_store(home, folder), root)
    if output == "json":
        click.echo(json.dumps(manifest.to_json()))
        return
    _print_manifest(manifest)
    for column in manifest.columns:
        click.echo(f"  {_describe(column)}")


@data.command()
@click.argument("root", required=False)
@store_options
def verify(root: str | None, home: Path, folder: Path | None, output: str) -> None:
    """Read a dataset's rows, or those of all datasets, and check them against the root.

    \b
    Example: gradus data verify digits
    """
    store = open_store(home, folder)
    roots = [_find(store, root).rows_root] if root else store.roots()
    with data_errors(), progress_bar() as report:
        manifests = [store.verify(rows_root, report) for rows_root in roots]
    if output == "json":
        click.echo(json.dumps([{**_summary(manifest), "verified": True} for manifest in manifests]))
        return
    for manifest in manifests:
        click.echo(f"{manifest.rows_root.hex()}  {manifest.name}: {manifest.row_count} rows give the root")


def read_source(source: str, label: str | None, name: str | None = None, delimiter: str | None = None,
                report: Report = lambda what, done, total: None,
                targets: tuple[str, ...] = ()) -> tuple[Table, str, str]:
    """(table, label, name) of a known name, else of a file; the label is empty where there are targets."""
    path = Path(source)
    if source in named.NAMES and not path.suffix:
        if label not in (None, named.LABEL) or delimiter is not None:
            raise click.UsageError(f"{source} is known by name: it takes neither --label nor --delimiter")
        return named.load_named(source), "" if targets else named.LABEL, name or source
    if not path.suffix and not path.exists():
        named.check_name(source)
    if label is None and not targets:
        raise click.UsageError("a file needs --label COLUMN or --target COLUMN: what to predict")
    delimiter = delimiter.replace("\\t", "\t") if delimiter is not None else None
    return csv.read_table(path, delimiter, report), label or "", name or path.stem


def _find(store: DatasetStore, root: str) -> Manifest:
    found = [manifest for manifest in store.read_manifests() if manifest.name == root or (
        len(root) >= ROOT_PREFIX_CHARS and manifest.rows_root.hex().startswith(root.lower()))]
    if len(found) == 1:
        return found[0]
    problem = f"{len(found)} datasets are called" if found else "there is no dataset"
    raise CommandError(f"{problem} {root} in {store.folder}", "see: gradus data list", ExitStatus.USAGE)


def _summary(manifest: Manifest) -> dict[str, Any]:
    return {"name": manifest.name, "rows_root": manifest.rows_root.hex(), "train_rows": manifest.train_rows,
            "test_rows": manifest.test_rows, "feature_count": manifest.feature_count,
            "class_count": manifest.class_count}


def _print_manifest(manifest: Manifest) -> None:
    shown = ", ".join(manifest.classes[:12]) + (", ..." if len(manifest.classes) > 12 else "")
    click.echo(f"dataset   {manifest.name}\nroot      {manifest.rows_root.hex()}\nsource    {manifest.source}")
    click.echo(f"rows      {manifest.train_rows} to train on, {manifest.test_rows} held out")
    if manifest.vocabulary:
        click.echo(f"context   {manifest.context} characters, a window every {manifest.stride}")
        click.echo(f"alphabet  {len(manifest.vocabulary)} characters: {manifest.vocabulary[:80]!r}")
        return
    click.echo(f"features  {manifest.feature_count} from {len(manifest.columns)} columns")
    for target in manifest.targets:
        click.echo(f"target    {target.name}, (x - {target.offset}) / {target.scale}")
    if manifest.classes:
        click.echo(f"classes   {len(manifest.classes)} of {manifest.label}: {shown}")
    for dropped in manifest.dropped:
        click.echo(f"dropped   {dropped.name}: {dropped.reason}")


def _describe(column: Column) -> str:
    if isinstance(column, NumericColumn):
        missing = f", missing is {column.fill} and marked" if column.has_indicator else ""
        return f"{column.name}: number, 64 * (x - {column.offset}) / {column.scale}{missing}"
    shown = ", ".join(repr(value) if value else "missing" for value in column.values[:12])
    return f"{column.name}: one of {len(column.values)}: {shown}{', ...' if len(column.values) > 12 else ''}"

"""What every command has in common: the configuration, the store, and how tables are printed."""

from __future__ import annotations

import json as json_text
import os
import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import date, datetime
from functools import cached_property
from pathlib import Path
from typing import Any, NoReturn

import click
import pyarrow as pa
import pyarrow.compute as pc
from filelock import FileLock
from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from detectors.findings import printable
from pipelines import schema
from pipelines.lake.store import prepare_folders
from pipelines.settings import Settings, load


class NoConfiguration(click.ClickException):
    """The file that the command would work by is not there."""

    exit_code = 2


@dataclass(frozen=True)
class Context:
    """One command's view of the product."""

    config: Path

    @cached_property
    def settings(self) -> Settings:
        """The validated configuration; raises `Problems`, and `NoConfiguration` where there is none."""
        if not self.config.exists():
            here = " here" if len(self.config.parts) == 1 else ""
            msg = f"there is no {printable(str(self.config))}{here}: `workertrail init` writes one, or name yours"
            raise NoConfiguration(f"{msg} with --config")
        return load(self.config)

    def read(self, sql: str, parameters: Sequence[object] | dict[str, object] | None = None) -> pa.Table:
        """The rows of a SELECT over the lake's latest snapshot."""
        with self.settings.lake.reading() as connection:
            return connection.execute(sql, parameters).to_arrow_table()

    def write(self, table: str, rows: pa.Table) -> None:
        """Append rows in one short transaction."""
        by_name = {one.name: one for one in schema.TABLES}
        with self.settings.lake.writing() as writer:
            writer.append(by_name[table], rows)

    def delivery_lock(self) -> AbstractContextManager[object]:
        """Held while alerts are sent, so that no alert is sent twice at once; the lake stays free."""
        prepare_folders(self.settings.lake)
        return FileLock(self.settings.lake.delivery_lock_file, timeout=0, mode=0o600)

    def print_table(self, table: pa.Table, json: bool, whole: Sequence[str] = ()) -> None:
        """Print rows as a table for people, or as one JSON array; the columns `whole` are never broken."""
        if json:
            click.echo(as_json(table.to_pylist()))
            return
        shown = RichTable(box=None, header_style="bold", pad_edge=False)
        for name in table.column_names:
            shown.add_column(Text(name), overflow="fold", no_wrap=name in whole)
        for row in table.to_pylist():
            shown.add_row(*(plain(value) for value in row.values()))
        console().print(shown)


WIDE = 10_000
ROOMY = 160
"""From so many columns on a terminal shows whole uids in tables."""

SHORTEST_UID = 8

pass_context = click.make_pass_decorator(Context)


class _Console(Console):
    def on_broken_pipe(self) -> NoReturn:
        """Leave it to `main`: rich would end the program with exit code 1."""
        raise BrokenPipeError


def console(*, wrap: bool = True) -> Console:
    """Where text for people goes: no markup is read out of it; lines are cut at the terminal's width alone.

    Without `wrap` a long line is left to the terminal, which does not put a line's end into what is copied from it.
    """
    terminal = sys.stdout.isatty()
    soft = not (terminal and wrap)
    return _Console(markup=False, highlight=False, emoji=False, soft_wrap=soft, width=None if terminal else WIDE)


def is_narrow() -> bool:
    """Whether tables must do with few columns: a terminal that is not roomy."""
    return sys.stdout.isatty() and console().width < ROOMY


def uid_length(context: Context, table: str, column: str) -> int:
    """How many characters of a uid tell all rows of a table apart (at least 8): what a narrow table shows."""
    lengths = ", ".join(f"count(DISTINCT left({column}, {length})) AS n{length}" for length in range(SHORTEST_UID, 37))
    row = context.read(f"SELECT count(DISTINCT {column}) AS every, {lengths} FROM {table}").to_pylist()[0]
    return next((length for length in range(SHORTEST_UID, 37) if row[f"n{length}"] == row["every"]), 36)


def beginnings(uids: pa.ChunkedArray[Any], length: int) -> pa.ChunkedArray[Any]:
    """The first characters of uids, for a table that has no room for all of them."""
    return pc.utf8_slice_codeunits(uids, 0, length)


def counted(count: int, word: str, several: str | None = None) -> str:
    """`1 worker`, `2 workers`."""
    return f"{count:,} {word if count == 1 else several or word + 's'}"


def command_line() -> str:
    """The command as it was called, so that it can be typed again: a name on PATH, or the shorter path."""
    called = Path(sys.argv[0])
    for folder in os.environ.get("PATH", "").split(os.pathsep):
        if folder and Path(folder) == called.absolute().parent:
            return called.name
    relative = os.path.relpath(called)
    return relative if len(relative) < len(str(called.absolute())) else str(called.absolute())


def plain(value: Any) -> Text:
    """A value as text that cannot drive a terminal."""
    if value is None:
        return Text("-", style="dim")
    if isinstance(value, datetime):
        return Text(instant(value))
    if isinstance(value, list):
        return Text(printable(", ".join(str(part) for part in value)))
    return Text(printable(str(value)))


def instant(value: datetime) -> str:
    """RFC 3339 in UTC with milliseconds."""
    return value.isoformat(timespec="milliseconds") + "Z"


def as_json(value: object, indent: int | None = None) -> str:
    """JSON in ASCII, so that control characters in log text stay escaped; times are RFC 3339 UTC."""
    return json_text.dumps(value, default=_jsonable, indent=indent, ensure_ascii=True, allow_nan=False)


def _jsonable(value: object) -> object:
    if isinstance(value, datetime):
        return value.isoformat(timespec="microseconds") + "Z"
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, bytes):
        return value.hex()
    return str(value)

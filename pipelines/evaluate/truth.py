"""Reading a world's `truth/` folder, refused with its path where it is not one that this version knows."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import polars as pl

from pipelines.report.text import plural

VERSION = 1
"""Of the truth's layout, as `workertrail world` writes it into world.json."""

_TIME = pl.Datetime
COLUMNS: dict[str, dict[str, type[pl.DataType]]] = {
    "events": {
        "format": pl.String, "native_id": pl.String, "event": pl.String, "at": _TIME, "system": pl.String,
        "worker": pl.String, "delegator": pl.String, "run": pl.String, "incident": pl.String, "lookalike": pl.String,
        "is_copy": pl.Boolean, "issued": pl.Boolean,
    },
    "incidents": {
        "incident": pl.String, "scenario": pl.String, "family": pl.String, "worker": pl.String,
        "intensity": pl.Float64, "started_at": _TIME,
    },
    "lookalikes": {"lookalike": pl.String, "name": pl.String, "resembles": pl.String, "worker": pl.String},
    "workers": {"worker": pl.String, "kind": pl.String, "days": pl.Int64},
}  # fmt: skip
"""The columns that are read, and of what kind each must be; others may stand beside them."""


class TruthError(Exception):
    """The truth cannot be used; the text says why, where, and what to do."""


@dataclass(frozen=True)
class Truth:
    """A truth that was checked: `world` as world.json has it, and the files by their tables' names."""

    folder: Path
    world: dict[str, Any]

    @property
    def seed(self) -> int:
        return int(self.world["seed"])

    @property
    def told(self) -> str:
        """Which world it is, in words."""
        sizes = [
            plural(self.world[f"{name}s"], name) for name in ("worker", "day", "event") if f"{name}s" in self.world
        ]
        return f"world of seed {self.seed}: {', '.join(sizes)}"

    @property
    def outages(self) -> tuple[tuple[str, datetime, datetime], ...]:
        """When no record of a format was written though things happened: format, since, until (naive UTC)."""
        silent = self.world.get("silent")
        if not silent:
            return ()
        since, until = (datetime.fromisoformat(silent[name]).replace(tzinfo=None) for name in ("since", "until"))
        return ((silent["format"], since, until),)

    def file(self, table: str) -> Path:
        return self.folder / f"{table}.parquet"

    def table(self, name: str) -> pl.DataFrame:
        """One of the small tables in the columns of COLUMNS; times are naive UTC with microseconds."""
        return _columns(pl.read_parquet(self.file(name)), COLUMNS[name])


def read(folder: Path) -> Truth:
    """The truth in a folder, or in `truth/` below it. Raises TruthError."""
    inner = folder / "truth"
    if not (folder / "world.json").exists() and (inner / "world.json").exists():
        folder = inner
    truth = Truth(folder, _world(folder))
    for table, columns in COLUMNS.items():
        _check(truth.file(table), columns)
    return truth


def _world(folder: Path) -> dict[str, Any]:
    file = folder / "world.json"
    if not file.is_file():
        raise TruthError(f"{folder}: there is no truth here (no world.json): name the truth/ of a world that"
                         " `workertrail world` wrote")  # fmt: skip
    try:
        world = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise TruthError(f"{file}: cannot be read ({error}): write the world anew with `workertrail world`") from error
    version = world.get("version") if isinstance(world, dict) else None
    if version != VERSION:
        raise TruthError(f"{file}: is of version {version}, and this WorkerTrail reads version {VERSION}: write the"
                         " world anew with `workertrail world`")  # fmt: skip
    if not isinstance(world.get("seed"), int):
        raise TruthError(f"{file}: names no seed: write the world anew with `workertrail world`")
    return dict(world)


def _check(file: Path, columns: dict[str, type[pl.DataType]]) -> None:
    """Raise TruthError where the file is missing or lacks a column, or one is of another kind."""
    if not file.is_file():
        raise TruthError(f"{file}: is missing: write the world anew with `workertrail world`")
    try:
        schema = pl.read_parquet_schema(file)
    except (OSError, pl.exceptions.PolarsError) as error:
        raise TruthError(f"{file}: is no Parquet file ({error}): write the world anew") from error
    for name, kind in columns.items():
        found = schema.get(name)
        if found is None:
            raise TruthError(f"{file}: has no column {name}: write the world anew with `workertrail world`")
        fits = found.is_numeric() if kind in {pl.Float64, pl.Int64} else found in (kind, pl.Null)
        if not fits:
            raise TruthError(f"{file}: column {name} holds {found} and not {kind.__name__}: write the world anew")


def _columns(frame: pl.DataFrame, columns: dict[str, type[pl.DataType]]) -> pl.DataFrame:
    return frame.select(
        pl.col(name).cast(pl.Datetime("us") if kind is _TIME else kind).alias(name) for name, kind in columns.items()
    )

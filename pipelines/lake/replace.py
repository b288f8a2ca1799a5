"""Bringing a small table to a computed result by writing only the rows that differ."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pipelines import schema
from pipelines.lake.store import Writer


@dataclass(frozen=True)
class Changes:
    """How many rows came, went, and stood already."""

    added: int
    removed: int
    same: int


def replace(writer: Writer, table: schema.Table, computed: str, key: Sequence[str]) -> Changes:
    """Make `table` equal to the temporary table `computed` (same columns); rows are told apart by `key`.

    A row is written only where its content differs, so the cost of the write follows what changed.
    """
    connection = writer.connection
    columns = ", ".join(f'"{name}"' for name in table.columns)
    stored, wanted = f'lake."{table.name}"', f"{computed}"
    keys = ", ".join(f'"{name}"' for name in key)
    for name, present, absent in (("rows_gone", stored, wanted), ("rows_new", wanted, stored)):
        differing = f"SELECT {columns} FROM {present} EXCEPT SELECT {columns} FROM {absent}"
        connection.execute(f"CREATE OR REPLACE TEMP TABLE {name} AS {differing}")
    counts = connection.execute(
        f"SELECT (SELECT count(*) FROM rows_new), (SELECT count(*) FROM rows_gone), (SELECT count(*) FROM {wanted})"
    ).fetchone()
    added, removed, total = counts if counts else (0, 0, 0)
    if removed:
        same_key = " AND ".join(f'{stored}."{name}" IS NOT DISTINCT FROM g."{name}"' for name in key)
        connection.execute(f"DELETE FROM {stored} USING (SELECT DISTINCT {keys} FROM rows_gone) AS g WHERE {same_key}")
    if added:
        connection.execute(f"INSERT INTO {stored} ({columns}) SELECT {columns} FROM rows_new")
    return Changes(added=added, removed=removed, same=total - added)

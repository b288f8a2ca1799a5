"""A connection over the lake that reaches nothing else: no file, no setting, no more memory than it is given."""

from __future__ import annotations

from dataclasses import dataclass

import duckdb

from pipelines.lake.store import Lake


@dataclass(frozen=True)
class Room:
    """How much a connection may take: memory and spilled bytes, as DuckDB writes sizes; None is DuckDB's default."""

    memory: str | None = None
    spill: str | None = None


def confine(connection: duckdb.DuckDBPyConnection, lake: Lake, room: Room = Room()) -> None:
    """Let the connection read the lake's files and nothing else, within `room`; no later statement can undo it."""
    for setting, size in (("memory_limit", room.memory), ("max_temp_directory_size", room.spill)):
        if size is not None:
            connection.execute(f"SET {setting} = '{size}'")
    catalog = [f"{lake.catalog}{suffix}" for suffix in ("", "-journal", "-wal", "-shm")]
    connection.execute("SET allowed_directories = ?", [[f"{lake.data}/"]])
    connection.execute("SET allowed_paths = ?", [catalog])
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")

"""DuckDB connections whose extensions come from the installed wheels: nothing is fetched at run time."""

from __future__ import annotations

import importlib
from pathlib import Path

import duckdb

LOCKED = ("sqlite_scanner", "ducklake")
"""DuckLake asks for the catalog's scanner, so that one is loaded first."""


def extension_file(name: str) -> Path:
    """The extension's binary inside its wheel, for the DuckDB that is installed.

    Raises FileNotFoundError where the wheel is missing or was built for another DuckDB.
    """
    package = importlib.import_module(f"duckdb_extension_{name}")
    root = Path(next(iter(package.__path__)))
    file = root / "extensions" / f"v{duckdb.__version__}" / f"{name}.duckdb_extension"
    if not file.exists():
        msg = f"{file} is missing: install duckdb-extension-{name.replace('_', '-')} of version {duckdb.__version__}"
        raise FileNotFoundError(msg)
    return file


THREADS: int | None = None
"""With how many threads a connection works; null: one a core. Over small tables they mostly wait for each other."""


def connect() -> duckdb.DuckDBPyConnection:
    """An in-memory DuckDB with the lake's extensions, UTC, and no way to fetch others."""
    connection = duckdb.connect(
        config={
            "autoinstall_known_extensions": "false",
            "autoload_known_extensions": "false",
            "preserve_insertion_order": "false",
        }
    )
    for name in LOCKED:
        connection.load_extension(str(extension_file(name)))
    if THREADS is not None:
        connection.execute(f"SET threads = {THREADS}")
    connection.execute("SET TimeZone = 'UTC'")
    return connection

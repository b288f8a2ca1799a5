"""Running a world and comparing lakes by their columns of content."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from pipelines import run as work
from pipelines import schema
from pipelines.settings import load

OF_CONTENT = (schema.ACTIONS, schema.GRANTS, schema.ACTS_AS, schema.BINDINGS, schema.CHAINS, schema.FINDINGS)


def run(world: Path) -> work.Summary:
    """Pull to findings, once."""
    return work.run(work.plan(load(world / "workertrail.yaml")))


def content(world: Path, table: schema.Table) -> list[tuple[Any, ...]]:
    """The rows of a table in its columns of content, sorted; findings that are resolved do not count."""
    columns = ", ".join(f'"{name}"' for name in table.content)
    where = " WHERE status <> 'resolved'" if table is schema.FINDINGS else ""
    with load(world / "workertrail.yaml").lake.reading() as connection:
        rows = connection.execute(f'SELECT {columns} FROM "{table.name}"{where}').fetchall()
    return sorted(rows, key=repr)


def assert_equal(one: Path, other: Path) -> None:
    """Both lakes hold the same, table by table."""
    for table in OF_CONTENT:
        left, right = content(one, table), content(other, table)
        assert left, f"{table.name} is empty, so that its equality shows nothing"
        differ = {"only here": _only(left, right)[:2], "only there": _only(right, left)[:2]}
        assert differ == {"only here": [], "only there": []}, f"{table.name}: {differ}"


def _only(rows: list[tuple[Any, ...]], others: list[tuple[Any, ...]]) -> list[str]:
    return list((Counter(map(repr, rows)) - Counter(map(repr, others))).elements())


def counts(world: Path) -> dict[str, int]:
    """How many rows each table holds."""
    with load(world / "workertrail.yaml").lake.reading() as connection:
        return {
            table.name: int(connection.execute(f'SELECT count(*) FROM "{table.name}"').fetchall()[0][0])
            for table in schema.TABLES
        }

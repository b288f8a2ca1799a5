"""What each kind of action is compared by: five places of text, the same for every kind, and the globs over them.

Place 1 to 4 have few distinct values (services, hosts, methods); place 5, the item, may have as many as there
are actions (resources, paths). A text that a record does not have is empty, and an empty text matches nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import duckdb
import pyarrow as pa


@dataclass(frozen=True)
class Place:
    """One dimension of a kind: its place, the column of `scope_lines`, and the columns of an action that show it."""

    kind: str
    place: int
    dimension: str
    columns: tuple[str, ...]


PLACES = (
    Place("api", 1, "service", ("api_service",)),
    Place("api", 2, "operations", ("api_operation",)),
    Place("api", 3, "accounts", ("account",)),
    Place("api", 4, "regions", ("region",)),
    Place("api", 5, "resources", ("resource_uid", "resources")),
    Place("net", 1, "hosts", ("dst_host",)),
    Place("net", 2, "ports", ("dst_port",)),
    Place("net", 3, "methods", ("http_method",)),
    Place("net", 5, "paths", ("url_path",)),
    Place("model", 1, "models", ("model",)),
    Place("model", 2, "providers", ("api_service",)),
    Place("tool", 1, "servers", ("account",)),
    Place("tool", 2, "tools", ("tool",)),
)
KINDS = ("api", "net", "model", "tool")


def matches(value: str, pattern: str) -> str:
    """SQL: whether `value` matches the LIKE pattern of a glob."""
    return f"{value} LIKE {pattern} ESCAPE '\\'"


def globs_sql() -> str:
    """One row a glob: the line that it stands in, its place, and its LIKE pattern."""
    return " UNION ALL ".join(
        f"SELECT manifest_sha, kind, ordinal, {place.place} AS place, unnest({place.dimension}) AS pattern"
        f" FROM scope_lines WHERE kind = '{place.kind}' AND {place.dimension} IS NOT NULL"
        for place in PLACES
    )


def lines_sql() -> str:
    """One row a scope line: for each place the name of the dimension that it states there, null where none."""
    return " UNION ALL ".join(
        f"SELECT DISTINCT manifest_sha, kind, ordinal, effect, file, line, {_stated(kind)}"
        f" FROM scope_lines WHERE kind = '{kind}'"
        for kind in KINDS
    )


def _stated(kind: str) -> str:
    names = {place.place: place.dimension for place in PLACES if place.kind == kind}
    return ", ".join(
        f"CASE WHEN {names[at]} IS NOT NULL THEN '{names[at]}' END AS states{at}"
        if at in names
        else f"CAST(NULL AS VARCHAR) AS states{at}"
        for at in range(1, 6)
    )


def sight_sql() -> str:
    """One row a format and kind: for each place whether the format can fill it at all."""
    return " UNION ALL ".join(
        f"SELECT format, '{kind}' AS kind, {_sees(kind)} FROM observes GROUP BY format" for kind in KINDS
    )


def _sees(kind: str) -> str:
    columns = {place.place: place.columns for place in PLACES if place.kind == kind}
    quoted = {at: ", ".join(f"'{column}'" for column in names) for at, names in columns.items()}
    return ", ".join(
        f"""bool_or("column" IN ({quoted[at]})) AS sees{at}""" if at in quoted else f"true AS sees{at}"
        for at in range(1, 6)
    )


STRAIGHT = pa.schema([("crooked", pa.string()), ("path", pa.string())])


def straighten(paths: pa.Table) -> pa.Table:
    """Of each `crooked` path the `path` that a server sees: decoded once, dot segments removed (RFC 3986, 5.2.4).

    Where some escapes of a path are no UTF-8, only those of plain (ASCII) characters are decoded.
    """
    with duckdb.connect() as connection:
        connection.register("paths", paths)
        return connection.execute(_STRAIGHTEN).to_arrow_table().cast(STRAIGHT)


_STRAIGHTEN = r"""
WITH decoded AS (
    SELECT crooked, coalesce(
        try(url_decode(crooked)),
        url_decode(regexp_replace(crooked, '%([89A-Fa-f][0-9A-Fa-f])', '%25\1', 'g'))
    ) AS path
    FROM paths
),
segments AS (
    SELECT crooked, path, list_transform(
        string_split(CASE WHEN ends_with(path, '/.') OR ends_with(path, '/..') THEN path || '/' ELSE path END, '/'),
        lambda segment: [segment]
    ) AS parts
    FROM decoded
)
SELECT crooked, CASE WHEN NOT contains(path, '/.') THEN path ELSE array_to_string(list_reduce(parts,
    lambda kept, part: CASE
        WHEN part[1] = '.' THEN kept
        WHEN part[1] = '..' THEN CASE WHEN len(kept) > 1 THEN kept[:-2] ELSE kept END
        ELSE list_concat(kept, part)
    END), '/') END AS path
FROM segments
"""

"""What each kind of action is compared by: five places of text, the same for every kind, and the globs over them.

Place 1 to 4 have few distinct values (services, hosts, methods); place 5, the item, may have as many as there
are actions (resources, paths). A text that a record does not have is empty, and an empty text matches nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

from detectors.glob import matches_sql, prepared_sql


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


matches = matches_sql
"""SQL: whether a value matches the LIKE pattern of a glob."""


@dataclass(frozen=True)
class Lines:
    """A table of lines that actions are held against, and the prefix of all that is made of it."""

    table: str
    prefix: str
    effect: str
    """SQL: whether a line allows or denies."""
    eager: str
    """SQL: whether a line also fires on what a lenient server would make of a path or a method."""


SCOPE = Lines("scope_lines", "scope", "effect", "effect = 'deny'")
APPROVALS = Lines("approval_lines", "approval", "'allow'", "true")
"""What needs an approval is matched as an allow line is, but no spelling of a path gets around it."""


def globs_sql(lines: Lines) -> str:
    """One row a glob: the line that it stands in, its place, its LIKE pattern, also prepared (glob.prepared_sql)."""
    globs = " UNION ALL ".join(
        f"SELECT manifest_sha, kind, ordinal, {lines.eager} AS eager, {place.place} AS place,"
        f" unnest({place.dimension}) AS pattern"
        f" FROM {lines.table} WHERE kind = '{place.kind}' AND {place.dimension} IS NOT NULL"
        for place in PLACES
    )
    return f"SELECT listed.*, {prepared_sql('pattern')} FROM ({globs}) AS listed"


def lines_sql(lines: Lines) -> str:
    """One row a line: for each place the name of the dimension that it states there, null where none."""
    return " UNION ALL ".join(
        f"SELECT DISTINCT manifest_sha, kind, ordinal, {lines.effect} AS effect, file, line, {_stated(kind)}"
        f" FROM {lines.table} WHERE kind = '{kind}'"
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

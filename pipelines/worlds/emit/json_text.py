"""SQL (DuckDB) that builds JSON text by the column; a pair whose value is null is left out, as log writers do."""

from __future__ import annotations


def string(value: str) -> str:
    """SQL of a JSON string; null where the value is."""
    return f"CAST(to_json({value}) AS VARCHAR)"


def pair(name: str, value: str) -> str:
    """SQL of `"name":value`, where `value` is SQL of JSON text; null where that is."""
    return f"""('"{name}":' || {value})"""


def text(name: str, value: str) -> str:
    """A pair whose value is the JSON string of an SQL text."""
    return pair(name, string(value))


def constant(name: str, json: str) -> str:
    """A pair whose value is the same JSON in every record."""
    escaped = json.replace("'", "''")
    return f"""'"{name}":{escaped}'"""


def obj(*pairs: str) -> str:
    """SQL of a JSON object of the pairs that are not null."""
    return f"('{{' || concat_ws(',', {', '.join(pairs)}) || '}}')"


def array(*values: str) -> str:
    """SQL of a JSON array of the values that are not null."""
    return f"('[' || concat_ws(',', {', '.join(values)}) || ']')"


def when(condition: str, value: str, otherwise: str = "NULL") -> str:
    """SQL: `value` where the condition holds."""
    return f"CASE WHEN {condition} THEN {value} ELSE {otherwise} END"


def moment(column: str, digits: int = 0) -> str:
    """SQL of RFC 3339 in UTC, with so many digits of a second's fraction (0 or 3)."""
    form = "%Y-%m-%dT%H:%M:%SZ" if digits == 0 else "%Y-%m-%dT%H:%M:%S.%gZ"
    return f"strftime({column}, '{form}')"

"""DuckDB SQL that formats of JSON records share: paths read once into a struct, texts, times."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

TEXTS = ["VARCHAR"]
"""Of `fields`: a list of texts."""


def texts(*names: str) -> dict[str, Any]:
    """Of `fields`: members that are read as text; a number is its text, an object or list its JSON."""
    return dict.fromkeys(names, "VARCHAR")


def structure(text: str, fields: Mapping[str, Any]) -> str:
    """SQL: a struct of `fields` out of JSON, null where `text` is none; a value of another type is null there."""
    spelled = json.dumps(fields).replace("'", "''")
    return f"json_transform(CASE WHEN json_valid({text}) THEN {text} END, '{spelled}')"


def is_object(text: str) -> str:
    """SQL: whether `text` is one JSON object."""
    return f"coalesce(json_type(CASE WHEN json_valid({text}) THEN {text} END) = 'OBJECT', false)"


def scalar(text: str) -> str:
    """SQL: a member's text, null where it is empty or was an object or array.

    No word is taken for `none`: where names are free, somebody may be called `null` or `-`, or begin with a bracket.
    """
    return f"CASE WHEN {text} <> '' AND NOT ({text}[1] IN ('{{', '[') AND json_valid({text})) THEN {text} END"


def one_of(text: str, words: tuple[str, ...]) -> str:
    """SQL: whether `text` is one of the words."""
    return f"coalesce({text} IN ({', '.join(repr(word) for word in words)}), false)"


def moment(text: str) -> str:
    """SQL: a UTC TIMESTAMP of an ISO 8601 time (UTC where it has no zone; beyond microseconds cut off), or of a Unix
    time in seconds, milliseconds, microseconds or nanoseconds.
    """
    clock = r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}:[0-9]{2}"
    iso = rf"^({clock}(?:[.,][0-9]{{1,6}})?)[0-9]*([Zz]|[+-][0-9]{{2}}:?[0-9]{{2}}|)$"
    zone = rf"regexp_extract({text}, '{iso}', 2)"
    zoned = rf"replace(regexp_extract({text}, '{iso}', 1), ',', '.') || CASE WHEN {zone} = '' THEN 'Z' ELSE {zone} END"
    number = f"try_cast({text} AS BIGINT)"
    return f"""CASE
        WHEN regexp_matches({text}, '{iso}') THEN make_timestamp(epoch_us(try_cast({zoned} AS TIMESTAMPTZ)))
        WHEN regexp_matches({text}, '^[0-9]{{9,10}}$') THEN make_timestamp({number} * 1000000)
        WHEN regexp_matches({text}, '^[0-9]{{12,13}}$') THEN make_timestamp({number} * 1000)
        WHEN regexp_matches({text}, '^[0-9]{{15,16}}$') THEN make_timestamp({number})
        WHEN regexp_matches({text}, '^[0-9]{{18,19}}$') THEN make_timestamp({number} // 1000) END"""


def mail(text: str) -> str:
    """SQL: a mail address as an identifier, null where `text` is none."""
    pattern = r"^[^\s@:/]+@[^\s@:/]+\.[^\s@:/]+$"
    return f"CASE WHEN regexp_matches({text}, '{pattern}') THEN 'mail:addr/' || lower({text}) END"


def port(text: str) -> str:
    """SQL: a port number, null where `text` is none."""
    number = f"try_cast({text} AS BIGINT)"
    return f"CASE WHEN {number} BETWEEN 1 AND 65535 THEN {number} END"

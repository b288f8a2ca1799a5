"""SQL (DuckDB) that formats of JSON records share: a record parsed once, texts, ids, counts, times, rows of actions."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import duckdb
import pyarrow as pa

NO_IDS = ("", "-", "unknown", "null", "None", "(null)", "undefined", "N/A")
"""Words that are written where there is no id."""

TEXTS = ["VARCHAR"]
"""A part of a shape: a list of texts."""


def texts(*names: str) -> dict[str, Any]:
    """A part of a shape: these members as text; a number is its text, an object or array its JSON."""
    return dict.fromkeys(names, "VARCHAR")


def parse(connection: duckdb.DuckDBPyConnection, records: pa.Table, shape: dict[str, Any], where: str = "true") -> None:
    """From records (RECORDS_IN) make the table `parsed`: record_id, realm, raw, valid, e.

    `e` is the record's JSON as a struct of `shape` (json_transform), each path read once; a value of another
    type is null there. `valid` says whether the record is a JSON object at all. `where` leaves records out.
    """
    connection.register("records", records)
    connection.execute(
        f"""
        CREATE TEMP TABLE parsed AS
        SELECT record_id, realm, raw, coalesce(json_type(object) = 'OBJECT', false) AS valid,
               json_transform(CASE WHEN json_type(object) = 'OBJECT' THEN object END, '{_spelled(shape)}') AS e
        FROM (SELECT record_id, realm, raw, CASE WHEN json_valid(raw) THEN raw END AS object
              FROM records WHERE {where})
        """
    )


def structure(text: str, fields: Mapping[str, Any]) -> str:
    """SQL: a struct of `fields` out of JSON, null where `text` is none; a value of another type is null there."""
    return f"json_transform(CASE WHEN json_valid({text}) THEN {text} END, '{_spelled(fields)}')"


def _spelled(fields: Mapping[str, Any]) -> str:
    return json.dumps(fields).replace("'", "''")


def is_object(text: str) -> str:
    """SQL: whether `text` is one JSON object."""
    return f"coalesce(json_type(CASE WHEN json_valid({text}) THEN {text} END) = 'OBJECT', false)"


def scalar(text: str) -> str:
    """SQL: a member's text, null where it is empty or was an object or array; a name may begin with a bracket.

    No word is taken for `none`: where names are free, somebody may be called `null` or `-`.
    """
    return f"CASE WHEN {text} <> '' AND NOT ({text}[1] IN ('{{', '[') AND json_valid({text})) THEN {text} END"


def id_of(text: str) -> str:
    """An id, null where the writer has a word for `none`, or where the value was an object or array."""
    words = ", ".join(f"'{word}'" for word in NO_IDS)
    return f"CASE WHEN {text} NOT IN ({words}) THEN {scalar(text)} END"


def word_of(text: str) -> str:
    """A name or an address, null where the writer has a word for `none`: either may begin with a bracket."""
    words = ", ".join(f"'{word}'" for word in NO_IDS)
    return f"CASE WHEN {text} NOT IN ({words}) THEN {text} END"


def one_of(text: str, words: tuple[str, ...]) -> str:
    """SQL: whether `text` is one of the words; null is none of them."""
    return f"coalesce(list_contains([{', '.join(repr(word) for word in words)}], {text}), false)"


def count_of(text: str) -> str:
    """A whole number that is not negative, written as `12`, `"12"` or `12.0`; else null."""
    whole = f"regexp_extract({text}, '^([0-9]{{1,18}})(?:[.]0*)?$', 1)"
    return f"try_cast(nullif({whole}, '') AS BIGINT)"


def port_of(text: str) -> str:
    """A port from 1 to 65535, else null."""
    return f"CASE WHEN {count_of(text)} BETWEEN 1 AND 65535 THEN {count_of(text)} END"


def moment(text: str) -> str:
    """A UTC TIMESTAMP of an RFC 3339 time, or of a Unix time in seconds, milliseconds, microseconds or nanoseconds.

    A time without a zone is UTC, and so is one that ends in ` UTC`; what is finer than microseconds is cut off. Years
    are 1970 to 2999. Unix times are told apart by their digits: seconds have up to ten before the point (until the year
    2286), milliseconds 12 or 13, microseconds 15 or 16, nanoseconds 18 or 19.
    """
    clock = r"(?:19[7-9]|2[0-9]{2})[0-9]-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}:[0-9]{2}"
    iso = rf"^({clock}(?:[.,][0-9]{{1,6}})?)[0-9]*( UTC|[Zz]|[+-][0-9]{{2}}:?[0-9]{{2}}|)$"
    zone = f"regexp_extract({text}, '{iso}', 2)"
    zoned = (
        f"replace(regexp_extract({text}, '{iso}', 1), ',', '.')"
        f" || CASE WHEN {zone} IN ('', ' UTC') THEN 'Z' ELSE {zone} END"
    )
    number = f"try_cast({text} AS BIGINT)"
    return f"""CASE
        WHEN regexp_matches({text}, '{iso}') THEN make_timestamp(epoch_us(try_cast({zoned} AS TIMESTAMPTZ)))
        WHEN regexp_matches({text}, '^[0-9]{{9,10}}$') THEN make_timestamp({number} * 1000000)
        WHEN regexp_matches({text}, '^[0-9]{{9,10}}[.][0-9]+$')
        THEN make_timestamp(CAST(round(try_cast({text} AS DECIMAL(24, 9)) * 1000000) AS BIGINT))
        WHEN regexp_matches({text}, '^[0-9]{{12,13}}$') THEN make_timestamp({number} * 1000)
        WHEN regexp_matches({text}, '^[0-9]{{15,16}}$') THEN make_timestamp({number})
        WHEN regexp_matches({text}, '^[0-9]{{18,19}}$') THEN make_timestamp({number} // 1000) END"""


def once(texts_list: str) -> str:
    """SQL: a list's texts, each once, in the order in which they come first."""
    known = f"list_filter({texts_list}, lambda one: one IS NOT NULL)"
    return f"list_filter({known}, lambda one, place: list_position({known}, one) = place)"


def trace_of(text: str) -> str:
    """A trace id: 32 hex digits in lower case without hyphens where it is one of W3C or a UUID, else as written."""
    bare = f"lower(replace({text}, '-', ''))"
    return f"CASE WHEN regexp_matches({bare}, '^[0-9a-f]{{32}}$') THEN {bare} ELSE {id_of(text)} END"


def mail(text: str) -> str:
    """SQL: `mail:addr/ADDRESS` in lower case where the text is a mail address, else null."""
    part = r"[^\s@:/<>\",;]+"
    address = rf"^{part}@{part}[.][^\s@:/<>\",;.]+$"
    return f"CASE WHEN regexp_matches({text}, '{address}') THEN 'mail:addr/' || lower({text}) END"


def told(columns: dict[str, str], table: str = "events", native: str = "native_id") -> str:
    """A row a record, in the columns of ACTIONS_OUT that `columns` fills.

    `table` has record_id, `reason` (why it is no action, else null) and `skipped` (whether it is no error); `native` is
    the id that the source gave the event.
    """
    filled = ", ".join(f"CASE WHEN reason IS NULL THEN {sql} END AS {name}" for name, sql in columns.items())
    return f"""
        SELECT record_id, reason,
               CASE WHEN reason IS NULL THEN 'action' WHEN skipped THEN 'skipped' ELSE 'error' END AS outcome,
               CASE WHEN reason IS NULL THEN {native} END AS native_id, {filled}
        FROM {table}
    """


IDLE = """(SELECT * REPLACE (coalesce(reason, idle) AS reason), reason IS NULL AND idle IS NOT NULL AS skipped
    FROM events)"""
"""For `told`: events that say in a column of its own, `idle`, why they are skipped."""

"""DuckDB SQL that the Google and Microsoft formats share: fields out of JSON, times, and a record's outcome."""

from __future__ import annotations

from typing import Any

NO_IDS = ("", "-", "null", "(null)", "None", "N/A")
"""Words that are written where there is nothing."""


def texts(*names: str) -> dict[str, Any]:
    """A part of a json_transform shape: these members as text; a number is its text, an object or array its JSON."""
    return dict.fromkeys(names, "VARCHAR")


def id_of(text: str) -> str:
    """SQL: an id; null where the writer has a word for `none`, or where the value is no scalar."""
    words = ", ".join(f"'{word}'" for word in NO_IDS)
    return f"CASE WHEN {text} NOT IN ({words}) AND {text}[1] NOT IN ('{{', '[') THEN {text} END"


def moment(text: str) -> str:
    """SQL: a UTC TIMESTAMP of an RFC 3339 time, cut to microseconds; without a zone, and with ` UTC`, UTC is meant."""
    day = r"(?:19[7-9]|2[0-9]{2})[0-9]-[0-9]{2}-[0-9]{2}"
    clock = "[0-9]{2}:[0-9]{2}:[0-9]{2}(?:[.][0-9]{1,6})?"
    parts = f"^({day}[T ]{clock})[0-9]*(| UTC|[Zz]|[+-][0-9]{{2}}:?[0-9]{{2}})$"
    zone = f"regexp_extract({text}, '{parts}', 2)"
    zoned = f"regexp_extract({text}, '{parts}', 1) || CASE WHEN {zone} IN ('', ' UTC') THEN 'Z' ELSE {zone} END"
    return f"""CASE WHEN regexp_matches({text}, '{parts}')
        THEN make_timestamp(epoch_us(try_cast({zoned} AS TIMESTAMPTZ))) END"""


def once(texts_list: str) -> str:
    """SQL: a list's texts, each once, in the order in which they come first."""
    known = f"list_filter({texts_list}, lambda one: one IS NOT NULL)"
    return f"list_filter({known}, lambda one, place: list_position({known}, one) = place)"


def told(columns: dict[str, str]) -> str:
    """SQL: a row for each of `events`, in the columns of ACTIONS_OUT that `columns` fills.

    `events` has record_id, native_id, `reason` (why a record is no action) and `skipped` (whether that is no error).
    """
    filled = ", ".join(f"CASE WHEN reason IS NULL THEN {sql} END AS {name}" for name, sql in columns.items())
    return f"""
        SELECT record_id, reason,
               CASE WHEN reason IS NULL THEN 'action' WHEN skipped THEN 'skipped' ELSE 'error' END AS outcome,
               CASE WHEN reason IS NULL THEN native_id END AS native_id, {filled}
        FROM events
    """

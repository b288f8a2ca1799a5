"""What to write instead of a function that a detector's SQL may not use; docs/detectors.md shows the same table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

PAGE = "docs/detectors.md"


@dataclass(frozen=True)
class Alternative:
    """Functions by the names that people write, and SQL that a detector may use for them (columns of `attributed`)."""

    names: tuple[str, ...]
    sql: str


ALTERNATIVES = (
    Alternative(("extract", "date_part", "hour"), "CAST(strftime(time, '%H') AS INTEGER)"),
    Alternative(("minute",), "CAST(strftime(time, '%M') AS INTEGER)"),
    Alternative(("day",), "CAST(strftime(time, '%d') AS INTEGER)"),
    Alternative(("month",), "CAST(strftime(time, '%m') AS INTEGER)"),
    Alternative(("year",), "CAST(strftime(time, '%Y') AS INTEGER)"),
    # 1970-01-05 was a Monday.
    Alternative(
        ("dayofweek", "isodow", "weekday", "dayname"), "date_diff('day', DATE '1970-01-05', CAST(time AS DATE)) % 7"
    ),
    Alternative(("epoch", "epoch_ms", "epoch_us"), "date_diff('second', TIMESTAMP '1970-01-01', time)"),
    Alternative(("time_bucket",), "date_trunc('hour', time)"),
    Alternative(("date_add", "date_sub"), "time + INTERVAL 1 DAY"),
    Alternative(
        ("now", "current_timestamp", "current_date", "today", "current_time"), "(SELECT max(horizon) FROM horizons)"
    ),
    Alternative(
        ("string_agg", "group_concat", "listagg"), "array_to_string(array_sort(list(DISTINCT principal)), ', ')"
    ),
    Alternative(("any_value", "first", "mode", "arg_min", "arg_max", "min_by", "max_by"), "min(principal)"),
    Alternative(("approx_count_distinct",), "count(DISTINCT principal)"),
    Alternative(("count_if",), "sum(CASE WHEN status = 'denied' THEN 1 ELSE 0 END)"),
    Alternative(("variance",), "pow(stddev(bytes_out), 2)"),
    Alternative(("stddev_pop",), "stddev(bytes_out)"),
    Alternative(("left",), "substring(principal, 1, 3)"),
    Alternative(("right",), "substring(principal, length(principal) - 2, 3)"),
    Alternative(("format", "printf"), "concat(principal, ': ', CAST(bytes_out AS VARCHAR))"),
    Alternative(("strptime",), "TRY_CAST(session_name AS TIMESTAMP)"),
)

WRITTEN: Mapping[str, str] = {
    "time_to_unix": "epoch",
    "unix_to_time": "epoch_ms",
    "day_of_week": "dayofweek",
    "dayofweek_iso": "isodow",
    "date_bin": "time_bucket",
    "approx_distinct": "approx_count_distinct",
    "str_to_time": "strptime",
    "rand": "random",
}
"""The names that people write of functions to which the parser gives others."""

_BY_NAME = {name: one.sql for one in ALTERNATIVES for name in one.names}


def refusal(name: str) -> str:
    """What is said of a function (its name, in lower case) that a detector may not use."""
    written = WRITTEN.get(name, name)
    instead = _BY_NAME.get(written)
    such = f"; write such as {instead}" if instead else ""
    return f"the function {written}() is not one that a detector may use{such} (see {PAGE})"

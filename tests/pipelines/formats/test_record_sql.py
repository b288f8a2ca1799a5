"""The words that formats of JSON records share."""

from __future__ import annotations

from datetime import datetime

import duckdb
import pytest

from pipelines.formats.record_sql import id_of, moment


def value(sql: str, text: str) -> object:
    row = duckdb.execute(f"SELECT {sql} FROM (SELECT CAST(? AS VARCHAR) AS t)", [text]).fetchone()
    return row[0] if row else None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[ops] bot", "[ops] bot"), ("{x", "{x"), ("0oa1", "0oa1"),
        ("", None), ("-", None), ("(null)", None), ('{"id": 1}', None), ("[1, 2]", None),
    ],
)  # fmt: skip
def test_a_name_that_begins_with_a_bracket_hides_nobody(text: str, expected: str | None) -> None:
    assert value(id_of("t"), text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-03-02T10:00:00Z", datetime(2026, 3, 2, 10)),
        ("2026-03-02 10:00:00.5 UTC", datetime(2026, 3, 2, 10, 0, 0, 500_000)),
        ("2026-03-02T10:00:00,123456789+02:00", datetime(2026, 3, 2, 8, 0, 0, 123_456)),
        ("2026-03-02T10:00:00", datetime(2026, 3, 2, 10)),
        ("1772445600", datetime(2026, 3, 2, 10)),
        ("1772445600.25", datetime(2026, 3, 2, 10, 0, 0, 250_000)),
        ("1772445600123", datetime(2026, 3, 2, 10, 0, 0, 123_000)),
        ("1772445600123456", datetime(2026, 3, 2, 10, 0, 0, 123_456)),
        ("1772445600123456789", datetime(2026, 3, 2, 10, 0, 0, 123_456)),
        ("9999-01-01T00:00:00Z", None),
        ("2026-13-02T10:00:00Z", None),
        ("yesterday", None),
    ],
)
def test_a_time_is_utc_however_it_is_written(text: str, expected: datetime | None) -> None:
    assert value(moment("t"), text) == expected

"""Amounts of bytes as titles tell them."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from detectors import rules
from detectors.sizes import size

CATALOGUE = Path(rules.__file__).parent / "catalogue"
AMOUNTS = {
    0: "0 B", 7: "7 B", 999: "999 B", 1000: "1 kB", 7040: "7.04 kB", 12_340: "12.3 kB", 404_000: "404 kB",
    5_000_001: "5 MB", 157_000_000: "157 MB", 2_984_001_374: "2.98 GB", 3_100_000_000: "3.1 GB", 9_999_000_000: "10 GB",
    200_000_000_000: "200 GB", 5_000_000_000_000: "5 TB",
}  # fmt: skip


@pytest.mark.parametrize(("count", "words"), AMOUNTS.items())
def test_three_digits_of_the_largest_unit(count: int, words: str) -> None:
    assert size(count) == words


@pytest.mark.parametrize("detector", ["exfiltration_volume", "first_seen_destination", "outside_schedule"])
def test_the_catalogues_sql_writes_them_alike(detector: str) -> None:
    """The detector's own words for each amount: its CTE of sizes, with these amounts in the place of its own."""
    sql = rules.read(CATALOGUE / f"{detector}.sql").sql
    words = sql[sql.index("sizes AS (") :].split("\n),\n")[0].split("\n)\n")[0]
    units = sql[sql.index("amounts AS (") : sql.index("    FROM (SELECT", sql.index("amounts AS ("))]
    given = ", ".join(f"(CAST({count} AS DOUBLE))" for count in AMOUNTS)
    found = duckdb.sql(f"WITH {units} FROM (VALUES {given}) AS told(bytes)), {words}) SELECT * FROM sizes").fetchall()
    assert dict(found) == AMOUNTS

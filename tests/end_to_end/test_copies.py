"""Copies of files, of lines and of events: each told once, whatever the order in which they come."""

from __future__ import annotations

import json
import os
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest

from pipelines.run import unaccounted
from pipelines.settings import load
from tests.end_to_end.small import Estate, event, squid_line

PAST = (1_772_000_000, 1_772_000_000)


def at_rest(file: Path, grown: int = 0) -> Path:
    """As a file that nobody has written to for long; each growth is a later change."""
    os.utime(file, (PAST[0] + grown, PAST[1] + grown))
    return file


def lines_told(estate: Estate) -> list[tuple[str, int]]:
    rows = estate.rows(
        "SELECT url_path, count(*) AS n FROM actions WHERE format = 'squid' GROUP BY url_path ORDER BY url_path"
    )
    return [(row["url_path"], row["n"]) for row in rows]


def every_record_has_one_fate(estate: Estate) -> None:
    assert unaccounted(load(estate.config).lake) == []
    assert estate.rows("SELECT record_id FROM records GROUP BY record_id HAVING count(*) > 1") == []
    assert estate.rows("SELECT action_uid FROM actions GROUP BY action_uid HAVING count(*) > 1") == []


def test_two_files_that_grow_by_equal_lines_keep_both(tmp_path: Path) -> None:
    estate = Estate(tmp_path)
    one = at_rest(estate.put("egress", squid_line(1, url="http://a.example/one"), "one.log"))
    two = at_rest(estate.put("egress", squid_line(1, url="http://a.example/two"), "two.log"))
    estate.pull()
    for file in (one, two):
        file.write_text(file.read_text() + squid_line(2, url="http://a.example/same"))
        at_rest(file, 1)
    estate.pull()
    assert lines_told(estate) == [("/one", 1), ("/same", 1), ("/two", 1)]
    assert len(estate.rows("SELECT * FROM records WHERE raw LIKE '%/same%'")) == 2
    every_record_has_one_fate(estate)


@pytest.mark.parametrize("at_once", [True, False])
def test_a_copied_file_that_grows_by_a_line_that_it_had_tells_of_it_again(tmp_path: Path, at_once: bool) -> None:
    estate = Estate(tmp_path)
    twice = squid_line(1, url="http://a.example/x") * 2
    at_rest(estate.put("egress", twice, "first.log"))
    if not at_once:
        estate.pull()
    copy = at_rest(estate.put("egress", twice, "second.log"))
    estate.pull()
    copy.write_text(twice + squid_line(1, url="http://a.example/x"))
    at_rest(copy, 1)
    estate.pull()
    assert lines_told(estate) == [("/x", 3)]
    every_record_has_one_fate(estate)


def test_a_file_that_went_back_to_older_content_goes_on_from_there(tmp_path: Path) -> None:
    estate = Estate(tmp_path)
    older, newer = squid_line(1, url="http://a.example/x") * 2, squid_line(2, url="http://a.example/y") * 2
    file = at_rest(estate.put("egress", older, "one.log"))
    estate.pull()
    file.write_text(newer)
    at_rest(file, 1)
    estate.pull()
    file.write_text(older)
    at_rest(file, 2)
    estate.pull()
    file.write_text(older + squid_line(1, url="http://a.example/x"))
    at_rest(file, 3)
    estate.pull()
    assert lines_told(estate) == [("/x", 3), ("/y", 2)]
    every_record_has_one_fate(estate)


CALLER: dict[str, Any] = {"sharedEventID": "twin-1", "recipientAccountId": "111122223333"}


def told(**more: Any) -> dict[str, Any]:
    return event(second=1, **CALLER, **more)


OTHER_ACCOUNT = event(second=2, **{**CALLER, "recipientAccountId": "444455556666"})
OTHER_ACCOUNT["eventTime"] = told()["eventTime"]


@pytest.mark.parametrize("order", list(permutations(("caller", "other content", "twin")))[::2])
def test_a_deed_has_one_primary_whatever_comes_first(tmp_path: Path, order: tuple[str, ...]) -> None:
    estate = Estate(tmp_path)
    for name in order:
        match name:
            case "caller":
                estate.put("trail", [told()])
            case "other content":
                estate.put("second", [told(userAgent="another agent")])
            case "twin":
                estate.put("trail", [OTHER_ACCOUNT])
        estate.pull()
    rows = estate.rows("SELECT deed_uid, action_uid, is_primary, flag FROM actions ORDER BY action_uid")
    assert {row["deed_uid"] for row in rows} == {"cloudtrail:shared:twin-1"}
    assert [row["is_primary"] for row in rows].count(True) == 1
    primary = next(row for row in rows if row["is_primary"])
    assert (primary["action_uid"], primary["flag"]) == (f"cloudtrail:{told()['eventID']}", None)
    assert [row["flag"] is not None for row in rows].count(True) == 1


@pytest.mark.parametrize("first", [0, 1])
def test_keys_that_stand_twice_in_another_order_are_other_content(tmp_path: Path, first: int) -> None:
    plain = json.dumps(event())
    twice = [
        plain.replace('"eventName": "GetObject"', '"eventName": "GetObject", "eventName": "DeleteObject"'),
        plain.replace('"eventName": "GetObject"', '"eventName": "DeleteObject", "eventName": "GetObject"'),
    ]
    estate = Estate(tmp_path)
    estate.put("trail", twice[first])
    estate.put("second", twice[1 - first])
    estate.pull()
    rows = estate.rows("SELECT api_operation, flag FROM actions ORDER BY api_operation")
    assert [row["api_operation"] for row in rows] == ["DeleteObject", "GetObject"]
    assert [row["flag"] is not None for row in rows].count(True) == 1

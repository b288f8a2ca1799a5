"""The small values that a manifest is written in: durations, sizes, schedules, hosts, days."""

from datetime import date, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.manifest import Manifest
from detectors.manifest_values import host, schedule, seconds, size
from tests.detectors.manifests import minimal


def made_valid(until: str) -> datetime | None:
    return Manifest.model_validate({**minimal("w1"), "valid": {"until": until}}).valid.live_until


@pytest.mark.parametrize(
    ("text", "expected"), [("90s", 90), ("15m", 900), ("1h", 3600), ("7d", 604_800), ("2w", 1_209_600), ("0s", 0)]
)
def test_durations(text: str, expected: int) -> None:
    assert seconds(text) == expected


@pytest.mark.parametrize("value", ["1", "h", "1H", "-1h", "1.5h", "1h30m", "", 5, None, True, "1h\n", "1.h"])
def test_bad_durations(value: Any) -> None:
    with pytest.raises(ValueError, match="is not a duration"):
        seconds(value)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("200MB", 200 * 10**6), ("1.5GB", 1_500_000_000), ("64MiB", 64 * 2**20), ("5 kB", 5000), ("7B", 7), (12, 12)],
)
def test_sizes(text: Any, expected: int) -> None:
    assert size(text) == expected


@pytest.mark.parametrize("value", ["1.5B", "MB", "-1MB", "1Mb", "1e3MB", "99999999PB", -1, 1.5, True, None])
def test_bad_sizes(value: Any) -> None:
    with pytest.raises(ValueError, match=r"not a size|out of range|whole number"):
        size(value)


def test_schedules() -> None:
    read = schedule("Sat-Mon,Wed 22:00-06:00 Europe/Berlin")
    assert (read.days, read.start, read.end, read.zone) == ((0, 2, 5, 6), 1320, 360, "Europe/Berlin")
    assert schedule(read.text) == read
    assert schedule("Mon 00:00-24:00").text == "Mon 00:00-24:00 UTC"


def test_hosts_are_compared_as_lower_case_a_labels() -> None:
    assert host("*.BÜCHER.example.") == "*.xn--bcher-kva.example"
    assert host("API.Example") == "api.example"


@given(st.dates(date(1970, 1, 1), date(2199, 12, 30)))
def test_until_is_inclusive(day: date) -> None:
    valid = made_valid(until=day.isoformat())
    assert valid is not None
    assert (valid - datetime(day.year, day.month, day.day)).days == 1

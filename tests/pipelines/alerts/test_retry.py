"""The schedule, its jitter, what receivers ask for, and the breaker."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from pipelines.alerts.breaker import Breaker
from pipelines.alerts.retry import SCHEDULE, next_attempt, parse_retry_after

NOW = datetime(2026, 3, 9, 12, 0)


def test_the_schedule_is_the_published_one() -> None:
    hours = [step.total_seconds() / 3600 for step in SCHEDULE]
    assert hours == pytest.approx([0, 5 / 3600, 5 / 60, 0.5, 2, 5, 10, 14, 20, 24])


@pytest.mark.parametrize("failures", range(1, len(SCHEDULE)))
def test_a_delay_lies_between_two_steps(failures: int) -> None:
    least = next_attempt(failures, NOW, None, lambda: 0.0)
    most = next_attempt(failures, NOW, None, lambda: 1.0)
    assert least is not None
    assert most is not None
    assert least - NOW == max(SCHEDULE[failures - 1], timedelta(seconds=1))
    assert most - NOW == SCHEDULE[failures]


def test_after_the_last_attempt_there_is_none() -> None:
    assert next_attempt(len(SCHEDULE), NOW, None, lambda: 0.5) is None
    assert next_attempt(len(SCHEDULE), NOW, timedelta(seconds=5), lambda: 0.5) is None


def test_the_receivers_wish_wins_within_a_day() -> None:
    assert next_attempt(1, NOW, timedelta(minutes=7), lambda: 0.5) == NOW + timedelta(minutes=7)
    assert next_attempt(1, NOW, timedelta(days=99), lambda: 0.5) == NOW + timedelta(days=1)
    assert next_attempt(1, NOW, timedelta(0), lambda: 0.5) == NOW + timedelta(seconds=1)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("120", 120),
        (" 0 ", 0),
        ("Mon, 09 Mar 2026 12:02:00 GMT", 120),
        ("Mon, 09 Mar 2026 13:02:00 +0100", 120),
        ("Mon, 09 Mar 2020 12:02:00 GMT", 0),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 86_400),
        ("9" * 5_000, 86_400),
        ("-5", None),
        ("soon", None),
        ("1.5", None),
        ("\u0665", None),
        ("", None),
        ("Mon, 99 Foo 2026 12:02:00 GMT", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(header: str | None, seconds: int | None) -> None:
    parsed = parse_retry_after(header, NOW)
    assert parsed == (None if seconds is None else timedelta(seconds=seconds))


def test_the_breaker_opens_at_the_fifth_failure_in_a_row_and_its_pause_doubles() -> None:
    breaker = Breaker()
    for _ in range(4):
        breaker.failed(NOW)
    assert not breaker.is_open(NOW)
    breaker.succeeded()
    for _ in range(5):
        breaker.failed(NOW)
    assert breaker.is_open(NOW + timedelta(seconds=29))
    later = NOW + timedelta(seconds=30)
    assert not breaker.is_open(later), "one probe"
    breaker.failed(later)
    assert breaker.is_open(later + timedelta(seconds=59))
    for _ in range(9):
        breaker.failed(later)
    assert breaker.open_until == later + timedelta(minutes=10)
    breaker.succeeded()
    assert not breaker.is_open(later)

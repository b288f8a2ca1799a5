"""When a failed delivery is tried again: the published schedule of Standard Webhooks, with jitter."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

SCHEDULE: tuple[timedelta, ...] = (
    timedelta(0),
    timedelta(seconds=5),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=5),
    timedelta(hours=10),
    timedelta(hours=14),
    timedelta(hours=20),
    timedelta(hours=24),
)
"""The delay before each attempt (Standard Webhooks 1.0.0, "Deliverability and reliability")."""

LEAST = timedelta(seconds=1)
LONGEST_RETRY_AFTER = timedelta(hours=24)

Jitter = Callable[[], float]
"""Gives numbers from 0 up to 1, as `random.random` does."""


def next_attempt(failures: int, now: datetime, retry_after: timedelta | None, jitter: Jitter) -> datetime | None:
    """When to try again after the `failures`th failure in a row, or null where that was the last attempt.

    The delay lies anywhere between the schedule's previous step and this one, so that many alerts that
    failed together do not return together, and a later attempt never waits less than an earlier one
    could have. The receiver's own `Retry-After` is taken as it is.
    """
    if failures >= len(SCHEDULE):
        return None
    if retry_after is not None:
        return now + min(max(retry_after, LEAST), LONGEST_RETRY_AFTER)
    latest = SCHEDULE[failures]
    earliest = max(SCHEDULE[failures - 1], LEAST)
    return now + earliest + (latest - earliest) * jitter()


def parse_retry_after(value: str | None, now: datetime) -> timedelta | None:
    """The delay that a `Retry-After` header asks for (RFC 9110, 10.2.3: seconds or a date); null where it is neither.

    `now` is naive UTC. The result is capped, and never negative.
    """
    if value is None:
        return None
    text = value.strip()
    if text.isascii() and text.isdigit():
        # More digits than this are beyond the cap, and may be beyond what int() reads.
        return min(timedelta(seconds=int(text)), LONGEST_RETRY_AFTER) if len(text) < 10 else LONGEST_RETRY_AFTER
    try:
        date = parsedate_to_datetime(text)
        if date.tzinfo is not None:
            date = date.astimezone(UTC).replace(tzinfo=None)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return min(max(date - now, timedelta(0)), LONGEST_RETRY_AFTER)

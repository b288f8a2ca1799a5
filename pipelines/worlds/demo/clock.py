"""The demo world's calendar: 35 fixed days and the rhythms by which things happen in them.

The days are 2026-03-02 (a Monday) to 2026-04-05 (a Sunday), whatever the wall clock says; the attacks
fall on the last three. A moment is an integer: milliseconds since 1970-01-01 UTC.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from pipelines.worlds.demo.chance import Chance

FIRST_DAY = datetime(2026, 3, 2, tzinfo=UTC)
DAYS = 35
SECOND = 1_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR


def moment(text: str) -> int:
    """`moment("2026-04-03 14:25")` in UTC, as milliseconds; seconds may follow."""
    return round(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1_000)


def date_of(at: int) -> datetime:
    """The moment as an aware datetime in UTC."""
    return datetime.fromtimestamp(at // SECOND, UTC) + timedelta(milliseconds=at % SECOND)


def start_of(day: int) -> int:
    """Midnight UTC of the `day`th day, counted from 0."""
    return round(FIRST_DAY.timestamp()) * SECOND + day * DAY


def is_weekend(day: int) -> bool:
    """Whether the `day`th day is a Saturday or a Sunday."""
    return day % 7 >= 5


@dataclass(frozen=True)
class Cron:
    """A fixed time on each of its days, up to `jitter` seconds late."""

    hour: int
    minute: int
    weekdays: bool = True
    weekends: bool = True
    jitter: int = 90

    def times(self, day: int, chance: Chance) -> list[int]:
        if not (self.weekends if is_weekend(day) else self.weekdays):
            return []
        late = chance.between(0, self.jitter * SECOND)
        return [start_of(day) + self.hour * HOUR + self.minute * MINUTE + late]


@dataclass(frozen=True)
class Arrivals:
    """About so many a day, anywhere between two hours (UTC), busier towards the middle."""

    on_weekdays: tuple[int, int]
    on_weekends: tuple[int, int]
    from_hour: int
    to_hour: int

    def times(self, day: int, chance: Chance) -> list[int]:
        least, most = self.on_weekends if is_weekend(day) else self.on_weekdays
        span = (self.to_hour - self.from_hour) * HOUR
        first = start_of(day) + self.from_hour * HOUR
        middling = [(chance.share() + chance.share()) / 2 for _ in range(chance.between(least, most))]
        return sorted(first + int(part * span) for part in middling)


Rhythm = Cron | Arrivals

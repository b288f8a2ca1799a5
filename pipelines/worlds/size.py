"""How large a world is, refused before anything is written where it cannot be."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

_FIRST, _SPAN = date(2026, 1, 5), 240
"""Worlds begin on one of these days, so that month ends and changes of clocks fall differently."""

LEAST_DAYS, LEAST_EVENTS_A_WORKER_DAY = 14, 4


@dataclass(frozen=True)
class Size:
    """What `workertrail world` was asked for. `events` is a goal, reached to about a tenth.

    Raises ValueError where no world can be like that.
    """

    seed: int
    workers: int
    days: int
    events: int

    def __post_init__(self) -> None:
        if not 0 <= self.seed < 2**32:
            raise ValueError(f"--seed {self.seed}: a seed is a whole number from 0 to {2**32 - 1}")
        if not 1 <= self.workers <= 5_000:
            raise ValueError(f"--workers {self.workers}: from 1 to 5000 workers are possible")
        if not LEAST_DAYS <= self.days <= 730:
            raise ValueError(
                f"--days {self.days}: from {LEAST_DAYS} to 730 days are possible (habits need a fortnight)"
            )
        least = self.workers * self.days * LEAST_EVENTS_A_WORKER_DAY
        if not least <= self.events <= 2_000_000_000:
            msg = f"--events {self.events}: {self.workers} workers over {self.days} days leave at least {least} events"
            raise ValueError(msg)

    @property
    def first_day(self) -> date:
        """The world's first day (UTC), which hangs on the seed alone."""
        return _FIRST + timedelta(days=self.seed * 37 % _SPAN)

    @property
    def events_a_worker_day(self) -> float:
        return self.events / (self.workers * self.days)

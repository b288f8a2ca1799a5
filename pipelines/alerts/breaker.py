"""A circuit breaker for one destination: a receiver that is down is left alone for a while."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

FAILURES_TO_OPEN = 5
FIRST_PAUSE = timedelta(seconds=30)
LONGEST_PAUSE = timedelta(minutes=10)


@dataclass
class Breaker:
    """Open (nothing is sent) from the fifth failure in a row; after a pause one probe decides.

    The pause doubles with each probe that fails. A receiver's `Retry-After` pauses as well.
    """

    failures: int = 0
    pause: timedelta = FIRST_PAUSE
    open_until: datetime | None = None

    def is_open(self, now: datetime) -> bool:
        return self.open_until is not None and now < self.open_until

    def succeeded(self) -> None:
        self.failures, self.pause, self.open_until = 0, FIRST_PAUSE, None

    def failed(self, now: datetime, retry_after: timedelta | None = None) -> None:
        self.failures += 1
        if self.failures >= FAILURES_TO_OPEN:
            self.open_until = now + self.pause
            self.pause = min(self.pause * 2, LONGEST_PAUSE)
        if retry_after:
            self.open_until = max(self.open_until or now, now + retry_after)

"""A share with the counts that it is of, and how far chance alone may have moved it."""

from __future__ import annotations

import math
from dataclasses import dataclass

Z = 1.959963984540054
"""The normal quantile of a two-sided interval of 95 %."""


@dataclass(frozen=True)
class Share:
    """`count` out of `of`. Without a base there is no share: null, and never 0 for nothing."""

    count: int
    of: int

    @property
    def share(self) -> float | None:
        return self.count / self.of if self.of else None

    @property
    def interval(self) -> tuple[float, float] | None:
        """Wilson's score interval of 95 % (E. B. Wilson, JASA 22, 1927): it stays within 0 and 1 at small counts."""
        if not self.of:
            return None
        n, p = self.of, self.count / self.of
        middle = (p + Z * Z / (2 * n)) / (1 + Z * Z / n)
        half = Z / (1 + Z * Z / n) * math.sqrt(p * (1 - p) / n + Z * Z / (4 * n * n))
        low = 0.0 if self.count == 0 else max(0.0, middle - half)
        high = 1.0 if self.count == n else min(1.0, middle + half)
        return low, high

    @property
    def plain(self) -> dict[str, float | int | None]:
        """For JSON: count, of, share, low, high."""
        low, high = self.interval or (None, None)
        return {"count": self.count, "of": self.of, "share": self.share, "low": low, "high": high}

"""How hard the logs of one world are: every rate is drawn from its seed."""

from __future__ import annotations

from dataclasses import dataclass

from pipelines.worlds.draws import draws

SILENT_HOURS = 12
"""How long the source that falls silent says nothing."""


@dataclass(frozen=True)
class Rates:
    """Shares are of records. Delays are in minutes, the skew in seconds."""

    late: float
    longest_delay: float
    prompt_delay: tuple[float, float]
    repeated: float
    unissued: float
    redacted: float
    cut: float
    long_agents: float
    skew: float
    late_ranges: float
    repeated_objects: float

    @staticmethod
    def of(seed: int) -> Rates:
        """The rates of the world of `seed`."""
        stream = draws(seed, "hard", "rates")
        return Rates(
            late=stream.uniform(0.005, 0.04),
            longest_delay=stream.uniform(2 * 60, 9 * 60),
            prompt_delay=(2.0, stream.uniform(6, 12)),
            repeated=stream.uniform(0.001, 0.01),
            unissued=stream.uniform(0.002, 0.02),
            redacted=stream.uniform(0.002, 0.02),
            cut=stream.uniform(0.0005, 0.004),
            long_agents=stream.uniform(0.0005, 0.004),
            skew=stream.uniform(2, 9) * (1 if stream.random() < 0.5 else -1),
            late_ranges=stream.uniform(0.01, 0.08),
            repeated_objects=stream.uniform(0.005, 0.04),
        )

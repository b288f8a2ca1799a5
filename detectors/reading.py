"""What is told of an odd worker-hour: its leading features with their amounts and what those compare to."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime

import polars as pl

from detectors.baseline import Baseline
from detectors.explain import leading
from detectors.features import BY_NAME, NAMES, Feature
from detectors.forest import Vector
from detectors.sizes import size


@dataclass(frozen=True)
class Reading:
    """One feature of a flagged window, with what it is compared to; amounts are null where unknown."""

    feature: Feature
    amount: float | None
    own_median: float | None
    of_this_hour: bool
    """Whether the median is that of the hour of the day, or of all hours for want of past."""
    role_p99: float | None
    surprisal: float
    phi: float

    def document(self) -> dict[str, object]:
        """The reading as it stands in a finding's explanation."""
        return {
            "feature": self.feature.name,
            "value": self.amount,
            "own_median": self.own_median,
            "own_median_of": "this hour" if self.of_this_hour else "all its hours",
            "role_p99": self.role_p99,
            "surprisal": round(self.surprisal, 6),
            "phi": round(self.phi, 6),
            "text": self.sentence(),
        }

    def sentence(self) -> str:
        """`bytes_out 3.1 GB, own median for this hour 40 MB, role p99 210 MB`."""
        if self.feature.scale == "hour":
            return self.feature.label
        parts = [phrase(self.feature, self.amount)]
        if self.own_median is not None:
            which = "own median for this hour" if self.of_this_hour else "own median"
            parts.append(f"{which} {quantity(self.feature, self.own_median)}")
        if self.role_p99 is not None:
            parts.append(f"role p99 {quantity(self.feature, self.role_p99)}")
        return ", ".join(parts)


def quantity(feature: Feature, amount: float) -> str:
    """The bare number in its unit: `3.1 GB` (10^9), `14`, `80 %`."""
    if feature.scale == "share":
        return f"{amount:.0%}".replace("%", " %")
    if feature.scale == "count":
        return f"{amount:.3g}" if amount < 1000 else f"{amount:,.0f}"
    return size(amount)


def phrase(feature: Feature, amount: float | None, hour: datetime | None = None) -> str:
    """A feature and its amount as they stand in a title: `14 new destinations`, `bytes_out 3.1 GB`."""
    if feature.scale == "hour":
        return feature.label if hour is None else f"active at {hour:%H:00} UTC, an hour it rarely works"
    said = "unknown" if amount is None else quantity(feature, amount)
    if feature.scale == "bytes":
        return f"{feature.name} {said}"
    return f"{said} {feature.label.replace('|s', '' if said == '1' else 's')}"


@dataclass(frozen=True)
class Readings:
    """The leading features by surprisal and by phi, and a reading of each of them."""

    by_surprisal: tuple[str, ...]
    by_phi: tuple[str, ...]
    all: tuple[Reading, ...]


def read(past: Baseline, hour: pl.DataFrame, raw: dict[str, int | None], surprisals: Vector, phi: Vector) -> Readings:
    """Readings of one worker-hour: `hour` transformed, `raw` as counted, surprisals and phi by feature."""
    by_surprisal, by_phi = leading(surprisals, phi)
    named = [*by_surprisal, *(name for name in by_phi if name not in by_surprisal)]
    medians, of_this_hour = past.own_median(hour)
    peers = past.past.filter(pl.col("role") == hour.get_column("role")[0])
    readings = []
    for name in named:
        j = NAMES.index(name)
        measured = name in peers.columns
        readings.append(
            Reading(
                BY_NAME[name],
                _counted(raw, name) if measured else None,
                _amount(name, float(medians[0, j])) if measured else None,
                bool(of_this_hour[0, j]) if measured else False,
                _amount(name, peers.get_column(name).quantile(0.99, "higher")) if measured else None,
                float(surprisals[j]),
                float(phi[j]),
            )
        )
    return Readings(tuple(by_surprisal), tuple(by_phi), tuple(readings))


def _counted(raw: dict[str, int | None], name: str) -> float | None:
    """The amount as it was counted; None where it is unknown."""
    part = raw[name.replace("write_share", "writes").replace("denied_share", "denied")]
    if part is None:
        return None
    return round(part / (raw["calls"] or 1), 4) if BY_NAME[name].scale == "share" else float(part)


def _amount(name: str, value: float | None) -> float | None:
    """A transformed value in its unit again, to a tenth of a count or a whole byte; None where unknown."""
    if value is None or math.isnan(value):
        return None
    if BY_NAME[name].scale == "share":
        return round(value, 4)
    return float(round(math.expm1(value), 0 if BY_NAME[name].scale == "bytes" else 1))

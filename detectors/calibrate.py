"""From scores to decisions with a stated error: folds in time, conformal p-values, Benjamini-Hochberg.

Conformal p-values: Bates, Candes, Lei, Romano and Sesia, Annals of Statistics 2023 (they are
positively dependent, so Benjamini-Hochberg holds). The promise is about quiet days: on a day on which
nothing is wrong, a worker is flagged with a probability of about q. It is not a promise that a share
of 1 - q of all findings is right.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import numpy as np
import numpy.typing as npt

Vector = npt.NDArray[np.float64]

Q = 0.1
LEAST_DAYS = (7, 4, 4)
"""Days with activity that baseline, forest and calibration need at least; with fewer nothing is judged."""
MOST_DAYS = (28, 14, 14)
LEAST_WORKER_DAYS = 10
"""Calibration worker-days below which no p-value means anything."""


@dataclass(frozen=True)
class Folds:
    """Three runs of days, one after the other; none overlaps, so nothing is judged by what it was learned from."""

    baseline: tuple[datetime, ...]
    forest: tuple[datetime, ...]
    calibration: tuple[datetime, ...]


def folds(workers_on: dict[datetime, int], q: float = Q) -> Folds | None:
    """The last days of `workers_on` (active day to number of active workers) split in three; None if too few.

    Calibration takes days until one worker of a usual day can be told apart, which needs
    1 / (n + 1) <= q / m, as far as the other two keep their least; the rest goes two to one.
    """
    days = sorted(workers_on)[-sum(MOST_DAYS) :]
    spare = len(days) - sum(LEAST_DAYS)
    if spare < 0:
        return None
    usual = float(np.median([workers_on[day] for day in days]))
    last = LEAST_DAYS[2]
    wanted = max(usual / q - 1, LEAST_WORKER_DAYS)
    others = MOST_DAYS[0] + MOST_DAYS[1]
    while last < min(MOST_DAYS[2], LEAST_DAYS[2] + spare) and (
        _worker_days(workers_on, days[-last:]) < wanted or len(days) - last > others
    ):
        last += 1
    if _worker_days(workers_on, days[-last:]) < LEAST_WORKER_DAYS:
        return None
    middle = min(max((len(days) - last) // 3, LEAST_DAYS[1]), MOST_DAYS[1])
    first = min(len(days) - last - middle, MOST_DAYS[0])
    days = days[-(first + middle + last) :]
    return Folds(tuple(days[:first]), tuple(days[first : first + middle]), tuple(days[first + middle :]))


def _worker_days(workers_on: dict[datetime, int], days: list[datetime]) -> int:
    return sum(workers_on[day] for day in days)


def conformal(calibration: Vector, scores: Vector) -> Vector:
    """p = (1 + how many calibration scores are at least as large) / (n + 1); ties count against the claim."""
    ordered = np.sort(calibration)
    larger = len(ordered) - np.searchsorted(ordered, scores, side="left")
    return np.asarray((1 + larger) / (len(ordered) + 1))


def extrapolated(calibration: Vector, scores: Vector) -> Vector:
    """p beyond the largest calibration score, from an exponential tail; elsewhere the conformal p.

    The tail's scale is itself uncertain, so the predictive distribution is used: with k excesses of
    mean b, P(excess > x) = (1 + x / (k b)) ** -k, exact for exponential excesses.
    """
    counted = conformal(calibration, scores)
    ordered = np.sort(calibration)
    k = min(max(5, -(-len(ordered) // 10)), len(ordered) - 1)
    if k < 1:
        return counted
    start = ordered[-k - 1]
    mean = float(np.mean(ordered[-k:] - start))
    if mean <= 0:
        return counted
    beyond = (k + 1) / (len(ordered) + 1) * (1 + np.maximum(scores - start, 0) / (k * mean)) ** -float(k)
    return np.asarray(np.where(scores > ordered[-1], np.minimum(counted, beyond), counted))


def cutoff(p_values: Vector, tests: int, q: float = Q) -> float:
    """The largest p that Benjamini-Hochberg rejects among `tests` tests (those not listed count as 1); 0 if none."""
    ordered = np.sort(p_values)
    passed = np.flatnonzero(ordered <= q * np.arange(1, len(ordered) + 1) / max(tests, len(ordered), 1))
    return float(ordered[passed[-1]]) if len(passed) else 0.0


def resolves(calibrated_on: int, tests: int, q: float = Q) -> bool:
    """Whether a lone worker of a day can be flagged by counting alone."""
    return 1 / (calibrated_on + 1) <= q / max(tests, 1)

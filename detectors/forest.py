"""How odd a design row is: two isolation forests and a sum of tail surprisals, on one scale.

Isolation forest: Liu, Ting and Zhou, ICDM 2008. Arm A isolates on the design itself with small
samples (which keep a clump of odd rows from hiding itself), arm B on the columns' surprisals with
large ones, arm T adds up the six most surprising columns. Each arm is turned into -log10 of its own
tail probability among the training rows, and the score is their sum.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from sklearn.ensemble import IsolationForest  # type: ignore[import-untyped]

from detectors.baseline import COLUMNS, Matrix

Vector = npt.NDArray[np.float64]

PARAMETERS: dict[str, int | float] = {
    "trees": 300,
    "sample_a": 256,
    "sample_b": 4096,
    "random_state": 20260301,
    "summed": 6,
    "least_distinct": 5,
}
"""Fixed before any world was looked at (the method's published defaults)."""

_LEAST_EXCESS_COLUMN = 0.5
_LEAST_EXCESS_ARM = {"A": 0.01, "B": 0.01, "T": 0.5}


@dataclass(frozen=True)
class Tail:
    """The upper tail of training values: counted where there are enough of them, exponential beyond."""

    values: Vector
    from_value: float
    share: float
    excess: float

    @classmethod
    def fit(cls, values: Vector, least_excess: float) -> Tail:
        """The tail starts where a hundredth of the values lies beyond it (a few, where there are few)."""
        ordered = np.sort(values)
        beyond = max(-(-len(ordered) // 100), min(10, len(ordered) // 4))
        start = float(ordered[-beyond - 1]) if beyond < len(ordered) else 0.0
        above = ordered[ordered > start]
        excess = float(np.mean(above - start)) if len(above) else 0.0
        return cls(ordered, start, (len(above) + 1) / (len(ordered) + 1), max(excess, least_excess))

    def surprisal(self, values: Vector) -> Vector:
        """-log10 of the share of training values at least as large (itself counted); never decreasing."""
        n = len(self.values)
        counted = -np.log10((1 + n - np.searchsorted(self.values, values, side="left")) / (n + 1))
        beyond = -np.log10(self.share) + (values - self.from_value) / self.excess / np.log(10)
        return np.asarray(np.where(values > self.from_value, np.maximum(beyond, 0), counted))


@dataclass(frozen=True)
class Arm:
    """One forest over those columns that have enough different values to be split on."""

    forest: IsolationForest
    columns: tuple[int, ...]

    @classmethod
    def fit(cls, rows: Matrix, sample: int) -> Arm | None:
        """None where no column has five different values: nothing to isolate on."""
        least = PARAMETERS["least_distinct"]
        usable = tuple(j for j in range(rows.shape[1]) if len(np.unique(rows[:, j])) >= least)
        if not usable:
            return None
        forest = IsolationForest(
            n_estimators=int(PARAMETERS["trees"]),
            max_samples=min(sample, len(rows)),
            max_features=1.0,
            contamination="auto",
            random_state=int(PARAMETERS["random_state"]),
            n_jobs=None,
        )
        return cls(forest.fit(rows[:, usable]), usable)

    def oddness(self, rows: Matrix) -> Vector:
        """The paper's anomaly score, in (0, 1): the larger, the sooner isolated."""
        if not len(rows):
            return np.zeros(0)
        return np.asarray(-self.forest.score_samples(rows[:, self.columns]), dtype=np.float64)


@dataclass(frozen=True)
class Scores:
    """What `Model.score` says of each row: its score, the arms' parts of it, and each column's surprisal."""

    score: Vector
    parts: dict[str, Vector]
    surprisals: Matrix


@dataclass(frozen=True)
class Model:
    """The arms of one epoch, trained on the design rows of its forest fold."""

    columns: tuple[Tail, ...]
    a: Arm | None
    b: Arm | None
    tails: dict[str, Tail]

    @classmethod
    def fit(cls, rows: Matrix) -> Model:
        """`rows` are design rows (columns as `COLUMNS`), sorted: the order decides which rows a tree samples."""
        columns = tuple(Tail.fit(rows[:, j], _LEAST_EXCESS_COLUMN) for j in range(len(COLUMNS)))
        surprisals = _surprisals(columns, rows)
        bare = cls(
            columns,
            Arm.fit(rows, int(PARAMETERS["sample_a"])),
            Arm.fit(surprisals, int(PARAMETERS["sample_b"])),
            {},
        )
        raw = bare._raw(rows, surprisals)
        tails = {name: Tail.fit(values, _LEAST_EXCESS_ARM[name]) for name, values in raw.items()}
        return cls(columns, bare.a, bare.b, tails)

    def score(self, rows: Matrix) -> Scores:
        """Scores of design rows; a row's score depends on no other row."""
        surprisals = _surprisals(self.columns, rows)
        raw = self._raw(rows, surprisals)
        parts = {name: self.tails[name].surprisal(values) for name, values in raw.items()}
        total = np.zeros(len(rows))
        for name in sorted(parts):
            total += parts[name]
        return Scores(total.round(9), parts, surprisals)

    def _raw(self, rows: Matrix, surprisals: Matrix) -> dict[str, Vector]:
        raw = {"T": np.sort(surprisals, axis=1)[:, -int(PARAMETERS["summed"]) :].sum(axis=1)}
        if self.a is not None:
            raw["A"] = self.a.oddness(rows)
        if self.b is not None:
            raw["B"] = self.b.oddness(surprisals)
        return raw


def _surprisals(tails: tuple[Tail, ...], rows: Matrix) -> Matrix:
    """-log10 of each column's own tail probability."""
    return np.column_stack([tail.surprisal(rows[:, j]) for j, tail in enumerate(tails)])

"""How far a worker-hour lies from the worker's own past, steadied by its peers.

The worker's own median for the hour is drawn towards that of its role, the more so the less past the
worker has; the distance is measured in the worker's own (robust) spread. A column that rises alone
counts for more than one that rises with all the others (a job that simply runs more), and small
rises that go on are summed up (CUSUM; Page, Biometrika 1954).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from detectors.features import FEATURES, NAMES

Matrix = npt.NDArray[np.float64]

ROWS_OF_PEERS = 40
"""How many rows of its own weigh as much as the role's: with fewer, the worker is judged mostly as its role."""
SLOT_ROWS = 8
"""A season slot (hour of the week, else hour of the day) is used when it has this many rows."""
DAYS_OF_PEERS = 5
FURTHEST = 25.0
SPREAD_OF_MAD = 1.4826
LEAST_SPREAD = {"count": 0.05, "bytes": 0.25, "share": 0.05, "hour": 1.0}
"""In logarithms, shares or nats: differences below this are never odd, however regular the worker is."""

_DECAY, _STEP, _SLACK, _FULL = 0.9, 3.0, 0.5, 15.0
_MEASURED = tuple(feature for feature in FEATURES if feature.scale != "hour")
_SLOTS: tuple[tuple[str, ...], ...] = (("week_hour",), ("day_hour",), ())


def transformed(rows: pl.DataFrame) -> pl.DataFrame:
    """Worker-hours with every measured feature as log1p or share (null where unknown), and their season slots.

    Rounded to nine digits, so that the last bit of a logarithm cannot differ between machines.
    """
    calls = pl.col("calls").cast(pl.Float64)
    shares = {"write_share": pl.col("writes") / calls, "denied_share": pl.col("denied") / calls}
    values = [shares.get(f.name, pl.col(f.name).cast(pl.Float64).log1p()).round(9).alias(f.name) for f in _MEASURED]
    return rows.select(
        "worker",
        "role",
        "hour",
        "day",
        pl.lit("").alias("estate"),
        calls.alias("n_calls"),
        ((pl.col("hour").dt.weekday() - 1).cast(pl.Int32) * 24 + pl.col("hour").dt.hour()).alias("week_hour"),
        pl.col("hour").dt.hour().cast(pl.Int32).alias("day_hour"),
        *values,
    )


def _medians(past: pl.DataFrame, keys: list[str], least: int) -> pl.DataFrame:
    """One row a group: each feature's median over its known values, null where fewer than `least` are known."""
    return past.group_by(keys).agg(
        pl.when(pl.col(f.name).count() >= least).then(pl.col(f.name).median()).alias(f.name) for f in _MEASURED
    )


def _centres(past: pl.DataFrame, rows: pl.DataFrame, who: str, slots: tuple[tuple[str, ...], ...] = _SLOTS) -> Matrix:
    """The median that `who` (worker, role or estate) has for each row's slot, NaN where it has none."""
    names = [feature.name for feature in _MEASURED]
    found = np.full((rows.height, len(names)), np.nan)
    for slot in slots:
        keys = [who, *slot]
        table = _medians(past, keys, SLOT_ROWS if slot else 1)
        joined = rows.select(keys).join(table, on=keys, how="left", maintain_order="left")
        values = _matrix(joined, names)
        found = np.where(np.isnan(found), values, found)
    return found


def _by_group(past: pl.DataFrame, rows: pl.DataFrame, who: str, residuals: Matrix) -> tuple[Matrix, Matrix]:
    """For each row, its group's robust spread of `residuals` (of the past) and how many values it rests on."""
    names = [feature.name for feature in _MEASURED]
    left = past.select(who).hstack(pl.DataFrame(residuals, schema=names).fill_nan(None))
    grouped = left.group_by(who).agg(
        *(pl.col(name).abs().median() for name in names),
        *(pl.col(name).count().cast(pl.Float64).alias(f"n_{name}") for name in names),
    )
    joined = rows.select(who).join(grouped, on=who, how="left", maintain_order="left")
    counts = np.nan_to_num(_matrix(joined, [f"n_{name}" for name in names]))
    return _matrix(joined, names) * SPREAD_OF_MAD, counts


def _matrix(frame: pl.DataFrame, names: list[str]) -> Matrix:
    """The named columns as a fresh C-ordered array; null is NaN."""
    columns = frame.select(pl.col(name).cast(pl.Float64).fill_null(np.nan) for name in names)
    return np.array(columns.to_numpy(), dtype=np.float64, order="C", copy=True)


@dataclass(frozen=True)
class Baseline:
    """The past (transformed worker-hours of the baseline fold) that other rows are compared with."""

    past: pl.DataFrame

    def deviations(self, rows: pl.DataFrame) -> Matrix:
        """z of each row and feature, in the order of `NAMES`: spreads above the shrunk median; NaN where unknown."""
        own, n = self._own(rows)
        role, estate = (self._group(rows, who) for who in ("role", "estate"))
        peers = [np.where(np.isnan(a), b, a) for a, b in zip(role, estate, strict=True)]
        weight = n / (n + ROWS_OF_PEERS)
        centre = _blend(own[0], peers[0], weight)
        variance = _blend(own[1] ** 2, peers[1] ** 2, weight) + self._floor(rows, centre)
        values = _matrix(rows, [feature.name for feature in _MEASURED])
        z = np.clip((values - centre) / np.sqrt(variance), -FURTHEST, FURTHEST)
        return np.column_stack([z, self._hour_rarity(rows)])

    def own_median(self, rows: pl.DataFrame) -> tuple[Matrix, npt.NDArray[np.bool_]]:
        """The worker's own transformed median, NaN without any, and whether it is that of the row's hour."""
        of_hour = _centres(self.past, rows, "worker", _SLOTS[:-1])
        return _centres(self.past, rows, "worker"), ~np.isnan(of_hour)

    def _own(self, rows: pl.DataFrame) -> tuple[tuple[Matrix, Matrix], Matrix]:
        spread, n = _by_group(self.past, rows, "worker", self._residuals("worker"))
        return (_centres(self.past, rows, "worker"), spread), n

    def _group(self, rows: pl.DataFrame, who: str) -> tuple[Matrix, Matrix]:
        spread, _ = _by_group(self.past, rows, who, self._residuals(who))
        return _centres(self.past, rows, who), spread

    def _residuals(self, who: str) -> Matrix:
        values = _matrix(self.past, [feature.name for feature in _MEASURED])
        return values - _centres(self.past, self.past, who)

    @staticmethod
    def _floor(rows: pl.DataFrame, centre: Matrix) -> Matrix:
        """Variance that chance alone gives: of a Poisson count in logarithms, of a share of few calls."""
        calls = rows.get_column("n_calls").to_numpy()
        floor = np.empty_like(centre)
        for j, feature in enumerate(_MEASURED):
            floor[:, j] = LEAST_SPREAD[feature.scale] ** 2
            if feature.scale == "count":
                mean = np.expm1(centre[:, j]).round(9)
                floor[:, j] += (mean + 0.5) / (mean + 1.5) ** 2
            elif feature.scale == "share":
                floor[:, j] += 0.25 / (calls + 1)
        return floor

    def _hour_rarity(self, rows: pl.DataFrame) -> Matrix:
        """-ln of the share of the worker's past days on which it was active within an hour of this hour of day."""
        active = self.past.select("worker", "role", "day", "day_hour").unique()
        days = active.select("worker", "role", "day").unique()
        near = pl.concat(
            active.with_columns(((pl.col("day_hour") + step) % 24).alias("day_hour")) for step in (-1, 0, 1)
        ).unique()
        joined = rows.select("worker", "role", "day_hour")
        for who in ("worker", "role"):
            joined = joined.join(
                days.group_by(who).agg(pl.len().alias(f"{who}_days")), on=who, how="left", maintain_order="left"
            ).join(
                near.group_by(who, "day_hour").agg(pl.len().alias(f"{who}_near")),
                on=[who, "day_hour"],
                how="left",
                maintain_order="left",
            )
        own_days, own_near, role_days, role_near = (
            joined.get_column(name).fill_null(0).to_numpy().astype(np.float64)
            for name in ("worker_days", "worker_near", "role_days", "role_near")
        )
        role_share = (role_near + 0.5) / (role_days + 1)
        share = (own_near + DAYS_OF_PEERS * role_share) / (own_days + DAYS_OF_PEERS)
        return np.asarray(-np.log(np.clip(share, None, 1.0)).round(9) / LEAST_SPREAD["hour"])


def _blend(own: Matrix, peers: Matrix, weight: Matrix) -> Matrix:
    """Own value drawn towards the peers'; where one of the two is unknown, the other."""
    both = weight * own + (1 - weight) * peers
    return np.where(np.isnan(own), peers, np.where(np.isnan(peers), own, both))


def adjusted(z: Matrix) -> Matrix:
    """z less the row's own median over its features: what rises with everything else is not odd."""
    ordered = np.sort(z, axis=1)
    known = np.count_nonzero(~np.isnan(z), axis=1)
    row = np.arange(len(z))
    middle = (ordered[row, np.maximum(known - 1, 0) // 2] + ordered[row, np.minimum(known // 2, z.shape[1] - 1)]) / 2
    return np.asarray(z - middle[:, None])


def cusum(r: Matrix, starts: npt.NDArray[np.bool_]) -> Matrix:
    """Running sums of rises, row by row: min(15, max(0, 0.9 c + clip(r, -3, 3) - 0.5)), from 0 at each start.

    `starts` marks the first row of each run of rows (a worker's first, or its first after a flagged day).
    """
    steps = np.clip(np.nan_to_num(r), -_STEP, _STEP) - _SLACK
    sums = np.zeros_like(steps)
    first = np.flatnonzero(starts)
    lengths = np.diff(np.append(first, len(steps)))
    for position in range(int(lengths.max(initial=0))):
        at = first[lengths > position] + position
        before = sums[at - 1] if position else np.zeros((len(at), steps.shape[1]))
        sums[at] = np.clip(_DECAY * before + steps[at], 0, _FULL)
    return sums


SLOW: tuple[int, ...] = tuple(NAMES.index(feature.name) for feature in FEATURES if feature.slow)
COLUMNS: tuple[tuple[str, str], ...] = (
    *(("z", name) for name in NAMES),
    *(("r", name) for name in NAMES),
    *(("c", NAMES[j]) for j in SLOW),
)
"""The columns of the design: (z above the own past, r beside the row's other columns, c summed up; feature)."""


def design(z: Matrix, starts: npt.NDArray[np.bool_]) -> Matrix:
    """The matrix that is scored, in the order of `COLUMNS`: read upwards, unknown counted as not odd (0)."""
    r = adjusted(z)
    sums = cusum(r[:, SLOW], starts)
    return np.column_stack([np.maximum(np.nan_to_num(z), 0), np.maximum(np.nan_to_num(r), 0), sums])

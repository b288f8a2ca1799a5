"""Own past, peers, and running sums, each against a plain recomputation."""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np
import polars as pl
import pytest

from detectors import baseline
from detectors.baseline import Baseline
from detectors.features import NAMES

_COUNTS = [name for name in NAMES if not name.endswith("_share") and name != "hour_rarity"]


def _rows(worker: str, calls: list[int], hour: int = 9, role: str = "r", **others: list[int | None]) -> pl.DataFrame:
    """One row a day at the same hour."""
    times = [datetime(2026, 1, 5, hour) + timedelta(days=i) for i in range(len(calls))]
    values = {name: others.get(name, [0] * len(calls)) for name in _COUNTS if name != "calls"}
    return baseline.transformed(
        pl.DataFrame({"worker": worker, "role": role, "hour": times, "calls": calls, **values}).with_columns(
            pl.col("hour").cast(pl.Datetime("us")), day=pl.col("hour").dt.truncate("1d").cast(pl.Datetime("us"))
        )
    )


def test_z_is_the_distance_from_the_shrunk_median() -> None:
    own, peer = _rows("w1", [10, 12, 10, 9, 11, 10, 10, 10]), _rows("w2", [100] * 8)
    z = Baseline(pl.concat([own, peer])).deviations(_rows("w1", [50]))[0, NAMES.index("calls")]

    log = np.log1p
    values = log([10, 12, 10, 9, 11, 10, 10, 10])
    both = np.concatenate([values, log([100] * 8)])
    weight = 8 / (8 + 40)
    centre = weight * np.median(values) + (1 - weight) * np.median(both)
    own_spread = 1.4826 * np.median(np.abs(values - np.median(values)))
    role_spread = 1.4826 * np.median(np.abs(both - np.median(both)))
    mean = np.expm1(centre)
    variance = weight * own_spread**2 + (1 - weight) * role_spread**2 + 0.05**2 + (mean + 0.5) / (mean + 1.5) ** 2
    assert z == pytest.approx((log(50) - centre) / np.sqrt(variance), abs=1e-6)


def test_a_season_slot_counts_when_it_has_eight_rows() -> None:
    past = pl.concat([_rows("w1", [10] * 8, hour=9), _rows("w1", [1000] * 8, hour=21), _rows("w1", [77] * 7, hour=3)])
    j = NAMES.index("calls")
    medians, of_hour = Baseline(past).own_median(pl.concat([_rows("w1", [1], hour=h) for h in (9, 21, 3)]))
    assert np.expm1(medians[:, j]).round().tolist() == [10, 1000, 77]
    assert of_hour[:, j].tolist() == [True, True, False]


def test_a_new_worker_is_judged_as_its_role_and_a_new_role_as_everybody() -> None:
    past = pl.concat([_rows("w1", [10] * 9), _rows("w2", [1000] * 9, role="other")])
    j = NAMES.index("calls")
    as_role = Baseline(past).deviations(_rows("new", [10]))[0, j]
    as_all = Baseline(past).deviations(_rows("new", [10], role="unheard of"))[0, j]
    assert abs(as_role) < 1e-6
    assert as_all < 0
    assert np.isfinite(as_all)


def test_unknown_bytes_are_unknown() -> None:
    past = _rows("w1", [5] * 9, bytes_out=[None] * 9)
    j = NAMES.index("bytes_out")
    z = Baseline(past).deviations(_rows("w1", [5, 5], bytes_out=[None, 10**9]))
    assert np.isnan(z[:, j]).tolist() == [True, True]
    known = Baseline(_rows("w1", [5] * 9, bytes_out=[1000] * 9))
    assert np.isnan(known.deviations(_rows("w1", [5], bytes_out=[None]))[0, j])
    assert known.deviations(_rows("w1", [5], bytes_out=[10**9]))[0, j] == baseline.FURTHEST
    assert not np.isnan(baseline.design(z, np.array([True, False]))).any()


def test_an_hour_never_worked_is_rare() -> None:
    compared = Baseline(pl.concat([_rows("w1", [5] * 20, hour=9), _rows("w2", [5] * 20, hour=3)]))
    rarity = [float(compared.deviations(_rows("w1", [5], hour=h))[0, -1]) for h in (9, 10, 12, 3)]
    assert rarity[0] == rarity[1]
    assert rarity[0] < rarity[3] < rarity[2]


def test_what_rises_together_is_set_off() -> None:
    rng = np.random.default_rng(1)
    z = rng.normal(size=(50, len(NAMES)))
    z[rng.random(z.shape) < 0.2] = np.nan
    assert np.allclose(
        baseline.adjusted(z), z - np.nanmedian(z, axis=1, keepdims=True), equal_nan=True, rtol=0, atol=1e-12
    )


def test_running_sums_equal_the_plain_loop() -> None:
    rng = np.random.default_rng(2)
    r = rng.normal(0.3, 2, size=(200, 3))
    r[::7, 1] = np.nan
    starts = rng.random(200) < 0.05
    starts[0] = True
    expected = np.zeros_like(r)
    for i in range(200):
        for j in range(3):
            before = 0.0 if starts[i] else expected[i - 1, j]
            step = 0.0 if np.isnan(r[i, j]) else float(np.clip(r[i, j], -3, 3))
            expected[i, j] = min(15.0, max(0.0, 0.9 * before + step - 0.5))
    assert np.allclose(baseline.cusum(r, starts), expected, rtol=0, atol=1e-12)
    assert baseline.cusum(np.zeros((0, 3)), np.zeros(0, dtype=bool)).shape == (0, 3)

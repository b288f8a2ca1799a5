"""p-values and decisions keep what they promise, measured on null data."""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors import calibrate


def _days(*workers: int) -> dict[datetime, int]:
    return {datetime(2026, 1, 5) + timedelta(days=i): n for i, n in enumerate(workers)}


def test_conformal_p_is_uniform_on_null_data() -> None:
    rng = np.random.default_rng(11)
    p = np.concatenate([calibrate.conformal(rng.normal(size=99), rng.normal(size=20)) for _ in range(4000)])
    for level in (0.01, 0.05, 0.1, 0.5, 0.9):
        assert np.mean(p <= level) == pytest.approx(level, abs=0.004)


def test_conformal_counts_ties_against_the_claim() -> None:
    assert calibrate.conformal(np.array([1.0, 2.0, 2.0]), np.array([2.0, 3.0, 0.0])).tolist() == [0.75, 0.25, 1.0]


def test_extrapolated_p_is_right_for_exponential_tails_and_never_above_the_counted_one() -> None:
    rng = np.random.default_rng(12)
    small, counted = [], []
    for _ in range(6000):
        calibration, scores = rng.exponential(size=20), rng.exponential(size=10)
        small.append(calibrate.extrapolated(calibration, scores))
        counted.append(calibrate.conformal(calibration, scores))
    p = np.concatenate(small)
    assert (p <= np.concatenate(counted)).all()
    for level in (0.001, 0.005, 0.01):
        assert level / 2 < np.mean(p <= level) < level * 1.1


@given(st.lists(st.floats(0.001, 1), min_size=1, max_size=12), st.integers(0, 20))
def test_cutoff_is_benjamini_hochberg(p: list[float], more: int) -> None:
    tests = len(p) + more
    ordered = sorted(p)
    rejected = [k for k in range(1, len(p) + 1) if ordered[k - 1] <= 0.1 * k / tests]
    expected = ordered[max(rejected) - 1] if rejected else 0.0
    assert calibrate.cutoff(np.array(p), tests) == expected


def test_quiet_days_are_flagged_no_more_often_than_promised() -> None:
    rng = np.random.default_rng(13)
    flagged = 0
    for _ in range(4000):
        p = calibrate.conformal(rng.normal(size=60), rng.normal(size=5))
        flagged += calibrate.cutoff(p, 5) > 0
    assert 0.06 < flagged / 4000 < 0.1


def test_folds_follow_one_another_and_keep_their_least() -> None:
    assert calibrate.folds(_days(*[5] * 14)) is None
    for n in range(15, 90):
        folds = calibrate.folds(_days(*[5] * n))
        assert folds is not None
        lengths = tuple(len(days) for days in (folds.baseline, folds.forest, folds.calibration))
        assert all(
            least <= length <= most for least, length, most in zip((7, 4, 4), lengths, (28, 14, 14), strict=True)
        )
        joined = [*folds.baseline, *folds.forest, *folds.calibration]
        assert joined == sorted(joined)
        assert joined[-1] == datetime(2026, 1, 5) + timedelta(days=n - 1)
        assert calibrate.resolves(5 * lengths[2], 5) == (n >= 21)
    assert lengths == (28, 14, 14)


def test_too_few_worker_days_give_no_folds() -> None:
    assert calibrate.folds(_days(*[1] * 15)) is None
    assert calibrate.folds({}) is None
    assert calibrate.folds(_days(*[1] * 30)) is not None

"""Attribution is exact: it adds up to scikit-learn's own score, and goes to the column that is odd."""

from __future__ import annotations

from datetime import datetime

import numpy as np
from sklearn.ensemble import IsolationForest

from detectors import explain
from detectors.features import BY_NAME, NAMES
from detectors.reading import Reading, phrase, quantity


def test_phi_adds_up_to_the_difference_in_path_length() -> None:
    rng = np.random.default_rng(21)
    rows = rng.exponential(size=(700, 9))
    rows[:, 3] = np.round(rows[:, 3])
    for sample in (256, 700):
        forest = IsolationForest(n_estimators=100, max_samples=sample, random_state=1).fit(rows)
        seen = np.vstack([rows[:40], rng.normal(0, 6, size=(40, 9))])
        steps = -np.log2(-forest.score_samples(seen)) * explain.mean_path([sample])[0]
        phi = explain.path_attribution(forest, seen)
        assert np.abs(phi.sum(axis=1) - (explain.usual_path(forest) - steps)).max() < 1e-9


def test_phi_goes_to_the_column_that_is_odd() -> None:
    rng = np.random.default_rng(22)
    rows = rng.normal(size=(500, 6))
    forest = IsolationForest(n_estimators=200, max_samples=256, random_state=1).fit(rows)
    for column in range(6):
        odd = np.zeros((1, 6))
        odd[0, column] = 9
        assert int(np.argmax(explain.path_attribution(forest, odd)[0])) == column


def test_mean_path_is_scikit_learns() -> None:
    assert explain.mean_path([1, 2]).tolist() == [0, 1]
    assert np.isclose(explain.mean_path([256])[0], 10.244770920116851)


def test_columns_are_gathered_by_feature() -> None:
    columns = np.zeros((1, len(explain.COLUMNS)))
    at = [i for i, (_, name) in enumerate(explain.COLUMNS) if name == "bytes_out"]
    columns[0, at] = [1, 2, 4]
    j = NAMES.index("bytes_out")
    assert explain.by_feature(columns, "sum")[0, j] == 7
    assert explain.by_feature(columns, "max")[0, j] == 4
    assert explain.by_feature(columns, "sum").sum() == 7


def test_units_are_the_readers() -> None:
    assert quantity(BY_NAME["bytes_out"], 3.1e9) == "3.1 GB"
    assert quantity(BY_NAME["bytes_out"], 40e6) == "40 MB"
    assert quantity(BY_NAME["bytes_out"], 12) == "12 B"
    assert quantity(BY_NAME["write_share"], 0.8) == "80 %"
    assert phrase(BY_NAME["new_destinations"], 14) == "14 new destinations"
    assert phrase(BY_NAME["role_new_operations"], 1) == "1 operation new to its role"
    assert phrase(BY_NAME["bytes_out"], None) == "bytes_out unknown"
    assert phrase(BY_NAME["hour_rarity"], None, datetime(2026, 3, 2, 3)).startswith("active at 03:00 UTC")
    reading = Reading(BY_NAME["bytes_out"], 3.1e9, 40e6, True, 210e6, 5.0, 1.0)
    assert reading.sentence() == "bytes_out 3.1 GB, own median for this hour 40 MB, role p99 210 MB"


def test_features_lead_by_surprisal_and_beyond_all_doubt_by_what_tells_most() -> None:
    surprisals, phi = np.zeros(len(NAMES)), np.zeros(len(NAMES))
    for name, value in {"write_share": 12, "bytes_out": 9, "new_destinations": 4.5, "calls": 3, "denied": 1}.items():
        surprisals[NAMES.index(name)] = value
    phi[NAMES.index("denied")] = 0.2
    phi[NAMES.index("calls")] = -0.2
    by_surprisal, by_phi = explain.leading(surprisals, phi)
    assert by_surprisal == ["bytes_out", "new_destinations", "write_share"]
    assert by_phi == ["denied"]
    assert explain.leading(surprisals * 0, phi)[0] == []
    assert explain.points_to(["calls", "secret_reads", "bytes_out"]) == "resource"
    assert explain.points_to(["calls", "denied"]) == "credential"

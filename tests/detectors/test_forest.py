"""The arms: tails that never decrease, forests that leave dead columns out, rows scored alone."""

from __future__ import annotations

import numpy as np
from sklearn.ensemble import IsolationForest

from detectors.baseline import COLUMNS, Matrix
from detectors.forest import Arm, Model, Tail


def _rows(seed: int, n: int) -> Matrix:
    rows = np.abs(np.random.default_rng(seed).normal(size=(n, len(COLUMNS))))
    rows[:, 4] = 0.0
    return rows


def test_surprisal_counts_where_there_are_values_and_never_decreases() -> None:
    values = np.random.default_rng(3).exponential(size=100_000)
    tail = Tail.fit(values, 0.01)
    grid = np.linspace(-1, 60, 5000)
    surprisal = tail.surprisal(grid)
    assert (np.diff(surprisal) >= 0).all()
    middle = np.median(values)
    assert np.isclose(tail.surprisal(np.array([middle]))[0], -np.log10((1 + (values >= middle).sum()) / 100_001))
    assert np.isfinite(surprisal).all()
    assert np.isclose(tail.surprisal(np.array([20.0]))[0], 20 / np.log(10), rtol=0.25)


def test_a_column_that_never_moved_still_has_a_tail() -> None:
    tail = Tail.fit(np.zeros(60), 0.5)
    assert tail.surprisal(np.array([0.0]))[0] == 0
    assert tail.surprisal(np.array([3.0]))[0] > 4


def test_an_arm_leaves_out_columns_without_five_values() -> None:
    rows = np.random.default_rng(4).normal(size=(300, 3))
    rows[:, 1] = np.arange(300) % 4
    arm = Arm.fit(rows, 256)
    assert arm is not None
    assert arm.columns == (0, 2)
    assert Arm.fit(np.ones((300, 3)), 256) is None


def test_an_arm_is_scikit_learns_forest() -> None:
    rows = np.random.default_rng(5).normal(size=(300, 4))
    arm = Arm.fit(rows, 256)
    assert arm is not None
    theirs = IsolationForest(n_estimators=300, max_samples=256, random_state=20260301).fit(rows)
    assert np.array_equal(arm.oddness(rows), -theirs.score_samples(rows))


def test_a_rows_score_depends_on_no_other_row() -> None:
    model = Model.fit(_rows(6, 200))
    rows = _rows(7, 50)
    rows[3] += 8
    together = model.score(rows)
    alone = np.concatenate([model.score(rows[i : i + 1]).score for i in range(50)])
    assert np.array_equal(together.score, alone)
    assert int(np.argmax(together.score)) == 3
    assert np.isfinite(together.surprisals).all()


def test_a_past_in_which_nothing_moved_gives_a_model_too() -> None:
    model = Model.fit(np.zeros((40, len(COLUMNS))))
    odd = np.zeros((2, len(COLUMNS)))
    odd[1, 0] = 5
    scores = model.score(odd)
    assert (model.a, model.b) == (None, None)
    assert scores.score[1] > scores.score[0]

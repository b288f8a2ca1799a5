"""Why a worker-hour is odd: what each column did to the forests' score, exactly.

Walking a tree, each step changes the path length that is still to be expected; the change belongs to
the column of that split. Over a whole walk the changes add up to the row's path length less the
tree's mean, so the attribution is exact: sum over columns = E[h] - h(x).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from sklearn.ensemble import IsolationForest  # type: ignore[import-untyped]
from sklearn.tree._tree import Tree  # type: ignore[import-untyped]

from detectors.baseline import COLUMNS, Matrix
from detectors.features import BY_NAME, NAMES
from detectors.forest import Model, Vector

Counts = npt.NDArray[np.int64]

FAR = 4.0
"""A surprisal (-log10 of a probability) beyond which features count as equally surprising."""


def mean_path(samples: npt.ArrayLike) -> Vector:
    """c(n): the mean path length of an unsuccessful search among n samples; 0 for 1, 1 for 2."""
    n = np.asarray(samples, dtype=np.float64)
    many = np.maximum(n, 3)
    length = 2 * (np.log(many - 1) + np.euler_gamma) - 2 * (many - 1) / many
    return np.asarray(np.where(n > 2, length, np.where(n == 2, 1.0, 0.0)))


def expected_below(tree: Tree) -> Vector:
    """For each node the mean number of steps that its training samples still have to go, leaves by c(n)."""
    left, right, samples = tree.children_left, tree.children_right, tree.n_node_samples
    below = mean_path(samples)
    for nodes in reversed(_levels(tree)):
        inner = nodes[left[nodes] >= 0]
        lower, upper = left[inner], right[inner]
        below[inner] = 1 + (samples[lower] * below[lower] + samples[upper] * below[upper]) / samples[inner]
    return below


def _levels(tree: Tree) -> list[Counts]:
    levels = [np.zeros(1, dtype=np.int64)]
    while len(levels[-1]):
        inner = levels[-1][tree.children_left[levels[-1]] >= 0]
        levels.append(np.concatenate([tree.children_left[inner], tree.children_right[inner]]))
    return levels[:-1]


def path_attribution(forest: IsolationForest, rows: Matrix) -> Matrix:
    """phi of each row and column: by how many steps the column made the row easier to isolate than usual."""
    seen = rows.astype(np.float32)
    phi = np.zeros(rows.shape)
    for estimator in forest.estimators_:
        tree = estimator.tree_
        below = expected_below(tree)
        node = np.zeros(len(rows), dtype=np.int64)
        walking = np.flatnonzero(tree.children_left[node] >= 0)
        while len(walking):
            here = node[walking]
            column = tree.feature[here]
            goes_left = seen[walking, column] <= tree.threshold[here]
            child = np.where(goes_left, tree.children_left[here], tree.children_right[here])
            phi[walking, column] -= 1 + below[child] - below[here]
            node[walking] = child
            walking = walking[tree.children_left[child] >= 0]
    return phi / len(forest.estimators_)


def usual_path(forest: IsolationForest) -> float:
    """E[h]: the mean path length of the trees' own training samples."""
    return float(np.mean([expected_below(estimator.tree_)[0] for estimator in forest.estimators_]))


def by_feature(columns: Matrix, how: str) -> Matrix:
    """Values of design columns gathered by feature, in the order of `NAMES`: their `sum` or their `max`."""
    names = [name for _, name in COLUMNS]
    gathered = np.zeros((len(columns), len(NAMES)))
    for j, name in enumerate(NAMES):
        part = columns[:, [i for i, other in enumerate(names) if other == name]]
        gathered[:, j] = part.sum(axis=1) if how == "sum" else part.max(axis=1)
    return gathered


def attribution(model: Model, rows: Matrix, surprisals: Matrix) -> Matrix:
    """phi of both forests by feature: steps that the feature saves arm A and arm B together."""
    phi = np.zeros(rows.shape)
    for arm, seen in ((model.a, rows), (model.b, surprisals)):
        if arm is not None:
            phi[:, arm.columns] += path_attribution(arm.forest, seen[:, arm.columns])
    return by_feature(phi, "sum")


def leading(surprisals: Vector, phi: Vector, top: int = 3) -> tuple[list[str], list[str]]:
    """The `top` features by surprisal and by phi, largest first, of those that speak for oddness at all.

    Among surprisals beyond one in ten thousand, which only extrapolation tells apart, volume,
    destinations and secrets come first.
    """
    far = np.minimum(surprisals, FAR)
    by_surprisal = sorted(
        range(len(NAMES)), key=lambda j: (-round(float(far[j]), 6), not BY_NAME[NAMES[j]].slow, -surprisals[j], j)
    )
    by_phi = sorted(range(len(NAMES)), key=lambda j: (-round(float(phi[j]), 6), j))
    return (
        [NAMES[j] for j in by_surprisal[:top] if surprisals[j] > 0],
        [NAMES[j] for j in by_phi[:top] if phi[j] > 0],
    )


def points_to(names: list[str]) -> str:
    """What kind of entity the first telling feature of `names` points to: destination, resource or credential."""
    kinds = [BY_NAME[name].points_to for name in names]
    return next((kind for kind in kinds if kind != "credential"), "credential")

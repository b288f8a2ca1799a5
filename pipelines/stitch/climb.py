"""Walking up a forest of hops in rounds that double their reach (pointer jumping).

J. JaJa, An Introduction to Parallel Algorithms (1992), section 2.2: after k rounds a node knows the
node 2^k hops up, so a chain of a million hops needs about 21 rounds. A node on a cycle never
arrives and is left with `done` false.
"""

from __future__ import annotations

from detectors.engine import Engine

PATH_HOPS = 64
"""A path is kept up to this many hops; the walk itself goes on."""

_MOST_ROUNDS = 40


def climb(engine: Engine, name: str, hops: str, stops: str | None) -> None:
    """Make table `name`: one row a node (child or parent) of `hops`.

    `hops` has one row a child: child, parent, place (rank of its strength), issues (1 for an issuing
    grant, else 0), delegator, delegator_rank (of the delegator's own strength),
    hop_id (BIGINT, what a path lists: numbers, since paths are copied a lot).
    `stops` names a table of uid where a walk ends; without one it ends where no hop leads on. Columns: uid,
    top (where the walk stands), done, steps, place (the weakest hop), issues, delegator (the nearest on the
    way), delegator_place, path.
    """
    stopped = f"SELECT uid FROM {stops}" if stops else "SELECT uid FROM ends"
    engine.let(
        "ends",
        f"""
        SELECT DISTINCT parent AS uid FROM {hops}
        WHERE parent NOT IN (SELECT child FROM {hops})
        """,
    )
    engine.let("walk_stops", f"SELECT DISTINCT uid FROM ({stopped}) AS s")
    engine.let(
        name,
        f"""
        WITH started AS (
            SELECT h.child AS uid, h.parent AS top, h.place, h.issues, h.delegator, h.delegator_rank, h.hop_id,
                   own.uid IS NOT NULL AS stays, above.uid IS NOT NULL OR e.uid IS NOT NULL AS arrives
            FROM {hops} AS h
            LEFT JOIN walk_stops AS own ON own.uid = h.child
            LEFT JOIN walk_stops AS above ON above.uid = h.parent
            LEFT JOIN ends AS e ON e.uid = h.parent
        )
        SELECT uid,
               CASE WHEN stays THEN uid ELSE top END AS top,
               stays OR arrives AS done,
               CAST(CASE WHEN stays THEN 0 ELSE 1 END AS BIGINT) AS steps,
               CAST(CASE WHEN stays THEN 4 ELSE place END AS BIGINT) AS place,
               CAST(CASE WHEN stays THEN 0 ELSE issues END AS BIGINT) AS issues,
               CASE WHEN stays THEN NULL ELSE delegator END AS delegator,
               CAST(CASE WHEN stays THEN NULL
                         WHEN delegator IS NOT NULL THEN least(place, delegator_rank) END AS BIGINT) AS delegator_place,
               CAST(CASE WHEN stays THEN [] ELSE [hop_id] END AS BIGINT[]) AS path
        FROM started
        UNION ALL
        SELECT uid, uid, true, CAST(0 AS BIGINT), CAST(4 AS BIGINT), CAST(0 AS BIGINT),
               CAST(NULL AS VARCHAR), CAST(NULL AS BIGINT), CAST([] AS BIGINT[])
        FROM ends
        """,
    )
    for _ in range(_MOST_ROUNDS):
        before = _unfinished(engine, name)
        if before == 0:
            break
        _double(engine, name)
        if _unfinished(engine, name) == before and _all_cyclic(engine, name):
            break


def _unfinished(engine: Engine, name: str) -> int:
    return int(engine.query(f"SELECT count(*) AS n FROM {name} WHERE NOT done")["n"][0].as_py())


def _all_cyclic(engine: Engine, name: str) -> bool:
    """Whether every walk that goes on has made more steps than there are nodes."""
    row = engine.query(f"SELECT min(steps) AS steps, (SELECT count(*) FROM {name}) AS nodes FROM {name} WHERE NOT done")
    return bool(row["steps"][0].as_py() > row["nodes"][0].as_py())


def _double(engine: Engine, name: str) -> None:
    """One round: every walk that goes on takes over the walk of the node where it stands."""
    engine.let(
        f"{name}_next",
        f"""
        SELECT w.uid, n.top, n.done,
               w.steps + n.steps AS steps,
               least(w.place, n.place) AS place,
               w.issues + n.issues AS issues,
               coalesce(w.delegator, n.delegator) AS delegator,
               CASE WHEN w.delegator IS NOT NULL THEN w.delegator_place
                    WHEN n.delegator IS NOT NULL THEN least(w.place, n.delegator_place) END AS delegator_place,
               CASE WHEN w.steps >= {PATH_HOPS} THEN w.path
                    ELSE list_slice(list_concat(w.path, n.path), 1, {PATH_HOPS}) END AS path
        FROM {name} AS w JOIN {name} AS n ON n.uid = w.top
        WHERE NOT w.done
        UNION ALL
        SELECT * FROM {name} WHERE done
        """,
    )
    engine.let(name, f"SELECT * FROM {name}_next")

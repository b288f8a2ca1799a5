"""Bindings: every credential and principal bound to the worker that owns the nearest declared identity above it."""

from __future__ import annotations

from detectors.engine import Engine
from pipelines.identifiers import Sql
from pipelines.stitch import hops
from pipelines.stitch.climb import PATH_HOPS, climb
from pipelines.stitch.strength import ASSERTED, CONFIDENCE_ASSERTED, CONFIDENCE_SOLE_DECLARER, named


def bind(engine: Engine) -> None:
    """From grants, acts_as, actions and identities make `bound`: the rows of `bindings` as they must be now."""
    hops.issues(engine)
    hops.own_records(engine)
    hops.hops(engine)
    hops.nodes(engine)
    hops.declared(engine)
    hops.labels(engine)
    hops.structs(engine)
    engine.let("sole_labels", "SELECT uid, identity, place, hop_id FROM labels WHERE sole")
    engine.let("shared_labels", "SELECT uid, identity, place, hop_id FROM labels WHERE NOT sole")
    climb(engine, "to_root", "hops", None)
    climb(engine, "to_sole", "hops", "sole_labels")
    climb(engine, "to_shared", "hops", "shared_labels")
    _candidates(engine)
    _reached(engine, "reached_sole", "to_sole", "sole_labels")
    _reached(engine, "reached_shared", "to_shared", "shared_labels")
    _decided(engine)
    _via(engine)
    _chain_roots(engine)
    _paths(engine)
    _bound(engine)


def _candidates(engine: Engine) -> None:
    """`candidates`: a row a shared identity, with the workers that declare it, by name."""
    engine.let(
        "candidates",
        """
        SELECT d.uid AS identity, list_sort(list(DISTINCT d.worker)) AS workers, count(DISTINCT d.worker) AS n
        FROM declared AS d JOIN owners AS o ON o.uid = d.uid
        WHERE NOT o.sole GROUP BY d.uid
        """,
    )


def _reached(engine: Engine, name: str, walks: str, labels: str) -> None:
    """A row a node from which a label of this kind is reached: where, how far, how strong, by which hops."""
    engine.let(
        name,
        f"""
        SELECT n.uid, l.uid AS label_uid, l.identity, coalesce(w.steps, 0) AS steps,
               least(coalesce(w.place, 4), l.place) AS place, coalesce(w.issues, 0) AS issues,
               CASE WHEN w.uid IS NULL AND l.identity = l.uid THEN CAST([] AS BIGINT[])
                    WHEN w.uid IS NULL THEN [l.hop_id]
                    WHEN l.identity = l.uid THEN w.path ELSE list_concat(w.path, [l.hop_id]) END AS path
        FROM nodes AS n
        LEFT JOIN {walks} AS w ON w.uid = n.uid AND w.done
        JOIN {labels} AS l ON l.uid = coalesce(w.top, n.uid)
        """,
    )


def _decided(engine: Engine) -> None:
    """`decided`: a row a node: the worker or the candidates, and which label decided.

    A shared identity that is nearer than any other yields candidates; an upper identity of one of them
    decides, else a session name that is exactly one of theirs (the caller chose it: asserted).
    """
    engine.let(
        "decided",
        f"""
        WITH seen AS (
            SELECT n.uid, n.session_name, s.label_uid AS sole_label, s.identity AS sole_identity,
                   o.worker AS sole_worker, s.place AS sole_place,
                   s.path AS sole_path, h.label_uid AS shared_label, h.identity AS shared_identity,
                   h.place AS shared_place, h.path AS shared_path,
                   c.workers, c.n,
                   h.uid IS NOT NULL AND (s.uid IS NULL OR h.steps < s.steps) AS shared_first
            FROM nodes AS n
            LEFT JOIN reached_sole AS s ON s.uid = n.uid
            LEFT JOIN owners AS o ON o.uid = s.identity
            LEFT JOIN reached_shared AS h ON h.uid = n.uid
            LEFT JOIN candidates AS c ON c.identity = h.identity
        ),
        judged AS (
            SELECT *,
                   CASE WHEN NOT shared_first AND sole_worker IS NOT NULL THEN 'sole'
                        WHEN shared_first AND sole_worker IS NOT NULL AND list_contains(workers, sole_worker)
                             THEN 'sole'
                        WHEN shared_first AND session_name IS NOT NULL AND list_contains(workers, session_name)
                             AND n > 1 THEN 'named'
                        WHEN shared_first AND n = 1 THEN 'only'
                        WHEN shared_first THEN 'several' END AS how
            FROM seen
        )
        SELECT uid, how,
               CASE how WHEN 'sole' THEN sole_worker WHEN 'named' THEN session_name WHEN 'only' THEN workers[1] END
                   AS worker,
               CASE how WHEN 'sole' THEN {named("sole_place")}
                        WHEN 'named' THEN {named(f"least(shared_place, {ASSERTED})")}
                        WHEN 'only' THEN 'inferred' WHEN 'several' THEN 'ambiguous' ELSE 'none' END AS strength,
               CASE how WHEN 'sole' THEN sole_label ELSE shared_label END AS label_uid,
               CASE how WHEN 'sole' THEN sole_identity ELSE shared_identity END AS identity,
               CASE how WHEN 'sole' THEN sole_path ELSE shared_path END AS path,
               workers, n
        FROM judged
        """,
    )


def _via(engine: Engine) -> None:
    """`via`: a row a labelled node, with the other workers met further up, nearest first."""
    engine.let(
        "label_hops",
        """
        SELECT l.uid AS child, s.label_uid AS parent, 4 AS place, 0 AS issues, CAST(NULL AS VARCHAR) AS delegator,
               CAST(NULL AS BIGINT) AS delegator_rank,
               CASE WHEN o.worker IS DISTINCT FROM mine.worker THEN o.worker END AS worker,
               row_number() OVER (ORDER BY l.uid) AS hop_id
        FROM labels AS l
        JOIN owners AS mine ON mine.uid = l.identity
        JOIN hops AS h ON h.child = l.uid
        JOIN reached_sole AS s ON s.uid = h.parent
        JOIN owners AS o ON o.uid = s.identity
        WHERE s.label_uid <> l.uid
        GROUP BY l.uid, s.label_uid, o.worker, mine.worker
        """,
    )
    climb(engine, "up_labels", "label_hops", None)
    engine.let("met", "SELECT hop_id, worker AS item FROM label_hops")
    engine.let("to_spell", "SELECT uid, path FROM up_labels")
    _spell(engine, "via", "met")


def _chain_roots(engine: Engine) -> None:
    """`chain_walks`: from each node up to the topmost credential that is still the same worker's."""
    engine.let(
        "same_worker",
        f"""
        SELECT h.child, h.parent, h.place, h.issues, CAST(NULL AS VARCHAR) AS delegator,
               CAST(NULL AS BIGINT) AS delegator_rank, h.hop_id
        FROM hops AS h
        JOIN decided AS c ON c.uid = h.child
        JOIN decided AS p ON p.uid = h.parent
        WHERE c.worker = p.worker AND {Sql.is_credential("h.child")} AND {Sql.is_credential("h.parent")}
        """,
    )
    climb(engine, "chain_walks", "same_worker", None)


def _spell(engine: Engine, name: str, items: str) -> None:
    """Make `name` (uid, listed): each path of `to_spell` with its hop ids replaced by their `item`, in order."""
    engine.let(
        name,
        f"""
        WITH places AS (SELECT uid, path, unnest(path) AS hop_id FROM to_spell),
        spelled AS (
            SELECT p.uid, list_position(p.path, p.hop_id) AS place, i.item
            FROM places AS p JOIN {items} AS i ON i.hop_id = p.hop_id
        )
        SELECT uid, list_transform(list_sort(list({{'place': place, 'item': item}})), x -> x.item) AS listed
        FROM spelled GROUP BY uid
        """,
    )


def _paths(engine: Engine) -> None:
    """`paths` (uid, listed): from each node to the identity that decided, and on to the root.

    Where the labelled node's own records lead up to that identity anyway, the path goes on from the identity.
    """
    engine.let(
        "to_spell",
        f"""
        SELECT d.uid,
               CASE WHEN d.how IS NULL THEN coalesce(r.path, CAST([] AS BIGINT[]))
                    ELSE list_slice(list_concat(d.path, coalesce(above.path, CAST([] AS BIGINT[]))), 1, {PATH_HOPS}) END
                   AS path
        FROM decided AS d
        LEFT JOIN to_root AS r ON r.uid = d.uid
        LEFT JOIN to_root AS l ON l.uid = d.label_uid
        LEFT JOIN to_root AS i ON i.uid = d.identity
        LEFT JOIN to_root AS above
          ON above.uid = CASE WHEN l.issues = coalesce(i.issues, 0) AND l.top = coalesce(i.top, d.identity)
                              THEN d.identity ELSE d.label_uid END
        """,
    )
    engine.let("hop_items", "SELECT hop_id, hop AS item FROM hop_structs")
    _spell(engine, "paths", "hop_items")


def _bound(engine: Engine) -> None:
    """`bound`: the rows of `bindings`. Paths go on to the root beyond the identity that decided."""
    engine.let(
        "bound",
        f"""
        WITH told AS (
            SELECT d.*, coalesce(r.top, d.uid) AS root_uid, coalesce(r.done, true) AS has_root,
                   coalesce(r.issues, 0) AS issues, r.delegator, r.delegator_place,
                   coalesce(k.top, d.uid) AS chain_root, v.listed AS via, p.listed AS spelled
            FROM decided AS d
            LEFT JOIN to_root AS r ON r.uid = d.uid
            LEFT JOIN paths AS p ON p.uid = d.uid
            LEFT JOIN chain_walks AS k ON k.uid = d.uid
            LEFT JOIN via AS v ON v.uid = d.label_uid
        )
        SELECT uid,
               CAST(NULL AS TIMESTAMP) AS valid_from,
               CAST(NULL AS TIMESTAMP) AS valid_to,
               worker,
               CASE WHEN via IS NULL THEN []
                    ELSE list_filter(via, v -> v IS NOT NULL AND v IS DISTINCT FROM worker) END AS via_workers,
               strength,
               CASE strength WHEN 'proven' THEN 1.0 WHEN 'asserted' THEN {CONFIDENCE_ASSERTED}
                    WHEN 'inferred' THEN {CONFIDENCE_SOLE_DECLARER} WHEN 'ambiguous' THEN 1.0 / n ELSE 0.0 END
                   AS confidence,
               delegator,
               CASE WHEN delegator IS NOT NULL THEN {named("delegator_place")} END AS delegator_strength,
               root_uid,
               CASE WHEN worker IS NOT NULL THEN chain_root END AS chain_root,
               CASE WHEN worker IS NOT NULL THEN {Sql.is_long_lived("chain_root")} END AS chain_by_day,
               CASE WHEN has_root THEN issues END AS hops,
               coalesce(spelled, []) AS path,
               CASE WHEN how IN ('only', 'several')
                    THEN list_transform(workers, w -> {{'worker': w, 'probability': {_probability()}}}) ELSE [] END
                   AS candidates,
               CASE WHEN how IN ('only', 'several') THEN 'a shared identity: no other hop decides'
                    WHEN how IS NOT NULL THEN NULL
                    WHEN NOT has_root THEN 'the evidence runs in a circle'
                    WHEN {Sql.is_credential("root_uid")} THEN 'no record tells who issued ' || root_uid
                    ELSE 'no manifest declares ' || root_uid END AS reason,
               CAST(NULL AS VARCHAR) AS model_id
        FROM told
        """,
    )


def _probability() -> str:
    return f"CASE WHEN n = 1 THEN {CONFIDENCE_SOLE_DECLARER} ELSE 1.0 / n END"

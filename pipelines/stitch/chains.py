"""Chains: one worker's connected run of actions, from the root credential of the run to its last action."""

from __future__ import annotations

from detectors.engine import Engine
from detectors.uuid5 import CHAINS, uuid5_sql
from pipelines.lake.views import holds
from pipelines.stitch.strength import named, rank


def chain(engine: Engine) -> None:
    """From actions, `attributed_all` (a row an action), hops and `bound` make `chained`: the rows of `chains`.

    Only primary actions count. A chain is as strong as the weakest claim that it rests on. Where the
    credential at its root was issued to another worker's credential, that chain is its parent.
    """
    engine.let(
        "chain_actions",
        """
        SELECT t.chain_id, t.worker, t.strength, t.delegator, a.action_uid, a.time, a.format, a.bytes_out,
               a.credential_uid, a.session_uid, a.principal
        FROM actions AS a JOIN attributed_all AS t ON t.action_uid = a.action_uid
        WHERE a.is_primary AND t.chain_id IS NOT NULL
        """,
    )
    engine.let(
        "chain_roots",
        f"""
        WITH rooted AS (
            SELECT c.chain_id, coalesce(k.chain_root, s.chain_root, p.chain_root) AS root_uid,
                   coalesce(k.hops, s.hops, p.hops) AS hops
            FROM chain_actions AS c
            LEFT JOIN bound AS k ON k.uid = c.credential_uid AND k.worker = c.worker AND {holds("k", "c.time")}
            LEFT JOIN bound AS s ON s.uid = c.session_uid AND s.worker = c.worker AND {holds("s", "c.time")}
            LEFT JOIN bound AS p ON p.uid = c.principal AND p.worker = c.worker AND {holds("p", "c.time")}
        )
        SELECT chain_id, min(root_uid) AS root_uid, max(hops) AS hops FROM rooted GROUP BY chain_id
        """,
    )
    engine.let(
        "chain_sums",
        f"""
        SELECT chain_id, min(worker) AS worker, min(delegator) AS delegator,
               min(time) AS started_at, max(time) AS ended_at, count(*) AS actions,
               list_sort(list(DISTINCT format)) AS systems,
               CAST(sum(bytes_out) AS BIGINT) AS bytes_out,
               {named(f"min({rank('strength')})")} AS strength
        FROM chain_actions GROUP BY chain_id
        """,
    )
    day = "strftime(c.started_at, '%Y-%m-%d')"
    root = "u.chain_root || CASE WHEN u.valid_from IS NOT NULL THEN coalesce('|' || u.worker, '') ELSE '' END"
    parent_root = f"CASE WHEN u.chain_by_day THEN {root} || '|' || {day} ELSE {root} END"
    engine.let(
        "chained",
        f"""
        SELECT c.chain_id, c.worker, r.root_uid,
               CASE WHEN u.worker IS NOT NULL AND u.worker <> c.worker THEN {uuid5_sql(CHAINS, parent_root)} END
                   AS parent_chain_id,
               c.delegator, c.started_at, c.ended_at, c.actions, c.systems, r.hops, c.bytes_out, c.strength
        FROM chain_sums AS c
        LEFT JOIN chain_roots AS r ON r.chain_id = c.chain_id
        LEFT JOIN hops AS h ON h.child = r.root_uid
        LEFT JOIN bound AS u ON u.uid = h.parent AND {holds("u", "c.started_at")}
        """,
    )

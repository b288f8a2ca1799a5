"""The views of the lake: attributions (who did each action) and incidents (findings that belong together)."""

from __future__ import annotations

from detectors.uuid5 import CHAINS, uuid5_sql
from pipelines.stitch.strength import CONFIDENCE_ASSERTED, weaker


def attributions_sql(actions: str = "actions", bindings: str = "bindings", inferred: str = "inferred") -> str:
    """One row an action: its worker through the binding of its credential, else session, else principal.

    A binding that found nobody yields to the next. What the record did not authenticate is asserted at
    most. Columns: action_uid, worker, strength, confidence, delegator, delegator_strength, chain_id,
    path, candidates, reason.
    """

    def found(name: str) -> str:
        return f"{name}.uid IS NOT NULL AND {name}.strength <> 'none'"

    def at_the_time(name: str) -> str:
        return (
            f"({name}.valid_from IS NULL OR a.time >= {name}.valid_from)"
            f" AND ({name}.valid_to IS NULL OR a.time < {name}.valid_to)"
        )

    def pick(column: str) -> str:
        return (
            f"CASE WHEN {found('c')} THEN c.{column} WHEN {found('s')} THEN s.{column} WHEN {found('p')} THEN p.{column}"
            f" WHEN i.action_uid IS NOT NULL THEN i.{column} ELSE coalesce(c.{column}, s.{column}, p.{column}) END"
        )

    strength = weaker("picked_strength", "coalesce(identity_strength, 'proven')")
    day = "strftime(time, '%Y-%m-%d')"
    chain = uuid5_sql(CHAINS, f"CASE WHEN chain_by_day THEN chain_root || '|' || {day} ELSE chain_root END")
    return f"""
    WITH picked AS (
        SELECT a.action_uid, a.time, a.identity_strength, a.delegator AS own_delegator,
               {pick("worker")} AS worker,
               {pick("strength")} AS picked_strength,
               {pick("confidence")} AS confidence,
               {pick("delegator")} AS delegator,
               {pick("delegator_strength")} AS delegator_strength,
               {pick("chain_root")} AS chain_root,
               {pick("chain_by_day")} AS chain_by_day,
               {pick("path")} AS path,
               {pick("candidates")} AS candidates,
               {pick("reason")} AS reason
        FROM {actions} AS a
        LEFT JOIN {bindings} AS c ON c.uid = a.credential_uid AND {at_the_time("c")}
        LEFT JOIN {bindings} AS s ON s.uid = a.session_uid AND {at_the_time("s")}
        LEFT JOIN {bindings} AS p ON p.uid = a.principal AND {at_the_time("p")}
        LEFT JOIN {inferred} AS i ON i.action_uid = a.action_uid
    )
    SELECT action_uid,
           worker,
           CASE WHEN picked_strength IS NULL THEN 'none' ELSE {strength} END AS strength,
           CASE WHEN picked_strength = 'proven' AND identity_strength = 'asserted' THEN {CONFIDENCE_ASSERTED}
                ELSE coalesce(confidence, 0.0) END AS confidence,
           coalesce(own_delegator, delegator) AS delegator,
           CASE WHEN own_delegator IS NOT NULL THEN coalesce(identity_strength, 'proven')
                ELSE delegator_strength END AS delegator_strength,
           CASE WHEN worker IS NOT NULL THEN {chain} END AS chain_id,
           path,
           candidates,
           CASE WHEN picked_strength IS NULL THEN 'not yet bound' ELSE reason END AS reason
    FROM picked
    """


INCIDENTS = """
    WITH ordered AS (
        SELECT *, coalesce(chain_id, detector || '|' || coalesce(worker, '') || '|' || entity) AS bundle
        FROM findings
        WHERE status <> 'resolved'
    ),
    marked AS (
        SELECT *,
               CASE WHEN window_start - max(window_end) OVER (
                         PARTITION BY bundle ORDER BY window_start, finding_uid
                         ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) <= INTERVAL 24 HOUR
                    THEN 0 ELSE 1 END AS opens
        FROM ordered
    ),
    numbered AS (
        SELECT *, sum(opens) OVER (PARTITION BY bundle ORDER BY window_start, finding_uid) AS episode FROM marked
    )
    SELECT bundle || '#' || CAST(episode AS VARCHAR) AS incident,
           min(worker) AS worker,
           min(window_start) AS started_at,
           max(window_end) AS ended_at,
           count(*) AS findings,
           list(finding_uid) AS finding_uids,
           list(DISTINCT detector) AS detectors
    FROM numbered
    GROUP BY bundle, episode
"""

VIEWS = {"attributions": attributions_sql(), "incidents": INCIDENTS}

"""The views of the lake: attributions (who did each action) and incidents (findings that belong together)."""

from __future__ import annotations

from detectors.uuid5 import CHAINS, uuid5_sql
from pipelines.stitch.strength import CONFIDENCE_ASSERTED, weaker


def holds(binding: str, time: str) -> str:
    """SQL: that a row of `bindings` counts at a time. A name that passes from one worker to another has several."""
    # Plain comparisons beside the equality keep it a hash join; with OR it is a nested loop.
    return (
        f"{time} >= coalesce({binding}.valid_from, TIMESTAMP '0001-01-01')"
        f" AND {time} < coalesce({binding}.valid_to, TIMESTAMP '9999-12-31')"
    )


def attributions_sql(actions: str = "actions", bindings: str = "bindings", inferred: str = "inferred") -> str:
    """One row an action: its worker through the binding of its credential, else session, else principal.

    A binding that found nobody yields to the next. What the record did not authenticate is asserted at
    most. Columns: action_uid, worker, strength, confidence, delegator, delegator_strength, chain_id,
    bound_uid (the name whose binding decided), path, candidates, reason.
    """
    columns = ("worker", "strength", "confidence", "delegator", "delegator_strength", "chain_root", "chain_by_day",
               "path", "candidates", "reason")  # fmt: skip
    either = ", ".join(
        f"CASE WHEN i.action_uid IS NOT NULL THEN i.{name} ELSE b.{name} END AS {name}" for name in columns
    )
    delegated = weaker("coalesce(k.own_delegator_strength, 'asserted')", "coalesce(k.identity_strength, 'proven')")
    capped = weaker("k.strength", "coalesce(k.identity_strength, 'proven')")
    return f"""
    WITH named AS (  -- whether each of an action's names found somebody, was found to be nobody's, or is unknown
        SELECT a.action_uid, a.time, a.identity_strength, a.delegator AS own_delegator,
               a.delegator_strength AS own_delegator_strength,
               a.credential_uid, a.session_uid, a.principal,
               c.strength AS by_credential, s.strength AS by_session, p.strength AS by_principal
        FROM {actions} AS a
        LEFT JOIN {bindings} AS c ON c.uid = a.credential_uid AND {holds("c", "a.time")}
        LEFT JOIN {bindings} AS s ON s.uid = a.session_uid AND {holds("s", "a.time")}
        LEFT JOIN {bindings} AS p ON p.uid = a.principal AND {holds("p", "a.time")}
    ),
    chosen AS (  -- the name that decides: the first that found somebody, else the first that is known
        SELECT *, coalesce(by_credential <> 'none', false) OR coalesce(by_session <> 'none', false)
                      OR coalesce(by_principal <> 'none', false) AS found,
               CASE WHEN by_credential <> 'none' THEN credential_uid
                    WHEN by_session <> 'none' THEN session_uid
                    WHEN by_principal <> 'none' THEN principal
                    WHEN by_credential IS NOT NULL THEN credential_uid
                    WHEN by_session IS NOT NULL THEN session_uid
                    WHEN by_principal IS NOT NULL THEN principal END AS uid
        FROM named
    ),
    picked AS (  -- the binding of that name; what was inferred fills what is left open
        SELECT a.action_uid, a.time, a.identity_strength, a.own_delegator, a.own_delegator_strength, a.uid AS bound_uid,
               -- a name that came over from another worker begins chains of its own
               CASE WHEN b.valid_from IS NOT NULL THEN coalesce('|' || b.worker, '') ELSE '' END AS taken_by, {either}
        FROM chosen AS a
        LEFT JOIN {bindings} AS b ON b.uid = a.uid AND {holds("b", "a.time")}
        LEFT JOIN {inferred} AS i ON i.action_uid = a.action_uid AND NOT a.found
    ),
    keyed AS (  -- the text that names each action's chain
        SELECT *, CASE WHEN worker IS NULL THEN NULL
                       WHEN chain_by_day THEN chain_root || taken_by || '|' || strftime(time, '%Y-%m-%d')
                       ELSE chain_root || taken_by END AS chain_key
        FROM picked
    ),
    chain_ids AS (  -- each chain's id, computed once
        SELECT chain_key, {uuid5_sql(CHAINS, "chain_key")} AS chain_id
        FROM (SELECT DISTINCT chain_key FROM keyed WHERE chain_key IS NOT NULL) AS keys
    )
    SELECT k.action_uid,
           k.worker,
           CASE WHEN k.strength IS NULL THEN 'none' ELSE {capped} END AS strength,
           CASE WHEN k.strength = 'proven' AND k.identity_strength = 'asserted' THEN {CONFIDENCE_ASSERTED}
                ELSE coalesce(k.confidence, 0.0) END AS confidence,
           coalesce(k.own_delegator, k.delegator) AS delegator,
           CASE WHEN k.own_delegator IS NOT NULL THEN {delegated}
                ELSE k.delegator_strength END AS delegator_strength,
           c.chain_id,
           k.bound_uid,
           k.path,
           k.candidates,
           CASE WHEN k.strength IS NULL THEN 'not yet bound' ELSE k.reason END AS reason
    FROM keyed AS k LEFT JOIN chain_ids AS c ON c.chain_key = k.chain_key
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

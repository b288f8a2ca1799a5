"""The evidence as a forest: for every credential and principal the one hop that leads up, and its labels."""

from __future__ import annotations

from detectors.engine import Engine
from detectors.glob import matches_sql
from pipelines.stitch.strength import ASSERTED, PROVEN, named, rank

_LABEL_IDS_FROM = 1_000_000_000_000
"""Hop ids of labels start here, above those of `hops`."""


def issues(engine: Engine) -> None:
    """`issues`: a row an issuing grant whose evidence is not contested; `for_other` where it was made for another.

    Two deeds by two credentials may issue what has one name (two sessions of one role and one name within a
    second): then no record tells which of them a use belongs to, and each is `asserted` at most.
    """
    engine.let(
        "issuing",
        f"""
        SELECT g.*, {rank("g.strength")} AS rank, coalesce(a.obtains = 'other', false) AS for_other,
               coalesce(a.deed_uid, g.action_uid) AS deed_uid, coalesce(a.is_primary, true) AS is_primary
        FROM grants AS g
        LEFT JOIN actions AS a ON a.action_uid = g.action_uid
        WHERE g.kind = 'issue' AND g.child_uid IS NOT NULL AND a.flag IS NULL
        """,
    )
    engine.let(
        "rivals",
        """
        SELECT child_uid
        FROM (SELECT *, max(rank) OVER (PARTITION BY child_uid) AS best FROM issuing
              WHERE is_primary AND parent_uid IS NOT NULL AND parent_uid <> child_uid) AS offered
        WHERE rank = best
        GROUP BY child_uid HAVING count(DISTINCT parent_uid) > 1 AND count(DISTINCT deed_uid) > 1
        """,
    )
    engine.let(
        "issues",
        f"""
        SELECT g.grant_uid, g.action_uid, g.mechanism, g.parent_uid, g.child_uid, g.principal, g.delegator,
               CASE WHEN g.delegator IS NOT NULL
                    THEN {rank("coalesce(g.delegator_strength, 'asserted')")} END AS delegator_rank,
               g.issued_at, g.expires_at, g.for_other, g.rank, CASE WHEN g.is_primary THEN 0 ELSE 1 END AS telling,
               CASE WHEN r.child_uid IS NULL THEN g.rank ELSE least(g.rank, {ASSERTED}) END AS place,
               CASE WHEN r.child_uid IS NULL THEN g.strength ELSE {named(f"least(g.rank, {ASSERTED})")} END AS strength
        FROM issuing AS g LEFT JOIN rivals AS r ON r.child_uid = g.child_uid
        """,
    )


def own_records(engine: Engine) -> None:
    """`own_records`: what records say of themselves, a row a pair (credential or session acts as; acts in).

    A name that was only claimed (a failed login within a session) counts only where none was proven.
    """
    engine.let(
        "own_records",
        f"""
        WITH pairs AS (
            SELECT credential_uid AS child, session_uid AS parent, 'acts in' AS mechanism,
                   evidence, first_seen, strength
            FROM acts_as WHERE credential_uid IS NOT NULL AND session_uid IS NOT NULL
            UNION ALL
            SELECT credential_uid, principal, 'acts as', evidence, first_seen, strength
            FROM acts_as WHERE credential_uid IS NOT NULL AND principal IS NOT NULL
            UNION ALL
            SELECT session_uid, principal, 'acts as', evidence, first_seen, strength
            FROM acts_as WHERE session_uid IS NOT NULL AND principal IS NOT NULL
        ),
        ordered AS (
            SELECT *, {rank("strength")} AS place,
                   max({rank("strength")}) OVER (PARTITION BY child, mechanism) AS best,
                   row_number() OVER (PARTITION BY child, parent ORDER BY {rank("strength")} DESC, first_seen, evidence)
                       AS choice
            FROM pairs WHERE child <> parent
        )
        SELECT child, parent, mechanism, evidence, first_seen, strength, place FROM ordered
        WHERE choice = 1 AND place = best
        """,
    )


def hops(engine: Engine) -> None:
    """`hops`: a row a node that has something above it, with the hop that is taken.

    An issuing grant comes before what a record says of itself; a session before a principal. Of several
    issuing grants the strongest counts, then that of a deed's primary (the copy in the other account knows less of the
    caller), then the earliest, then the least uid.
    """
    engine.let(
        "hops",
        f"""
        WITH offers AS (
            SELECT child_uid AS child, parent_uid AS parent, mechanism, action_uid AS evidence, strength, place, rank,
                   1 AS issues, delegator, delegator_rank, 0 AS class, telling, issued_at AS since, grant_uid AS tie
            FROM issues WHERE parent_uid IS NOT NULL AND parent_uid <> child_uid
            UNION ALL
            SELECT child, parent, mechanism, evidence, strength, place, place,
                   0, CAST(NULL AS VARCHAR), CAST(NULL AS BIGINT), CASE mechanism WHEN 'acts in' THEN 1 ELSE 2 END,
                   0, first_seen, parent
            FROM own_records
            UNION ALL
            SELECT child_uid, principal, 'acts as', action_uid, {named("rank")}, rank, rank,
                   0, delegator, delegator_rank, 3, telling, issued_at, grant_uid
            FROM issues WHERE principal IS NOT NULL AND principal <> child_uid
        ),
        ordered AS (
            SELECT *, row_number() OVER (PARTITION BY child ORDER BY class, rank DESC, telling, since, tie) AS choice
            FROM offers
        )
        SELECT child, parent, mechanism, evidence, strength, place, issues, delegator, delegator_rank,
               row_number() OVER (ORDER BY child) AS hop_id
        FROM ordered WHERE choice = 1
        """,
    )


def nodes(engine: Engine) -> None:
    """`nodes`: a row a credential or principal that any evidence names, with a session name where one is known."""
    engine.let(
        "nodes",
        """
        WITH named AS (
            SELECT credential_uid AS uid, session_name FROM acts_as
            UNION ALL SELECT session_uid, session_name FROM acts_as
            UNION ALL SELECT principal, CAST(NULL AS VARCHAR) FROM acts_as
            UNION ALL SELECT child_uid, CAST(NULL AS VARCHAR) FROM issues
            UNION ALL SELECT parent_uid, CAST(NULL AS VARCHAR) FROM issues
            UNION ALL SELECT principal, CAST(NULL AS VARCHAR) FROM issues
        )
        SELECT uid, min(session_name) AS session_name FROM named WHERE uid IS NOT NULL GROUP BY uid
        """,
    )


def declared(engine: Engine) -> None:
    """`declared`: a row a node and worker whose manifest declares it (by name or by a pattern)."""
    engine.let(
        "declared",
        f"""
        SELECT DISTINCT n.uid, i.worker, i.shared
        FROM nodes AS n JOIN identities AS i ON i.uid = n.uid
        WHERE NOT i.is_pattern
        UNION
        SELECT DISTINCT n.uid, i.worker, i.shared
        FROM nodes AS n JOIN identities AS i ON {matches_sql("n.uid", "i.uid_like")}
        WHERE i.is_pattern
        """,
    )
    engine.let(
        "owners",
        """
        SELECT uid, min(worker) AS worker, count(DISTINCT worker) = 1 AND NOT bool_or(shared) AS sole
        FROM declared GROUP BY uid
        """,
    )


def labels(engine: Engine) -> None:
    """`labels`: a row a node that is declared, or that acts as somebody declared.

    A key that was made for somebody else, and a session of the same user that it opened, speaks for its
    owner as `asserted` at most.
    """
    engine.let(
        "labels",
        f"""
        WITH made AS (SELECT DISTINCT child_uid, principal FROM issues WHERE for_other),
        made_for_other AS (
            SELECT child_uid FROM made
            UNION
            SELECT g.child_uid FROM issues AS g
            JOIN made AS m ON m.child_uid = g.parent_uid AND m.principal = g.principal
        ),
        offers AS (
            SELECT o.uid, o.uid AS identity, o.sole, {PROVEN} AS place, CAST(NULL AS VARCHAR) AS evidence,
                   CAST(NULL AS VARCHAR) AS strength, 0 AS class
            FROM owners AS o
            UNION ALL
            SELECT r.child, r.parent, o.sole,
                   CASE WHEN m.child_uid IS NOT NULL THEN least(r.place, {ASSERTED}) ELSE r.place END,
                   r.evidence, r.strength, 1
            FROM own_records AS r
            JOIN owners AS o ON o.uid = r.parent
            LEFT JOIN made_for_other AS m ON m.child_uid = r.child
            WHERE r.mechanism = 'acts as'
            UNION ALL
            SELECT g.child_uid, g.principal, o.sole,
                   CASE WHEN m.child_uid IS NOT NULL THEN least(g.rank, {ASSERTED}) ELSE g.rank END,
                   g.action_uid, {named("g.rank")}, 2
            FROM issues AS g
            JOIN owners AS o ON o.uid = g.principal
            LEFT JOIN made_for_other AS m ON m.child_uid = g.child_uid
        ),
        ordered AS (
            SELECT *, row_number() OVER (
                PARTITION BY uid, sole ORDER BY class, place DESC, identity, evidence) AS choice
            FROM offers
        )
        SELECT uid, identity, sole, place, evidence, strength,
               {_LABEL_IDS_FROM} + row_number() OVER (ORDER BY uid, sole) AS hop_id
        FROM ordered WHERE choice = 1
        """,
    )


def structs(engine: Engine) -> None:
    """`hop_structs`: a row a hop that a path may list, as the struct that bindings show."""
    shown = "{'from': child, 'to': parent, 'mechanism': mechanism, 'evidence': evidence, 'strength': strength}"
    engine.let(
        "hop_structs",
        f"""
        SELECT hop_id, {shown} AS hop FROM hops
        UNION ALL
        SELECT hop_id, {shown} AS hop
        FROM (SELECT hop_id, uid AS child, identity AS parent, 'acts as' AS mechanism, evidence, strength FROM labels
              WHERE identity <> uid) AS acting
        """,
    )

"""One deed, several records: which action of a deed is its primary."""

from __future__ import annotations

from detectors.engine import Engine

READS = (
    "record_id", "time", "duration_ms", "src_ip", "principal", "dst_host", "dst_port", "bytes_out", "bytes_in",
    "twin_uid", "twin_rank", "category", "credential_uid", "session_uid", "session_name", "identity_strength",
)  # fmt: skip
"""The columns of actions that are read here, besides those that `identify` makes."""


def settle(engine: Engine) -> None:
    """From `new_actions`, `renamed` and the lake make `primaries`: action_uid (as renamed), is_primary of what changes.

    Of cross-account twins the caller's copy is primary (the least twin_rank, then the least uid). Of a
    CONNECT and the requests seen inside it the inner ones are, unless the tunnel carried more than they
    show, or may have: a request beside a tunnel must not hide what went through it. A proxy's twin_rank, without a
    twin_uid, says what a line can be: 0 a request that was inside TLS, 1 a tunnel that was opened, 2 one that may
    have been; with null it is neither. Sizes that are unknown show nothing: where the bytes sent through a tunnel
    are, only one that surely was opened can be an outer record.
    """
    engine.let(
        "twins",
        """
        WITH stored AS (
            SELECT coalesce(r.new_uid, a.action_uid) AS action_uid, a.twin_uid, a.twin_rank, a.is_primary,
                   coalesce(r.flag, a.flag) AS flag, r.new_uid IS NOT NULL AS is_renamed
            FROM actions AS a LEFT JOIN renamed AS r ON r.record_id = a.record_id
            WHERE a.twin_uid IS NOT NULL
        ),
        shared AS (
            SELECT twin_uid FROM new_actions WHERE twin_uid IS NOT NULL
            UNION
            SELECT twin_uid FROM stored WHERE is_renamed
        ),
        members AS (
            SELECT action_uid, twin_uid, twin_rank, is_primary, flag FROM stored
            WHERE twin_uid IN (SELECT twin_uid FROM shared)
            UNION ALL
            SELECT action_uid, twin_uid, twin_rank, is_primary, flag FROM new_actions WHERE twin_uid IS NOT NULL
        )
        SELECT action_uid, is_primary AS was,
               flag IS NULL AND row_number() OVER (
                   PARTITION BY twin_uid
                   ORDER BY CASE WHEN flag IS NULL THEN 0 ELSE 1 END, twin_rank, action_uid) = 1 AS is_primary
        FROM members
        """,
    )
    seen = """
        SELECT action_uid, source, time, least(coalesce(duration_ms, 0), 31536000000) AS duration_ms, src_ip, principal,
               dst_host, dst_port, twin_rank, is_primary, bytes_out, bytes_in
        FROM {} WHERE category = 'proxy' AND twin_uid IS NULL AND twin_rank IS NOT NULL
    """
    engine.let(
        "tunnels",
        f"""
        WITH proxied AS ({seen.format("new_actions")} UNION ALL {seen.format("actions")}),
        inner_requests AS (SELECT * FROM proxied WHERE twin_rank = 0)
        SELECT t.action_uid
        FROM proxied AS t
        JOIN inner_requests AS q
          ON q.source = t.source AND q.dst_host = t.dst_host AND q.dst_port = t.dst_port AND q.src_ip = t.src_ip
         AND q.principal IS NOT DISTINCT FROM t.principal
         AND q.time <= t.time
         AND q.time >= t.time - to_milliseconds(t.duration_ms + 1000)
        WHERE t.twin_rank IN (1, 2) AND t.is_primary
            AND (t.twin_rank = 1 OR (t.bytes_out IS NOT NULL AND t.bytes_in IS NOT NULL))
        GROUP BY t.action_uid
        HAVING coalesce(max(t.bytes_out), 0) <= coalesce(sum(q.bytes_out), 0) + 65536
            AND coalesce(max(t.bytes_in), 0) <= coalesce(sum(q.bytes_in), 0) + 65536
        """,
    )
    engine.let(
        "primaries",
        """
        SELECT action_uid, is_primary FROM twins WHERE is_primary <> was
        UNION ALL
        SELECT action_uid, false FROM tunnels
        """,
    )


def acting(engine: Engine) -> None:
    """From `new_actions` and the lake make `acting`: the rows of `acts_as` as they must be now.

    The evidence of a row is the earliest action that says so (then the least uid), whatever came first.
    """
    told = "SELECT credential_uid, session_uid, principal, strength, session_name, evidence, first_seen FROM acts_as"
    engine.let("acting", _acting_sql("new_actions", f"UNION ALL {told}"))


def acting_anew(engine: Engine) -> None:
    """The same from all actions, as they are when `renamed` is carried out, and from nothing that was told before."""
    columns = "credential_uid, session_uid, principal, identity_strength, session_name, action_uid, time, flag"
    engine.let(
        "every_action",
        f"""
        SELECT a.credential_uid, a.session_uid, a.principal, a.identity_strength, a.session_name,
               coalesce(r.new_uid, a.action_uid) AS action_uid, a.time,
               CASE WHEN r.new_uid IS NULL THEN a.flag ELSE r.flag END AS flag
        FROM actions AS a LEFT JOIN renamed AS r ON r.record_id = a.record_id
        UNION ALL
        SELECT {columns} FROM new_actions
        """,
    )
    engine.let("acting", _acting_sql("every_action", ""))


def _acting_sql(actions: str, told_before: str) -> str:
    return f"""
        WITH said AS (
            SELECT credential_uid, session_uid, principal, coalesce(identity_strength, 'proven') AS strength,
                   session_name, action_uid AS evidence, time AS first_seen
            FROM {actions}
            WHERE (credential_uid IS NOT NULL OR session_uid IS NOT NULL OR principal IS NOT NULL) AND flag IS NULL
            {told_before}
        ),
        ordered AS (
            SELECT *, row_number() OVER (
                PARTITION BY credential_uid, session_uid, principal, strength ORDER BY first_seen, evidence) AS place
            FROM said
        )
        SELECT credential_uid, session_uid, principal, strength, session_name, evidence, first_seen
        FROM ordered WHERE place = 1
        """

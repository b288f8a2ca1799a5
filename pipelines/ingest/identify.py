"""Which event each parsed record tells of: action uids, copies, conflicting copies, twins.

Every function names a result of the engine; `batch_*` tables hold what was parsed, bare names the lake.
"""

from __future__ import annotations

import pyarrow as pa

from detectors.engine import Engine
from pipelines import schema
from pipelines.ingest import deeds
from pipelines.ingest.content import CANONICAL, canonical

CONFLICT = "another record of this id has other content"


def identify(engine: Engine) -> None:
    """From batch_objects, batch_records, batch_raw and batch_actions make `fates`, `renamed` and `new_actions`.

    `fates`: record_id, outcome, reason, action_uid (of the action that the record became or repeats).
    `renamed`: action_uid, new_uid, flag of stored actions whose uid goes to another copy.
    `new_actions`: rows of the actions table, of their columns NEW_ACTIONS.
    """
    occurrences(engine)
    named(engine)
    told(engine)
    contents(engine)
    ranked(engine)
    fates(engine)
    new_actions(engine)


def occurrences(engine: Engine) -> None:
    """A row a record without a native id: how many equal lines stand before it in its file."""
    engine.let(
        "plain",
        """
        SELECT r.record_id, r.content_sha256, r.source, r.ordinal, r.object_uid, o.object_uri, o.generation,
               o.byte_start
        FROM batch_records AS r
        JOIN batch_objects AS o ON o.object_index = r.object_index
        WHERE r.told_outcome = 'action' AND r.native_id IS NULL
        """,
    )
    _lines_before(engine)
    engine.let(
        "occurrences",
        """
        SELECT p.record_id,
               coalesce(b.seen, 0) + row_number() OVER (
                   PARTITION BY p.source, p.object_uri, p.generation, p.content_sha256
                   ORDER BY p.byte_start, p.ordinal) - 1 AS occurrence
        FROM plain AS p
        LEFT JOIN lines_before AS b ON b.source = p.source AND b.object_uri = p.object_uri
             AND b.generation = p.generation AND b.content_sha256 = p.content_sha256
        """,
    )


def _lines_before(engine: Engine) -> None:
    """`lines_before`: a row a line of a file that goes on in this batch: how often it stood in what came before.

    A copy of a known file keeps no records of its own; those of the file that it equals count.
    """
    columns = "object_uid, source, object_uri, generation, byte_start, byte_end, object_sha256"
    engine.let(
        "lines_before",
        f"""
        WITH continued AS (
            SELECT source, object_uri, generation, min(byte_start) AS byte_start
            FROM batch_objects WHERE NOT is_copy
            GROUP BY source, object_uri, generation HAVING min(byte_start) > 0
        ),
        places AS (
            SELECT {columns}, object_uid IS NULL AS is_copy FROM objects
            UNION ALL
            SELECT {columns}, is_copy FROM batch_objects
        ),
        earlier AS (
            SELECT c.source, c.object_uri, c.generation, p.object_uid, p.object_sha256, p.byte_start, p.is_copy
            FROM continued AS c
            JOIN places AS p ON p.source = c.source AND p.object_uri = c.object_uri AND p.generation = c.generation
             AND p.byte_end <= c.byte_start
        ),
        holders AS (
            SELECT source, object_uri, generation, object_uid FROM earlier WHERE NOT is_copy
            UNION
            SELECT e.source, e.object_uri, e.generation, p.object_uid
            FROM earlier AS e
            JOIN places AS p ON p.source = e.source AND p.object_sha256 = e.object_sha256
             AND p.byte_start = e.byte_start
            WHERE e.is_copy AND NOT p.is_copy
        ),
        lines AS (
            SELECT object_uid, content_sha256 FROM records WHERE outcome IN ('action', 'duplicate')
            UNION ALL
            SELECT object_uid, content_sha256 FROM plain
        )
        SELECT h.source, h.object_uri, h.generation, l.content_sha256, count(*) AS seen
        FROM holders AS h JOIN lines AS l ON l.object_uid = h.object_uid
        GROUP BY h.source, h.object_uri, h.generation, l.content_sha256
        """,
    )


def named(engine: Engine) -> None:
    """A row a record that is an action: the uid of its event, and where it stands in the batch."""
    engine.let(
        "named",
        """
        SELECT r.record_id,
               r.content_sha256,
               r.object_index * 1000000000 + r.ordinal AS place,
               r.format || ':' || CASE
                   WHEN r.native_id IS NULL
                   THEN r.realm || ':' || substr(r.content_sha256, 1, 32) || '#' || CAST(n.occurrence AS VARCHAR)
                   WHEN r.id_scope = 'world' THEN r.native_id
                   ELSE r.realm || ':' || r.native_id END AS event_uid
        FROM batch_records AS r
        LEFT JOIN occurrences AS n ON n.record_id = r.record_id
        WHERE r.told_outcome = 'action'
        """,
    )


def told(engine: Engine) -> None:
    """A row a telling of an event of the batch: the stored actions first, then the batch's records."""
    engine.let(
        "told",
        """
        SELECT a.event_uid, a.record_id, a.content_sha256, a.action_uid AS stored_uid, CAST(-1 AS BIGINT) AS place
        FROM actions AS a
        WHERE a.event_uid IN (SELECT event_uid FROM named)
        UNION ALL
        SELECT event_uid, record_id, content_sha256, CAST(NULL AS VARCHAR), place FROM named
        """,
    )


def contents(engine: Engine) -> None:
    """A row a telling of an event that is told in more than one spelling: a hash of what it says."""
    engine.let(
        "spellings",
        """
        SELECT t.record_id
        FROM told AS t
        JOIN (SELECT event_uid FROM told GROUP BY event_uid HAVING count(DISTINCT content_sha256) > 1) AS e
             ON e.event_uid = t.event_uid
        """,
    )
    if engine.query("SELECT record_id FROM spellings LIMIT 1").num_rows == 0:
        engine.let("contents", CANONICAL.empty_table())
        return
    engine.let(
        "spelled",
        """
        SELECT record_id, raw FROM records WHERE record_id IN (SELECT record_id FROM spellings)
        UNION ALL
        SELECT record_id, raw FROM batch_raw WHERE record_id IN (SELECT record_id FROM spellings)
        """,
    )
    engine.each("contents", "spelled", canonical, CANONICAL)


def ranked(engine: Engine) -> None:
    """A row a telling: the uid that its content has, and whether it is the first telling of it."""
    engine.let(
        "ranked",
        f"""
        WITH said AS (
            SELECT t.*, coalesce(c.canonical, t.content_sha256) AS content
            FROM told AS t LEFT JOIN contents AS c ON c.record_id = t.record_id
        ),
        least AS (SELECT event_uid, min(content) AS content FROM said GROUP BY event_uid)
        SELECT s.record_id, s.event_uid, s.stored_uid, s.place,
               CASE WHEN s.content = l.content THEN s.event_uid
                    ELSE s.event_uid || '~' || substr(s.content, 1, 8) END AS action_uid,
               CASE WHEN s.content <> l.content THEN '{CONFLICT}' END AS flag,
               row_number() OVER (PARTITION BY s.event_uid, s.content ORDER BY s.place, s.record_id) = 1 AS is_first
        FROM said AS s JOIN least AS l ON l.event_uid = s.event_uid
        """,
    )
    engine.let(
        "renamed",
        """
        SELECT stored_uid AS action_uid, action_uid AS new_uid, record_id, flag
        FROM ranked WHERE stored_uid IS NOT NULL AND stored_uid <> action_uid
        """,
    )


def fates(engine: Engine) -> None:
    """A row a record of the batch: what became of it and why."""
    engine.let(
        "fates",
        """
        SELECT r.record_id,
               CASE WHEN r.reason IS NOT NULL OR r.told_outcome IS NULL THEN 'error'
                    WHEN r.told_outcome <> 'action' THEN r.told_outcome
                    WHEN k.is_first THEN 'action' ELSE 'duplicate' END AS outcome,
               CASE WHEN r.reason IS NOT NULL THEN r.reason
                    WHEN r.told_outcome IS NULL THEN 'the format gave no row for this record'
                    WHEN r.told_outcome <> 'action' THEN r.told_reason
                    WHEN NOT k.is_first THEN 'tells again of ' || k.action_uid ELSE k.flag END AS reason,
               k.action_uid
        FROM batch_records AS r
        LEFT JOIN ranked AS k ON k.record_id = r.record_id AND k.stored_uid IS NULL
        """,
    )


_FROM_HERE = {
    "action_uid": "k.action_uid",
    "event_uid": "k.event_uid",
    "deed_uid": "coalesce(a.twin_uid, k.event_uid)",
    "is_primary": "k.flag IS NULL",
    "source": "r.source",
    "format": "r.format",
    "ingested_at": "i.ingested_at",
    "content_sha256": "r.content_sha256",
    "flag": "k.flag",
}

NEW_ACTIONS = (*_FROM_HERE, *deeds.READS)
"""The columns of `new_actions`."""


def new_actions(engine: Engine) -> None:
    """The rows that the batch adds to `actions`, with what deeds are settled by; the rest waits in batch_actions."""
    columns = ", ".join(f'{_FROM_HERE.get(name, f"a.{name}")} AS "{name}"' for name in NEW_ACTIONS)
    engine.let(
        "new_actions",
        f"""
        SELECT {columns}
        FROM batch_actions AS a
        JOIN batch_records AS r ON r.record_id = a.record_id
        JOIN ranked AS k ON k.record_id = a.record_id AND k.stored_uid IS NULL
        CROSS JOIN batch_clock AS i
        WHERE k.is_first
        """,
    )


def new_grants(engine: Engine) -> pa.Table:
    """The rows that the batch adds to `grants`: those of its new actions, each once."""
    columns = ", ".join(f"g.{name}" for name in schema.GRANTS.columns if name not in {"grant_uid", "action_uid"})
    return engine.query(
        f"""
        SELECT DISTINCT {grant_uid("f.action_uid")} AS grant_uid, f.action_uid, {columns}
        FROM batch_grants AS g
        JOIN fates AS f ON f.record_id = g.record_id AND f.outcome = 'action'
        """
    )


def moved_grants(engine: Engine) -> None:
    """`moved_grants`: old_uid, new_uid (of the action) and new_grant_uid of the grants of a stored action that is
    renamed. `new_uids`: the action_uid of every new action.
    """
    engine.let(
        "moved_grants",
        f"""
        SELECT g.grant_uid AS old_uid, r.new_uid, {grant_uid("r.new_uid")} AS new_grant_uid
        FROM grants AS g JOIN renamed AS r ON r.action_uid = g.action_uid
        """,
    )
    engine.let("new_uids", "SELECT action_uid FROM new_actions")


def grant_uid(action_uid: str, grant: str = "g") -> str:
    """SQL for a grant's uid: a hash of its evidence and its ends."""
    parts = ", ".join(f"coalesce({grant}.{name}, '')" for name in ("kind", "mechanism", "parent_uid", "child_uid"))
    return f"substr(sha256(concat_ws('|', {action_uid}, {parts})), 1, 32)"

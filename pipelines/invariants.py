"""What must hold of the lake after each stage, each as a query for the rows that break it.

Dagster shows them as asset checks; a blocking one stops the run before the next stage builds on what is wrong.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from detectors.engine import Engine
from detectors.findings import printable
from pipelines.detect.revise import MAX_EVIDENCE
from pipelines.lake.duckdb_engine import DuckDBEngine
from pipelines.lake.store import Lake
from pipelines.lake.views import attributions_sql

SHOWN = 5
"""How many of the rows that break an invariant are named."""

BOUND_ACTIONS = """(
    SELECT * FROM actions WHERE ingested_at <= (SELECT max(committed_at) FROM stages WHERE stage = 'b')
)"""
"""The actions that stage (b) has seen: what another run added since is bound by the next stage (b)."""


@dataclass(frozen=True)
class Invariant:
    """`broken` selects one column, `uid`: the rows of `table` that must not be. It may read `attributed`."""

    name: str
    table: str
    says: str
    broken: str
    blocking: bool = True


@dataclass(frozen=True)
class Verdict:
    """How many rows break an invariant, and the first of them."""

    invariant: Invariant
    broken: int = 0
    first: tuple[str, ...] = ()

    @property
    def holds(self) -> bool:
        return self.broken == 0


OF_INGEST = (
    Invariant(
        "every_uid_names_one_action",
        "actions",
        "No action_uid is there twice.",
        "SELECT action_uid AS uid FROM actions GROUP BY action_uid HAVING count(*) > 1",
    ),
    Invariant(
        "every_action_was_read_from_a_record",
        "actions",
        "Every action leads to a record whose outcome is `action`.",
        """
        SELECT a.action_uid AS uid FROM actions AS a
        ANTI JOIN (SELECT record_id FROM records WHERE outcome = 'action') AS r ON r.record_id = a.record_id
        """,
    ),
    Invariant(
        "every_grant_has_its_action",
        "grants",
        "Every grant names the action that is its evidence.",
        "SELECT g.grant_uid AS uid FROM grants AS g ANTI JOIN actions AS a ON a.action_uid = g.action_uid",
    ),
)
OF_STITCHING = (
    Invariant(
        "every_action_is_attributed_once",
        "bindings",
        "Every action has one attribution, and its strength is one of the five.",
        f"""
        SELECT a.action_uid AS uid FROM {BOUND_ACTIONS} AS a
        LEFT JOIN (
            SELECT action_uid, count(*) AS times,
                   count(*) FILTER (WHERE strength IN ('proven', 'asserted', 'inferred', 'ambiguous', 'none')) AS graded
            FROM attributed GROUP BY action_uid
        ) AS t ON t.action_uid = a.action_uid
        WHERE coalesce(t.times, 0) <> 1 OR t.graded <> 1
        """,
    ),
    Invariant(
        "every_chain_of_an_action_is_kept",
        "chains",
        "Every chain that an action is attributed to is there.",
        """
        SELECT DISTINCT t.chain_id AS uid FROM attributed AS t ANTI JOIN chains AS c ON c.chain_id = t.chain_id
        WHERE t.chain_id IS NOT NULL
        """,
    ),
)
OF_DETECTION = (
    Invariant(
        "every_finding_can_be_followed_down",
        "findings",
        "The evidence of every finding that is not resolved is frozen, with its raw text and the object's SHA-256.",
        f"""
        SELECT DISTINCT f.finding_uid AS uid
        FROM (SELECT finding_uid, unnest(evidence[1:{MAX_EVIDENCE}]) AS action_uid
              FROM findings WHERE status <> 'resolved') AS f
        ANTI JOIN (SELECT finding_uid, action_uid FROM evidence
                   WHERE raw IS NOT NULL AND object_sha256 IS NOT NULL) AS e
          ON e.finding_uid = f.finding_uid AND e.action_uid = f.action_uid
        """,
        blocking=False,
    ),
    Invariant(
        "every_alert_tells_of_a_finding",
        "alerts",
        "Every alert names a finding that is there.",
        "SELECT a.alert_uid AS uid FROM alerts AS a ANTI JOIN findings AS f ON f.finding_uid = a.finding_uid",
        blocking=False,
    ),
)


def judge(lake: Lake, invariants: Sequence[Invariant]) -> list[Verdict]:
    """Each invariant's verdict, all at one snapshot. Where there is no lake yet, all hold."""
    if not lake.exists:
        return [Verdict(one) for one in invariants]
    with lake.reading() as connection:
        connection.execute("BEGIN")
        return verdicts(DuckDBEngine(connection), invariants)


def verdicts(engine: Engine, invariants: Sequence[Invariant]) -> list[Verdict]:
    """The same, of what the engine's transaction sees."""
    if any("attributed" in one.broken for one in invariants):
        engine.let("attributed", attributions_sql(actions=BOUND_ACTIONS))
    return [_verdict(engine, one) for one in invariants]


def _verdict(engine: Engine, invariant: Invariant) -> Verdict:
    rows = engine.query(
        f"SELECT uid, count(*) OVER () AS broken FROM ({invariant.broken}) AS wrong ORDER BY uid LIMIT {SHOWN}"
    ).to_pylist()
    first = tuple(printable(str(row["uid"])) for row in rows)
    return Verdict(invariant, rows[0]["broken"] if rows else 0, first)

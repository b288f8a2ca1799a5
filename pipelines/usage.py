"""A worker's declared authority against what it used: what `workertrail worker` shows.

The scope is judged as detectors judge it, and the questions are those of the report's page of a worker, so that
the two never tell different things.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import duckdb

from detectors.glob import matches_sql
from detectors.manifest_model import Manifest
from pipelines.lake.duckdb_engine import DuckDBEngine
from pipelines.lake.store import Lake
from pipelines.lake.views import holds
from pipelines.report import queries_limits as limits
from pipelines.report import queries_workers as queries
from pipelines.report.prepare import prepare
from pipelines.report.selection import Bounds, Selection
from pipelines.settings import Source

Row = dict[str, Any]

STRENGTHS = ("proven", "asserted", "inferred", "ambiguous", "none")


@dataclass(frozen=True)
class WorkerUse:
    """One worker over a period of event time (naive UTC). `manifest` is null where no run ever saw one.

    `identities` and `undeclared` tell actions by strength; `lines` is the scope (and the secrets) with how often
    each line decided, and what else allowed or denied actions (without file and line); `outside` what no line allows;
    `limits` has the highest that was observed, null where nothing was measured.
    """

    worker: str
    since: datetime | None
    until: datetime | None
    manifest: Row | None
    actions: int
    strengths: Mapping[str, int]
    identities: Sequence[Row]
    undeclared: Sequence[Row]
    verdicts: Mapping[str, int]
    lines: Sequence[Row]
    outside: Sequence[Row]
    limits: Sequence[Row]
    delegators: Sequence[Row]
    chains: Sequence[Row]
    findings: Sequence[Row]


def is_known(lake: Lake, worker: str, snapshot: int | None = None) -> bool:
    """Whether a manifest, a binding, an inferred action or a finding names the worker, at a snapshot."""
    tables = ("manifests", "bindings", "inferred", "findings")
    asked = " UNION ALL ".join(f"SELECT 1 FROM {table} WHERE worker = $worker" for table in tables)
    with lake.reading(snapshot) as connection:
        return connection.execute(f"SELECT * FROM ({asked}) LIMIT 1", {"worker": worker}).fetchone() is not None


def workers(lake: Lake) -> list[Row]:
    """One row a worker that a manifest declares or that acted: actions, the weakest strength, open findings, when."""
    with lake.reading() as connection:
        rows: list[Row] = connection.execute(_WORKERS).to_arrow_table().to_pylist()
    return rows


_WORKERS = """
    WITH acted AS (
        SELECT t.worker, count(*) AS actions, count(*) FILTER (WHERE t.strength = 'proven') AS proven,
               max(a.time) AS last_at
        FROM attributions AS t JOIN actions AS a ON a.action_uid = t.action_uid
        WHERE t.worker IS NOT NULL AND a.is_primary GROUP BY t.worker
    ),
    found AS (SELECT worker, count(*) AS findings FROM findings WHERE status = 'open' GROUP BY worker),
    declared AS (SELECT DISTINCT worker FROM manifests),
    named AS (
        SELECT worker FROM declared UNION SELECT worker FROM acted UNION SELECT worker FROM found WHERE worker <> ''
    )
    SELECT n.worker, d.worker IS NOT NULL AS declared, coalesce(a.actions, 0) AS actions,
           coalesce(a.proven, 0) AS proven, coalesce(f.findings, 0) AS open_findings, a.last_at
    FROM named AS n
    LEFT JOIN declared AS d ON d.worker = n.worker
    LEFT JOIN acted AS a ON a.worker = n.worker
    LEFT JOIN found AS f ON f.worker = n.worker
    ORDER BY open_findings DESC, actions DESC, n.worker
"""


def of_worker(lake: Lake, sources: Sequence[Source], worker: str, days: int, rows: int = 15) -> WorkerUse | None:
    """What a worker did in its last `days` days, against its manifest; null where nothing is known of it.

    At most `rows` entries of the lists that logs can make long.
    """
    with lake.reading() as connection:
        connection.execute("BEGIN")  # every question is answered from one snapshot
        engine = DuckDBEngine(connection)
        period = _period(connection, worker, days)
        _narrow(engine, period)
        bounds = Bounds(findings=rows, workers=1, chains=0, other_chains=0, rows=rows)
        prepare(engine, sources, period, bounds)
        head = next(iter(engine.query(queries.heads_sql()).to_pylist()), None)
        if head is None:
            return None
        _measure(engine, period)
        return _gathered(engine, head, period, bounds)


def _period(connection: duckdb.DuckDBPyConnection, worker: str, days: int) -> Selection:
    """The worker's last days: up to its latest action."""
    row = connection.execute(
        """
        SELECT max(a.time) FROM attributions AS t JOIN actions AS a ON a.action_uid = t.action_uid WHERE t.worker = ?
        """,
        [worker],
    ).fetchone()
    last = row[0] if row else None
    if last is None:
        return Selection(worker=worker)
    until = last + timedelta(microseconds=1)
    return Selection(until - timedelta(days=days), until, worker)


def _narrow(engine: DuckDBEngine, period: Selection) -> None:
    """Put a temporary table in the place of `actions`: those that can be this worker's, of the period alone.

    So the cost follows one worker's actions, not the lake's.
    """
    engine.connection.execute(
        "CREATE OR REPLACE TEMP TABLE asked AS SELECT CAST(? AS VARCHAR) AS worker", [period.worker]
    )
    engine.let(
        "own_names",
        """
        SELECT uid FROM bindings WHERE worker IN (SELECT worker FROM asked)
        UNION
        SELECT uid FROM (SELECT uid, unnest(candidates) AS candidate FROM bindings) AS listed
        WHERE candidate.worker IN (SELECT worker FROM asked)
        """,
    )
    engine.let(
        "actions",
        f"""
        SELECT * FROM lake.main.actions
        WHERE {period.within("time")} AND (
            credential_uid IN (SELECT uid FROM own_names) OR session_uid IN (SELECT uid FROM own_names)
            OR principal IN (SELECT uid FROM own_names)
            OR action_uid IN (SELECT action_uid FROM inferred WHERE worker IN (SELECT worker FROM asked))
        )
        """,
    )


def _measure(engine: DuckDBEngine, period: Selection) -> None:
    """The tables that the questions of the report's page of a worker read."""
    engine.let("all_identities_latest", queries.identities_sql())
    engine.let("used_names", queries.used_names_sql())
    engine.let("shown_limits", limits.limits_sql())
    engine.let("amounts", limits.amounts_sql())
    engine.let("summed_levels", limits.summed_levels_sql(period))
    engine.let("things", limits.things_sql())
    engine.let("distinct_levels", limits.distinct_levels_sql(period))
    engine.let("credential_levels", limits.credential_levels_sql(period))
    engine.let("names_used", NAMES_USED)


NAMES_USED = f"""
    WITH acted AS (
        SELECT r.bound_uid, b.valid_from, r.principal, r.strength, count(*) AS actions, min(r.time) AS first_at,
               max(r.time) AS last_at
        FROM reported AS r LEFT JOIN bindings AS b ON b.uid = r.bound_uid AND {holds("b", "r.time")}
        GROUP BY r.bound_uid, b.valid_from, r.principal, r.strength
    ),
    ways AS (
        SELECT uid, valid_from, uid AS name FROM bindings
        UNION
        SELECT uid, valid_from, hop."to" FROM (SELECT uid, valid_from, unnest(path) AS hop FROM bindings) AS hops
    ),
    named AS (
        SELECT a.*, w.name
        FROM acted AS a JOIN ways AS w ON w.uid = a.bound_uid AND w.valid_from IS NOT DISTINCT FROM a.valid_from
        UNION
        SELECT a.*, a.principal FROM acted AS a WHERE a.principal IS NOT NULL
    )
    SELECT name, strength, CAST(sum(actions) AS BIGINT) AS actions, min(first_at) AS first_at, max(last_at) AS last_at
    FROM named GROUP BY name, strength
"""
"""A row a name and strength: the actions that bear it, or that lead up to it."""

_IDENTITIES = f"""
    WITH met AS (
        SELECT d.uid, u.strength, u.actions, u.first_at, u.last_at
        FROM all_identities_latest AS d JOIN names_used AS u ON u.name = d.uid
        WHERE d.worker IN (SELECT worker FROM asked) AND NOT d.is_pattern
        UNION ALL
        SELECT d.uid, u.strength, u.actions, u.first_at, u.last_at
        FROM all_identities_latest AS d JOIN names_used AS u ON {matches_sql("u.name", "d.uid_like")}
        WHERE d.worker IN (SELECT worker FROM asked) AND d.is_pattern
    )
    SELECT d.uid, d.shared, m.strength, CAST(sum(m.actions) AS BIGINT) AS actions, min(m.first_at) AS first_at,
           max(m.last_at) AS last_at
    FROM all_identities_latest AS d LEFT JOIN met AS m ON m.uid = d.uid
    WHERE d.worker IN (SELECT worker FROM asked)
    GROUP BY d.uid, d.shared, m.strength ORDER BY d.uid, m.strength
"""

BOUNDS = ("networks", "schedule", "provenance", "instantiators", "delegators")
"""The bounds of a manifest, beside scope and limits, that `workertrail worker` tells."""

_OTHERWISE = """
    SELECT r.verdict AS effect,
           CASE WHEN r.manifest_sha <> m.sha256 THEN 'by an earlier version of the manifest'
                ELSE 'what the worker is: a role among its identities' END AS line_says,
           CAST(NULL AS VARCHAR) AS file, CAST(NULL AS BIGINT) AS line, count(*) AS actions,
           count(*) FILTER (WHERE r.tried) AS tried, max(r.time) AS last_at
    FROM reported AS r JOIN latest_manifests AS m ON m.worker = r.worker
    WHERE r.worker IN (SELECT worker FROM asked) AND r.verdict IN ('allow', 'deny')
      AND (r.line IS NULL OR r.manifest_sha <> m.sha256)
    GROUP BY 1, 2 ORDER BY line_says DESC, effect
"""
"""What allowed or denied actions and is no line of the manifest, so that the rows add up to the verdicts."""

_LIMITS = """
    SELECT l.measure, l.at_most, l.per_seconds, l.file, l.line,
           -- every action says whether it was denied, so none that was is a measure too
           coalesce(max(v.held), CASE WHEN l.measure = 'denied' AND (SELECT count(*) FROM reported) > 0 THEN 0 END)
               AS highest,
           arg_max(v.bin, v.held) AS at
    FROM shown_limits AS l
    LEFT JOIN ({levels}) AS v
      ON v.worker = l.worker AND v.measure = l.measure AND coalesce(v.per_seconds, 0) = coalesce(l.per_seconds, 0)
    GROUP BY l.measure, l.at_most, l.per_seconds, l.file, l.line ORDER BY l.line, l.measure
"""


def _gathered(engine: DuckDBEngine, head: Row, period: Selection, bounds: Bounds) -> WorkerUse:
    def rows(sql: str) -> list[Row]:
        found: list[Row] = engine.query(sql).to_pylist()
        return found

    strengths = {row["strength"]: row["n"] for row in rows("SELECT strength, count(*) AS n FROM reported GROUP BY 1")}
    manifest = _manifest(head)
    return WorkerUse(
        worker=head["worker"],
        since=period.since,
        until=period.until,
        manifest=manifest,
        actions=head["actions"],
        strengths={name: strengths[name] for name in STRENGTHS if name in strengths},
        identities=_identities(rows(_IDENTITIES)),
        undeclared=rows(queries.undeclared_sql(bounds)),
        verdicts={row["verdict"]: row["actions"] for row in rows(queries.verdicts_sql())},
        lines=[*_lines(head, rows(queries.lines_used_sql())), *rows(_OTHERWISE)],
        outside=rows(_outside_sql(bounds)),
        limits=rows(_LIMITS.format(levels=limits.levels_sql())),
        delegators=rows(_delegators_sql(bounds)),
        chains=rows(_chains_sql(bounds)),
        findings=rows(
            "SELECT finding_uid, severity, status, detector, window_start, title FROM findings"
            " WHERE worker IN (SELECT worker FROM asked) AND status IN ('open', 'acknowledged')"
            " ORDER BY list_position(['critical', 'high', 'medium', 'low', 'info'], severity), window_start"
        ),
    )


def _outside_sql(bounds: Bounds) -> str:
    """What no line of the manifest allows or a line denies, most used first; `of` is how many such things there are."""
    return f"""
    SELECT *, count(*) OVER () AS of FROM (
        SELECT verdict, CASE kind WHEN 'net' THEN dst_host WHEN 'model' THEN model WHEN 'tool' THEN account
                ELSE api_service END AS what,
            CASE kind WHEN 'net' THEN http_method WHEN 'tool' THEN tool ELSE api_operation END AS operation,
            file, line, min(resource_uid) AS example, count(*) AS actions, count(*) FILTER (WHERE tried) AS tried,
            max(time) AS last_at
        FROM reported WHERE verdict IN ('out', 'deny') GROUP BY ALL
    ) AS grouped
    ORDER BY actions DESC, what, operation LIMIT {bounds.rows}
    """


def _delegators_sql(bounds: Bounds) -> str:
    return f"""
    SELECT delegator, count(*) AS actions, max(time) AS last_at, count(*) OVER () AS of
    FROM reported WHERE delegator IS NOT NULL GROUP BY delegator ORDER BY actions DESC, delegator LIMIT {bounds.rows}
    """


def _chains_sql(bounds: Bounds) -> str:
    return f"""
    SELECT chain_id, started_at, ended_at, actions, systems, hops, bytes_out, strength, delegator, findings,
           count(*) OVER () AS of
    FROM chains_ranked ORDER BY started_at DESC, chain_id LIMIT {bounds.rows}
    """


def _manifest(head: Row) -> Row | None:
    """The manifest that is in force at the end of the period, as data."""
    if head["document"] is None:
        return None
    document = json.loads(head["document"])
    told = ("owner", "purpose", "role", "mode", "environment", "valid", *BOUNDS)
    return {"file": head["file"], "sha256": head["sha256"], **{key: document.get(key) for key in told}}


def _identities(rows: Sequence[Row]) -> list[Row]:
    """One row a declared identity, with its actions by strength."""
    found: dict[str, Row] = {}
    for row in rows:
        entry = found.setdefault(
            row["uid"],
            {
                "uid": row["uid"],
                "shared": row["shared"],
                "actions": 0,
                "strengths": {},
                "first_at": None,
                "last_at": None,
            },
        )
        if row["strength"] is not None:
            entry["actions"] += row["actions"]
            entry["strengths"][row["strength"]] = row["actions"]
            entry["first_at"] = min(filter(None, (entry["first_at"], row["first_at"])))
            entry["last_at"] = max(filter(None, (entry["last_at"], row["last_at"])))
    return list(found.values())


def _lines(head: Row, used: Sequence[Row]) -> list[Row]:
    """Every line of the scope, and of the secrets, with how many actions it decided."""
    if head["document"] is None:
        return []
    manifest = Manifest.model_validate_json(head["document"]).placed(head["file"], json.loads(head["lines"] or "{}"))
    scope = [
        (line.effect, _target(line.target.dimensions), manifest.line("scope", place))
        for place, line in enumerate(manifest.scope)
    ]
    secrets = [
        ("allow", f"secret {glob}", manifest.line("secrets", place)) for place, glob in enumerate(manifest.secrets)
    ]
    return [_line(manifest.file, effect, text, line, used) for effect, text, line in [*scope, *secrets]]


def _target(dimensions: Mapping[str, Sequence[str]]) -> str:
    return "; ".join(f"{name} {', '.join(globs)}" for name, globs in dimensions.items())


def _line(file: str, effect: str, text: str, line: int | None, used: Sequence[Row]) -> Row:
    own = [row for row in used if row["line"] == line and row["verdict"] == effect]
    return {
        "effect": effect,
        "line_says": text,
        "file": file,
        "line": line,
        "actions": sum(row["actions"] for row in own),
        "tried": sum(row["tried"] for row in own),
        "last_at": max((row["last_at"] for row in own), default=None),
    }

"""The truth joined to the lake's actions by the records' own ids; tables on an engine that reads one snapshot."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from pipelines.evaluate.truth import Truth, TruthError
from pipelines.lake.duckdb_engine import DuckDBEngine
from pipelines.lake.store import literal
from pipelines.settings import Source

LEAST = 0.5
"""The least share of the truth's records in the lake, and of the lake's actions in the truth. Ids are drawn by the
seed, so another world shares none, while the same one shares all but what was not read yet."""


def match(engine: DuckDBEngine, truth: Truth, sources: Sequence[Source]) -> None:
    """Make `true_events`, `met`, `unread` and `said`.

    `true_events`: one row a record that was written, equal copies counted once: format, native_id, event, at,
    system, worker, delegator, run, incident, lookalike, is_copy, issued.
    `met`: one row an action of the lake that the truth knows: action_uid, is_first (no conflicting copy of
    another), time, and the columns of `true_events`.
    `unread`: format, line (32 hex digits): what the lake keeps as records that are no actions (a proxy's challenge
    that names nobody).
    `said`: what the lake says of each action (the columns of the view `attributions`).

    Raises TruthError where the truth is of another world than the lake.
    """
    events = literal(str(truth.file("events")))
    engine.let(
        "true_events",
        f"""
        SELECT format, native_id, min(event) AS event, CAST(min("at") AS TIMESTAMP) AS "at", min(system) AS system,
               CAST(min(worker) AS VARCHAR) AS worker, CAST(min(delegator) AS VARCHAR) AS delegator,
               CAST(min(run) AS VARCHAR) AS run, CAST(min(incident) AS VARCHAR) AS incident,
               CAST(min(lookalike) AS VARCHAR) AS lookalike, bool_and(is_copy) AS is_copy,
               coalesce(bool_and(issued), true) AS issued
        FROM read_parquet({events}) GROUP BY format, native_id
        """,
    )
    engine.let("realms", pa.table({"source": [one.name for one in sources], "realm": [one.realm for one in sources]}))
    engine.let(
        "keyed",
        """
        SELECT a.action_uid, a.action_uid = a.event_uid AS is_first, a.time, a.format,
               CASE WHEN starts_with(a.rest, coalesce(r.realm, '') || ':') THEN substr(a.rest, length(r.realm) + 2)
                    ELSE a.rest END AS native_id
        FROM (SELECT action_uid, event_uid, time, format, source, substr(event_uid, length(format) + 2) AS rest
              FROM actions) AS a
        LEFT JOIN realms AS r ON r.source = a.source
        """,
    )
    engine.let(
        "met",
        """
        SELECT k.action_uid, k.is_first, k.time, t.*
        FROM keyed AS k JOIN true_events AS t ON t.format = k.format AND t.native_id = k.native_id
        """,
    )
    _same_world(engine, truth)
    engine.let(
        "unread",
        "SELECT DISTINCT format, substr(content_sha256, 1, 32) AS line FROM records WHERE outcome = 'skipped'",
    )
    engine.let(
        "said",
        """
        SELECT action_uid, worker, strength, confidence, delegator, chain_id, candidates, reason FROM attributions
        """,
    )


def _same_world(engine: DuckDBEngine, truth: Truth) -> None:
    counts = engine.query(
        """
        SELECT (SELECT count(*) FROM true_events) AS written, (SELECT count(*) FROM keyed) AS actions,
               (SELECT count(*) FROM met) AS known, (SELECT count(*) FROM met WHERE is_first) AS seen
        """
    ).to_pylist()[0]
    written, actions, known, seen = (int(counts[name]) for name in ("written", "actions", "known", "seen"))
    place = f"{truth.folder} (seed {truth.seed})"
    if not written:
        raise TruthError(f"{truth.file('events')}: is empty: write the world anew with `workertrail world`")
    if not actions:
        raise TruthError(f"the lake has no actions to hold against {place}: `workertrail run` reads the world's logs")
    advice = "evaluate with the configuration of the world that this truth lies in, after `workertrail run`"
    if seen < LEAST * written:
        raise TruthError(f"{place} is the truth of another world: the lake knows {seen:,} of its {written:,} records;"
                         f" {advice}")  # fmt: skip
    if known < LEAST * actions:
        raise TruthError(f"{place} is the truth of another world: it knows {known:,} of the lake's {actions:,} actions;"
                         f" {advice}, in a lake of its own")  # fmt: skip

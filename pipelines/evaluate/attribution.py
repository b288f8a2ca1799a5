"""Who did it, against who did it truly: precision and recall by strength and system, delegators and chains."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from pipelines.evaluate.calibration import BINS
from pipelines.evaluate.share import Share
from pipelines.lake.duckdb_engine import DuckDBEngine
from pipelines.stitch.strength import ORDER

STRENGTHS = tuple(reversed(ORDER))
"""In falling order."""

EXAMPLES = 25
"""Causes of each kind that are told, the most frequent first."""


def judge(engine: DuckDBEngine) -> None:
    """From `true_events`, `met` and `said` make `judged`: one row a record of the truth that is no copy.

    `verdict`: `right` (the lake names the true worker), `wrong` (another worker), `person` (a worker for what was no
    worker's), `nobody`, `absent` (the lake has no such action), `unread` (it keeps the record, which is no action).
    `listed`: the true worker is a candidate. `delegation` (of a worker's actions that are there): `right`, `wrong`,
    `of another kind` (of name: an Okta user where truth has a mail address), `unnamed`, `invented` or `none`.
    """
    engine.let(
        "judged",
        """
        SELECT t.system, t.issued, t.worker AS true_worker, t.worker IS NOT NULL AS is_worker, t.run, m.action_uid,
               coalesce(m.action_uid, t.format || ':' || t.native_id) AS named,
               s.worker, coalesce(s.strength, 'none') AS strength, s.confidence, s.chain_id, s.reason,
               CASE WHEN u.line IS NOT NULL THEN 'unread' WHEN m.action_uid IS NULL THEN 'absent'
                    WHEN s.worker IS NULL THEN 'nobody'
                    WHEN t.worker IS NULL THEN 'person' WHEN s.worker = t.worker THEN 'right' ELSE 'wrong'
                    END AS verdict,
               s.worker IS NULL AND coalesce(
                   list_contains(list_transform(s.candidates, lambda one: one.worker), t.worker), false) AS listed,
               CASE WHEN m.action_uid IS NULL OR t.worker IS NULL THEN NULL
                    WHEN t.delegator IS NULL THEN CASE WHEN s.delegator IS NULL THEN 'none' ELSE 'invented' END
                    WHEN s.delegator IS NULL THEN 'unnamed'
                    WHEN s.delegator = t.delegator THEN 'right'
                    WHEN split_part(s.delegator, '/', 1) <> split_part(t.delegator, '/', 1) THEN 'of another kind'
                    ELSE 'wrong' END AS delegation
        FROM true_events AS t
        LEFT JOIN met AS m ON m.is_first AND m.format = t.format AND m.native_id = t.native_id
        LEFT JOIN said AS s ON s.action_uid = m.action_uid
        LEFT JOIN unread AS u ON m.action_uid IS NULL AND u.format = t.format
             AND u.line = split_part(t.native_id, '#', 1)
        WHERE NOT t.is_copy
        """,
    )


def tally(engine: DuckDBEngine) -> pl.DataFrame:
    """`judged`, counted: system, issued, is_worker, strength, verdict, listed, delegation, bin, n, confidence (sum).

    `bin` (of actions with a worker): where in the reliability diagram the confidence lies, 1.0 in the last bin.
    """
    return pl.DataFrame(
        engine.query(
            f"""
            SELECT system, issued, is_worker, strength, verdict, listed, delegation,
                   CASE WHEN worker IS NOT NULL
                        THEN least(CAST(floor(confidence * {BINS}) AS BIGINT), {BINS - 1}) END AS bin,
                   count(*) AS n, sum(CASE WHEN worker IS NOT NULL THEN confidence ELSE 0 END) AS confidence
            FROM judged GROUP BY ALL ORDER BY ALL
            """
        )
    )


def chain_tally(engine: DuckDBEngine) -> pl.DataFrame:
    """One row: chains, in_chains (actions), of_run and of_worker (those of the majority); runs, in_runs, in_largest."""
    return pl.DataFrame(
        engine.query(
            """
            WITH pieces AS (
                SELECT chain_id, run, true_worker, count(*) AS n FROM judged WHERE action_uid IS NOT NULL GROUP BY ALL
            ),
            by_worker AS (
                SELECT chain_id, true_worker, sum(n) AS n FROM pieces WHERE chain_id IS NOT NULL GROUP BY ALL
            ),
            majorities AS (
                SELECT chain_id, sum(n) AS n, max(CASE WHEN run IS NOT NULL THEN n ELSE 0 END) AS of_run
                FROM pieces WHERE chain_id IS NOT NULL GROUP BY chain_id
            ),
            workers AS (
                SELECT chain_id, max(CASE WHEN true_worker IS NOT NULL THEN n ELSE 0 END) AS of_worker
                FROM by_worker GROUP BY chain_id
            ),
            by_run AS (
                SELECT run, sum(n) AS n, max(CASE WHEN chain_id IS NOT NULL THEN n ELSE 0 END) AS in_largest
                FROM (SELECT run, chain_id, sum(n) AS n FROM pieces WHERE run IS NOT NULL GROUP BY ALL) AS parts
                GROUP BY run
            )
            SELECT count(*) AS chains, CAST(coalesce(sum(m.n), 0) AS BIGINT) AS in_chains,
                   CAST(coalesce(sum(m.of_run), 0) AS BIGINT) AS of_run,
                   CAST(coalesce(sum(w.of_worker), 0) AS BIGINT) AS of_worker,
                   (SELECT count(*) FROM by_run) AS runs,
                   (SELECT CAST(coalesce(sum(n), 0) AS BIGINT) FROM by_run) AS in_runs,
                   (SELECT CAST(coalesce(sum(in_largest), 0) AS BIGINT) FROM by_run) AS in_largest
            FROM majorities AS m JOIN workers AS w ON w.chain_id = m.chain_id
            """
        )
    )


def causes(engine: DuckDBEngine) -> pl.DataFrame:
    """What went wrong, the most frequent first, EXAMPLES of each verdict with an action each.

    Columns: verdict (`wrong`, `person`, `nobody`, `absent`; the last two of a worker's records alone), system,
    strength, issued, true_worker, worker, reason (what tells single sessions and keys apart cut out), actions,
    example (its action_uid, or the format and native id of a record that the lake does not have).
    """
    reason = "reason"
    for single in ("@[^ ]+", "[A-Z0-9]{16,}", ":[^:/ ]+$"):
        reason = f"regexp_replace({reason}, '{single}', '{single[0] if single[0] in '@:' else ''}*', 'g')"
    columns = "verdict, system, strength, issued, true_worker, worker, reason"
    return pl.DataFrame(
        engine.query(
            f"""
            WITH errors AS (
                SELECT * REPLACE ({reason} AS reason) FROM judged
                WHERE verdict IN ('wrong', 'person')
                   OR (is_worker AND verdict IN ('nobody', 'absent') AND NOT listed)
            )
            SELECT {columns}, count(*) AS actions, min(named) AS example
            FROM errors GROUP BY {columns}
            QUALIFY row_number() OVER (
                PARTITION BY verdict ORDER BY count(*) DESC, system, true_worker, worker, reason) <= {EXAMPLES}
            ORDER BY verdict, actions DESC, system, true_worker, worker, reason
            """
        )
    )


def commonest(causes: pl.DataFrame) -> pl.DataFrame:
    """The causes of all worlds together, equal ones summed, with the first example and the seed of its world."""
    columns = ["verdict", "system", "strength", "issued", "true_worker", "worker", "reason"]
    ordered = causes.sort("world", "example")
    summed = ordered.group_by(columns, maintain_order=True).agg(
        pl.col("actions").sum(), pl.col("seed").first(), pl.col("example").first()
    )
    return summed.sort("verdict", "actions", "example", descending=[False, True, False])


@dataclass(frozen=True)
class AtStrength:
    """One strength of one system (`all`: of all).

    `precision`: of the actions at this very strength, those whose true worker is the one that is named (`ambiguous`:
    is among the candidates; `none`: those that truly were no worker's). `recall`: of true worker actions, those that
    are rightly attributed at this strength or a better one (null at `none`); `where_logged`: the same over actions
    whose credential's issuing record was delivered.
    """

    system: str
    strength: str
    precision: Share
    recall: Share | None
    where_logged: Share | None


def by_strength(tallied: pl.DataFrame) -> tuple[AtStrength, ...]:
    """All systems together, then each."""
    systems = ["all", *tallied["system"].drop_nulls().unique().sort()]
    return tuple(
        _at(tallied if system == "all" else tallied.filter(pl.col("system") == system), system, strength)
        for system in systems
        for strength in STRENGTHS
    )


def _at(tallied: pl.DataFrame, system: str, strength: str) -> AtStrength:
    rightly = (pl.col("verdict") == "right") | pl.col("listed")
    here = tallied.filter((pl.col("strength") == strength) & (pl.col("verdict") != "absent"))
    right = here.filter(~pl.col("is_worker") if strength == "none" else rightly)
    precision = Share(count(right), count(here))
    if strength == "none":
        return AtStrength(system, strength, precision, None, None)
    better = STRENGTHS[: STRENGTHS.index(strength) + 1]
    workers = tallied.filter(pl.col("is_worker"))
    found = workers.filter(rightly & pl.col("strength").is_in(better))
    logged = pl.col("issued")
    return AtStrength(
        system,
        strength,
        precision,
        Share(count(found), count(workers)),
        Share(count(found.filter(logged)), count(workers.filter(logged))),
    )


@dataclass(frozen=True)
class Delegators:
    """`accuracy`: of the worker actions for which truth and lake both name a delegator, those with the same name;
    `other_kind`: of the same, those where the lake uses a name of another kind, so that the two cannot be compared;
    `named`: of those with a true delegator, those for which the lake names any; `invented`: of those without, those
    for which it names one."""

    accuracy: Share
    other_kind: Share
    named: Share
    invented: Share


def delegators(tallied: pl.DataFrame) -> Delegators:
    """How the lake names the delegators of true worker actions."""
    kinds = ("right", "wrong", "of another kind", "unnamed", "invented", "none")
    n = {kind: count(tallied.filter(pl.col("delegation") == kind)) for kind in kinds}
    named = n["right"] + n["wrong"] + n["of another kind"]
    return Delegators(
        Share(n["right"], named),
        Share(n["of another kind"], named),
        Share(named, named + n["unnamed"]),
        Share(n["invented"], n["invented"] + n["none"]),
    )


@dataclass(frozen=True)
class Chains:
    """`purity_run` and `purity_worker`: of the actions in chains, those of their chain's commonest run (worker).
    `completeness`: of the actions of true runs, those in the chain that holds most of their run."""

    chains: int
    runs: int
    purity_run: Share
    purity_worker: Share
    completeness: Share


def chains(tallied: pl.DataFrame) -> Chains:
    """Purity and completeness; the sums of `chain_tally` over all worlds."""
    n = {name: int(tallied[name].sum()) for name in tallied.columns if name != "world"}
    return Chains(
        n["chains"],
        n["runs"],
        Share(n["of_run"], n["in_chains"]),
        Share(n["of_worker"], n["in_chains"]),
        Share(n["in_largest"], n["in_runs"]),
    )


def count(tallied: pl.DataFrame) -> int:
    """The actions of a tally."""
    return int(tallied["n"].sum())

"""All that is counted of one world, as small tables that many worlds' can be put together from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import polars as pl

from pipelines.evaluate import attribution, findings
from pipelines.evaluate.match import match
from pipelines.evaluate.truth import Truth
from pipelines.lake.duckdb_engine import DuckDBEngine
from pipelines.settings import Settings


@dataclass(frozen=True)
class Tallies:
    """The tables of `attribution` and `findings`, each with a column `world` (its place among those evaluated).

    `causes`, `findings` and `incidents`, of which single rows are shown, have the world's `seed` too.
    """

    actions: pl.DataFrame
    chains: pl.DataFrame
    causes: pl.DataFrame
    findings: pl.DataFrame
    hits: pl.DataFrame
    incidents: pl.DataFrame
    lookalikes: pl.DataFrame
    worker_days: pl.DataFrame


def tally(settings: Settings, truth: Truth) -> Tallies:
    """Hold the lake's latest snapshot against the truth, READ_ONLY. Raises TruthError, and LakeError without a lake."""
    with settings.lake.reading() as connection:
        connection.execute("BEGIN")  # one snapshot for all that follows
        engine = DuckDBEngine(connection)
        match(engine, truth, settings.sources)
        attribution.judge(engine)
        findings.judge(engine, truth, settings.sources)
        seed = pl.lit(truth.seed, pl.Int64).alias("seed")
        return _of_world(
            Tallies(
                actions=attribution.tally(engine),
                chains=attribution.chain_tally(engine),
                causes=attribution.causes(engine).with_columns(seed),
                findings=findings.found(engine).with_columns(seed),
                hits=findings.hits(engine),
                incidents=findings.incidents(engine).with_columns(seed),
                lookalikes=findings.lookalikes(engine),
                worker_days=findings.worker_days(engine, truth),
            ),
            0,
        )


def together(worlds: Sequence[Tallies]) -> Tallies:
    """Several worlds' tallies as one."""
    numbered = [_of_world(one, place) for place, one in enumerate(worlds)]
    return Tallies(
        **{table.name: pl.concat([getattr(one, table.name) for one in numbered], how="vertical_relaxed")
           for table in fields(Tallies)}
    )  # fmt: skip


def _of_world(tallies: Tallies, world: int) -> Tallies:
    return Tallies(
        **{table.name: getattr(tallies, table.name).with_columns(pl.lit(world, pl.Int64).alias("world"))
           for table in fields(Tallies)}
    )  # fmt: skip

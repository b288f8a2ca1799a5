"""Stage (c): one transaction that judges what stage (b) left, and writes findings, evidence and alerts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pyarrow as pa

from detectors import approvals, behaviour_head, catalogue, rules, scope, sigma_rules
from detectors.rules import Detector, Failure
from pipelines import schema
from pipelines.detect import coverage, manifests, provide, sigma
from pipelines.detect.load import Loaded, Loading, load
from pipelines.detect.revise import Revised, revise
from pipelines.ingest.commit import stage_row
from pipelines.lake.duckdb_engine import DuckDBEngine
from pipelines.lake.engines import StageEngine, TooLong
from pipelines.lake.replace import replace
from pipelines.lake.store import Writer
from pipelines.settings import Settings, Source

PATIENCE = 10
"""How many times as long as a detector's statement one of scope or approvals may take: nothing can do without them."""
CATALOGUE = Path(next(iter(catalogue.__path__)))


@dataclass(frozen=True)
class Detected:
    """What stage (c) changed, and the detectors that failed (each alone)."""

    findings: Revised
    failures: tuple[Failure, ...]


def detectors(settings: Settings) -> Loading:
    """The SQL detectors and Sigma rules of the catalogue and of the user's folders. Raises `Problems`."""
    return load(CATALOGUE, settings.rules)


@dataclass(frozen=True)
class Judged:
    """What the detectors say of one snapshot; nothing of it is written yet."""

    found: pa.Table
    models: pa.Table
    coverage: pa.Table
    failures: tuple[Failure, ...]


def judge(
    engine: StageEngine,
    loaded: Sequence[Loaded],
    sources: Sequence[Source],
    current: Sequence[str],
    seconds: float | None = None,
) -> Judged:
    """Judge every action by scope, rules and behaviour. A detector that fails fails alone.

    So does one of whose statements takes longer than `seconds`. The verdicts of scope and approvals, which others
    rest on, are worth PATIENCE times as long; after that the whole stage fails (TooLong, naming the step).

    The engine's connection must not be in a transaction: the first failure would end it for all others.
    """
    manifests.provide(engine, current)
    provide.provide(engine, sources)
    patient = engine.limited(None if seconds is None else seconds * PATIENCE)
    with _step("scope"):
        scope.judge(patient)
    with _step("approvals"):
        approvals.judge(patient)
    limited = engine.limited(seconds)
    judged = rules.judge(limited, [one for one in loaded if isinstance(one, Detector)])
    matched = sigma.judge(limited, [one for one in loaded if isinstance(one, sigma_rules.Rule)], seconds)
    failures = [*judged.failures, *matched.failures]
    found, models = [judged.findings, matched.findings], schema.MODELS.arrow.empty_table()
    try:
        # scikit-learn takes longer to import than most commands take to run.
        from detectors import behaviour  # noqa: PLC0415

        unusual, models = behaviour.judge(engine)
        found.append(behaviour_head.found(unusual))
    except Exception as error:  # whatever it is, the other detectors' findings still go out
        failures.append(Failure(behaviour_head.DETECTOR, f"{type(error).__name__}: {error}"))
    return Judged(pa.concat_tables(found), models, coverage.rows(engine), tuple(failures))


@contextmanager
def _step(name: str) -> Iterator[None]:
    try:
        yield
    except TooLong as error:
        msg = f"{name}: {error}; `detectors: seconds` in the configuration gives a detector's statement its time, and"
        raise TooLong(f"{msg} this step {PATIENCE} times that") from error


def commit(
    writer: Writer,
    judged: Judged,
    settings: Settings,
    loaded: Sequence[Loaded],
    *,
    run_id: str,
    now: datetime,
    inputs_sha256: str,
) -> Detected:
    """Write what is new, revised or withdrawn, with its evidence and alerts, in the writer's transaction."""
    engine = DuckDBEngine(writer.connection)
    engine.let("coverage_now", judged.coverage)
    replace(writer, schema.COVERAGE, "coverage_now", key=("worker", "source", "hour", "missing"))
    _record_models(writer, judged.models)
    _record_versions(writer, loaded, now)
    failed = frozenset(failure.detector for failure in judged.failures)
    revised = revise(writer, engine, judged.found, failed, settings, now)
    stage_row(writer, run_id, "c", now, inputs_sha256)
    return Detected(revised, judged.failures)


def _record_models(writer: Writer, models: pa.Table) -> None:
    known = {row[0] for row in writer.connection.execute("SELECT model_id FROM lake.models").fetchall()}
    fresh = [row for row in models.to_pylist() if row["model_id"] not in known]
    rows = [{**row, "input_snapshot": writer.input_snapshot} for row in fresh]
    writer.append(schema.MODELS, pa.Table.from_pylist(rows, schema=schema.MODELS.arrow))


def _record_versions(writer: Writer, loaded: Sequence[Loaded], now: datetime) -> None:
    """Keep the text of every detector version that ever judged, so that a finding can be repeated."""
    stored = writer.connection.execute("SELECT detector, version FROM lake.detector_versions").fetchall()
    rows = [
        {"detector": one.id, "version": one.version, "first_used_at": now, "document": one.document}
        for one in loaded
        if (one.id, one.version) not in set(stored)
    ]
    head = behaviour_head.head()
    if (behaviour_head.DETECTOR, head.version) not in set(stored):
        rows.append(
            {
                "detector": behaviour_head.DETECTOR,
                "version": head.version,
                "first_used_at": now,
                "document": head.document,
            }
        )
    writer.append(schema.DETECTOR_VERSIONS, pa.Table.from_pylist(rows, schema=schema.DETECTOR_VERSIONS.arrow))

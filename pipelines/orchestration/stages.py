"""What all sources share: the tables of stage (a) checked, then stages (b) and (c), then delivery."""

# No postponed annotations here: Dagster reads the annotation of `context` when an asset is defined.

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

import dagster as dg
from dagster._core.storage.asset_check_execution_record import COMPLETED_ASSET_CHECK_EXECUTION_RECORD_STATUSES

from pipelines import invariants, measures
from pipelines import run as work
from pipelines.cli.context import Context
from pipelines.cli.run import deliver_once
from pipelines.orchestration import sources as of_sources
from pipelines.orchestration.shared import POOL, by_kind, check_result, check_spec, config, metadata, plan, spec, text
from pipelines.settings import Source

Results = Iterator[dg.MaterializeResult[Any] | dg.AssetCheckResult]

DETECTORS_RAN = dg.AssetCheckSpec("every_detector_ran", asset="findings", description="No detector failed.")


def tables(sources: Sequence[Source]) -> dg.AssetsDefinition:
    """`actions` and `grants`, which every source adds to in its own transactions: counted, and checked as a whole."""
    records = [of_sources.key(source) for source in sources]

    @dg.multi_asset(
        name="tables",
        specs=[
            spec("actions", records, "Normalised events: somebody did something to something.", "ingest"),
            spec("grants", ["actions"], "Evidence that one credential gave rise to another, or ended it.", "ingest"),
        ],
        check_specs=[check_spec(one) for one in invariants.OF_INGEST],
        pool=POOL,
    )
    def step(context: dg.AssetExecutionContext) -> Results:
        what = plan(context)
        records = measures.rows(what.lake, "records", by="outcome")
        actions = measures.rows(what.lake, "actions", by="category")
        grants = measures.rows(what.lake, "grants", by="kind")
        figures = {"rows_in": records.total, "rows_out": actions.total, "dagster/row_count": actions.total}
        outcomes = {"errors": "error", "duplicates": "duplicate", "skipped": "skipped"}
        figures |= {name: records.by.get(outcome, 0) for name, outcome in outcomes.items()}
        yield dg.MaterializeResult(
            asset_key="actions",
            metadata=metadata(what, {**figures, **by_kind("category", actions.by)}, actions.snapshot),
        )
        figures = {"rows_in": actions.total, "rows_out": grants.total, "dagster/row_count": grants.total}
        yield dg.MaterializeResult(
            asset_key="grants", metadata=metadata(what, {**figures, **by_kind("kind", grants.by)}, grants.snapshot)
        )
        yield from map(check_result, invariants.judge(what.lake, invariants.OF_INGEST))

    return step


@dg.multi_asset(
    name="stitch",
    specs=[
        spec("bindings", ["grants"], "Credentials and principals bound to workers, with path and strength.", "stitch"),
        spec("chains", ["bindings", "actions"], "Connected runs of actions, one worker each.", "stitch"),
    ],
    check_specs=[check_spec(one) for one in invariants.OF_STITCHING],
    pool=POOL,
)
def stitch(context: dg.AssetExecutionContext) -> Results:
    """Stage (b): manifest versions, bindings and chains."""
    what = plan(context)
    stitched = work.stitch_all(what)
    attributed = measures.rows(what.lake, "attributions", by="strength")
    rows_in = {"bindings": measures.rows(what.lake, "grants", by="kind").total, "chains": attributed.total}
    for name in ("bindings", "chains"):
        held = measures.rows(what.lake, name, by="strength")
        changes = asdict(getattr(stitched, name)) if stitched else {"added": 0, "removed": 0, "same": held.total}
        figures = {
            "rows_in": rows_in[name], "rows_out": held.total, "dagster/row_count": held.total,
            **changes, **by_kind("strength", held.by),
        }  # fmt: skip
        if name == "bindings":
            figures |= by_kind("actions", attributed.by)
        yield dg.MaterializeResult(asset_key=name, metadata=metadata(what, figures, held.snapshot))
    yield from map(check_result, invariants.judge(what.lake, invariants.OF_STITCHING))


@dg.multi_asset(
    name="detect",
    specs=[
        spec("findings", ["chains", "actions"], "What detectors claim, with frozen evidence.", "detect"),
        spec("alerts", ["findings"], "The outbox: revisions on their way to a SIEM.", "detect"),
    ],
    check_specs=[DETECTORS_RAN, *(check_spec(one) for one in invariants.OF_DETECTION)],
    pool=POOL,
)
def detect(context: dg.AssetExecutionContext) -> Results:
    """Stage (c): findings, evidence and the outbox, in one transaction."""
    what = plan(context)
    detected = work.detect_all(what)
    revised = asdict(detected.findings) if detected else {"opened": 0, "revised": 0, "resolved": 0, "alerts": 0}
    written = revised.pop("alerts")
    actions = measures.rows(what.lake, "actions", by="category")
    found = measures.rows(what.lake, "findings", by="severity", where="status <> 'resolved'")
    figures = {"rows_in": actions.total, "rows_out": found.total, "dagster/row_count": found.total, **revised}
    yield dg.MaterializeResult(
        asset_key="findings", metadata=metadata(what, {**figures, **by_kind("severity", found.by)}, found.snapshot)
    )
    alerts = measures.rows(what.lake, "alerts", by="destination")
    figures = {"rows_in": found.total, "rows_out": written, "dagster/row_count": alerts.total}
    yield dg.MaterializeResult(
        asset_key="alerts", metadata=metadata(what, {**figures, **by_kind("destination", alerts.by)}, alerts.snapshot)
    )
    failures = {one.detector: one.error for one in detected.failures} if detected else _unsettled(context)
    yield dg.AssetCheckResult(
        check_name=DETECTORS_RAN.name,
        asset_key="findings",
        passed=not failures,
        metadata={detector: text(error) for detector, error in failures.items()},
    )
    yield from map(check_result, invariants.judge(what.lake, invariants.OF_DETECTION))


def _unsettled(context: dg.AssetExecutionContext) -> dict[str, str]:
    """The failures of the last detection, where this run had nothing new to judge: they are not mended by that."""
    told = context.instance.event_log_storage.get_asset_check_execution_history(
        DETECTORS_RAN.key, limit=1, status=COMPLETED_ASSET_CHECK_EXECUTION_RECORD_STATUSES
    )
    evaluation = told[0].evaluation if told else None
    if evaluation is None or evaluation.passed:
        return {}
    return {name: str(value.value) for name, value in evaluation.metadata.items()}


@dg.asset(
    name="deliveries",
    deps=["alerts"],
    group_name="deliver",
    description="Attempts to deliver what is due, one pass; the lake stays unlocked while it waits on the network.",
    kinds={"duckdb"},
)
def deliveries(context: dg.AssetExecutionContext) -> dg.MaterializeResult[Any]:
    """One pass of delivery."""
    what = plan(context)
    summary = deliver_once(Context(config()))
    made = measures.rows(what.lake, "deliveries", by="outcome")
    figures = asdict(summary)
    problems = figures.pop("problems")
    figures |= {"rows_in": summary.sent + summary.failed + summary.dead + summary.waiting}
    figures |= {"rows_out": summary.sent, "errors": summary.failed + summary.dead, "dagster/row_count": made.total}
    return dg.MaterializeResult(
        metadata=metadata(what, {**figures, "problems": text("\n".join(problems))}, made.snapshot)
    )

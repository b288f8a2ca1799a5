"""The Dagster code location: a thin shell over `pipelines.run`; every asset calls one plain function."""

# No postponed annotations here: Dagster reads the annotation of `context` when an asset is defined.

import os
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import dagster as dg

from pipelines import run as work
from pipelines.cli.context import Context
from pipelines.cli.run import deliver_once
from pipelines.settings import CONFIG_VARIABLE, load


def config() -> Path:
    """The configuration that this code location works by."""
    return Path(os.environ.get(CONFIG_VARIABLE, "workertrail.yaml"))


def _plan(context: dg.AssetExecutionContext) -> work.Plan:
    planned = work.plan(load(config()))
    return work.Plan(planned.settings, planned.manifests, planned.detectors, run_id=context.run.run_id)


def _spec(name: str, deps: list[str], description: str, group: str) -> dg.AssetSpec:
    return dg.AssetSpec(name, deps=deps, description=description, group_name=group, kinds={"duckdb"})


@dg.multi_asset(
    name="ingest",
    specs=[
        _spec("objects", [], "Pulled files and byte ranges, in the custody ledger.", "ingest"),
        _spec(
            "records", ["objects"], "Entries of logs as their sources wrote them, with what became of each.", "ingest"
        ),
        _spec("actions", ["records"], "Normalised events: somebody did something to something.", "ingest"),
        _spec("grants", ["actions"], "Evidence that one credential gave rise to another, or ended it.", "ingest"),
    ],
    check_specs=[
        dg.AssetCheckSpec(
            "every_record_accounted_for",
            asset="records",
            description="Per object: records = actions + errors + duplicates + skipped.",
            blocking=True,
        )
    ],
)
def ingest(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult[Any] | dg.AssetCheckResult]:
    """Stage (a): pull what is new and commit it in batches of whole objects."""
    what = _plan(context)
    summary = work.ingest_all(what, context.log.info)
    for problem in summary.unreadable:
        context.log.warning(problem)
    counts = asdict(summary.pulled)
    yield dg.MaterializeResult(
        asset_key="objects",
        metadata={"objects": counts["objects"], "known": counts["known_objects"], "unread": len(summary.unreadable)},
    )
    yield dg.MaterializeResult(asset_key="records", metadata=counts)
    yield dg.MaterializeResult(asset_key="actions", metadata={"actions": counts["actions"]})
    yield dg.MaterializeResult(asset_key="grants", metadata={"grants": counts["grants"]})
    wrong = work.unaccounted(what.lake)
    yield dg.AssetCheckResult(
        check_name="every_record_accounted_for",
        asset_key="records",
        passed=not wrong,
        metadata={"objects_that_do_not_add_up": len(wrong), "first": str(wrong[:5])},
    )


@dg.multi_asset(
    name="stitch",
    specs=[
        _spec("bindings", ["grants"], "Credentials and principals bound to workers, with path and strength.", "stitch"),
        _spec("chains", ["bindings", "actions"], "Connected runs of actions, one worker each.", "stitch"),
    ],
)
def stitch(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult[Any]]:
    """Stage (b): manifest versions, bindings and chains."""
    stitched = work.stitch_all(_plan(context))
    for name in ("bindings", "chains"):
        changes = asdict(getattr(stitched, name)) if stitched else {"added": 0, "removed": 0}
        yield dg.MaterializeResult(asset_key=name, metadata=changes)


@dg.multi_asset(
    name="detect",
    specs=[
        _spec("findings", ["chains", "actions"], "What detectors claim, with frozen evidence.", "detect"),
        _spec("alerts", ["findings"], "The outbox: revisions on their way to a SIEM.", "detect"),
    ],
    check_specs=[
        dg.AssetCheckSpec("every_detector_ran", asset="findings", description="No detector failed in this run.")
    ],
)
def detect(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult[Any] | dg.AssetCheckResult]:
    """Stage (c): findings, evidence and the outbox, in one transaction."""
    detected = work.detect_all(_plan(context))
    found = detected.findings if detected else None
    failures = detected.failures if detected else ()
    yield dg.MaterializeResult(
        asset_key="findings",
        metadata={
            "opened": found.opened if found else 0,
            "revised": found.revised if found else 0,
            "resolved": found.resolved if found else 0,
        },
    )
    yield dg.MaterializeResult(asset_key="alerts", metadata={"written": found.alerts if found else 0})
    yield dg.AssetCheckResult(
        check_name="every_detector_ran",
        asset_key="findings",
        passed=not failures,
        severity=dg.AssetCheckSeverity.ERROR,
        metadata={failure.detector: failure.error for failure in failures},
    )


@dg.asset(
    name="deliveries",
    deps=["alerts"],
    group_name="deliver",
    description="Attempts to deliver what is due, one pass; the lake stays unlocked while it waits on the network.",
)
def deliveries(context: dg.AssetExecutionContext) -> dg.MaterializeResult[Any]:
    """One pass of delivery."""
    summary = deliver_once(Context(config()))
    for problem in summary.problems:
        context.log.warning(problem)
    return dg.MaterializeResult(
        metadata={"sent": summary.sent, "failed": summary.failed, "dead": summary.dead, "waiting": summary.waiting}
    )


main_job = dg.define_asset_job(
    "main", selection=dg.AssetSelection.all(), executor_def=dg.in_process_executor,
    description="Pull to alerts once, and one pass of delivery: the same as `workertrail run`.",
)  # fmt: skip
delivery_job = dg.define_asset_job(
    "deliver", selection=dg.AssetSelection.assets("deliveries"), executor_def=dg.in_process_executor
)

defs = dg.Definitions(
    assets=[ingest, stitch, detect, deliveries],
    jobs=[main_job, delivery_job],
    schedules=[
        dg.ScheduleDefinition(
            name="hourly", job=main_job, cron_schedule="0 * * * *", default_status=dg.DefaultScheduleStatus.RUNNING
        ),
        dg.ScheduleDefinition(
            name="retries",
            job=delivery_job,
            cron_schedule="*/5 * * * *",
            default_status=dg.DefaultScheduleStatus.RUNNING,
        ),
    ],
)

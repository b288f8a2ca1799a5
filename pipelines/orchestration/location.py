"""The whole code location for one configuration."""

from __future__ import annotations

import dagster as dg

from pipelines.orchestration import new_files, sources, stages
from pipelines.settings import Settings

SHARED = tuple(map(dg.AssetKey, ("actions", "grants", "bindings", "chains", "findings", "alerts", "deliveries")))


def location(settings: Settings) -> dg.Definitions:
    """An asset a source, then what all sources share; jobs, schedules and the sensor on new files."""
    main = dg.define_asset_job(
        "main",
        selection=dg.AssetSelection.all(),
        description="Pull to alerts once, and one pass of delivery: the same as `workertrail run`.",
    )
    deliver = dg.define_asset_job(
        "deliver",
        selection=dg.AssetSelection.assets("deliveries"),
        description="One pass of delivery, beside whatever else runs.",
    )
    return dg.Definitions(
        assets=[
            *(sources.asset(source) for source in settings.sources),
            stages.tables(settings.sources),
            stages.stitch,
            stages.detect,
            stages.deliveries,
        ],
        # One process a run: the steps go one after another, and share the run's plan.
        executor=dg.in_process_executor,
        jobs=[main, deliver],
        schedules=[_schedule("hourly", main, "0 * * * *"), _schedule("retries", deliver, "*/5 * * * *")],
        sensors=[new_files.sensor(main, SHARED)],
    )


def _schedule(name: str, job: dg.UnresolvedAssetJobDefinition, cron: str) -> dg.ScheduleDefinition:
    return dg.ScheduleDefinition(
        name=name, job=job, cron_schedule=cron, default_status=dg.DefaultScheduleStatus.RUNNING
    )

"""The sensor on new files: it looks at sizes and times alone, and asks for a run of the sources that have news."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import datetime

import dagster as dg

from pipelines import run as work
from pipelines.orchestration import sources as of_sources
from pipelines.orchestration.shared import config
from pipelines.pull import files
from pipelines.pull.checkpoints import Checkpoints
from pipelines.settings import Settings, Source, load

LOOKS_EVERY_SECONDS = 60
"""About as long as a file must be at rest before its last line counts as whole."""

UNDER_WAY = (
    dg.DagsterRunStatus.QUEUED, dg.DagsterRunStatus.NOT_STARTED, dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING,
)  # fmt: skip


def marks(sources: Sequence[Source], known: Checkpoints, now: datetime) -> dict[str, str]:
    """For each source with files that a pull would read: a digest of which they are, how large and how old."""
    found: dict[str, str] = {}
    for source in sources:
        waiting = files.waiting(source, known, now)
        if waiting:
            text = "\n".join(f"{one.object_uri} {one.bytes} {one.modified_at.isoformat()}" for one in waiting)
            found[source.name] = hashlib.sha256(text.encode()).hexdigest()
    return found


def asked_for(settings: Settings, seen: Mapping[str, str], now: datetime) -> tuple[list[Source], dict[str, str]]:
    """The sources whose waiting files are others than those `seen`, and the marks to see next time.

    A file that cannot be read goes on waiting, but is asked for once: the hourly run tries it again.
    """
    found = marks(settings.sources, work.checkpoints(settings.lake), now)
    return [source for source in settings.sources if found.get(source.name, "") != seen.get(source.name, "")
            and source.name in found], found  # fmt: skip


def sensor(job: dg.UnresolvedAssetJobDefinition, shared: Sequence[dg.AssetKey]) -> dg.SensorDefinition:
    """The sensor; `shared` are the assets that every source's run goes on to."""

    @dg.sensor(
        name="new_files",
        job=job,
        minimum_interval_seconds=LOOKS_EVERY_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Asks for a run of the sources whose files are new or have grown, unless one is under way.",
    )
    def new_files(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        if context.instance.get_runs_count(dg.RunsFilter(job_name=job.name, statuses=list(UNDER_WAY))):
            return dg.SkipReason("a run is queued or under way")
        wanted, found = asked_for(load(config()), json.loads(context.cursor or "{}"), work.utc_now())
        cursor = json.dumps(found, sort_keys=True)
        if not wanted:
            return dg.SensorResult(cursor=cursor, skip_reason=dg.SkipReason("no file is new or has grown"))
        names = [source.name for source in wanted]
        request = dg.RunRequest(
            run_key=hashlib.sha256(json.dumps([[name, found[name]] for name in names]).encode()).hexdigest(),
            asset_selection=[*(of_sources.key(source) for source in wanted), *shared],
            tags={"workertrail/sources": ",".join(names)},
        )
        return dg.SensorResult(run_requests=[request], cursor=cursor)

    return new_files

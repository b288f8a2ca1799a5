"""Stage (a) of one source: an asset of its own, so that a source fails, is re-run and is pulled anew alone."""

# No postponed annotations here: Dagster reads those of `context` and `config` when an asset is defined.

import re
from dataclasses import asdict
from datetime import UTC, datetime, timedelta

import dagster as dg

from pipelines import measures
from pipelines import run as work
from pipelines.measures import SourceState
from pipelines.orchestration.shared import POOL, metadata, plan, text
from pipelines.settings import Source

PULLED_WITHIN = timedelta(hours=2)
"""The hourly job pulls every source; after two hours without a pull the scheduler, not the source, is at fault."""


class PullConfig(dg.Config):
    """How a source is pulled. `from_scratch` reads all of its files anew; nothing comes into the lake twice."""

    from_scratch: bool = False


def key(source: Source) -> dg.AssetKey:
    """The asset of a source's records: `SOURCE/records`."""
    return dg.AssetKey([source.name, "records"])


def step_name(source: Source) -> str:
    """The step's name: other signs than letters and digits by their code, so that no two sources share one."""
    return "pull_" + re.sub(r"[^a-z0-9]", lambda sign: f"_{ord(sign[0]):02x}", source.name)


def asset(source: Source) -> dg.AssetsDefinition:
    """The asset of one source. A failure is told by its check `pulled` and stops neither others nor stitching."""

    spec = dg.AssetSpec(
        key(source),
        group_name="sources",
        description=f"Entries of the logs of {source.name} ({source.format.name}) as they were written, and what"
        " became of each.",
        kinds={source.format.name},
        freshness_policy=dg.FreshnessPolicy.time_window(fail_window=PULLED_WITHIN),
    )

    @dg.multi_asset(name=step_name(source), specs=[spec], check_specs=_checks(key(source)), pool=POOL)
    def pull(context: dg.AssetExecutionContext, config: PullConfig) -> dg.MaterializeResult:  # type: ignore[type-arg]
        what = plan(context)
        summary, reason = _pull(context, what, source.name, config.from_scratch)
        state = measures.of_source(what.lake, source)
        figures = {**_figures(summary, state), **({"failed": text(reason)} if reason else {})}
        return dg.MaterializeResult(
            metadata=metadata(what, figures, state.snapshot),
            check_results=_verdicts(what, source, summary, reason, state),
        )

    return pull


def _pull(context: dg.AssetExecutionContext, what: work.Plan, name: str, anew: bool) -> tuple[work.Summary, str | None]:
    """Pull one source; what it did, and why it failed where it did. Batches that were committed before stay."""
    try:
        if anew:
            context.log.info(f"{work.forget(what, name)} files are read anew")
        return work.ingest_all(what, context.log.info, [name]), None
    except Exception as error:  # whatever it is, the other sources go on, and this one's check is red
        context.log.exception("the source could not be pulled")
        return work.Summary(), f"{type(error).__name__}: {error}"


def _checks(records: dg.AssetKey) -> list[dg.AssetCheckSpec]:
    return [
        dg.AssetCheckSpec("pulled", asset=records, description="The source was read, and every file of it."),
        dg.AssetCheckSpec(
            "every_record_accounted_for",
            asset=records,
            description="Per object: records = actions + errors + duplicates + skipped.",
            blocking=True,
        ),
        dg.AssetCheckSpec(
            "fresh",
            asset=records,
            description=f"The newest event is younger than {measures.FRESH_WITHIN // timedelta(hours=1)} h.",
        ),
    ]


def _verdicts(
    what: work.Plan, source: Source, summary: work.Summary, reason: str | None, state: SourceState
) -> list[dg.AssetCheckResult]:
    wrong = work.unaccounted(what.lake, source.name)
    known = source.name in {one.name for one in what.settings.sources}
    if not known:
        reason = "the configuration has this source no more: reload the definitions"
    trouble = [*([reason] if reason else []), *summary.unreadable]
    return [
        dg.AssetCheckResult(
            check_name="pulled",
            passed=not trouble,
            metadata={"problems": len(trouble), "first": text("\n".join(trouble[:5]))},
        ),
        dg.AssetCheckResult(
            check_name="every_record_accounted_for",
            passed=not wrong,
            metadata={"objects_that_do_not_add_up": len(wrong), "first": text("\n".join(wrong[:5]))},
        ),
        dg.AssetCheckResult(
            check_name="fresh",
            passed=state.is_fresh(work.utc_now()),
            severity=dg.AssetCheckSeverity.WARN,
            metadata=_times(state),
        ),
    ]


def _figures(summary: work.Summary, state: SourceState) -> dict[str, object]:
    """Rows in and out and what became of the rest, in this run; then what the lake has of the source by now."""
    counts = asdict(summary.pulled)
    return {
        "rows_in": counts["records"],
        "rows_out": counts["actions"],
        **{name: counts[name] for name in ("errors", "duplicates", "skipped", "grants", "objects", "known_objects")},
        "unread": len(summary.unreadable),
        "bytes_held_back": summary.held_back,
        "dagster/row_count": state.records,
        "errors_in_all": state.errors,
        **_times(state),
    }


def _times(state: SourceState) -> dict[str, dg.TimestampMetadataValue]:
    times = {"horizon": state.horizon, "last_object_pulled": state.pulled_at}
    return {name: _timestamp(time) for name, time in times.items() if time is not None}


def _timestamp(time: datetime) -> dg.TimestampMetadataValue:
    return dg.MetadataValue.timestamp(time.replace(tzinfo=UTC))

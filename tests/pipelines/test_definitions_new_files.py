"""The sensor on new files: which sources it asks for, and when it asks for nothing."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest

from pipelines import definitions
from pipelines import run as work
from pipelines.pull import files
from pipelines.pull.checkpoints import Checkpoints
from pipelines.settings import CONFIG_VARIABLE, load
from tests.end_to_end.small import Estate, event, squid_line

AFTER = ["actions", "grants", "bindings", "chains", "findings", "alerts", "deliveries"]


@pytest.fixture
def estate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Estate:
    monkeypatch.setenv(CONFIG_VARIABLE, str(tmp_path / "workertrail.yaml"))
    monkeypatch.setenv("DAGSTER_DISABLE_TELEMETRY", "1")
    return Estate(tmp_path)


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as made:
        yield made


def look(instance: dg.DagsterInstance, cursor: str | None = None) -> dg.SensorExecutionData:
    """One tick of the sensor, as the daemon makes it."""
    defs = definitions.defs()
    context = dg.build_sensor_context(instance=instance, cursor=cursor, definitions=defs)
    return defs.resolve_sensor_def("new_files").evaluate_tick(context)


def at_rest(file: Path) -> Path:
    """The file as one that was last changed an hour ago."""
    then = file.stat().st_mtime - 3600
    os.utime(file, (then, then))
    return file


def test_only_the_source_with_a_new_file_is_asked_for_and_once(estate: Estate, instance: dg.DagsterInstance) -> None:
    estate.put("egress", squid_line())
    first = look(instance)
    (request,) = first.run_requests or []
    assert [key.to_user_string() for key in request.asset_selection or []] == ["egress/records", *AFTER]
    assert request.tags["workertrail/sources"] == "egress"
    assert not look(instance, first.cursor).run_requests


def test_what_it_asks_for_is_what_a_run_reads_and_then_it_is_content(
    estate: Estate, instance: dg.DagsterInstance
) -> None:
    estate.put("trail", [event()])
    grown = at_rest(estate.put("egress", squid_line(), "access.log"))
    asked = look(instance)
    (request,) = asked.run_requests or []
    assert request.tags["workertrail/sources"] == "trail,egress"
    result = (
        definitions.defs()
        .resolve_job_def("main")
        .execute_in_process(instance=instance, asset_selection=list(request.asset_selection or []))
    )
    assert result.success
    assert [row["source"] for row in estate.rows("SELECT source FROM objects ORDER BY 1")] == ["egress", "trail"]
    content = look(instance, asked.cursor)
    assert not content.run_requests
    assert content.cursor == "{}"
    grown.write_text(squid_line() + squid_line(1), encoding="utf-8")
    (again,) = look(instance, content.cursor).run_requests or []
    assert again.tags["workertrail/sources"] == "egress"
    assert again.run_key != request.run_key


@pytest.mark.parametrize("status", [dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED])
def test_nothing_is_asked_for_while_a_run_waits_or_works(
    estate: Estate, instance: dg.DagsterInstance, status: dg.DagsterRunStatus
) -> None:
    estate.put("egress", squid_line())
    instance.add_run(dg.DagsterRun(job_name="main", status=status))
    waiting = look(instance, "{}")
    assert not waiting.run_requests
    assert waiting.skip_message == "a run is queued or under way"
    assert waiting.cursor in {None, "{}"}


def test_a_file_that_no_run_took_is_asked_for_once_until_it_changes(
    estate: Estate, instance: dg.DagsterInstance
) -> None:
    bad = estate.put("egress", squid_line())
    first = look(instance)
    second = look(instance, first.cursor)
    assert (len(first.run_requests or []), len(second.run_requests or [])) == (1, 0)
    bad.rename(bad.with_name("other.log"))
    assert look(instance, second.cursor).run_requests


def test_no_file_is_opened(estate: Estate, monkeypatch: pytest.MonkeyPatch) -> None:
    estate.put("egress", squid_line())
    monkeypatch.setattr(os, "open", lambda *_: pytest.fail("the sensor opened a file"))
    (source,) = [one for one in load(estate.config).sources if one.name == "egress"]
    (found,) = files.waiting(source, Checkpoints(), work.utc_now())
    assert (found.bytes, Path(found.object_uri).name) == (len(squid_line()), "0001.log")


def cut_short(estate: Estate) -> Path:
    """A file whose last line is still being written."""
    return estate.put("egress", squid_line() + squid_line(1)[:-10], "access.log")


def test_a_tail_that_was_held_back_is_asked_for_when_the_file_is_at_rest(estate: Estate) -> None:
    file = cut_short(estate)
    (source,) = [one for one in load(estate.config).sources if one.name == "egress"]
    lake = load(estate.config).lake
    changed = datetime.fromtimestamp(file.stat().st_mtime, UTC).replace(tzinfo=None)
    assert estate.run().held_back > 0
    assert files.waiting(source, work.checkpoints(lake), changed + timedelta(seconds=1)) == []
    assert len(files.waiting(source, work.checkpoints(lake), changed + files.REST * 2)) == 1

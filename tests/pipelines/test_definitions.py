"""Dagster's graph is as it was, materialising it does the same as `workertrail run`, and a source stands alone."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from syrupy.assertion import SnapshotAssertion

from detectors.rules import Failure
from pipelines import definitions, invariants
from pipelines import run as work
from pipelines.invariants import Invariant, Verdict
from pipelines.lake.duckdb_engine import DuckDBEngine
from pipelines.orchestration import stages
from pipelines.orchestration.sources import step_name
from pipelines.pull import files
from pipelines.settings import CONFIG_VARIABLE, load
from tests.end_to_end.lakes import assert_equal, counts
from tests.end_to_end.small import Estate, assume, event, squid_line
from tests.machine import ROOT

SHARED = ["actions", "grants", "bindings", "chains", "findings", "alerts", "deliveries"]


def fill(made: Estate) -> Estate:
    made.put("trail", [event(second=second) for second in range(20)] + [assume("ASIANEXT", second=50)])
    made.put("egress", squid_line() * 3 + squid_line(url="http://elsewhere.invalid/") + "no line of squid\n")
    return made


@pytest.fixture
def estate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Estate:
    """The configuration that the code location works by: logs of two sources of four, nothing run yet."""
    root = tmp_path / "shelled"
    root.mkdir()
    made = fill(Estate(root))
    monkeypatch.setenv(CONFIG_VARIABLE, str(made.config))
    monkeypatch.setenv("DAGSTER_DISABLE_TELEMETRY", "1")
    return made


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as made:
        yield made


def materialise(instance: dg.DagsterInstance, *only: str, **more: Any) -> dg.ExecuteInProcessResult:
    job = definitions.defs().resolve_job_def("main")
    chosen = [dg.AssetKey(name.split("/")) for name in only] or None
    return job.execute_in_process(instance=instance, raise_on_error=False, asset_selection=chosen, **more)


def checks(result: dg.ExecuteInProcessResult) -> dict[str, bool]:
    return {
        f"{one.asset_key.to_user_string()}: {one.check_name}": one.passed
        for one in result.get_asset_check_evaluations()
    }


def metadata(result: dg.ExecuteInProcessResult, asset: str) -> dict[str, Any]:
    key = dg.AssetKey(asset.split("/"))
    (found,) = [
        event.step_materialization_data.materialization
        for event in result.all_events
        if event.is_step_materialization and event.asset_key == key
    ]
    return {name: value.value for name, value in found.metadata.items()}


def test_the_asset_graph(snapshot: SnapshotAssertion, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the configuration at the repository's root."""
    monkeypatch.setenv(CONFIG_VARIABLE, str(ROOT / "workertrail.yaml"))
    defs = definitions.defs()
    graph = defs.resolve_asset_graph()
    assets = {
        key.to_user_string(): {
            "after": sorted(parent.to_user_string() for parent in graph.get(key).parent_keys),
            "group": graph.get(key).group_name,
            "kinds": sorted(graph.get(key).kinds),
            "step": graph.get(key).assets_def.op.name,
            "pools": sorted(graph.get(key).pools or ()),
            "must_be_pulled_within": str(policy.fail_window.to_timedelta())
            if (policy := graph.get(key).freshness_policy)
            else None,
        }
        for key in sorted(graph.get_all_asset_keys(), key=str)
    }
    found = {
        "assets": assets,
        "checks": {
            f"{key.asset_key.to_user_string()}: {key.name}": "blocking" if graph.get(key).blocking else "tells"
            for key in sorted(graph.asset_check_keys, key=str)
        },
        "jobs": {
            job.name: sorted(
                key.to_user_string() for key in defs.resolve_job_def(job.name).asset_layer.selected_asset_keys
            )
            for job in defs.jobs or []
        },
        "schedules": sorted(f"{one.name}: {one.cron_schedule} {one.job_name}" for one in defs.schedules or []),
        "sensors": sorted(
            f"{one.name}: every {one.minimum_interval_seconds} s {one.job_name} {one.default_status.value}"
            for one in defs.sensors or []
        ),
    }
    assert found == snapshot


@dataclass(frozen=True)
class Whole:
    """Everything materialised once, over logs of two sources of four."""

    estate: Estate
    result: dg.ExecuteInProcessResult


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Whole]:
    made = fill(Estate(tmp_path_factory.mktemp("whole")))
    with pytest.MonkeyPatch.context() as patch, dg.DagsterInstance.ephemeral() as instance:
        patch.setenv(CONFIG_VARIABLE, str(made.config))
        patch.setenv("DAGSTER_DISABLE_TELEMETRY", "1")
        yield Whole(made, materialise(instance))


def test_materialising_everything_is_a_run(whole: Whole, tmp_path: Path) -> None:
    assert whole.result.success
    found = checks(whole.result)
    assert len(found) == 4 * 3 + 8
    assert [name for name, passed in found.items() if not passed and not name.endswith(": fresh")] == []
    plain = fill(Estate(tmp_path))
    plain.run()
    assert_equal(plain.root, whole.estate.root)


def test_every_asset_says_what_went_in_and_what_came_out(whole: Whole) -> None:
    result = whole.result
    trail, egress = metadata(result, "trail/records"), metadata(result, "egress/records")
    assert (trail["rows_in"], trail["rows_out"], trail["errors"], trail["objects"]) == (21, 21, 0, 1)
    assert (egress["rows_in"], egress["rows_out"], egress["errors"], egress["duplicates"]) == (5, 4, 1, 0)
    assert metadata(result, "second/records")["rows_in"] == 0
    tables = {name: metadata(result, name) for name in SHARED}
    assert (tables["actions"]["rows_in"], tables["actions"]["rows_out"], tables["actions"]["errors"]) == (26, 25, 1)
    assert (tables["grants"]["rows_in"], tables["grants"]["kind/issue"]) == (25, tables["grants"]["rows_out"])
    assert tables["bindings"]["actions/proven"] == 25
    assert tables["chains"]["strength/proven"] == tables["chains"]["rows_out"] > 0
    assert tables["findings"]["rows_out"] == tables["findings"]["opened"] > 0
    severities = {name: count for name, count in tables["findings"].items() if name.startswith("severity/")}
    assert sum(severities.values()) == tables["findings"]["rows_out"]
    for name in [*SHARED, "trail/records", "egress/records"]:
        said = metadata(result, name)
        assert {"rows_in", "rows_out", "dagster/row_count", "snapshot"} <= set(said)
        assert said["run_id"] == result.run_id


def test_a_failed_source_is_red_and_the_others_go_on_to_findings(
    estate: Estate, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = files.pull

    def pull(source: Any, *arguments: Any, **more: Any) -> Iterator[files.PulledObject]:
        if source.name == "trail":
            raise ConnectionError("the store says \x1b[31mno")
        yield from real(source, *arguments, **more)

    monkeypatch.setattr(files, "pull", pull)
    result = materialise(instance)
    assert result.success
    found = checks(result)
    assert [name for name, passed in found.items() if not passed and not name.endswith(": fresh")] == [
        "trail/records: pulled"
    ]
    (pulled,) = [one for one in result.get_asset_check_evaluations() if one.check_name == "pulled" and not one.passed]
    assert pulled.severity is dg.AssetCheckSeverity.ERROR
    assert pulled.metadata["first"].value == "ConnectionError: the store says \ufffd[31mno"
    assert metadata(result, "egress/records")["rows_out"] == 4
    assert metadata(result, "findings")["rows_out"] > 0
    monkeypatch.undo()
    monkeypatch.setenv(CONFIG_VARIABLE, str(estate.config))
    again = materialise(instance, "trail/records")
    assert checks(again)["trail/records: pulled"]
    assert {event.asset_key.to_user_string() for event in again.get_asset_materialization_events()} == {"trail/records"}
    assert metadata(again, "trail/records")["rows_out"] == 21


def test_a_file_that_cannot_be_read_is_told(
    estate: Estate, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed, real = estate.put("trail", [event(second=90)], "closed.json"), os.open

    def refusing(path: Any, *arguments: Any, **more: Any) -> int:
        if path == closed:
            raise PermissionError(13, "Permission denied")
        return real(path, *arguments, **more)

    monkeypatch.setattr(os, "open", refusing)
    result = materialise(instance, "trail/records")
    assert not checks(result)["trail/records: pulled"]
    assert (metadata(result, "trail/records")["unread"], metadata(result, "trail/records")["rows_out"]) == (1, 21)


def test_a_record_that_is_lost_stops_the_run_before_stitching(estate: Estate, instance: dg.DagsterInstance) -> None:
    estate.run()
    with load(estate.config).lake.writing() as writer:
        writer.connection.execute("DELETE FROM lake.records WHERE outcome = 'error'")
    estate.put("trail", [event(second=100)])
    result = materialise(instance)
    assert not result.success
    assert not checks(result)["egress/records: every_record_accounted_for"]
    assert checks(result)["trail/records: every_record_accounted_for"]
    made = {event.asset_key.to_user_string() for event in result.get_asset_materialization_events()}
    assert made == {f"{name}/records" for name in ("trail", "second", "egress", "okta")}


BREAKING = {
    "every_uid_names_one_action": "INSERT INTO lake.actions SELECT * FROM lake.actions LIMIT 1",
    "every_action_was_read_from_a_record": "UPDATE lake.actions SET record_id = 'x' || record_id",
    "every_grant_has_its_action": "UPDATE lake.grants SET action_uid = 'nothing'",
    "every_action_is_attributed_once": "INSERT INTO lake.bindings SELECT * FROM lake.bindings WHERE worker IS NOT NULL",
    "every_chain_of_an_action_is_kept": "DELETE FROM lake.chains",
    "every_finding_can_be_followed_down": "UPDATE lake.evidence SET raw = NULL",
    "every_alert_tells_of_a_finding": (
        "INSERT INTO lake.alerts VALUES ('a', 'no finding', 1, 'siem', '{}', TIMESTAMP '2026-03-02')"
    ),
}
INVARIANTS = [*invariants.OF_INGEST, *invariants.OF_STITCHING, *invariants.OF_DETECTION]


class UndoneError(Exception):
    """Raised to roll a transaction back."""


def before_and_after_breaking(whole: Whole, invariant: Invariant) -> tuple[Verdict, Verdict]:
    """The verdicts of one transaction, which is undone."""
    found: list[Verdict] = []
    with contextlib.suppress(UndoneError), load(whole.estate.config).lake.writing() as writer:
        engine = DuckDBEngine(writer.connection)
        found += invariants.verdicts(engine, [invariant])
        writer.connection.execute(BREAKING[invariant.name])
        found += invariants.verdicts(engine, [invariant])
        raise UndoneError
    before, after = found
    return before, after


@pytest.mark.parametrize("invariant", INVARIANTS, ids=lambda one: one.name)
def test_an_invariant_holds_until_it_is_broken(whole: Whole, invariant: Invariant) -> None:
    before, after = before_and_after_breaking(whole, invariant)
    assert (before.holds, before.first) == (True, ())
    assert not after.holds
    assert after.first


def test_where_there_is_no_lake_every_invariant_holds(estate: Estate) -> None:
    assert all(one.holds for one in invariants.judge(load(estate.config).lake, INVARIANTS))


def test_broken_chains_stop_the_run_before_alerts(
    estate: Estate, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = work.stitch_all

    def stitch_all(what: work.Plan) -> object:
        done = real(what)
        with what.lake.writing() as writer:
            writer.connection.execute("DELETE FROM lake.chains")
        return done

    monkeypatch.setattr(stages.work, "stitch_all", stitch_all)
    result = materialise(instance)
    assert not result.success
    assert not checks(result)["chains: every_chain_of_an_action_is_kept"]
    assert counts(estate.root)["findings"] == 0


def test_a_failed_detector_stays_red_while_nothing_new_is_judged(
    estate: Estate, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    what = work.plan(load(estate.config))
    work.ingest_all(what)
    work.stitch_all(what)
    real = work.detect_all

    def detect_all(what: work.Plan) -> object:
        done = real(what)
        return done and type(done)(done.findings, (Failure("slow", "out of \x07time"),))

    monkeypatch.setattr(stages.work, "detect_all", detect_all)
    for _ in range(2):  # the second has nothing new to judge, and mends nothing
        result = materialise(instance, "findings", "alerts")
        (ran,) = [one for one in result.get_asset_check_evaluations() if one.check_name == "every_detector_ran"]
        assert not ran.passed
        assert ran.metadata["slow"].value == "out of \ufffdtime"
    assert metadata(result, "findings")["opened"] == 0


def test_a_source_pulled_from_scratch_comes_in_once(estate: Estate, instance: dg.DagsterInstance) -> None:
    growing = estate.put("egress", squid_line(1) + squid_line(2), "access.log")
    work.ingest_all(work.plan(load(estate.config)))
    growing.write_text(growing.read_text(encoding="utf-8") + squid_line(3), encoding="utf-8")
    estate.run()
    before = {name: count for name, count in counts(estate.root).items() if name in {*SHARED, "evidence"}}
    anew = {"ops": {"pull_egress": {"config": {"from_scratch": True}}}}
    result = materialise(instance, "egress/records", *SHARED, run_config=anew)
    assert result.success
    said = metadata(result, "egress/records")
    assert said["known_objects"] + said["objects"] == 2
    assert said["rows_out"] == 0
    assert said["rows_in"] == said["duplicates"]
    after = {name: count for name, count in counts(estate.root).items() if name in before}
    assert after == before


def test_a_source_that_left_the_configuration_is_not_pulled_in_silence(
    estate: Estate, instance: dg.DagsterInstance
) -> None:
    job = definitions.defs().resolve_job_def("main")
    estate.config.write_text(
        "".join(
            line for line in estate.config.read_text(encoding="utf-8").splitlines(True) if "name: okta" not in line
        ),
        encoding="utf-8",
    )
    chosen = [dg.AssetKey(["okta", "records"]), dg.AssetKey(["trail", "records"])]
    found = checks(job.execute_in_process(instance=instance, asset_selection=chosen))
    assert not found["okta/records: pulled"]
    assert found["trail/records: pulled"]


@pytest.mark.parametrize(
    ("name", "step"), [("egress", "pull_egress"), ("a-b.c", "pull_a_2db_2ec"), ("a_b", "pull_a_5fb")]
)
def test_no_two_sources_share_a_step(estate: Estate, name: str, step: str) -> None:
    text = estate.config.read_text(encoding="utf-8").replace("name: egress", f"name: {name}")
    estate.config.write_text(text, encoding="utf-8")
    (source,) = [one for one in load(estate.config).sources if one.name == name]
    assert step_name(source) == step
    assert dg.AssetKey([name, "records"]) in definitions.defs().resolve_asset_graph().get_all_asset_keys()


@pytest.mark.parametrize(("job", "pools"), [("main", ["lake"]), ("deliver", [])])
def test_runs_that_write_wait_for_each_other_and_delivery_for_none(
    estate: Estate, instance: dg.DagsterInstance, job: str, pools: list[str]
) -> None:
    made = instance.create_run_for_job(definitions.defs().resolve_job_def(job))
    held = made.run_op_concurrency
    assert sorted(held.all_pools or ()) == pools if held else pools == []
    text = (ROOT / "dagster.yaml").read_text(encoding="utf-8")
    assert "pools:\n    default_limit: 1\n    granularity: run\n" in text


def test_telemetry_is_off_and_state_lies_below_data() -> None:
    text = (ROOT / "dagster.yaml").read_text(encoding="utf-8")
    assert "telemetry:\n  enabled: false" in text
    assert text.count("base_dir: data/dagster/") == text.count("base_dir:")

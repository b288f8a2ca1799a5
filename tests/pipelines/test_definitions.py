"""Dagster's graph is as it was, and materialising it does the same as `workertrail run`."""

from __future__ import annotations

from pathlib import Path

import dagster as dg
import pytest
from syrupy.assertion import SnapshotAssertion

from pipelines import definitions
from pipelines.settings import CONFIG_VARIABLE
from tests.end_to_end.lakes import assert_equal
from tests.end_to_end.small import Estate, assume, event, squid_line


def test_the_asset_graph(snapshot: SnapshotAssertion) -> None:
    graph = definitions.defs.resolve_asset_graph()
    keys = sorted(graph.get_all_asset_keys(), key=str)
    nodes = {
        key.to_user_string(): {
            "after": sorted(parent.to_user_string() for parent in graph.get(key).parent_keys),
            "group": graph.get(key).group_name,
        }
        for key in keys
    }
    checks = sorted(f"{key.asset_key.to_user_string()}: {key.name}" for key in graph.asset_check_keys)
    schedules = sorted(f"{one.name}: {one.cron_schedule}" for one in definitions.defs.schedules or [])
    assert {"assets": nodes, "checks": checks, "schedules": schedules} == snapshot


def estate(root: Path) -> Estate:
    root.mkdir()
    made = Estate(root)
    made.put("trail", [event(second=second) for second in range(20)] + [assume("ASIANEXT", second=50)])
    made.put("egress", squid_line() * 3 + squid_line(url="http://elsewhere.invalid/") + "no line of squid\n")
    return made


def test_materialising_everything_is_a_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shelled, plain = estate(tmp_path / "shelled"), estate(tmp_path / "plain")
    monkeypatch.setenv(CONFIG_VARIABLE, str(shelled.config))
    monkeypatch.setenv("DAGSTER_DISABLE_TELEMETRY", "1")
    with dg.DagsterInstance.ephemeral() as instance:
        result = definitions.defs.resolve_job_def("main").execute_in_process(instance=instance)
    assert result.success
    (check,) = [one for one in result.get_asset_check_evaluations() if one.check_name == "every_record_accounted_for"]
    assert check.passed
    records = result.asset_materializations_for_node("ingest")
    (counts,) = [one.metadata for one in records if one.asset_key == dg.AssetKey("records")]
    assert (counts["records"].value, counts["errors"].value) == (26, 1)
    plain.run()
    assert_equal(plain.root, shelled.root)


def test_telemetry_is_off_and_state_lies_below_data() -> None:
    text = (Path(definitions.__file__).resolve().parents[1] / "dagster.yaml").read_text(encoding="utf-8")
    assert "telemetry:\n  enabled: false" in text
    assert text.count("base_dir: data/dagster/") == text.count("base_dir:")

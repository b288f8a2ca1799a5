"""The demo world as a whole: where things lie, how many, the same bytes again, and a truth that fits the logs."""

from __future__ import annotations

import hashlib
import json
import re
import time
from collections import Counter
from datetime import datetime
from pathlib import Path

import pytest
from ruamel.yaml import YAML

import pipelines.worlds.demo
from pipelines.worlds.demo import build as demo

WORKERS = {"finance-recon", "release-bot", "support-agent", "procurement-agent", "research-agent"}
DETECTORS = {
    "out_of_scope": 3,
    "exfiltration_volume": 1,
    "use_after_end": 1,
    "credential_replay": 1,
    "log_tampering": 1,
    "behaviour": 1,
}


def digests(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_layout_and_counts(world):
    out = world.out
    trail = re.compile(
        r"(?:regional-audit/)?AWSLogs/(\d{12})/CloudTrail/([a-z0-9-]+)/(\d{4})/(\d\d)/(\d\d)/"
        r"\1_CloudTrail_\2_\3\4\5T\d{4}Z_[0-9A-Za-z]{16}\.json\.gz"
    )
    objects = [path.relative_to(out / "logs/cloudtrail").as_posix() for path in (out / "logs").rglob("*.json.gz")]
    assert len(objects) > 300
    assert [name for name in objects if not trail.fullmatch(name)] == []
    days = {f"2026-03-{day:02}" for day in range(2, 32)} | {f"2026-04-{day:02}" for day in range(1, 6)}
    assert {path.name[7:17] for path in (out / "logs/egress").iterdir()} == days
    assert {path.stem for path in (out / "logs/okta").iterdir()} == days
    assert {path.stem for path in (out / "workers").iterdir()} == WORKERS
    found = Counter(row.format for row in world.rows)
    assert found == world.made.records
    assert 20_000 < found.total() < 40_000


def test_same_seed_same_bytes_and_quickly(world, tmp_path):
    started = time.process_time()
    demo.write(tmp_path / "again", seed=7, webhook_url=world.made.webhook_url)
    assert time.process_time() - started < 10
    assert digests(tmp_path / "again") == digests(world.out)
    demo.write(tmp_path / "other", seed=8)
    assert digests(tmp_path / "other") != digests(world.out)
    assert {*json.loads((tmp_path / "other/truth/incidents.json").read_text("utf-8"))[0]} == {
        *world.incidents["attack-1"]
    }


def test_a_folder_in_use_is_refused_before_anything_is_written(tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(FileExistsError, match="is not empty"):
        demo.write(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_config_names_every_source_and_the_webhook(world):
    made = world.made
    config = YAML(typ="safe").load(made.config.read_text("utf-8"))
    assert {source["format"]: source["from"] for source in config["sources"]} == {
        "cloudtrail": "logs/cloudtrail/**/*.json.gz",
        "squid": "logs/egress/*.log",
        "okta": "logs/okta/*.jsonl",
    }
    for source in config["sources"]:
        assert any(made.out.glob(source["from"]))
    assert config["alerts"][0]["url"] == made.webhook_url == "http://127.0.0.1:1/x?a=b"
    assert config["alerts"][0]["secret"] == "env:WORKERTRAIL_DEMO_SECRET"


def test_truth_has_a_row_for_each_record_and_the_same_time(world):
    assert {(row.file, row.ordinal) for row in world.rows} == set(world.truth)
    for row in world.rows:
        told = world.of(row)
        assert told["native_id"] == row.native_id
        assert abs((told["time"].replace(tzinfo=row.at.tzinfo) - row.at).total_seconds()) < 1
    assert {told["worker"] for told in world.truth.values()} == WORKERS | {None}
    delegated = {told["delegator"] for told in world.truth.values() if told["worker"] == "support-agent"}
    assert None not in delegated
    assert {told["delegator"] for told in world.truth.values() if told["worker"] != "support-agent"} == {None}


def test_eight_attacks_in_the_last_three_days_and_all_their_events_exist(world):
    assert Counter(row["detector"] for row in world.incidents.values()) == DETECTORS
    assert {worker for row in world.incidents.values() for worker in row["workers"]} == WORKERS
    ids = {row.native_id for row in world.rows}
    for name, incident in world.incidents.items():
        labelled = {told["native_id"] for told in world.truth.values() if told["incident"] == name}
        assert labelled == set(incident["events"])
        assert labelled <= ids
        assert datetime.fromisoformat(incident["started_at"]) >= datetime.fromisoformat("2026-04-03T00:00:00Z")
        assert datetime.fromisoformat(incident["ended_at"]) < datetime.fromisoformat("2026-04-06T00:00:00Z")
    assert len(json.loads((world.out / "truth/lookalikes.json").read_text("utf-8"))) >= 3


def test_the_world_knows_nothing_of_the_parsers():
    sources = Path(pipelines.worlds.demo.__file__).parent.glob("*.py")
    assert [path.name for path in sources if re.search(r"pipelines[./]formats|import formats", path.read_text())] == []

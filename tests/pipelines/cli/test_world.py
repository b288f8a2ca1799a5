"""`workertrail world` and `replay`: sizes refused, worlds written, and the pipeline over one, with and without truth."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import polars as pl
import pytest

from pipelines import run as work
from pipelines.settings import load
from pipelines.worlds import story, write
from pipelines.worlds.size import Size
from tests.pipelines.cli.conftest import Type
from tests.pipelines.worlds.tale import files

SIZE = Size(seed=5, workers=12, days=20, events=20_000)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> write.World:
    return write.write(SIZE, story.tell(SIZE), tmp_path_factory.mktemp("world") / "out")


def _findings(config: Path) -> set[tuple[object, ...]]:
    columns = "finding_uid, detector, worker, severity, title, explanation, evidence"
    with load(config).lake.reading() as lake:
        found = lake.execute(f"SELECT {columns} FROM findings WHERE status <> 'resolved'").fetchall()
    return {(*row[:-1], tuple(row[-1])) for row in found}


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--days", "3"], "--days 3: from 14 to 730 days"),
        (["--workers", "0"], "--workers 0: from 1 to 5000 workers"),
        (["--events", "10"], "--events 10: 30 workers over 28 days leave at least 3360 events"),
        (["--seed", "-1"], "--seed -1: a seed is a whole number"),
    ],
)
def test_impossible_sizes_are_one_line_and_nothing_is_written(
    typed: Type, tmp_path: Path, words: list[str], told: str
) -> None:
    done = typed("world", "--out", tmp_path / "out", *words)
    assert (done.code, done.out) == (2, "")
    assert told in done.err
    assert done.err.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_a_full_folder_and_a_file_are_refused(typed: Type, tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("keep", encoding="utf-8")
    for place in (tmp_path, tmp_path / "mine"):
        done = typed("world", "--out", place)
        assert done.code == 2
        assert done.err == f"Error: {place} is not empty: name a new folder with --out, or empty this one\n"
    assert files(tmp_path) == {"mine": b"keep"}


def test_the_command_writes_the_same_world_twice(typed: Type, world: write.World, tmp_path: Path) -> None:
    words = ["--seed", "5", "--workers", "12", "--days", "20", "--events", "20000"]
    done = typed("world", "--out", tmp_path / "out", *words, "--json")
    assert done.code == 0
    told = json.loads(done.out)
    assert told["records"] == world.records
    assert told["incidents"] >= 1
    assert files(tmp_path / "out") == files(world.out)


def test_events_are_about_as_many_as_asked_for(world: write.World) -> None:
    events = pl.read_parquet(world.out / "truth" / "events.parquet")
    happened = events.filter(~pl.col("is_copy"))["event"].n_unique()
    assert happened == pytest.approx(SIZE.events, rel=0.15)


def test_all_records_become_actions_and_findings_hang_on_no_truth(world: write.World, tmp_path: Path) -> None:
    blind = tmp_path / "blind"
    shutil.copytree(world.out, blind)
    shutil.rmtree(blind / "truth")
    for config in (world.config, blind / "workertrail.yaml"):
        summary = work.run(work.plan(load(config)))
        assert not summary.failures
    with load(world.config).lake.reading() as lake:
        fates = dict(lake.execute("SELECT outcome, count(*) FROM records GROUP BY outcome").fetchall())
        reasons = {reason for (reason,) in lake.execute(
            "SELECT reason FROM records WHERE outcome = 'skipped'").fetchall()}  # fmt: skip
        uids = {uid for (uid,) in lake.execute("SELECT event_uid FROM actions").fetchall()}
    assert fates.keys() <= {"action", "duplicate", "skipped"}
    assert reasons <= {"the challenge before authentication, without a name"}
    realm = {"cloudtrail": "", "okta": "corp.okta.example:", "squid": "egress:"}
    events = pl.read_parquet(world.out / "truth" / "events.parquet")
    written = {f"{name}:{realm[name]}{native}" for name, native in events.select("format", "native_id").iter_rows()}
    assert uids <= written
    assert len(written - uids) == fates.get("skipped", 0)
    found = _findings(world.config)
    assert found == _findings(blind / "workertrail.yaml")
    assert found


def test_replay_hands_a_world_out(typed: Type, tmp_path: Path) -> None:
    out = tmp_path / "out"
    words = ["--workers", "1", "--days", "14", "--events", "400", "--replay"]
    assert typed("world", "--out", out, *words).code == 0
    assert files(out / "logs") == {}
    first = f"{Size(0, 1, 14, 400).first_day:%Y-%m-%d}"
    assert " deliveries; the last of all is at " in typed("replay", out, "--until", first).out
    assert json.loads(typed("replay", out, "--json").out)["deliveries"] > 0
    assert files(out / "logs") == files(out / "held" / "logs")
    shutil.rmtree(out / "held")
    (out / "deliveries.parquet").unlink()
    done = typed("replay", out)
    assert done.code == 2
    assert done.err == f"Error: {out} has no deliveries.parquet: write the world with --replay\n"

"""A story in, a world on disk out: the pipeline reads all of it, and truth names every record."""

from __future__ import annotations

import gzip
import hashlib
import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import duckdb
import polars as pl
import pytest

from pipelines import run as work
from pipelines.settings import load
from pipelines.worlds.write import NotEmpty, World, write
from tests.pipelines.worlds import tale


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return write(tale.SIZE, tale.story(), tmp_path_factory.mktemp("world") / "out")


@pytest.fixture(scope="module")
def events(world: World) -> pl.DataFrame:
    return pl.read_parquet(world.out / "truth" / "events.parquet")


def _texts(file: Path) -> list[str]:
    """The records of a file, CloudTrail's as JSON texts."""
    if file.suffix == ".gz":
        return [json.dumps(record) for record in json.loads(gzip.decompress(file.read_bytes()))["Records"]]
    return file.read_text(encoding="utf-8").splitlines()


def test_equal_sizes_give_equal_bytes_and_another_seed_gives_others(world: World, tmp_path: Path) -> None:
    write(tale.SIZE, tale.story(), tmp_path / "again")
    assert tale.files(tmp_path / "again") == tale.files(world.out)
    write(replace(tale.SIZE, seed=4), tale.story(), tmp_path / "other")
    assert tale.files(tmp_path / "other") != tale.files(world.out)


def test_truth_has_a_row_a_written_record_at_its_place(world: World, events: pl.DataFrame) -> None:
    logs = {path.relative_to(world.out).as_posix(): _texts(path) for path in (world.out / "logs").rglob("*.*")
            if path.is_file()}  # fmt: skip
    places = {(file, ordinal) for file, texts in logs.items() for ordinal in range(len(texts))}
    assert set(events.select("file", "ordinal").iter_rows()) == places
    assert events.height == len(places) == sum(world.records.values())
    ids = {"cloudtrail": "eventID", "okta": "uuid"}
    for name, file, ordinal, native in events.select("format", "file", "ordinal", "native_id").iter_rows():
        text = logs[file][ordinal]
        told = json.loads(text)[ids[name]] if name in ids else f"{hashlib.sha256(text.encode()).hexdigest()[:32]}#0"
        assert told == native


def test_every_record_becomes_an_action_or_tells_of_one_again(world: World, events: pl.DataFrame) -> None:
    settings = load(world.config)
    summary = work.run(work.plan(settings))
    assert not summary.failures
    with settings.lake.reading() as lake:
        fates = dict(lake.execute("SELECT outcome, count(*) FROM records GROUP BY outcome").fetchall())
        uids = {uid for (uid,) in lake.execute("SELECT action_uid FROM actions").fetchall()}
        sessions = lake.execute(
            """SELECT count(*) FROM actions AS a JOIN attributions AS t USING (action_uid)
               WHERE a.api_service = 's3.amazonaws.com' AND (t.worker <> 'agent' OR t.strength <> 'proven')"""
        ).fetchone()
    assert set(fates) == {"action", "duplicate"}
    # Of files that are equal to the byte the records of one are kept.
    kept = {hashlib.sha256((world.out / file).read_bytes()).digest(): file for file in events["file"].unique()}
    assert sum(fates.values()) == events.filter(pl.col("file").is_in(list(kept.values()))).height
    realm = {"cloudtrail": "", "okta": "corp.okta.example:", "squid": "egress:"}
    assert uids == {
        f"{name}:{realm[name]}{native}" for name, native in events.select("format", "native_id").iter_rows()
    }
    assert sessions == (0,), "a role session reaches its role, whatever is missing"


def test_times_are_within_what_clocks_and_duration_explain(world: World, events: pl.DataFrame) -> None:
    records = events.filter(pl.col("format") == "cloudtrail", ~pl.col("is_copy"))
    for file, ordinal, at in records.select("file", "ordinal", "at").head(200).iter_rows():
        told = json.loads(_texts(world.out / file)[ordinal])["eventTime"]
        ends = at.replace(microsecond=0)
        assert f"{ends:%Y-%m-%dT%H:%M:%SZ}" <= told <= f"{ends + timedelta(seconds=2):%Y-%m-%dT%H:%M:%SZ}"


def test_what_happened_over_midnight_is_in_the_next_days_file(world: World, events: pl.DataFrame) -> None:
    squid = events.filter(pl.col("format") == "squid")
    over = squid.filter(pl.col("at").dt.strftime("%Y-%m-%d") != pl.col("file").str.slice(-14, 10))
    assert over.height > 0
    for file in squid["file"].unique():
        ended = [float(line.split()[0]) for line in _texts(world.out / file)]
        assert ended == sorted(ended), "a proxy writes a line when the transaction ends"


def test_incidents_and_workers_are_told(world: World, events: pl.DataFrame) -> None:
    written = events.filter(pl.col("incident") == "incident-0001", ~pl.col("is_copy"))
    incidents = pl.read_parquet(world.out / "truth" / "incidents.parquet").to_dicts()
    assert [(row["incident"], row["scenario"], row["intensity"], row["events"]) for row in incidents] == [
        ("incident-0001", "bulk", 0.5, written.height)
    ]
    assert written.height > 30
    (worker,) = pl.read_parquet(world.out / "truth" / "workers.parquet").to_dicts()
    last = tale.SIZE.first_day + timedelta(days=13)
    assert worker == {
        "worker": "agent", "kind": "by_hand", "first_day": tale.SIZE.first_day, "last_day": last, "days": 14
    }  # fmt: skip
    told = json.loads((world.out / "truth" / "world.json").read_text(encoding="utf-8"))
    assert (told["seed"], told["days"], told["records"]) == (3, 14, events.height)


def test_a_full_folder_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("keep", encoding="utf-8")
    with pytest.raises(NotEmpty, match="is not empty"):
        write(tale.SIZE, tale.story(), tmp_path)
    assert tale.files(tmp_path) == {"mine.txt": b"keep"}


def test_parquet_is_read_by_others(world: World) -> None:
    found = duckdb.sql(f"SELECT system, count(*) FROM '{world.out}/truth/events.parquet' GROUP BY system").fetchall()
    assert {name for name, _ in found} == {"cloud", "proxy", "token"}

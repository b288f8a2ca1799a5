"""Several worlds as one, and truths that are of another world or none at all."""

from __future__ import annotations

import json
import uuid
from pathlib import Path

import polars as pl
import pytest

from pipelines.evaluate import measures, tallies
from pipelines.evaluate import truth as truths
from pipelines.evaluate.share import Share
from pipelines.evaluate.truth import TruthError
from pipelines.settings import load
from tests.end_to_end.small import Estate
from tests.pipelines.evaluate.worlds import BENIGN_ALL, changed, measured, perfect, row, write


def test_worlds_are_put_together_by_their_counts(estate: Estate, tmp_path: Path) -> None:
    settings = load(estate.config)
    one = tallies.tally(settings, truths.read(write(tmp_path / "one", perfect())))
    other = tallies.tally(settings, truths.read(write(tmp_path / "other", changed(**BENIGN_ALL), ())))
    both = measures.measure(tallies.together([one, other]))
    assert both.at("proven").precision == Share(16, 16)
    assert both.detection.recall.caught == Share(1, 1), "equal uids in another world are other findings"
    assert (both.detection.false.false, both.detection.false.rate) == (1, 50.0)
    assert both.detection.ranking.area == 0.5
    assert both.counts.worker_days == 20


def test_the_truth_of_another_world(estate: Estate, tmp_path: Path) -> None:
    other = {name: {**one, "native_id": str(uuid.uuid5(uuid.NAMESPACE_URL, name))} for name, one in perfect().items()}
    with pytest.raises(TruthError, match=r"seed 7\) is the truth of another world: the lake knows 0 of its 9 records"):
        measured(estate, write(tmp_path, other))


def test_a_lake_with_another_world_beside(estate: Estate, tmp_path: Path) -> None:
    with pytest.raises(TruthError, match="it knows 2 of the lake's 9 actions; evaluate with the configuration"):
        measured(estate, write(tmp_path, {name: row(name, second) for name, second in (("a", 1), ("b", 2))}))


def test_an_empty_lake(tmp_path: Path) -> None:
    empty = Estate(tmp_path / "estate")
    empty.run()
    with pytest.raises(TruthError, match="the lake has no actions to hold against"):
        measured(empty, write(tmp_path / "truth", perfect()))


class TestOfTruth:
    def test_none_at_all(self, tmp_path: Path) -> None:
        with pytest.raises(TruthError, match=f"{tmp_path}: there is no truth here"):
            truths.read(tmp_path)

    def test_the_folder_of_the_world_will_do(self, tmp_path: Path) -> None:
        write(tmp_path / "truth", perfect())
        assert truths.read(tmp_path).folder == tmp_path / "truth"

    @pytest.mark.parametrize("version", [2, 0, None])
    def test_another_version(self, tmp_path: Path, version: int | None) -> None:
        write(tmp_path, perfect())
        (tmp_path / "world.json").write_text(json.dumps({"version": version, "seed": 1}), encoding="utf-8")
        with pytest.raises(
            TruthError, match=rf"world\.json: is of version {version}, and this WorkerTrail reads version 1"
        ):
            truths.read(tmp_path)

    @pytest.mark.parametrize("content", ["{", "[]", "7"])
    def test_a_head_that_is_none(self, tmp_path: Path, content: str) -> None:
        write(tmp_path, perfect())
        (tmp_path / "world.json").write_text(content, encoding="utf-8")
        with pytest.raises(TruthError, match=r"world\.json: "):
            truths.read(tmp_path)

    def test_a_file_that_is_missing(self, tmp_path: Path) -> None:
        write(tmp_path, perfect())
        (tmp_path / "incidents.parquet").unlink()
        with pytest.raises(TruthError, match=r"incidents\.parquet: is missing"):
            truths.read(tmp_path)

    def test_a_file_that_is_no_parquet(self, tmp_path: Path) -> None:
        write(tmp_path, perfect())
        (tmp_path / "workers.parquet").write_bytes(b"not Parquet")
        with pytest.raises(TruthError, match=r"workers\.parquet: is no Parquet file"):
            truths.read(tmp_path)

    def test_a_column_that_is_missing_or_of_another_kind(self, tmp_path: Path) -> None:
        write(tmp_path, perfect())
        events = tmp_path / "events.parquet"
        frame = pl.read_parquet(events)
        frame.drop("issued").write_parquet(events)
        with pytest.raises(TruthError, match=r"events\.parquet: has no column issued"):
            truths.read(tmp_path)
        frame.with_columns(pl.col("at").cast(pl.String)).write_parquet(events)
        with pytest.raises(TruthError, match=r"events\.parquet: column at holds String and not Datetime"):
            truths.read(tmp_path)

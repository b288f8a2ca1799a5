"""`workertrail evaluate` as it is typed, over a tiny lake with a truth written by hand."""

from __future__ import annotations

import json
import uuid
from pathlib import Path

import pytest

from tests.end_to_end.small import Estate
from tests.pipelines.cli.conftest import Type
from tests.pipelines.evaluate import worlds


@pytest.fixture(scope="module")
def estate(tmp_path_factory: pytest.TempPathFactory) -> Estate:
    made = Estate(tmp_path_factory.mktemp("evaluated"))
    worlds.logs(made)
    made.run()
    return made


def test_the_table_names_every_measure_with_its_counts(estate: Estate, tmp_path: Path, typed: Type) -> None:
    done = typed("--config", estate.config, "evaluate", "--truth", worlds.write(tmp_path, worlds.perfect()))
    assert done.code == 0, done.err
    assert "100.0 % (8 of 8; 67.6 to 100.0)" in done.out
    for title in ("Measured", "Attribution", "Confidence against truth", "Recall by intensity", "Recall by scenario"):
        assert title in done.out
    assert "nan" not in done.out.lower().split()


def test_json_has_keys_that_stay(estate: Estate, tmp_path: Path, typed: Type) -> None:
    truth = worlds.write(tmp_path, worlds.changed(**worlds.BENIGN_ALL), ())
    done = typed("--config", estate.config, "evaluate", "--truth", truth, "--json")
    assert done.code == 0, done.err
    told = json.loads(done.out)
    assert set(told) == {
        "counts", "by_strength", "calibration", "delegators", "chains", "detection", "evidence", "outcomes", "causes",
    }  # fmt: skip
    assert told["counts"]["seen"]["share"] == 1
    assert told["detection"]["recall"]["caught"] == {"count": 0, "of": 0, "share": None, "low": None, "high": None}
    assert told["detection"]["ranking"]["area"] is None
    assert told["detection"]["false"]["false"] == 1
    assert told["detection"]["by_detector"][0]["detector"] == "out_of_scope"


def test_the_page_needs_no_network_and_is_the_owners(estate: Estate, tmp_path: Path, typed: Type) -> None:
    truth, page = worlds.write(tmp_path / "truth", worlds.perfect()), tmp_path / "page.html"
    done = typed("--config", estate.config, "evaluate", "--truth", truth, "--page", page)
    assert done.code == 0, done.err
    assert str(page) in done.out
    text = page.read_text(encoding="utf-8")
    assert "default-src &#39;none&#39;" in text
    assert "world of seed 7: 1 worker, 10 days, 9 events" in text
    assert 'id="figure-reliability"' in text
    assert "100.0 % (8 of 8; 67.6 to 100.0)" in text
    assert page.stat().st_mode & 0o077 == 0


def test_names_from_logs_and_truths_are_data(estate: Estate, tmp_path: Path, typed: Type) -> None:
    name = "\x1b[31m<script>alert(1)</script>"
    truth = worlds.write(tmp_path / "truth", worlds.changed(read_1={"worker": name}))
    page = tmp_path / "page.html"
    done = typed("--config", estate.config, "evaluate", "--truth", truth, "--page", page)
    assert done.code == 0, done.err
    assert "\x1b" not in done.out
    text = page.read_text(encoding="utf-8")
    assert "<script>alert" not in text
    assert "&lt;script&gt;alert(1)" in text


def test_the_truth_of_another_world_is_refused(estate: Estate, tmp_path: Path, typed: Type) -> None:
    other = {
        name: {**row, "native_id": str(uuid.uuid5(uuid.NAMESPACE_URL, name))} for name, row in worlds.perfect().items()
    }
    done = typed("--config", estate.config, "evaluate", "--truth", worlds.write(tmp_path, other), "--json")
    assert (done.code, done.out) == (2, "")
    assert f"{tmp_path} (seed 7) is the truth of another world" in done.err
    assert "evaluate with the configuration of the world that this truth lies in" in done.err


def test_no_truth_is_refused_with_its_path(estate: Estate, tmp_path: Path, typed: Type) -> None:
    done = typed("--config", estate.config, "evaluate", "--truth", tmp_path)
    assert done.code == 2
    assert f"{tmp_path}: there is no truth here" in done.err


def test_a_page_in_a_folder_that_is_not_there(estate: Estate, tmp_path: Path, typed: Type) -> None:
    truth = worlds.write(tmp_path / "truth", worlds.perfect())
    done = typed("--config", estate.config, "evaluate", "--truth", truth, "--page", tmp_path / "absent" / "page.html")
    assert done.code == 1
    assert f"the folder {tmp_path / 'absent'} does not exist" in done.err


def test_without_a_lake(tmp_path: Path, typed: Type) -> None:
    made = Estate(tmp_path / "estate")
    truth = worlds.write(tmp_path / "truth", worlds.perfect())
    done = typed("--config", made.config, "evaluate", "--truth", truth)
    assert done.code == 2
    assert "there is no lake" in done.err

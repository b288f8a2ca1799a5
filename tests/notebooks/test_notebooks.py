"""Every notebook is run as a program over a small lake, and what its cells define is looked at."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from typing import Any

import marimo
import pytest

from pipelines.settings import CONFIG_VARIABLE
from tests.end_to_end.lakes import counts
from tests.end_to_end.small import Estate
from tests.machine import ROOT
from tests.notebooks.hostile import HOSTILE

NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.py"))


def app(name: str) -> marimo.App:
    spec = importlib.util.spec_from_file_location(f"notebook_{name}", ROOT / "notebooks" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    made = module.app
    assert isinstance(made, marimo.App)
    return made


def run(name: str, config: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[str, dict[str, Any]]:
    """What its cells show, as the HTML that a page gets, and what they define."""
    monkeypatch.setenv(CONFIG_VARIABLE, str(config))
    outputs, defined = app(name).run()
    return "\n".join(marimo.as_html(one).text for one in outputs if one is not None), dict(defined)


def test_the_findings_and_one_followed_to_its_raw_records(estate: Estate, monkeypatch: pytest.MonkeyPatch) -> None:
    before = counts(estate.root)
    _, defined = run("1_findings", estate.config, monkeypatch)
    listed = estate.rows("SELECT finding_uid FROM findings")
    assert {row["finding_uid"] for row in listed} == set(defined["found"]["finding_uid"])
    followed = defined["followed"]
    assert followed.finding["finding_uid"] == defined["table"].value["finding_uid"][0]
    uid = defined["records"]["action_uid"][0]
    (raw,) = estate.rows(
        f"SELECT r.raw FROM records AS r JOIN actions AS a ON a.record_id = r.record_id WHERE a.action_uid = '{uid}'"
    )
    assert defined["records"]["raw"].to_list() == [raw["raw"]]
    assert counts(estate.root) == before


def test_a_workers_days(estate: Estate, monkeypatch: pytest.MonkeyPatch) -> None:
    _, defined = run("2_worker", estate.config, monkeypatch)
    days = defined["days"]
    calls = estate.rows(
        "SELECT count(*) AS n FROM actions AS a JOIN attributions AS t ON t.action_uid = a.action_uid"
        " WHERE t.worker = 'agent' AND a.is_primary"
    )
    assert days.hours["calls"].sum() == calls[0]["n"] == days.destinations["calls"].sum()
    assert len(defined["calls"].data) == 2
    assert sum(sum(bar.y) for bar in defined["calls"].data) == calls[0]["n"]
    declared = {row["line"]: row for row in days.lines.to_dicts()}
    assert declared[8]["calls"] > 0
    assert declared[9]["calls"] == 10
    assert "far.invalid" in days.beyond["what"].to_list()


def test_a_query_reads_and_cannot_write(estate: Estate, monkeypatch: pytest.MonkeyPatch) -> None:
    _, defined = run("3_query", estate.config, monkeypatch)
    assert defined["rows"]["actions"].sum() == estate.rows("SELECT count(*) AS n FROM actions")[0]["n"]


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda file: file.stem)
def test_without_a_lake_it_says_what_to_do(notebook: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shown, _ = run(notebook.stem, Estate(tmp_path).config, monkeypatch)
    assert "There is no lake at" in shown
    assert "run` makes it" in shown


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda file: file.stem)
def test_without_a_configuration_it_says_so(notebook: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shown, _ = run(notebook.stem, tmp_path / "nowhere.yaml", monkeypatch)
    assert "nowhere.yaml" in shown


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda file: file.stem)
def test_no_tag_of_a_log_reaches_the_page(notebook: Path, estate: Estate, monkeypatch: pytest.MonkeyPatch) -> None:
    shown, _ = run(notebook.stem, estate.config, monkeypatch)
    assert shown
    assert [text for text in HOSTILE if "<" in text and text in shown] == []


def test_marimo_finds_nothing_to_mend() -> None:
    checked = subprocess.run(
        [sys.executable, "-m", "marimo", "check", "--strict", *map(str, NOTEBOOKS)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert checked.returncode == 0, checked.stdout + checked.stderr

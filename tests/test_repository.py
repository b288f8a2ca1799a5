"""The repository itself: what it may name, what is pinned, what a dropped-in file does."""

from __future__ import annotations

import importlib
import re
import subprocess
import sys
from pathlib import Path

import pytest

import pipelines.formats
from pipelines.formats import all_formats
from pipelines.settings import load
from tests.machine import ROOT

LOCKS = ("requirements.lock", "requirements-spark.lock", "requirements-dev.lock")


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_pins_everything_with_hashes_and_names_no_index(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    requirements = re.split(r"\n(?=[a-z0-9])", text.split("\n", 2)[2])
    assert len(requirements) > 50
    assert [one for one in requirements if "==" not in one or "--hash=sha256:" not in one] == []
    assert re.findall(r"https?://|--index|--find-links|--extra", text) == []


def test_the_repository_names_no_machine_path() -> None:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    banned = re.compile(
        "|".join(["/wo" + "rk/", "/op" + "t/", r"\.libr" + "ary", "pypi" + r"\.org", "pythonhos" + "ted"])
    )
    named = [
        name
        for name in listed
        if (ROOT / name).suffix not in {".png", ".parquet", ".gz"}
        and banned.search((ROOT / name).read_text(encoding="utf-8", errors="replace"))
    ]
    assert named == []


def test_detectors_never_import_pipelines() -> None:
    importing = [
        str(file)
        for file in (ROOT / "detectors").rglob("*.py")
        if re.search(r"^\s*(from|import) pipelines", file.read_text(encoding="utf-8"), re.MULTILINE)
    ]
    assert importing == []


NEW_FORMAT = '''
"""A format that only this test knows: `TIME USER HOST` a line."""
import duckdb
import pyarrow as pa
from pipelines.formats import splitting
from pipelines.formats.format import ACTIONS_OUT, GRANTS_OUT, Format, Options, rows


def split(stream, at_rest, options):
    return splitting.lines(stream, at_rest)


def actions(records, options):
    with duckdb.connect() as connection:
        connection.register("records", records)
        found = connection.execute("""
            SELECT record_id, 'action' AS outcome, CAST(split_part(raw, ' ', 1) AS TIMESTAMP) AS time, 'end' AS time_kind,
                   'proxy:user/' || realm || '/' || split_part(raw, ' ', 2) AS principal, 'proven' AS identity_strength,
                   split_part(raw, ' ', 3) AS dst_host, 80 AS dst_port, 'GET' AS http_method, 'success' AS status
            FROM records""").to_arrow_table()
    return rows(found, ACTIONS_OUT)


def grants(records, options):
    return GRANTS_OUT.empty_table()


FORMAT = Format(
    name="plainest", category="proxy", observes=frozenset({"time", "principal", "dst_host", "dst_port", "http_method"}),
    id_scope="none", split=split, actions=actions, grants=grants,
)
'''


def test_a_format_that_is_dropped_in_runs_end_to_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tests.end_to_end.small import Estate  # noqa: PLC0415

    folder = tmp_path / "dropped"
    folder.mkdir()
    (folder / "plainest.py").write_text(NEW_FORMAT, encoding="utf-8")
    monkeypatch.setattr(pipelines.formats, "__path__", [*pipelines.formats.__path__, str(folder)])
    all_formats.cache_clear()
    try:
        importlib.invalidate_caches()
        root = tmp_path / "estate"
        root.mkdir()
        estate = Estate(root)
        text = estate.config.read_text(encoding="utf-8").replace("format: squid", "format: plainest")
        estate.config.write_text(text.replace(", authenticated: true", ""), encoding="utf-8")
        assert load(estate.config).sources[2].format.name == "plainest"
        estate.put("egress", "2026-03-02T09:00:00 svc-agent a.example\n2026-03-02T09:00:01 svc-agent far.invalid\n")
        estate.run()
        found = estate.rows("SELECT worker, entity, detector FROM findings")
    finally:
        all_formats.cache_clear()
        sys.modules.pop("pipelines.formats.plainest", None)
    assert found == [{"worker": "agent", "entity": "far.invalid", "detector": "out_of_scope"}]

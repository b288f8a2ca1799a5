"""docs/formats.md is what the formats are, and its figures of real logs are those of the logs."""

from __future__ import annotations

import runpy
from typing import Any

import pytest

from pipelines.formats import all_formats
from tests.machine import ROOT, shared
from tests.pipelines.formats.samples import FOLDER, samples


@pytest.fixture(scope="module")
def page() -> dict[str, Any]:
    return runpy.run_path(str(ROOT / "scripts" / "formats_page.py"))


def test_the_page_of_formats_is_what_the_formats_say(page: dict[str, Any]) -> None:
    stands = (ROOT / "docs" / "formats.md").read_text(encoding="utf-8")
    assert stands == page["page"](), "run: scripts/formats-page > docs/formats.md"


def test_every_format_says_what_it_proves_and_what_it_cannot_see(page: dict[str, Any]) -> None:
    assert page["lacking"]() == []


def test_every_format_has_a_sample_with_actions(page: dict[str, Any]) -> None:
    assert {one.kind for one in samples()} == set(all_formats())
    empty = [one.id for one in samples() if page["of_file"](one).actions == 0 and "Digest" not in one.id]
    assert empty == []


def test_every_sample_says_what_comes_out_of_it() -> None:
    beside = {one.id: (one.file.with_name(f"{one.file.stem}.expected.json"), one.file.with_name("expected.json"))
              for one in samples()}  # fmt: skip
    assert [name for name, files in beside.items() if not any(file.exists() for file in files)] == []


def test_no_sample_of_data_is_of_an_unknown_format() -> None:
    assert {folder.name for folder in FOLDER.iterdir()} <= set(all_formats())


def test_the_figures_of_real_logs_are_those_of_the_logs(page: dict[str, Any]) -> None:
    shared("MANIFEST.csv")
    stands = page["MEASURED"].read_text(encoding="utf-8")
    assert stands == page["written"](page["measured"]()), "run: scripts/formats-page --measure > docs/formats.md"


def test_every_record_of_real_logs_that_is_no_action_has_a_reason(page: dict[str, Any]) -> None:
    rows = page["stored"]()
    assert len(rows) >= 20
    for row in rows:
        others = int(row["skipped"]) + int(row["errors"])
        assert int(row["records"]) == int(row["actions"]) + others
        assert bool(row["reasons"]) == bool(others)
        assert sum(int(part.split(" x ")[0]) for part in row["reasons"].split("; ") if part) == others

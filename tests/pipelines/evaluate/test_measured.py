"""The script behind `make evaluate`: which seeds it reports, and what its page may not show."""

from __future__ import annotations

import re
import runpy
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.small import Estate
from tests.machine import ROOT
from tests.pipelines.evaluate.worlds import INCIDENT, changed, measured, write


@pytest.fixture(scope="module")
def script() -> dict[str, Any]:
    return runpy.run_path(str(ROOT / "scripts" / "evaluate.py"))


def asked(script: dict[str, Any], seeds: str) -> Any:
    return script["Asked"](script["_seeds"](seeds), 12, 21, 20_000, 1)


def test_seeds(script: dict[str, Any]) -> None:
    assert script["_seeds"]("100-103,7") == (100, 101, 102, 103, 7)
    assert asked(script, "100-139").is_report
    assert not asked(script, "0-19").is_report
    assert not asked(script, "139-140").is_report
    assert asked(script, "3,5").again == "scripts/evaluate --seeds 3,5 --workers 12 --days 21 --events 20000"


def test_the_page_shows_no_single_incident_or_action(script: dict[str, Any], estate: Estate, tmp_path: Path) -> None:
    truth = changed(quiet_1={"incident": "incident-2"}, read_1={"worker": "other"})
    missed = {**INCIDENT, "incident": "incident-2", "scenario": "quiet_read"}
    found = measured(estate, write(tmp_path, truth, (INCIDENT, missed)))
    page = script["page"](found, asked(script, "100-101"))
    assert "| precision of proven | 87.5 % (7 of 8; 52.9 to 97.8) | at least 99.9 % |" in page
    assert "`scripts/evaluate --seeds 100-101 --workers 12 --days 21 --events 20000`" in page
    for single in ("incident-2", truth["read-1"]["native_id"], "## Errors of attribution"):
        assert single not in page
    printed = "\n".join(map(script["markdown"], script["sections"](found)))
    assert "incident-2" in printed, "tuning seeds show it"
    assert truth["read-1"]["native_id"] in printed


def test_no_cell_breaks_a_table(script: dict[str, Any]) -> None:
    section = script["Section"]("Names", "a note", ("name",), (("a|b\nc",),))
    assert script["markdown"](section).splitlines()[-1] == "| a\\|b c |"


def test_the_page_in_docs_is_of_the_reporting_seeds() -> None:
    text = (ROOT / "docs" / "measured.md").read_text(encoding="utf-8")
    found = re.search(r"`scripts/evaluate --seeds (\d+)-(\d+) --workers \d+ --days \d+ --events \d+`", text)
    assert found is not None
    assert 100 <= int(found[1]) <= int(found[2]) <= 139

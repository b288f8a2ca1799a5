"""What becomes of a record whose time nobody can believe."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pytest

from pipelines.formats import all_formats
from pipelines.formats.format import RECORDS_IN
from pipelines.ingest.parse import parse_records
from pipelines.lake.duckdb_engine import DuckDBEngines
from pipelines.settings import Source


def okta(published: str) -> tuple[str, str | None]:
    """The outcome and the reason of one record of that time."""
    log_format = all_formats()["okta"]
    source = Source(
        "okta", log_format, "corp.okta.example", "*", Path(), log_format.options.model_validate({}), keep_secrets=False
    )
    raw = json.dumps({"uuid": "u1", "published": published, "eventType": "user.session.start", "actor": {"id": "00u1"}})
    row = dict.fromkeys(RECORDS_IN.names) | {
        "record_id": "r1", "source": "okta", "realm": "corp.okta.example", "raw": raw,
    }  # fmt: skip
    actions, _ = parse_records(DuckDBEngines(), Path(), source, pa.Table.from_pylist([row], schema=RECORDS_IN))
    (found,) = actions.select(["outcome", "reason"]).to_pylist()
    return found["outcome"], found["reason"]


@pytest.mark.parametrize("year", ["0001", "1969", "2200", "9999"])
def test_a_time_that_no_log_is_written_at_is_an_error_with_its_reason(year: str) -> None:
    assert okta(f"{year}-03-02T09:00:00.000Z") == ("error", "its time lies outside 1970 to 2199")


@pytest.mark.parametrize("year", ["1970", "2026", "2199"])
def test_any_other_time_is_one(year: str) -> None:
    assert okta(f"{year}-03-02T09:00:00.000Z") == ("action", None)

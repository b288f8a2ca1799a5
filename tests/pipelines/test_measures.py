"""What a run says of the lake, and when a source is fresh."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pytest

from pipelines import measures
from pipelines.settings import load
from tests.end_to_end.small import Estate, event, squid_line


@pytest.fixture
def estate(tmp_path: Path) -> Estate:
    return Estate(tmp_path)


def state(estate: Estate, name: str) -> measures.SourceState:
    settings = load(estate.config)
    (source,) = [one for one in settings.sources if one.name == name]
    return measures.of_source(settings.lake, source)


def test_a_source_is_fresh_for_25_hours_after_its_newest_event(estate: Estate) -> None:
    estate.put("trail", [event(second=1), event(second=59)])
    estate.run()
    found = state(estate, "trail")
    newest = datetime(2026, 3, 2, 9, 0, 59)
    assert (found.records, found.actions, found.objects, found.horizon) == (2, 2, 1, newest)
    assert found.is_fresh(newest + timedelta(hours=24, minutes=59))
    assert not found.is_fresh(newest + timedelta(hours=25))


def test_a_source_that_brought_nothing_is_not_fresh(estate: Estate) -> None:
    assert state(estate, "okta") == measures.SourceState()
    estate.put("egress", squid_line())
    estate.run()
    found = state(estate, "okta")
    assert (found.records, found.horizon) == (0, None)
    assert not found.is_fresh(datetime(2026, 3, 2))


def test_a_record_from_the_future_does_not_make_a_source_look_alive(estate: Estate) -> None:
    estate.put("trail", [event(second=1, eventTime="2199-01-01T00:00:00Z")])
    estate.run()
    found = state(estate, "trail")
    assert found.actions == 1
    assert found.horizon == found.pulled_at
    assert not found.is_fresh(datetime(2198, 12, 31))


def test_rows_are_counted_by_kind(estate: Estate) -> None:
    assert measures.rows(load(estate.config).lake, "records", by="outcome") == measures.Rows()
    estate.put("egress", squid_line() + squid_line() + "no line of squid\n")
    estate.run()
    lake = load(estate.config).lake
    found = measures.rows(lake, "records", by="outcome")
    assert (found.total, found.by) == (3, {"action": 2, "error": 1})
    assert measures.rows(lake, "attributions", by="strength").by == {"proven": 2}
    assert measures.rows(lake, "records", by="outcome", where="outcome <> 'error'").total == 2

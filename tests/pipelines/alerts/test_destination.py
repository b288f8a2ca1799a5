"""A type of destination is a file: dropping it in is all."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.alerts import destinations
from pipelines.alerts.destination import all_destinations

FILE = """
from contextlib import nullcontext
from pipelines.alerts.destination import Answer, Destination, DestinationSettings

DESTINATION = Destination(
    name="printer",
    settings=DestinationSettings,
    payload=lambda notice: notice.finding["title"],
    open=lambda settings: nullcontext(lambda message: Answer("delivered")),
)
"""


def test_a_dropped_file_is_a_destination(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "printer_for_tests.py").write_text(FILE)
    monkeypatch.setattr(destinations, "__path__", [*destinations.__path__, str(tmp_path)])
    all_destinations.cache_clear()
    try:
        assert set(all_destinations()) >= {"webhook", "printer"}
    finally:
        all_destinations.cache_clear()


def test_every_destination_is_named_as_its_file_and_has_strict_settings() -> None:
    files = {path.stem for path in Path(destinations.__path__[0]).glob("*.py")} - {"__init__"}
    assert set(all_destinations()) == files
    for destination in all_destinations().values():
        assert destination.settings.model_config["extra"] == "forbid"

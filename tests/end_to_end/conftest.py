"""A week of the demo world, for proofs that need many runs."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from pipelines.worlds.demo import build as demo

SECRET = "whsec_" + "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVowMTIzNDU="


@pytest.fixture(scope="session")
def whole_world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo world as it is written, never run in place."""
    out = tmp_path_factory.mktemp("world") / "demo"
    demo.write(out)
    return out


@pytest.fixture(scope="session")
def week(whole_world: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its last days, with all eight attacks' days: about a tenth of it."""
    out = tmp_path_factory.mktemp("week") / "world"
    shutil.copytree(whole_world, out, ignore=shutil.ignore_patterns("truth"))
    for file in (out / "logs").rglob("*"):
        if file.is_file() and not any(day in str(file) for day in _days(file)):
            file.unlink()
    return out


def _days(file: Path) -> tuple[str, ...]:
    days = ("2026-04-03", "2026-04-04", "2026-04-05")
    return (*days, *(day.replace("-", "/") for day in days))


@pytest.fixture
def world(week: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the week that a test may run and change."""
    monkeypatch.setenv("WORKERTRAIL_DEMO_SECRET", SECRET)
    out = tmp_path / "world"
    shutil.copytree(week, out)
    return out

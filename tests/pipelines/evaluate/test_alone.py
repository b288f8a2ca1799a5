"""Truth is read by the evaluation alone: nobody else imports it, and nobody else names the folder."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from tests.machine import ROOT

PACKAGES = ("pipelines", "detectors", "notebooks")
WRITERS = ("pipelines/worlds/", "pipelines/cli/world.py", "pipelines/cli/demo.py")
"""These write truths; the demo's summary reads its own, of another layout."""
READERS = ("pipelines/evaluate/", "pipelines/cli/evaluate.py")


def sources() -> list[tuple[str, str]]:
    files = sorted(file for package in PACKAGES for file in (ROOT / package).rglob("*.py"))
    return [(str(file.relative_to(ROOT)), file.read_text(encoding="utf-8")) for file in files]


def imported(text: str) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            names |= {one.name for one in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{one.name}" for one in node.names)}
    return names


def test_only_its_command_imports_the_evaluation() -> None:
    importing = {
        file
        for file, text in sources()
        if any(name.startswith("pipelines.evaluate") for name in imported(text)) and not file.startswith(READERS)
    }
    assert importing == set()
    assert "pipelines.evaluate.truth" in imported((ROOT / "pipelines/cli/evaluate.py").read_text(encoding="utf-8"))


def test_nothing_that_judges_names_the_truths_folder() -> None:
    naming = {
        file
        for file, text in sources()
        if not file.startswith((*READERS, *WRITERS)) and any(_names(part) for part in _texts(text))
    }
    assert naming == set()


def test_nothing_that_judges_imports_worlds() -> None:
    judging = ("pipelines/detect", "pipelines/stitch", "pipelines/ingest", "pipelines/formats", "detectors/")
    importing = {
        file
        for file, text in sources()
        if file.startswith(judging) and any(name.startswith("pipelines.worlds") for name in imported(text))
    }
    assert importing == set()


def _texts(text: str) -> list[str]:
    """The texts of a module that are no docstrings."""
    tree = ast.parse(text)
    said = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    return [
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in said
    ]


def _names(text: str) -> bool:
    return text == "truth" or re.search(r"\btruth/|(incidents|lookalikes)\.parquet", text) is not None


def test_the_search_would_find_it() -> None:
    reading = 'from pathlib import Path\nEVENTS = Path("world") / "truth" / "events.parquet"\n'
    assert any(_names(part) for part in _texts(reading))
    assert Path(ROOT / "pipelines/evaluate/truth.py").exists()

"""The pages of docs/ say what is so: every example is loaded, every command's help is the command's."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import pytest

from detectors.manifest import conflicts, load_manifest, warnings
from detectors.manifest_model import DIMENSIONS, MEASURES, WINDOWLESS, Manifest
from pipelines.alerts.destinations.webhook import parse_secrets
from tests.machine import ROOT

PAGE = (ROOT / "docs" / "manifest.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)


@pytest.mark.parametrize("example", EXAMPLES, ids=[text.split("\n", 1)[0].split()[1] for text in EXAMPLES])
def test_every_manifest_of_the_page_is_valid(example: str, tmp_path: Path) -> None:
    file = tmp_path / "worker.yaml"
    file.write_text(example, encoding="utf-8")
    assert load_manifest(file).scope


def test_they_stand_side_by_side_and_one_shows_every_key(tmp_path: Path) -> None:
    assert len(EXAMPLES) == 3
    manifests = []
    for place, example in enumerate(EXAMPLES):
        (tmp_path / f"{place}.yaml").write_text(example, encoding="utf-8")
        manifests.append(load_manifest(tmp_path / f"{place}.yaml"))
    assert conflicts(manifests) == []
    assert [str(one) for one in warnings(manifests) if "never match" in str(one)] == []
    whole = manifests[1].model_dump(exclude_defaults=True)
    assert set(Manifest.model_fields) - set(whole) == set()


def test_the_page_names_every_key_and_measure() -> None:
    for kind, names in DIMENSIONS.items():
        row = next(line for line in PAGE.splitlines() if line.startswith(f"| {kind} |"))
        assert re.findall(r"`(\w+)`", row) == list(names)
    rows = dict(re.findall(r"^\| `(\w+)` \| .* \| (needed|none) \|$", PAGE, re.MULTILINE))
    assert rows == {measure: "none" if measure in WINDOWLESS else "needed" for measure in MEASURES}


def test_the_secret_that_the_page_makes_is_taken(capsys: pytest.CaptureFixture[str]) -> None:
    command = re.search(r"python3 -c '(.*)'", PAGE)
    assert command
    exec(command[1], {})
    assert len(parse_secrets(capsys.readouterr().out, "the page's")) == 1


def test_the_page_of_commands_is_what_the_commands_say() -> None:
    page = runpy.run_path(str(ROOT / "scripts" / "commands-page"))["page"]()
    stands = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
    assert stands == page, "run: .venv/bin/python scripts/commands-page > docs/commands.md"

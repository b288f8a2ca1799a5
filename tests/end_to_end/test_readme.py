"""Every command of the README does what it says, in an order that a new user would follow."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.machine import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")
COMMANDS = [
    line.split("#")[0].strip()
    for block in re.findall(r"```sh\n(.*?)```", README, re.DOTALL)
    for line in block.splitlines()
    if line.split("#")[0].strip()
]
ATTACKS = [f"attack-{number}" for number in range(1, 9)]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as the repository's root is after `make install`."""
    root = tmp_path_factory.mktemp("clone")
    shutil.copy(ROOT / "workertrail.yaml", root)
    for name in ("samples", "workers"):
        shutil.copytree(ROOT / "data" / name, root / "data" / name)
    return root


def typed(command: str, place: Path) -> subprocess.CompletedProcess[str]:
    program = str(Path(sys.executable).with_name("workertrail"))
    words = shlex.split(command.replace(".venv/bin/workertrail", program))
    return subprocess.run(words, cwd=place, capture_output=True, text=True, check=False, timeout=300)


def test_the_make_commands_are_targets() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    made = [command for command in COMMANDS if command.startswith("make ")]
    assert made == ["make demo", "make test"]
    assert all(f"\n{command.split()[1]}:" in makefile for command in [*made, "make install"])
    assert "$(BIN)/workertrail demo" in makefile


def test_every_other_command_runs_after_the_demo(place: Path) -> None:
    demo = typed(".venv/bin/workertrail demo", place)
    assert demo.returncode == 0, demo.stdout + demo.stderr
    assert "failed   detector" not in demo.stdout
    for attack in ATTACKS:
        assert re.search(rf"^  (caught|MISSED)  {attack} ", demo.stdout, re.MULTILINE)
    assert re.search(r"^receiver [1-9]\d* signatures verified, 0 refused$", demo.stdout, re.MULTILINE)
    others = [command for command in COMMANDS if not command.startswith("make ")]
    assert len(others) >= 6
    for command in others:
        done = typed(command, place)
        assert done.returncode == 0, f"{command}: {done.stderr}"
        assert done.stdout, f"{command} says nothing"


def test_the_demo_never_clears_a_folder_that_is_not_its_own(place: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("precious", encoding="utf-8")
    done = typed(f".venv/bin/workertrail demo --out {tmp_path}", place)
    assert done.returncode == 1
    assert "is not empty and no demo's" in done.stderr
    assert (tmp_path / "mine.txt").exists()


def test_the_formats_named_are_the_formats_there_are() -> None:
    from pipelines.formats import all_formats  # noqa: PLC0415

    table = README.split("| kind | formats |")[1].split("\n## ")[0]
    assert set(re.findall(r"`(\w+)`", table)) == set(all_formats())

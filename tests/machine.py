"""What tests need of the machine: present, or skipped with a visible reason; under CI a missing part fails."""

from __future__ import annotations

import importlib.util
import os
import shutil
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SHARED = ROOT.parent / "shared" / "data"


def lacking(reason: str) -> None:
    """Skip the test for this reason, or fail it where CI=true."""
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


def shared(*parts: str) -> Path:
    """A folder or file of the real logs that lie beside the repository."""
    path = SHARED.joinpath(*parts)
    if not path.exists():
        lacking(f"the real logs are not here: {path}")
    return path


def program(name: str) -> str:
    """The path of a program that Debian has."""
    found = shutil.which(name)
    if found is None:
        lacking(f"the program {name} is not installed")
    return str(found)


def module(name: str) -> None:
    """A Python package that an extra brings."""
    if importlib.util.find_spec(name) is None:
        lacking(f"the package {name} is not installed")

"""Commands typed within the test's own process: the same code as the program's, without its start."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass

import pytest

from pipelines.cli import root


@dataclass(frozen=True)
class Done:
    """What a command left."""

    code: int
    out: str
    err: str


Type = Callable[..., Done]


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch) -> Type:
    """A function that runs `workertrail WORDS`."""

    def run(*words: object) -> Done:
        monkeypatch.setattr(sys, "argv", ["workertrail", *map(str, words)])
        out, err = io.StringIO(), io.StringIO()
        with redirect_stdout(out), redirect_stderr(err):
            code = root.run()
        return Done(code, out.getvalue(), err.getvalue())

    return run

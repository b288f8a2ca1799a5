from __future__ import annotations

import pytest

from pipelines.lake import extensions


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> None:
    """The tests' lakes are tiny: on two cores one thread takes a third less CPU than two."""
    extensions.THREADS = 1

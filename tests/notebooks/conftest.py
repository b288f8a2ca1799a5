"""A small estate whose logs are hostile to pages, run once for all tests of notebooks."""

from __future__ import annotations

import pytest

from tests.end_to_end.small import Estate
from tests.notebooks.hostile import hostile_estate


@pytest.fixture(scope="session")
def estate(tmp_path_factory: pytest.TempPathFactory) -> Estate:
    return hostile_estate(tmp_path_factory.mktemp("notebooks"))

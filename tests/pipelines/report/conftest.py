"""One small estate with hostile logs, run once."""

from __future__ import annotations

import pytest

from tests.end_to_end.small import Estate
from tests.pipelines.report.estate import hostile


@pytest.fixture(scope="session")
def estate(tmp_path_factory: pytest.TempPathFactory) -> Estate:
    return hostile(tmp_path_factory.mktemp("estate"))

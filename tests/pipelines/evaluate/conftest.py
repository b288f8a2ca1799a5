"""One tiny lake, run once, that no test writes to."""

from __future__ import annotations

import pytest

from tests.end_to_end.small import Estate
from tests.pipelines.evaluate import worlds


@pytest.fixture(scope="session")
def estate(tmp_path_factory: pytest.TempPathFactory) -> Estate:
    made = Estate(tmp_path_factory.mktemp("evaluated"))
    worlds.logs(made)
    made.run()
    return made

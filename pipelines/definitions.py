"""The Dagster code location, for `dagster dev -m pipelines.definitions`: see `pipelines.orchestration`."""

from __future__ import annotations

import dagster as dg

from pipelines.orchestration.location import location
from pipelines.orchestration.shared import config
from pipelines.settings import load


@dg.definitions
def defs() -> dg.Definitions:
    """What the configuration named by WORKERTRAIL_CONFIG (./workertrail.yaml without it) asks for."""
    return location(load(config()))

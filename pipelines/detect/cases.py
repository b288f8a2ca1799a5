"""The test cases that detectors carry, run where nothing else is: no lake, no file, no more time than one may take."""

from __future__ import annotations

from collections.abc import Iterable

import duckdb

from detectors import provided, rules, sigma_rules
from detectors.located import Problem, Problems
from pipelines import schema
from pipelines.detect import sigma
from pipelines.detect.load import Loaded
from pipelines.lake.duckdb_engine import DuckDBEngine


def failed(loaded: Iterable[Loaded], seconds: float | None = None) -> list[Problem]:
    """The cases that come out otherwise than they say, each with file and line; no statement outlasts `seconds`."""
    problems: list[Problem] = []
    for one in loaded:
        if isinstance(one, sigma_rules.Rule):
            problems += sigma.failed_cases([one])
        elif one.has_cases:
            problems += _of_sql(one, seconds)
    return problems


def without(loaded: Iterable[Loaded]) -> list[str]:
    """The files of the detectors that carry no case."""
    return [one.file for one in loaded if not (one.tests if isinstance(one, sigma_rules.Rule) else one.has_cases)]


def _of_sql(detector: rules.Detector, seconds: float | None) -> list[Problem]:
    with duckdb.connect(config={"enable_external_access": False, "lock_configuration": True}) as connection:
        engine = DuckDBEngine(connection, seconds=seconds)
        try:
            return rules.failed_cases(engine, detector, provided.schemas(schema.arrow_schemas()))
        except Problems as error:
            return error.problems

"""What every step has in common: the run's plan, and how figures and verdicts are shown."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import dagster as dg

from detectors.findings import printable
from pipelines import run as work
from pipelines.invariants import Invariant, Verdict
from pipelines.settings import CONFIG_VARIABLE, load

POOL = "lake"
"""The pool of every step that writes to the lake: one run at a time (see dagster.yaml). Delivery is not in it."""


def config() -> Path:
    """The configuration that this code location works by."""
    return Path(os.environ.get(CONFIG_VARIABLE, "workertrail.yaml"))


def plan(context: dg.AssetExecutionContext) -> work.Plan:
    """The run's plan, the same for all its steps: read once, so that an edit meanwhile waits for the next run."""
    return _plan(config(), context.run.run_id)


@lru_cache(maxsize=1)
def _plan(file: Path, run_id: str) -> work.Plan:
    return replace(work.plan(load(file)), run_id=run_id)


def spec(name: str, deps: Iterable[dg.AssetKey | str], description: str, group: str) -> dg.AssetSpec:
    """An asset that is a table of the lake."""
    return dg.AssetSpec(name, deps=list(deps), description=description, group_name=group, kinds={"duckdb"})


def check_spec(invariant: Invariant) -> dg.AssetCheckSpec:
    """The asset check of an invariant."""
    return dg.AssetCheckSpec(
        invariant.name, asset=invariant.table, description=invariant.says, blocking=invariant.blocking
    )


def check_result(verdict: Verdict) -> dg.AssetCheckResult:
    """A verdict as Dagster shows it."""
    return dg.AssetCheckResult(
        check_name=verdict.invariant.name,
        asset_key=verdict.invariant.table,
        passed=verdict.holds,
        metadata={"broken": verdict.broken, "first": text("\n".join(verdict.first))},
    )


def metadata(what: work.Plan, figures: Mapping[str, Any], snapshot: int | None) -> dict[str, Any]:
    """Figures with what every asset says: the run and the lake's snapshot. What is null is left out."""
    every = {**figures, "snapshot": snapshot, "run_id": what.run_id}
    return {name: value for name, value in every.items() if value is not None}


def by_kind(prefix: str, counted: Mapping[str, int]) -> dict[str, int]:
    """One figure a kind, so that Dagster draws each over time: `strength/proven`, `severity/high`."""
    return {f"{prefix}/{kind}": count for kind, count in counted.items()}


def text(value: str) -> dg.TextMetadataValue:
    """Text that may quote a log or a file's name: plain text, never markdown, nothing that a terminal obeys."""
    return dg.MetadataValue.text("\n".join(printable(line) for line in value.split("\n")) or "-")

"""Everything that is measured, from tallies, and as JSON with keys that stay."""

from __future__ import annotations

from dataclasses import dataclass, fields, is_dataclass
from typing import Any

import polars as pl

from pipelines.evaluate import attribution
from pipelines.evaluate.attribution import AtStrength, Chains, Delegators
from pipelines.evaluate.calibration import Calibration, calibration
from pipelines.evaluate.detection import Detection, detection, outcomes
from pipelines.evaluate.evidence import Evidence, evidence
from pipelines.evaluate.share import Share
from pipelines.evaluate.tallies import Tallies


@dataclass(frozen=True)
class Counts:
    """What was held against each other.

    `seen`: of the records that truth says were written (copies aside), those that are actions of the lake. `unread`
    ones are left out of that and of everything else: the lake keeps them as records that are no actions, such as a
    proxy's challenge that names nobody. `silent_incidents` left no record at all, and are no part of `incidents`.
    """

    worlds: int
    workers: int
    worker_days: int
    seen: Share
    unread: int
    incidents: int
    silent_incidents: int
    lookalikes: int
    findings: int


@dataclass(frozen=True)
class Measures:
    """`outcomes` has a row an incident, `causes` the most frequent errors of attribution with an example each."""

    counts: Counts
    by_strength: tuple[AtStrength, ...]
    calibration: Calibration
    delegators: Delegators
    chains: Chains
    detection: Detection
    evidence: Evidence
    outcomes: tuple[dict[str, Any], ...]
    causes: tuple[dict[str, Any], ...]

    def at(self, strength: str, system: str = "all") -> AtStrength:
        """The row of a strength in a system."""
        return next(one for one in self.by_strength if (one.strength, one.system) == (strength, system))


def measure(tallies: Tallies) -> Measures:
    """The measures of one world, or of many put together."""
    read = tallies.actions.filter(pl.col("verdict") != "unread")
    absent = attribution.count(read.filter(pl.col("verdict") == "absent"))
    written = attribution.count(read)
    told = outcomes(tallies)
    return Measures(
        counts=Counts(
            worlds=tallies.worker_days.height,
            workers=int(tallies.worker_days["workers"].sum()),
            worker_days=int(tallies.worker_days["days"].sum()),
            seen=Share(written - absent, written),
            unread=attribution.count(tallies.actions) - written,
            incidents=told.height,
            silent_incidents=tallies.incidents.height - told.height,
            lookalikes=tallies.lookalikes.height,
            findings=tallies.findings.height,
        ),
        by_strength=attribution.by_strength(read),
        calibration=calibration(read),
        delegators=attribution.delegators(read),
        chains=attribution.chains(tallies.chains),
        detection=detection(tallies),
        evidence=evidence(told),
        outcomes=tuple(told.to_dicts()),
        causes=tuple(attribution.commonest(tallies.causes).to_dicts()),
    )


def plain(value: Any) -> Any:
    """Measures in JSON's own types: a share is its counts, itself and its interval; what has no base is null."""
    if isinstance(value, Share):
        return value.plain
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, dict):
        return {key: plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [plain(inner) for inner in value]
    return value

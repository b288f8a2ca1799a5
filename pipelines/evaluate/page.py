"""The measures as one HTML page that needs no network, made as the report is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pipelines.evaluate import drawings
from pipelines.evaluate.measures import Measures
from pipelines.evaluate.sections import sections
from pipelines.report.drawing import Drawing, drawing
from pipelines.report.page import render
from pipelines.report.write import replace

TEMPLATE = "evaluation.html"


def write(found: Measures, out: Path, *, told: str) -> int:
    """Write the page for its owner alone, in one step; how many bytes. `told` says what was measured (its command).

    Raises OSError where `out` cannot be written.
    """
    return replace(out, render({"sections": sections(found), "figures": _figures(found), "told": told}, TEMPLATE))


def _figures(found: Measures) -> list[tuple[Drawing, str]]:
    """The figures that have something to show, each with its caption."""
    detection = found.detection
    made: list[tuple[str, object, Any, str]] = [
        ("reliability", found.calibration.bins, lambda: drawings.reliability(found.calibration), _RELIABILITY),
        ("recall", detection.by_intensity, lambda: drawings.recall(detection.by_intensity), _RECALL),
        ("ranking", detection.ranking.curve, lambda: drawings.ranked(detection.ranking), _RANKING),
        ("noise", detection.false.false, lambda: drawings.noise(detection.by_detector), _NOISE),
    ]
    return [(drawing(name, draw(), caption), caption) for name, shown, draw, caption in made if shown]


_RELIABILITY = "How often an attribution is right, over its confidence. Bars are Wilson's intervals of 95 %."
_RECALL = "Incidents caught, and touched by any finding, over their intensity. Bars are Wilson's intervals of 95 %."
_RANKING = "Precision over recall where findings are read by severity, then confidence, then p-value."
_NOISE = "Findings above info that rest on no incident, or name another worker, by detector."

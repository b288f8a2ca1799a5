"""Plotly figures of the measures: the reliability diagram, recall over intensity, precision over recall, and noise."""

from __future__ import annotations

from typing import Any

import plotly.graph_objects as go  # type: ignore[import-untyped]

from pipelines.evaluate.calibration import Calibration
from pipelines.evaluate.detection import False_, Recall
from pipelines.evaluate.ranking import Ranking
from pipelines.evaluate.share import Share
from pipelines.evaluate.words import share
from pipelines.report.figures import BLUE, RED, ROW, layout
from pipelines.report.text import literal

GREY = "#8a939c"
PERCENT = {"range": [-0.03, 1.03], "tickformat": ".0%"}


def reliability(found: Calibration) -> Any:
    """The share that is right over the mean confidence of each bin; on the dashed line confidence is the truth."""
    figure = go.Figure(layout=layout(320))
    figure.add_scatter(x=[0, 1], y=[0, 1], mode="lines", line={"dash": "dash", "color": GREY}, hoverinfo="skip")
    figure.add_scatter(
        x=[one.confidence for one in found.bins],
        y=[one.right.share for one in found.bins],
        error_y=_bars([one.right for one in found.bins]),
        mode="markers+lines",
        marker={"size": 9, "color": BLUE},
        hovertext=[f"confidence {one.confidence:.3f}<br>right {literal(share(one.right))}" for one in found.bins],
        hoverinfo="text",
    )
    figure.update_xaxes(title="mean confidence", range=[-0.03, 1.03])
    figure.update_yaxes(title="right", **PERCENT)
    return figure


def recall(rows: tuple[Recall, ...]) -> Any:
    """Caught and touched incidents over intensity."""
    figure = go.Figure(layout=layout(320, showlegend=True))
    for name, symbol, colour, shares in (
        ("caught", "circle", BLUE, [one.caught for one in rows]),
        ("touched", "diamond-open", GREY, [one.touched for one in rows]),
    ):
        figure.add_scatter(
            x=[one.intensity for one in rows],
            y=[one.share for one in shares],
            error_y=_bars(shares),
            name=name,
            mode="markers+lines",
            marker={"size": 9, "symbol": symbol, "color": colour},
            hovertext=[
                f"intensity {row.intensity:g}<br>{name} {literal(share(one))}"
                for row, one in zip(rows, shares, strict=True)
            ],
            hoverinfo="text",
        )
    figure.update_xaxes(title="intensity", range=[0, 1.05])
    figure.update_yaxes(title="incidents", **PERCENT)
    return figure


def ranked(found: Ranking) -> Any:
    """Precision over recall as findings are read in their order."""
    figure = go.Figure(layout=layout(320))
    figure.add_scatter(
        x=[point.recall for point in found.curve],
        y=[point.precision for point in found.curve],
        mode="markers+lines",
        line={"shape": "vh", "color": BLUE},
        marker={"size": 7},
        hovertext=[
            f"{point.findings:,} findings<br>precision {point.precision:.3f}, recall {point.recall:.3f}"
            for point in found.curve
        ],
        hoverinfo="text",
    )
    figure.update_xaxes(title="incidents reached", **PERCENT)
    figure.update_yaxes(title="findings that are right", **PERCENT)
    return figure


def noise(rows: tuple[False_, ...]) -> Any:
    """False findings a thousand worker-days, a bar a detector, those on look-alikes apart."""
    own = [one for one in sorted(rows, key=lambda one: (one.false, one.detector or "")) if one.false and one.rate]
    names = [literal(one.detector, 40) for one in own]
    figure = go.Figure(layout=layout(ROW * max(len(own), 1) + 110, barmode="stack", showlegend=True))
    for name, colour, pattern, counts in (
        ("on look-alikes", "#e0702d", "/", [one.on_lookalikes for one in own]),
        ("others", RED, "", [one.false - one.on_lookalikes for one in own]),
    ):
        figure.add_bar(
            orientation="h",
            name=name,
            y=names,
            x=[(one.rate or 0) * count / one.false for one, count in zip(own, counts, strict=True)],
            marker={"color": colour, "pattern": {"shape": pattern}},
            hovertext=[f"{label}<br>{name}: {count:,} findings" for label, count in zip(names, counts, strict=True)],
            hoverinfo="text",
        )
    figure.update_xaxes(title="false findings in 1,000 worker-days")
    figure.update_yaxes(type="category", automargin=True)
    return figure


def _bars(shares: list[Share]) -> dict[str, Any]:
    """Error bars from Wilson's intervals."""
    whole = [(one.share or 0.0, *(one.interval or (0.0, 0.0))) for one in shares]
    return {
        "type": "data",
        "symmetric": False,
        "array": [high - middle for middle, _, high in whole],
        "arrayminus": [middle - low for middle, low, _ in whole],
        "thickness": 1,
    }

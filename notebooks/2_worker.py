"""A worker's days: calls and bytes by the hour, where they went, and what was declared against what was used.

`marimo run notebooks/2_worker.py`, with WORKERTRAIL_CONFIG naming the configuration unless it is
./workertrail.yaml. The lake is read, never written; log text is shown as text alone.
"""

import marimo

__generated_with = "0.25.2"
app = marimo.App(width="full", app_title="WorkerTrail: a worker's days", html_head_file="head.html")

with app.setup:
    import marimo as mo
    import plotly.graph_objects as go
    import polars as pl

    from pipelines import inert, reading

    COLOURS = {"allow": "#2a7f62", "out": "#c8553d", "deny": "#8c1c13", "not judged": "#9aa0a6"}


@app.cell
def _():
    try:
        settings, problem = reading.settings(), None
    except reading.NotReadyError as error:
        settings, problem = None, str(error)
    mo.stop(problem is not None, mo.callout(mo.plain_text(problem or ""), kind="warn"))
    names = reading.workers(settings)
    mo.stop(not names, mo.callout(mo.plain_text("No worker is declared, and none did anything."), kind="warn"))
    worker = mo.ui.dropdown(names, value=names[0], label="worker")
    mo.vstack([mo.md("# A worker's days"), worker])
    return settings, worker


@app.cell
def _(settings, worker):
    days = reading.days(settings, worker.value)
    mo.stop(
        days.hours.is_empty(),
        mo.callout(mo.plain_text(f"Nothing that {worker.value} did is in the lake."), kind="info"),
    )
    return (days,)


@app.function
def by_the_hour(hours, column, title):
    """A bar an hour and source of one of the columns of `Days.hours`; times are UTC."""
    figure = go.Figure(
        [
            go.Bar(x=part["hour"].to_list(), y=part[column].to_list(), name=inert.label(source))
            for (source,), part in hours.group_by("source", maintain_order=True)
        ]
    )
    return figure.update_layout(
        title=title, barmode="stack", height=300, margin={"t": 40, "b": 30}, xaxis_title=None, template="plotly_white"
    )


@app.function
def where_to(destinations):
    """A bar a destination, coloured by what the manifest says of it."""
    figure = go.Figure(
        [
            go.Bar(
                y=[inert.label(name) for name in part["destination"]],
                x=part["calls"].to_list(),
                name=str(verdict),
                orientation="h",
                marker_color=COLOURS.get(str(verdict)),
            )
            for (verdict,), part in destinations.group_by("verdict", maintain_order=True)
        ]
    )
    return figure.update_layout(
        title="where its calls went, and what the manifest says of them",
        barmode="stack",
        height=120 + 24 * destinations["destination"].n_unique(),
        yaxis={"autorange": "reversed", "automargin": True},
        margin={"t": 40, "b": 30},
        template="plotly_white",
    )


@app.function
def drawn(*figures):
    """Figures below each other, in a frame that brings plotly with it: marimo's own asks a CDN for MathJax."""
    parts = [
        figure.to_html(full_html=False, include_plotlyjs=place == 0, include_mathjax=False)
        for place, figure in enumerate(figures)
    ]
    height = sum(figure.layout.height for figure in figures) + 40
    return mo.iframe(f"<!doctype html><meta charset='utf-8'>{''.join(parts)}", height=f"{height}px")


@app.cell
def _(days):
    calls = by_the_hour(days.hours, "calls", "calls an hour")
    sent = by_the_hour(days.hours.filter(pl.col("bytes_out").is_not_null()), "bytes_out", "bytes out an hour")
    places = where_to(days.destinations)
    drawn(calls, sent, places)
    return calls, places, sent


@app.cell
def _(days):
    mo.vstack(
        [
            mo.md("## Declared against used"),
            mo.ui.table(
                inert.cells(days.lines),
                selection=None,
                show_download=False,
                show_column_summaries=False,
                show_data_types=False,
                label="The scope lines of its latest manifest, and what each decided. 0 calls: declared, never used.",
            ),
            mo.ui.table(
                inert.cells(days.beyond),
                selection=None,
                show_download=False,
                show_column_summaries=False,
                show_data_types=False,
                label="Used, and not declared.",
            ),
        ]
    )


if __name__ == "__main__":
    app.run()

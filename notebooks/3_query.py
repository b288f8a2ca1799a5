"""SQL over the lake's tables, READ_ONLY, as `workertrail query` runs it.

`marimo run notebooks/3_query.py`, with WORKERTRAIL_CONFIG naming the configuration unless it is
./workertrail.yaml. Files and settings are out of the query's reach; log text is shown as text alone.
"""

import marimo

__generated_with = "0.25.2"
app = marimo.App(width="full", app_title="WorkerTrail: query", html_head_file="head.html")

with app.setup:
    import marimo as mo
    import polars as pl

    from pipelines import inert, reading

    FIRST = "SELECT worker, strength, count(*) AS actions FROM attributions GROUP BY ALL ORDER BY actions DESC"


@app.cell
def _():
    try:
        settings, problem = reading.settings(), None
    except reading.NotReadyError as error:
        settings, problem = None, str(error)
    mo.stop(problem is not None, mo.callout(mo.plain_text(problem or ""), kind="warn"))
    sql = mo.ui.text_area(value=FIRST, label="one SELECT", rows=6, full_width=True, debounce=True)
    mo.vstack([mo.md("# Query"), sql])
    return settings, sql


@app.cell
def _(settings, sql):
    try:
        rows, refused = reading.query(settings, sql.value), None
    except reading.RefusedError as error:
        rows, refused = pl.DataFrame(), str(error)
    mo.stop(refused is not None, mo.callout(mo.plain_text(inert.shown(refused or "")), kind="danger"))
    mo.ui.table(
        inert.cells(rows),
        selection=None,
        page_size=25,
        show_download=False,
        show_column_summaries=False,
        show_data_types=False,
    )
    return (rows,)


if __name__ == "__main__":
    app.run()

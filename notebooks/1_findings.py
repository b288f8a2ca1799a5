"""What an analyst opens first: the findings, and one of them followed down to its raw records.

`marimo run notebooks/1_findings.py`, with WORKERTRAIL_CONFIG naming the configuration unless it is
./workertrail.yaml. The lake is read, never written; log text is shown as text alone.
"""

import marimo

__generated_with = "0.25.2"
app = marimo.App(width="full", app_title="WorkerTrail: findings", html_head_file="head.html")

with app.setup:
    import marimo as mo

    from pipelines import inert, reading

    ANY = "any"


@app.cell
def _():
    try:
        settings, problem = reading.settings(), None
    except reading.NotReadyError as error:
        settings, problem = None, str(error)
    mo.stop(problem is not None, mo.callout(mo.plain_text(problem or ""), kind="warn"))
    found = reading.findings(settings)
    mo.md("# Findings")
    return found, settings


@app.cell
def _(found):
    def choices(column):
        return [ANY, *found[column].unique().sort().to_list()]

    at_least = mo.ui.dropdown(list(reading.SEVERITIES), value="info", label="severity at least")
    worker = mo.ui.dropdown(choices("worker"), value=ANY, label="worker")
    detector = mo.ui.dropdown(choices("detector"), value=ANY, label="detector")
    resolved = mo.ui.checkbox(label="resolved ones too")
    mo.hstack([at_least, worker, detector, resolved], justify="start", gap=2)
    return at_least, detector, resolved, worker


@app.cell
def _(at_least, detector, found, resolved, worker):
    listed = reading.chosen(
        found,
        at_least=at_least.value,
        worker=None if worker.value == ANY else worker.value,
        detector=None if detector.value == ANY else detector.value,
        resolved=resolved.value,
    )
    table = mo.ui.table(
        inert.cells(listed),
        selection="single",
        initial_selection=[0] if listed.height else None,
        page_size=15,
        show_download=False,
        show_column_summaries=False,
        show_data_types=False,
        label=f"{listed.height:,} findings, the worst first. Choose one to follow it.",
    )
    mo.vstack([table])
    return (table,)


@app.cell
def _(settings, table):
    mo.stop(table.value.is_empty(), mo.callout(mo.plain_text("No finding is chosen."), kind="info"))
    followed = reading.follow(settings, table.value["finding_uid"][0])
    mo.vstack(
        [mo.md("## Why, and who hop by hop"), mo.plain_text("\n".join(followed.lines())).style({"overflow-x": "auto"})]
    )
    return (followed,)


@app.cell
def _(followed):
    evidence = mo.ui.table(
        inert.cells(followed.evidence.drop("raw")),
        selection="multi",
        initial_selection=[0] if followed.evidence.height else None,
        page_size=10,
        show_download=False,
        show_column_summaries=False,
        show_data_types=False,
        label=f"{followed.evidence.height:,} actions are frozen as evidence. Choose some to read their records.",
    )
    mo.vstack([mo.md("## Evidence"), evidence])
    return (evidence,)


@app.cell
def _(evidence, followed):
    records = followed.evidence.filter(followed.evidence["action_uid"].is_in(evidence.value["action_uid"].to_list()))
    mo.vstack(
        [
            mo.md("## Raw records"),
            *(
                mo.vstack(
                    [
                        mo.plain_text(f"{uri} record {ordinal}\nsha256 {sha256}"),
                        mo.plain_text(inert.shown(raw)).style({"overflow-x": "auto"}),
                    ]
                )
                for uri, ordinal, sha256, raw in records.select(
                    "object_uri", "ordinal", "object_sha256", "raw"
                ).iter_rows()
            ),
        ]
    )
    return (records,)


if __name__ == "__main__":
    app.run()

"""`workertrail evaluate`: attribution and detection measured against a world's truth."""

from __future__ import annotations

from pathlib import Path

import click

from detectors.findings import printable
from pipelines.cli.context import Context, as_json, console, pass_context


class NoTruth(click.ClickException):
    """The truth cannot be read, or is not the lake's."""

    exit_code = 2


@click.command()
@click.option(
    "--truth",
    type=click.Path(path_type=Path, file_okay=False),
    required=True,
    help="The truth/ of the world whose logs the lake has read.",
)
@click.option(
    "--page",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write the measures as an HTML page, too; one of that name is replaced.",
)
@click.option("--json", "as_json_text", is_flag=True, help="Print JSON.")
@pass_context
def evaluate(context: Context, truth: Path, page: Path | None, as_json_text: bool) -> None:
    """Measure the lake against the truth of a world that `workertrail world` wrote.

    Attribution: precision and recall by strength and system, calibration, delegators, chains. Detection: recall by
    scenario and intensity, false findings in 1,000 worker-days by detector, look-alikes, the area under precision and
    recall, time to detection. Evidence: how much of each incident the findings list. What has no base is `-` (null).
    """
    # Polars and the report's page take longer to import than most commands take to run.
    from pipelines.evaluate import measures, table, tallies  # noqa: PLC0415
    from pipelines.evaluate import truth as truths  # noqa: PLC0415

    if page is not None and not page.parent.is_dir():
        raise click.ClickException(f"the folder {page.parent} does not exist")
    say = console()
    try:
        with say.status("holding the lake against the truth"):
            known = truths.read(truth)
            found = measures.measure(tallies.tally(context.settings, known))
    except truths.TruthError as error:
        raise NoTruth(printable(str(error))) from error
    if page is not None:
        from pipelines.evaluate import page as pages  # noqa: PLC0415

        pages.write(found, page, told=known.told)
    if as_json_text:
        click.echo(as_json(measures.plain(found)))
        return
    for line in table.lines(found):
        say.print(line)
    if page is not None:
        say.print(printable(f"{page}: the same as a page"))

"""`workertrail init`: a commented configuration and an example of a manifest, to begin with."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

import click

from pipelines.cli.context import command_line

FILES = {"workertrail.yaml": Path("workertrail.yaml"), "example-agent.yaml": Path("data/workers/example-agent.yaml")}
"""The starter's files, and where they go below the folder."""

FOLDERS = (Path("data/logs/cloudtrail"), Path("data/logs/egress"), Path("data/logs/okta"))
"""Where the written configuration looks for logs."""


@click.command()
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("."),
    show_default=True,
    help="The folder to write into; it is made where it is missing.",
)
def init(out: Path) -> None:
    """Write a commented workertrail.yaml, an example of a manifest, and the folders that they speak of.

    What is written passes `check`. A file that is there already is never overwritten: then nothing is written.
    """
    places = {name: out / place for name, place in FILES.items()}
    there = [str(place) for place in places.values() if place.exists()]
    if there:
        raise click.ClickException(f"{', '.join(there)}: there already, and init overwrites nothing")
    try:
        for folder in (*FOLDERS, *(place.parent for place in FILES.values())):
            (out / folder).mkdir(parents=True, exist_ok=True)
        for name, place in places.items():
            text = resources.files("pipelines.cli").joinpath("starter", name).read_text(encoding="utf-8")
            with place.open("x", encoding="utf-8") as file:
                file.write(text)
    except OSError as error:
        raise click.ClickException(f"cannot write to {out}: {error.strerror or error}") from None
    for place in places.values():
        click.echo(f"wrote {place}")
    where = "" if out == Path(".") else f" --config {places['workertrail.yaml']}"
    click.echo(f"put logs below {out / 'data' / 'logs'}, then: {command_line()}{where} check")

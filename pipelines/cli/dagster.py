"""`workertrail dagster`: the same work on a schedule, with its page."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import click

from pipelines import run as work
from pipelines.cli.context import Context, pass_context
from pipelines.settings import CONFIG_VARIABLE

HOME_VARIABLE = "WORKERTRAIL_DAGSTER_HOME"
ROOT = Path(__file__).resolve().parents[2]


@click.command()
@click.option("--port", type=click.IntRange(1, 65535), default=3000, show_default=True)
@click.option(
    "--home",
    type=click.Path(path_type=Path, file_okay=False),
    envvar=HOME_VARIABLE,
    default=ROOT,
    help="Where dagster.yaml lies, and Dagster's state below data/dagster; this project's own folder unless given."
    f" A folder without dagster.yaml gets a copy. The variable {HOME_VARIABLE} says the same.",
)
@pass_context
def dagster(context: Context, port: int, home: Path) -> None:
    """Start Dagster on 127.0.0.1 with this project's home: the asset graph, its checks, schedules and sensor."""
    work.plan(context.settings)
    config, home = context.config.resolve(), home.resolve()
    (home / "data" / "dagster").mkdir(parents=True, exist_ok=True, mode=0o700)
    if not (home / "dagster.yaml").exists():
        shutil.copyfile(ROOT / "dagster.yaml", home / "dagster.yaml")
    environment = {
        **os.environ,
        "DAGSTER_HOME": str(home),
        CONFIG_VARIABLE: str(config),
        "DAGSTER_DISABLE_TELEMETRY": "1",
    }
    command = [
        str(Path(sys.executable).with_name("dagster")), "dev", "-m", "pipelines.definitions",
        "--host", "127.0.0.1", "--port", str(port),
    ]  # fmt: skip
    # Dagster takes this process's place, so that a signal that ends it reaches what it started.
    os.chdir(home)
    sys.stdout.flush()
    os.execve(command[0], command, environment)

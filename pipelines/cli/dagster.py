"""`workertrail dagster`: the same work on a schedule, with its page."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import click

from pipelines import run as work
from pipelines.cli.context import Context, pass_context
from pipelines.settings import CONFIG_VARIABLE

HOME = Path(__file__).resolve().parents[2]


@click.command()
@click.option("--port", type=click.IntRange(1, 65535), default=3000, show_default=True)
@pass_context
def dagster(context: Context, port: int) -> None:
    """Start Dagster on 127.0.0.1 with this project's home: the asset graph, its checks and its schedules."""
    work.plan(context.settings)
    environment = {
        **os.environ,
        "DAGSTER_HOME": str(HOME),
        CONFIG_VARIABLE: str(context.config.resolve()),
        "DAGSTER_DISABLE_TELEMETRY": "1",
    }
    (HOME / "data" / "dagster").mkdir(parents=True, exist_ok=True, mode=0o700)
    command = [
        str(Path(sys.executable).with_name("dagster")), "dev", "-m", "pipelines.definitions",
        "--host", "127.0.0.1", "--port", str(port),
    ]  # fmt: skip
    raise click.exceptions.Exit(subprocess.run(command, env=environment, cwd=HOME, check=False).returncode)

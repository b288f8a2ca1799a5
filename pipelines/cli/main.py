"""The `workertrail` command."""

from __future__ import annotations

import importlib
import pkgutil
import sys
from pathlib import Path

import click
import duckdb

from detectors.located import Problems
from pipelines import cli
from pipelines.cli.context import Context
from pipelines.lake.migrations import SchemaError
from pipelines.lake.store import LakeError

_NOT_COMMANDS = {"main", "context"}


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.option(
    "--config",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path("workertrail.yaml"),
    show_default=True,
    help="The configuration; paths in it are relative to it.",
)
@click.pass_context
def workertrail(context: click.Context, config: Path) -> None:
    """Who did it, on whose authority, and was it allowed: the trails of autonomous workers, put together again."""
    context.obj = Context(config)


for _module in pkgutil.iter_modules(cli.__path__):
    if _module.name not in _NOT_COMMANDS:
        _values = list(vars(importlib.import_module(f"{cli.__name__}.{_module.name}")).values())
        _inner = {id(one) for group in _values if isinstance(group, click.Group) for one in group.commands.values()}
        for _value in _values:
            if isinstance(_value, click.Command) and _value.name is not None and id(_value) not in _inner:
                workertrail.add_command(_value)


def main() -> None:
    """Run the command; what is wrong goes to standard error, one line each, with exit code 2."""
    try:
        workertrail(standalone_mode=True)
    except Problems as error:
        for problem in error.problems:
            click.echo(str(problem), err=True)
        sys.exit(2)
    except (LakeError, SchemaError) as error:
        click.echo(str(error), err=True)
        sys.exit(2)
    except duckdb.Error as error:
        click.echo(f"the store refused: {error}", err=True)
        sys.exit(2)

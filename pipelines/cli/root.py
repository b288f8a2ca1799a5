"""The root of all commands: every module of this folder that defines a command adds it."""

from __future__ import annotations

import importlib
import pkgutil
from pathlib import Path
from typing import Any

import click
import duckdb

from detectors.findings import printable
from detectors.located import Problems
from pipelines import cli
from pipelines.cli.context import Context
from pipelines.lake.store import LakeError

_NOT_COMMANDS = {"main", "root", "context"}


class _Root(click.Group):
    """A group whose output may end early: click itself would make exit code 1 of that."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            raise _PipeClosed from None


class _PipeClosed(Exception):
    """Nobody reads the output any more."""


@click.group(cls=_Root, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name="workertrail", message="%(prog)s %(version)s")
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


def _add_commands() -> None:
    for module in pkgutil.iter_modules(cli.__path__):
        if module.name in _NOT_COMMANDS:
            continue
        values = list(vars(importlib.import_module(f"{cli.__name__}.{module.name}")).values())
        inner = {id(one) for group in values if isinstance(group, click.Group) for one in group.commands.values()}
        for value in values:
            if isinstance(value, click.Command) and value.name is not None and id(value) not in inner:
                workertrail.add_command(value)


_add_commands()


def run() -> int:
    """Run the command that was typed; its exit code.

    Raises KeyboardInterrupt where it was interrupted, BrokenPipeError where nobody reads the output.
    """
    try:
        done = workertrail.main(standalone_mode=False)
    except click.Abort:
        raise KeyboardInterrupt from None
    except _PipeClosed:
        raise BrokenPipeError from None
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except Problems as error:
        return _wrong(*map(str, error.problems))
    except LakeError as error:
        return _wrong(str(error))
    except duckdb.Error as error:
        return _wrong(f"the store refused: {error}")
    except BrokenPipeError:
        raise
    except OSError as error:
        return _wrong(_refused(error))
    return done if isinstance(done, int) else 0


def _refused(error: OSError) -> str:
    """What the operating system refused, about which path, and what to do."""
    place = f"{error.filename}: " if error.filename else ""
    what = (error.strerror or str(error)).lower()
    if isinstance(error, PermissionError):
        return f"{place}{what}: run this as the path's owner (a lake is its owner's alone), or give this user access"
    return f"{place}{what}: see that the path and its disk are there and can be used, then run the command again"


def _wrong(*lines: str) -> int:
    for line in lines:
        click.echo("\n".join(map(printable, line.split("\n"))), err=True)
    return 2

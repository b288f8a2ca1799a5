"""The kinds of worker: a file each, found by its `KIND`."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from pkgutil import iter_modules

from pipelines.worlds.rhythm import Kind


@cache
def kinds() -> tuple[Kind, ...]:
    """All kinds, by rank and name."""
    found = [import_module(f"{__name__}.{module.name}").KIND for module in iter_modules(__path__)]
    return tuple(sorted(found, key=lambda kind: (kind.rank, kind.name)))


def kind(name: str) -> Kind:
    """The kind of this name."""
    return next(one for one in kinds() if one.name == name)

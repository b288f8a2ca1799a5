"""The attack scenarios, a file each: a file that holds a `SCENARIO` is one, and dropping it in is all it takes."""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache

from pipelines.worlds.scenario import Scenario


@cache
def scenarios() -> tuple[Scenario, ...]:
    """All scenarios, by name."""
    found = [
        module.SCENARIO
        for file in pkgutil.iter_modules(__path__)
        if hasattr(module := importlib.import_module(f"{__name__}.{file.name}"), "SCENARIO")
    ]
    return tuple(sorted(found, key=lambda one: one.name))

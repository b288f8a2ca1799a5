"""The log formats: every module here that defines `FORMAT` is one; dropping in a file adds it."""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache

from pipelines.formats.format import Format


@cache
def all_formats() -> dict[str, Format]:
    """Every format by its name, found by looking through this folder."""
    found: dict[str, Format] = {}
    for module in pkgutil.iter_modules(__path__):
        candidate = getattr(importlib.import_module(f"{__name__}.{module.name}"), "FORMAT", None)
        if isinstance(candidate, Format):
            found[candidate.name] = candidate
    return found

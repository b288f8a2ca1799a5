"""One file a log format: each defines `EMITTER`, is found by being here, and shares nothing with the parsers."""

from __future__ import annotations

import importlib
import pkgutil

from pipelines.worlds.emit.emitter import Emitter


def emitters() -> tuple[Emitter, ...]:
    """All log formats that worlds are written in, by name."""
    modules = (importlib.import_module(f"{__name__}.{found.name}") for found in pkgutil.iter_modules(__path__))
    found = [module.EMITTER for module in modules if hasattr(module, "EMITTER")]
    return tuple(sorted(found, key=lambda emitter: emitter.format))

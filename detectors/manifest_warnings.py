"""What a manifest may say but hardly means: above all a scope line that can never match."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from difflib import get_close_matches

from detectors.endpoints import COMMON_SERVICES, is_known_service
from detectors.glob import covers, is_pattern, overlaps
from detectors.located import Problem
from detectors.manifest_idle import idle
from detectors.manifest_model import Manifest, ScopeLine, Target
from detectors.manifest_values import host, ip_literal

ALWAYS_SEEN = frozenset({"service", "operations", "hosts", "models", "providers", "servers", "tools"})
"""Dimensions that every format of the kind observes: only a deny line of these alone surely fires."""


def warnings(manifests: Sequence[Manifest], now: datetime | None = None) -> list[Problem]:
    """Everything worth a second look, in order of file and line; none of it stops a run.

    What depends on the day (a validity that is over) is said only where `now` (naive UTC) is given.
    """
    workers = {manifest.worker for manifest in manifests}
    found = [
        problem
        for manifest in manifests
        for problem in (*_scope(manifest), *_start(manifest, workers), *idle(manifest, now))
    ]
    return sorted(found)


def _start(manifest: Manifest, workers: set[str]) -> Iterator[Problem]:
    for at, name in enumerate(manifest.may_start):
        if name not in workers:
            yield _warning(manifest, "may_start", at, f"no manifest declares a worker '{name}'")
    if manifest.mode == "delegated" and not manifest.delegators:
        line = manifest.line("worker", 0) or 1
        yield Problem(manifest.file, line, "delegators", "a delegated worker without delegators may act for nobody")


def _scope(manifest: Manifest) -> Iterator[Problem]:
    for at, line in enumerate(manifest.scope):
        for dimension, globs in line.target.dimensions.items():
            key = f"{line.effect}.{dimension}"
            if not globs:
                yield _warning(manifest, "scope", at, "can never match: the list is empty", key)
            for glob in globs:
                said = _CHECKS[dimension](glob) if dimension in _CHECKS else None
                if said:
                    yield _warning(manifest, "scope", at, said, key)
        earlier = next((i for i, other in enumerate(manifest.scope[:at]) if _shadows(other, line)), None)
        if earlier is not None:
            place = f"{manifest.file}:{manifest.line('scope', earlier)}"
            said = f"can never match: the earlier line ({place}) decides everything that it names"
            yield _warning(manifest, "scope", at, said, line.effect)


def _warning(manifest: Manifest, key: str, at: int, message: str, within: str = "") -> Problem:
    shown = f"{key}[{at}].{within}" if within else f"{key}[{at}]"
    return Problem(manifest.file, manifest.line(key, at) or 1, shown, message)


def _shadows(earlier: ScopeLine, later: ScopeLine) -> bool:
    """Whether the earlier line decides every action that the later one could match."""
    wide, narrow = earlier.target, later.target
    if wide.kind != narrow.kind or any(not globs for globs in narrow.dimensions.values()):
        return False
    if earlier.effect == "deny" and not set(wide.dimensions) <= ALWAYS_SEEN:
        return False
    if earlier.effect == "allow" and (_other_ports(wide, later) or _other_roles(wide, later)):
        return False
    return all(_dimension_covered(wide, narrow, dimension) for dimension in wide.dimensions)


def _other_ports(wide: Target, later: ScopeLine) -> bool:
    """An allow line without ports admits a CONNECT to 443 alone: a later line may speak of other ports."""
    if wide.kind != "net" or wide.ports is not None:
        return False
    ports = later.target.ports
    return later.effect == "deny" if ports is None else set(ports) != {"443"}


def _other_roles(wide: Target, later: ScopeLine) -> bool:
    """An allow line without resources covers no role that is taken on: a later line may."""
    if wide.kind != "api" or wide.resources is not None:
        return False
    service, resources = later.target.service, later.target.resources
    if service is not None and not overlaps(service, "sts.amazonaws.com"):
        return False
    if resources is None:
        return later.effect == "deny"
    return any(overlaps(glob, "arn:*:iam::*:role/*") for glob in resources)


def _dimension_covered(wide: Target, narrow: Target, dimension: str) -> bool:
    outer, inner = wide.dimensions[dimension], narrow.dimensions.get(dimension)
    if inner is None:
        return False
    compared: Callable[[str], str] = host if dimension == "hosts" else str
    return all(any(covers(compared(one), compared(other)) for one in outer) for other in inner)


def _check_host(glob: str) -> str | None:
    if ip_literal(glob):
        return None
    if "/" in glob or ":" in glob:
        return f"can never match: '{glob}' is a URL or has a port; write the host alone (ports and paths have own keys)"
    if glob != glob.lower():
        return f"hosts are compared in lower case: '{glob}' is taken as '{host(glob)}'"
    return None


def _check_path(glob: str) -> str | None:
    if glob[0] not in "/*?":
        return f"can never match: paths begin with '/', '{glob}' does not"
    if re.search("%[0-9A-Fa-f]{2}", glob):
        return f"paths are decoded before they are compared: write '{glob}' without percent-escapes"
    if "/./" in glob or "/../" in glob:
        return f"can never match: dot segments are removed from paths, '{glob}' has one"
    return None


def _check_method(glob: str) -> str | None:
    return f"can never match: methods are upper case, '{glob}' is not" if glob != glob.upper() else None


def _check_service(glob: str) -> str | None:
    if is_pattern(glob) or is_known_service(glob):
        return None
    whole = [f"{glob}.amazonaws.com", f"{glob}.googleapis.com", f"Microsoft.{glob}"]
    near = [name for name in whole if name in COMMON_SERVICES] or get_close_matches(glob, COMMON_SERVICES, 1, 0.7)
    hint = f"; did you mean '{near[0]}'?" if near else ""
    return f"no log format that is known here names a service '{glob}'{hint}"


_CHECKS: dict[str, Callable[[str], str | None]] = {
    "hosts": _check_host,
    "paths": _check_path,
    "methods": _check_method,
    "service": _check_service,
}

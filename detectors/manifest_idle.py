"""Bounds of a manifest that are plainly not meant as written: they forbid everything, or can never be met."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from detectors.glob import covers, overlaps
from detectors.located import Problem
from detectors.manifest_model import Approval, Limit, Manifest, Target
from detectors.manifest_values import host


def idle(manifest: Manifest, now: datetime | None) -> Iterator[Problem]:
    """Warnings about one manifest. What depends on the day is said only where `now` (naive UTC) is given."""
    for at, limit in enumerate(manifest.limits):
        if limit.at_most == 0:
            yield _warning(manifest, "limits", at, _nothing_allowed(limit), "at_most")
    for at, approval in enumerate(manifest.approvals):
        for key, said in _approval(manifest, approval):
            yield _warning(manifest, "approvals", at, said, key)
    if manifest.schedule and not _ever_open(manifest):
        said = "never opens: none of its days lies between valid.from and valid.until"
        yield _warning(manifest, "schedule", 0, said)
    until = manifest.valid.live_until
    if now is not None and until is not None and until <= now:
        line = manifest.line("valid", 0) or 1
        said = f"is over since {until.isoformat()}Z: whatever the worker does from then on is a finding"
        yield Problem(manifest.file, line, "valid.until", said)


def _warning(manifest: Manifest, key: str, at: int, message: str, within: str = "") -> Problem:
    shown = f"{key}[{at}].{within}" if within else f"{key}[{at}]"
    return Problem(manifest.file, manifest.line(key, at) or 1, shown, message)


def _nothing_allowed(limit: Limit) -> str:
    if limit.measure == "hops":
        return "0 admits no credential that was issued from another one; every such run is a finding"
    if limit.measure == "token_lifetime":
        return "0 admits no token at all; every one is a finding"
    return f"0 admits no {limit.measure} at all; the first is a finding"


def _approval(manifest: Manifest, approval: Approval) -> Iterator[tuple[str, str]]:
    if not any(line.effect == "allow" and _meet(line.target, approval.actions) for line in manifest.scope):
        yield "for", "speaks of nothing that scope allows: such an act is out of scope, approved or not"
    if approval.within == 0:
        yield "within", "0 leaves no time between the approval and the act"
    own = [f"mail:addr/{manifest.owner.lower()}", *(one.id for one in manifest.identities)]
    if all(any(covers(one, glob.lower()) or covers(one, glob) for one in own) for glob in approval.approvers):
        yield "from", "names only the worker and its owner, whose approvals do not count"


def _meet(one: Target, other: Target) -> bool:
    """Whether some action could be matched by both: in every dimension that both state, some globs overlap."""
    if one.kind != other.kind:
        return False
    shared = set(one.dimensions) & set(other.dimensions)
    return all(
        any(overlaps(_compared(name, left), _compared(name, right))
            for left in one.dimensions[name] for right in other.dimensions[name])
        for name in shared
    )  # fmt: skip


def _compared(dimension: str, glob: str) -> str:
    return host(glob) if dimension == "hosts" else glob


def _ever_open(manifest: Manifest) -> bool:
    """Whether some day of the schedule lies within the validity; clocks of all zones are within a day of UTC."""
    first, until = manifest.valid.live_from, manifest.valid.live_until
    if first is None or until is None or until - first >= timedelta(days=7):
        return True
    day, last = (first - timedelta(days=1)).date(), (until + timedelta(days=1)).date()
    weekdays = set()
    while day <= last:
        weekdays.add(day.weekday())
        day += timedelta(days=1)
    return any(weekdays & set(hours.days) for hours in manifest.schedule)

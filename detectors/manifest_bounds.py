"""What else a manifest bounds, as small Arrow tables: who may start or send a worker, approvals, working hours.

The same conventions as `detectors.manifest_tables`: LIKE patterns with `ESCAPE '\\'`, naive UTC, one entry for
each distinct `manifest_sha`, and the file and line of each entry (null where the manifest was not read from one).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa

from detectors.glob import like
from detectors.manifest_model import DIMENSIONS, Manifest
from detectors.manifest_values import MINUTES_A_DAY, Schedule, host

_TEXT: pa.DataType = pa.string()
_WHOLE: pa.DataType = pa.int64()
_TIME: pa.DataType = pa.timestamp("us")

_ENTRY: dict[str, pa.DataType] = {
    "worker": _TEXT,
    "manifest_sha": _TEXT,
    "ordinal": _WHOLE,
    "file": _TEXT,
    "line": _WHOLE,
}
"""What every entry of a list says of itself; `ordinal` is its place in the list, from 0."""


def _schema(**columns: pa.DataType) -> pa.Schema:
    kinds: dict[str, pa.DataType] = {**_ENTRY, **columns}
    return pa.schema(kinds)


INSTANTIATORS = _schema(pattern=_TEXT)
"""Who or what may start the worker: patterns over principals and credentials."""

DELEGATORS = _schema(pattern=_TEXT)
"""On whose behalf the worker may act: patterns over principals."""

MAY_START = _schema(starts=_TEXT)
"""The workers that this one may start."""

PROVENANCE = pa.schema(
    [
        ("worker", _TEXT),
        ("manifest_sha", _TEXT),
        ("repo", _TEXT),
        ("workflow", _TEXT),
        ("file", _TEXT),
        ("line", _WHOLE),
    ]
)
"""Where the worker's code comes from; one row a manifest that says so."""

APPROVAL_LINES = _schema(
    kind=_TEXT,
    within_seconds=_WHOLE,
    approvers=pa.list_(_TEXT),
    **{name: pa.list_(_TEXT) for names in DIMENSIONS.values() for name in names},
)
"""What needs an approval, by whom and how fresh; the dimensions are those of `scope_lines`."""

WORKING_HOURS = _schema(zone=_TEXT, day=_WHOLE, start_minute=_WHOLE, end_minute=_WHOLE)
"""Stretches of local days in which the worker runs: `day` 0 is Monday, minutes from local midnight, the end excluded.

A window past midnight is two rows, one a day.
"""

ZONE_OFFSETS = pa.schema([("zone", _TEXT), ("from_utc", _TIME), ("to_utc", _TIME), ("offset_minutes", _WHOLE)])
"""How far local clocks of each named zone are ahead of UTC, by stretches of UTC; local = UTC + offset."""

FIRST_OFFSET, LAST_OFFSET = datetime(2000, 1, 1), datetime(2061, 1, 1)
"""Offsets are known by stretch between these; before and after, the first and the last hold on."""


def tables(manifests: Iterable[Manifest]) -> dict[str, pa.Table]:
    """All tables of this module, by name."""
    kept = list(manifests)
    zones = sorted({hours.zone for one in kept for hours in one.schedule})
    return {
        "instantiators": _table(kept, "instantiators", INSTANTIATORS, lambda glob: [{"pattern": like(glob)}]),
        "delegators": _table(kept, "delegators", DELEGATORS, lambda glob: [{"pattern": like(glob)}]),
        "may_start": _table(kept, "may_start", MAY_START, lambda name: [{"starts": name}]),
        "provenance": pa.Table.from_pylist(list(_provenance(kept)), PROVENANCE),
        "approval_lines": _table(kept, "approvals", APPROVAL_LINES, _approval),
        "working_hours": _table(kept, "schedule", WORKING_HOURS, _hours),
        "zone_offsets": pa.Table.from_pylist([row for zone in zones for row in offsets(zone)], ZONE_OFFSETS),
    }


def _table(
    manifests: Iterable[Manifest], key: str, schema: pa.Schema, columns: Callable[[Any], Iterable[dict[str, Any]]]
) -> pa.Table:
    """The rows that each entry of the list `key` gives, with where the entry stands."""
    rows = [
        {
            "worker": one.worker,
            "manifest_sha": one.sha256,
            "ordinal": ordinal,
            "file": one.file,
            "line": one.line(key, ordinal),
            **row,
        }
        for one in manifests
        for ordinal, entry in enumerate(getattr(one, key))
        for row in columns(entry)
    ]
    return pa.Table.from_pylist(rows, schema)


def _provenance(manifests: Iterable[Manifest]) -> Iterator[dict[str, Any]]:
    for one in manifests:
        if one.provenance is not None:
            yield {
                "worker": one.worker,
                "manifest_sha": one.sha256,
                "repo": one.provenance.repo,
                "workflow": one.provenance.workflow,
                "file": one.file,
                "line": one.line("provenance", 0),
            }


def _approval(entry: Any) -> Iterator[dict[str, Any]]:
    yield {
        "kind": entry.actions.kind,
        "within_seconds": entry.within,
        "approvers": [like(glob) for glob in entry.approvers],
        **{
            name: [like(host(glob) if name == "hosts" else glob) for glob in globs]
            for name, globs in entry.actions.dimensions.items()
        },
    }


def _hours(entry: Schedule) -> Iterator[dict[str, Any]]:
    for day in entry.days:
        if entry.end > entry.start:
            yield {"zone": entry.zone, "day": day, "start_minute": entry.start, "end_minute": entry.end}
            continue
        yield {"zone": entry.zone, "day": day, "start_minute": entry.start, "end_minute": MINUTES_A_DAY}
        if entry.end:
            yield {"zone": entry.zone, "day": (day + 1) % 7, "start_minute": 0, "end_minute": entry.end}


def offsets(zone: str) -> Iterator[dict[str, Any]]:
    """Rows of ZONE_OFFSETS for one IANA zone: its transitions to the minute, found by bisection between days."""
    of = ZoneInfo(zone)
    start, at = FIRST_OFFSET, FIRST_OFFSET
    offset = _offset(of, at)
    while at < LAST_OFFSET:
        following = at + timedelta(days=1)
        if _offset(of, following) != offset:
            change = _change(of, at, following)
            yield {"zone": zone, "from_utc": start, "to_utc": change, "offset_minutes": offset}
            start, offset = change, _offset(of, change)
        at = following
    yield {"zone": zone, "from_utc": start, "to_utc": datetime(2200, 1, 1), "offset_minutes": offset}


def _offset(zone: ZoneInfo, moment: datetime) -> int:
    ahead = moment.replace(tzinfo=UTC).astimezone(zone).utcoffset()
    return 0 if ahead is None else round(ahead.total_seconds() / 60)


def _change(zone: ZoneInfo, before: datetime, after: datetime) -> datetime:
    """The first minute after `before` whose offset is no longer that of `before`."""
    old = _offset(zone, before)
    while after - before > timedelta(minutes=1):
        middle = before + timedelta(minutes=(after - before) // timedelta(minutes=2))
        before, after = (middle, after) if _offset(zone, middle) == old else (before, middle)
    return after

"""Which worker an identity belongs to at a time, where manifests that declare it come, change and go.

Who declares an identity first owns it from the beginning: what it did before anybody declared it is the worker's too.
Who declares it while another worker has it takes it over, from its manifest's `effective_from` or else from when a
run first saw that manifest; what was done before belongs to the other. Who declares it no more keeps it until
somebody takes it, so that the past stays attributed. Workers that share an identity have it side by side.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

import pyarrow as pa

from detectors.glob import is_pattern, like, overlaps

_COLUMNS: dict[str, pa.DataType] = {
    "uid": pa.string(),
    "uid_like": pa.string(),
    "is_pattern": pa.bool_(),
    "worker": pa.string(),
    "shared": pa.bool_(),
    "valid_from": pa.timestamp("us"),
    "valid_to": pa.timestamp("us"),
}
CLAIMS = pa.schema(_COLUMNS)
"""One row a stretch of time in which a worker has an identity (or a pattern over identities)."""


@dataclass(frozen=True)
class Told:
    """What one version of a manifest says of identities: each with whether it is shared; times are naive UTC."""

    worker: str
    identities: Mapping[str, bool]
    effective_from: datetime | None
    recorded_at: datetime | None


@dataclass
class _Claim:
    uid: str
    worker: str
    shared: bool
    start: datetime
    end: datetime
    declared: bool = True


def claims(told: Iterable[Told], beginning: datetime, end: datetime) -> pa.Table:
    """The CLAIMS that follow from versions in the order in which they were recorded."""
    register = _Register(beginning, end)
    for one in told:
        register.add(one)
    rows = [
        {
            "uid": claim.uid,
            "uid_like": like(claim.uid),
            "is_pattern": is_pattern(claim.uid),
            "worker": claim.worker,
            "shared": claim.shared,
            "valid_from": claim.start,
            "valid_to": claim.end,
        }
        for claim in register.all_claims()
        if claim.start < claim.end
    ]
    return pa.Table.from_pylist(sorted(rows, key=lambda row: (row["uid"], row["valid_from"], row["worker"])), CLAIMS)


class _Register:
    """Claims so far, by what they are looked up by."""

    def __init__(self, beginning: datetime, end: datetime) -> None:
        self.beginning, self.end = beginning, end
        self.by_worker: dict[str, list[_Claim]] = {}
        self.by_uid: dict[str, list[_Claim]] = {}
        self.patterns: list[_Claim] = []

    def all_claims(self) -> Iterator[_Claim]:
        for some in self.by_worker.values():
            yield from some

    def add(self, told: Told) -> None:
        """What the next version says."""
        held = {claim.uid: claim for claim in self.by_worker.get(told.worker, []) if claim.end == self.end}
        in_force = told.effective_from or self.beginning
        for uid, claim in held.items():
            claim.declared = uid in told.identities
            claim.shared = told.identities.get(uid, claim.shared)
            if not claim.declared and any(rival.declared for rival in self.rivals(uid, told.worker, in_force)):
                claim.end = max(claim.start, in_force)
        for uid, shared in told.identities.items():
            if uid not in held:
                self.claim(uid, told, shared, in_force)

    def claim(self, uid: str, told: Told, shared: bool, in_force: datetime) -> None:
        """A new claim; those of other workers that it takes over end where it begins."""
        from_when = told.effective_from or told.recorded_at or self.beginning
        rivals = self.rivals(uid, told.worker, self.beginning)
        taken = [one for one in rivals if one.end > from_when and not (one.shared and shared and one.declared)]
        for claim in taken:
            claim.end = max(claim.start, from_when)
        start = from_when if taken else in_force if rivals else self.beginning
        new = _Claim(uid, told.worker, shared, start, self.end)
        self.by_worker.setdefault(told.worker, []).append(new)
        self.by_uid.setdefault(uid, []).append(new)
        if is_pattern(uid):
            self.patterns.append(new)

    def rivals(self, uid: str, worker: str, since: datetime) -> list[_Claim]:
        """Claims of other workers to the same identity that hold at some time after `since`."""
        if is_pattern(uid):
            near = [claim for claim in self.all_claims() if overlaps(claim.uid, uid)]
        else:
            near = [
                *self.by_uid.get(uid, []),
                *(claim for claim in self.patterns if claim.uid != uid and overlaps(claim.uid, uid)),
            ]
        return [claim for claim in near if claim.worker != worker and since < claim.end and claim.start < claim.end]

"""What a worker's owner declares as its most: bytes and denials an hour, from what its kind does at its busiest."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from pipelines.worlds.actors import Factors, factors
from pipelines.worlds.estate import Estate, Worker
from pipelines.worlds.kinds import kind as kind_of
from pipelines.worlds.life import REFUSED
from pipelines.worlds.rhythm import Kind, Slot

ROOM = 1.5
"""Owners leave half as much again above the busiest hour that they think of."""
OVERHEAD_BYTES, LEAST_DENIED = 2_500, 20
"""What a call costs in its tunnel at most; fewer denials than this nobody cares to declare."""


def bounded(estate: Estate) -> Estate:
    """The estate with `bytes_out_an_hour` and `denied_an_hour` of each worker."""
    by_name = {worker.name: worker for worker in estate.workers}
    return replace(estate, workers=tuple(_bounded(worker, by_name, estate.scale) for worker in estate.workers))


def _bounded(worker: Worker, by_name: dict[str, Worker], scale: float) -> Worker:
    kind = kind_of(worker.kind)
    starter = kind_of(by_name[worker.started_by].kind) if worker.started_by else kind
    grows = any(slot.grows for slot in starter.slots)
    scales = factors(np.array([scale]), np.array([grows]))
    runs = _runs_an_hour(starter.slots, scales)
    calls, sent = _of_a_run(worker, kind, float(scales.counts[0]))
    largest = max(size for size in (0, *(use.bytes_out[1] for use in worker.uses), *(
        site.bytes_out[1] for site in worker.sites)))  # fmt: skip
    most = ROOM * runs * sent + 3 * largest
    megabytes = _rounded(most / 1e6)
    denied = int(max(LEAST_DENIED, _rounded(20 * REFUSED * runs * calls)))
    return replace(worker, bytes_out_an_hour=megabytes * 1_000_000, denied_an_hour=denied)


def _runs_an_hour(slots: tuple[Slot, ...], scales: Factors) -> float:
    """Runs within the busiest hour: of bursts all, of others what chance may bring together."""
    busiest = 0.0
    for slot in slots:
        factor = float((scales.growing if slot.grows else scales.steady)[0])
        hours = 1.0 if slot.together else max(1.0, slot.end - slot.start)
        mean = slot.runs[1] * factor / hours
        busiest += mean + 4 * mean**0.5 if slot.grows else 0.0
    steady = 2.0 if any(not slot.grows for slot in slots) else 0.0
    return max(1.0, busiest + steady)


def _of_a_run(worker: Worker, kind: Kind, counts: float) -> tuple[float, float]:
    """Calls and bytes of a busy run."""
    calls = sent = 0.0
    steps = [(use.count, use.bytes_out) for use in worker.uses] + [
        (site.count, site.bytes_out) for site in worker.sites
    ]
    for count, size in steps:
        most = count[1] * counts * kind.month_end + 1
        least_bytes, most_bytes = (max(1, end) for end in size)
        mean = (
            most_bytes if most_bytes == least_bytes else (most_bytes - least_bytes) / np.log(most_bytes / least_bytes)
        )
        calls += most
        sent += most * (float(mean) + OVERHEAD_BYTES)
    return calls, sent


def _rounded(value: float) -> int:
    """Up to a number that somebody would write: two digits, then noughts."""
    whole = int(np.ceil(value))
    step = int(10 ** max(0, len(str(whole)) - 2))
    return max(1, -(-whole // step) * step)

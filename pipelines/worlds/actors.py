"""Everybody who lives in a world as one table to draw from: workers, and people in each of their ways of working."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from pipelines.worlds import apis
from pipelines.worlds.estate import Site, Use, Worker
from pipelines.worlds.rhythm import Days, Slot

_MASKS: dict[Days, int] = {"all": 0, "workdays": 1, "weekends": 2}
_PAGED = ("ListObjects", "Query", "Scan", "FilterLogEvents", "GetQueryResults")
_THROTTLES = {
    "s3": ("SlowDown", "Please reduce your request rate."),
    "dynamodb": ("ProvisionedThroughputExceededException", "The level of configured provisioned throughput for the "
                 "table was exceeded."),
    "ec2": ("Client.RequestLimitExceeded", "Request limit exceeded."),
    "logs": ("ThrottlingException", "Rate exceeded"),
    "athena": ("TooManyRequestsException", "Rate exceeded"),
}  # fmt: skip


@dataclass(frozen=True)
class Actor:
    """Somebody with one way of working. People are drawn as workers too, and leave no worker in the truth.

    `begin` is as in `Kind`, or of people: login (to the org), saml (a role by single sign-on), user (an IAM user's key
    and then a role).
    """

    worker: Worker
    begin: str
    slots: tuple[Slot, ...]
    pace: tuple[float, float]
    month_end: float = 1.0
    is_person: bool = False

    @property
    def second(self) -> bool:
        return any(use.second for use in self.worker.uses)


@dataclass(frozen=True)
class Cast:
    """The actors of an estate, compiled: `steps` a row an actor and step, slots as arrays, both by actor."""

    actors: tuple[Actor, ...]
    steps: pl.DataFrame
    first_step: npt.NDArray[np.int64]
    step_count: npt.NDArray[np.int64]
    slots: pl.DataFrame
    child: npt.NDArray[np.int64]
    """The actor that runs of this one start, or -1."""
    grows: npt.NDArray[np.bool_]
    """By actor: whether a busier world gives it more runs."""
    factors: Factors


@dataclass(frozen=True)
class Factors:
    """Scales by actor: how many runs of growing and of other slots, how many calls a run."""

    growing: npt.NDArray[np.float64]
    steady: npt.NDArray[np.float64]
    counts: npt.NDArray[np.float64]


LEAST_COUNT, STEADY_FROM = 0.3, 0.15
"""Runs are never thinner than this part of what their kind says; below this scale even cron jobs run more rarely."""


def factors(scale: npt.NDArray[np.float64], grows: npt.NDArray[np.bool_]) -> Factors:
    """What scales do: busier kinds have more runs and somewhat longer ones, cron jobs only longer ones."""
    counts = np.where(grows, np.clip(scale**0.3, LEAST_COUNT, None), np.clip(scale, LEAST_COUNT, None))
    return Factors(scale**0.7, np.minimum(1.0, scale / STEADY_FROM), counts)


def compile_cast(actors: tuple[Actor, ...], scale: float, people_scale: float) -> Cast:
    """The tables of these actors at these scales."""
    rows = [row for index, actor in enumerate(actors) for row in _steps(index, actor)]
    steps = pl.DataFrame(rows, schema=_STEP, orient="row")
    count = np.bincount(steps["actor"].to_numpy(), minlength=len(actors)).astype(np.int64)
    places = {actor.worker.name: index for index, actor in enumerate(actors) if not actor.is_person}
    child = np.array(
        [places[actor.worker.may_start[0]] if actor.worker.may_start else -1 for actor in actors], np.int64
    )
    slots = pl.DataFrame([row for index, actor in enumerate(actors) for row in _slots(index, actor.slots)],
                         schema=_SLOT, orient="row")  # fmt: skip
    is_person = np.array([actor.is_person for actor in actors])
    grows = np.array([any(slot.grows for slot in actor.slots) for actor in actors])
    # Whoever is started grows with who starts it.
    grows[child[child >= 0]] = True
    scales = np.where(is_person, people_scale, scale)
    return Cast(actors, steps, np.cumsum(count) - count, count, slots, child, grows, factors(scales, grows))


_SLOT = {
    "actor": pl.Int64, "start": pl.Float64, "end": pl.Float64, "least": pl.Float64, "most": pl.Float64,
    "days": pl.Int64, "chance": pl.Float64, "together": pl.Boolean, "grows": pl.Boolean,
}  # fmt: skip


def _slots(index: int, slots: tuple[Slot, ...]) -> Iterable[tuple[object, ...]]:
    for slot in slots:
        yield (index, slot.start, slot.end, *slot.runs, _MASKS[slot.days], slot.chance, slot.together, slot.grows)


_STEP = {
    "actor": pl.Int64, "is_site": pl.Boolean, "least": pl.Float64, "most": pl.Float64, "out_least": pl.Int64,
    "out_most": pl.Int64, "in_least": pl.Int64, "in_most": pl.Int64, "from_day": pl.Int64, "service": pl.String,
    "operation": pl.String, "is_data": pl.Boolean, "read_only": pl.Boolean, "region": pl.String, "resource": pl.String,
    "request": pl.String, "second": pl.Boolean, "paged": pl.Boolean, "is_secret": pl.Boolean, "throttle": pl.String,
    "throttle_text": pl.String, "endpoint": pl.String, "host": pl.String, "path": pl.String, "method": pl.String,
}  # fmt: skip


def _steps(index: int, actor: Actor) -> Iterable[tuple[object, ...]]:
    """Sites that tell a run what to do come first, then the calls."""
    for site in actor.worker.sites:
        yield _site(index, site)
    for use in actor.worker.uses:
        yield _use(index, use, actor.worker.region)


def _site(index: int, site: Site) -> tuple[object, ...]:
    return (
        index, True, *site.count, *site.bytes_out, *site.bytes_in, site.from_day, *([None] * 7), False, False, False,
        None, None, None, site.host, site.path, "CONNECT" if site.path is None else site.method,
    )  # fmt: skip


def _use(index: int, use: Use, region: str) -> tuple[object, ...]:
    paged = use.operation in _PAGED or (use.resource is None and use.operation.startswith(("List", "Describe")))
    request = apis.request_of(use.service, use.operation, use.resource, region)
    if paged and request is None:
        request = '{"maxResults":100}'
    throttle = _THROTTLES.get(use.service, (None, None))
    return (
        index, False, *use.count, *use.bytes_out, *use.bytes_in, 0, use.service, use.operation, use.is_data,
        use.read_only, apis.region_of(use.service, region), use.resource, request, use.second, paged,
        use.operation == "GetSecretValue", *throttle, apis.endpoint(use.service, use.operation, use.resource, region),
        None, None, None,
    )  # fmt: skip

"""How busy a world must be to reach its events: expected numbers of events, in closed form, and their inverse."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta

import numpy as np
import numpy.typing as npt

from pipelines.worlds.actors import Actor, Cast, factors
from pipelines.worlds.beginnings import CHALLENGED, FAILED_LOGINS
from pipelines.worlds.cast import cast_of
from pipelines.worlds.estate import Estate
from pipelines.worlds.life import THROTTLED
from pipelines.worlds.runs import load_of
from pipelines.worlds.size import Size

PEOPLES_SHARE = 0.17
"""Of all events, those that people make."""
_ROUNDS, _LEAST, _MOST = 60, 1e-6, 1e6


def scaled(estate: Estate, size: Size) -> Estate:
    """The estate with the scales at which its workers and people make `size.events` together."""
    cast = cast_of(estate)
    days = _days(cast, size)
    is_person = np.array([actor.is_person for actor in cast.actors])

    def events(scale: float, chosen: npt.NDArray[np.bool_]) -> float:
        return float(_expected(compile_scale(cast, scale), days)[chosen].sum())

    return replace(
        estate,
        scale=_inverse(lambda scale: events(scale, ~is_person), size.events * (1 - PEOPLES_SHARE)),
        people_scale=_inverse(lambda scale: events(scale, is_person), size.events * PEOPLES_SHARE),
    )


def compile_scale(cast: Cast, scale: float) -> Cast:
    """The cast with everybody at one scale."""
    return replace(cast, factors=factors(np.full(len(cast.actors), scale), cast.grows))


def _inverse(events: Callable[[float], float], wanted: float) -> float:
    """The scale at which a growing function of it is `wanted`."""
    low, high = np.log(_LEAST), np.log(_MOST)
    for _ in range(_ROUNDS):
        middle = (low + high) / 2
        low, high = (middle, high) if events(float(np.exp(middle))) < wanted else (low, middle)
    return float(np.exp((low + high) / 2))


@dataclass(frozen=True)
class _Days:
    """What does not hang on the scale: by actor its workdays, its days at weekends, its mean load and the events of
    its beginnings; by step the part of the days that it is open, and `_endpoints`."""

    workdays: npt.NDArray[np.int64]
    weekends: npt.NDArray[np.int64]
    loads: npt.NDArray[np.float64]
    live: npt.NDArray[np.float64]
    endpoint: npt.NDArray[np.int64]
    endpoint_of: npt.NDArray[np.int64]
    fixed: npt.NDArray[np.float64]


def _days(cast: Cast, size: Size) -> _Days:
    dates = [size.first_day + timedelta(days=day) for day in range(size.days)]
    first = np.array([actor.worker.first_day for actor in cast.actors])
    last = np.array([size.days if actor.worker.last_day is None else actor.worker.last_day for actor in cast.actors])
    day = np.arange(size.days)
    alive = (first[:, None] <= day) & (day <= last[:, None])
    work = np.array([date.weekday() < 5 for date in dates])
    loads = np.array([load_of(cast, date) for date in dates]).T
    from_day = cast.steps["from_day"].to_numpy()
    lived = np.maximum(1, alive.sum(axis=1))
    actor = cast.steps["actor"].to_numpy()
    open_to = (alive[actor] & (day >= from_day[:, None])).sum(axis=1) / lived[actor]
    return _Days(
        (alive & work).sum(axis=1), (alive & ~work).sum(axis=1), (loads * alive).sum(axis=1) / lived, open_to,
        *_endpoints(cast), _fixed(cast),
    )  # fmt: skip


def _expected(cast: Cast, days: _Days) -> npt.NDArray[np.float64]:
    """Events by actor over all days."""
    number = _runs(cast, days)
    steps = cast.steps
    actor = steps["actor"].to_numpy()
    factor = (cast.factors.counts * days.loads)[actor]
    least, most = steps["least"].to_numpy() * factor, steps["most"].to_numpy() * factor
    calls = (least + most) / 2 * days.live
    again = 1 + THROTTLED * steps["throttle"].is_not_null().to_numpy() + steps["is_secret"].to_numpy()
    by_step = np.bincount(actor, calls * again, minlength=len(cast.actors))
    return number * (by_step + _tunnels(cast, days, 1 - _never(least, most)) + days.fixed)


def _runs(cast: Cast, days: _Days) -> npt.NDArray[np.float64]:
    """Expected runs by actor over all days; those that are started have as many as who starts them."""
    slots = cast.slots
    actor, kind = slots["actor"].to_numpy(), slots["days"].to_numpy()
    open_days = np.where(
        kind == 0, (days.workdays + days.weekends)[actor], np.where(kind == 1, days.workdays[actor],
                                                                    days.weekends[actor])
    )  # fmt: skip
    scale = np.where(slots["grows"].to_numpy(), cast.factors.growing[actor], cast.factors.steady[actor])
    mean = (slots["least"].to_numpy() + slots["most"].to_numpy()) / 2 * scale * slots["chance"].to_numpy()
    number = np.bincount(actor, mean * open_days, minlength=len(cast.actors)).astype(np.float64)
    starting = cast.child >= 0
    np.add.at(number, cast.child[starting], number[starting])
    return number


def _never(least: npt.NDArray[np.float64], most: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The probability that a step is made no time: the mean of max(0, 1 - x), x uniform between the two."""
    wide = np.maximum(most - least, 1e-12)
    low, high = np.minimum(least, 1.0), np.minimum(most, 1.0)
    some = ((1 - low) ** 2 - (1 - high) ** 2) / 2 / wide
    return np.where(most - least < 1e-9, np.maximum(0.0, 1 - least), some)


def _tunnels(cast: Cast, days: _Days, used: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Expected tunnels to AWS of a run by actor: one an endpoint that the run calls."""
    missed = np.ones(len(days.endpoint_of))
    tells = days.endpoint >= 0
    np.multiply.at(missed, days.endpoint[tells], 1 - used[tells])
    return np.bincount(days.endpoint_of, 1 - missed, minlength=len(cast.actors)).astype(np.float64)


def _endpoints(cast: Cast) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """By step its pair of actor and endpoint (-1: none, or STS, which beginnings use); by pair the actor."""
    pairs: dict[tuple[int, str], int] = {}
    by_step = [
        pairs.setdefault((actor, endpoint), len(pairs)) if endpoint and not endpoint.startswith("sts.") else -1
        for actor, endpoint in zip(cast.steps["actor"], cast.steps["endpoint"], strict=True)
    ]
    return np.array(by_step, np.int64), np.array([actor for actor, _ in pairs], np.int64)


def _fixed(cast: Cast) -> npt.NDArray[np.float64]:
    """Events of the beginning of a run, by actor."""
    return np.array([_beginning(actor) for actor in cast.actors])


def _beginning(actor: Actor) -> float:
    worker, begin = actor.worker, actor.begin
    events = CHALLENGED
    if worker.okta_client:
        events += 2
    if begin in ("okta", "ci", "saml", "started") or (begin in ("key", "user") and worker.roles):
        events += 1 + (begin != "started")
    if actor.second:
        abroad = len(worker.roles) > 1 and worker.roles[1].account != worker.roles[0].account
        borrowed = [role for role in worker.borrows if worker.roles and role.account != worker.roles[0].account]
        events += 1 + (abroad or bool(borrowed))
    if begin in ("login", "saml"):
        events += 1 + FAILED_LOGINS
    return events

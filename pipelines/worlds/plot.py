"""What is done to a world: which attacks and look-alikes are played on whom, when, and how blatantly."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import TypeVar

import polars as pl

from pipelines.worlds import habits
from pipelines.worlds.attacks import scenarios
from pipelines.worlds.draws import Draws, draws
from pipelines.worlds.estate import Estate, Worker
from pipelines.worlds.happenings import Happenings
from pipelines.worlds.scenario import INTENSITIES, Family, Lookalike, Scenario, Stage
from pipelines.worlds.size import Size

WARM_UP = 0.6
"""The share of the days that are left in peace, so that habits can be learned before anything happens."""

INCIDENTS_A_WORKER = 0.3
"""At most so many: attacks stay the exception among the workers, let alone among their days."""

APART_DAYS = 1
"""Between two things that are played on one worker, so that neither is taken for the other."""

_WITHIN_HOURS = 0.5
"""After the minute of a cron job a run of it may still be begun by hand, or anew."""

_Item = TypeVar("_Item")


@dataclass(frozen=True)
class Placed:
    """One attack or look-alike as it was played. `name` is the scenario's, or the look-alike's of that scenario.

    `happenings` are its rows in order of time. Each has its label (`incident` or `lookalike` is `id`) but for what the
    worker itself would have left in a run that an attack acts from; `started_at` and `ended_at` are of labelled rows.
    """

    id: str
    is_attack: bool
    scenario: str
    family: Family
    name: str
    worker: str
    intensity: float
    started_at: datetime
    ended_at: datetime
    happenings: Happenings


def plot(estate: Estate, size: Size) -> list[Placed]:
    """All attacks and look-alikes of the world of `size`, each by its number."""
    return _Plot(estate, size).played()


def incidents_of(size: Size) -> int:
    """How many attacks a world of this size bears: one at least."""
    return max(1, math.floor(size.workers * INCIDENTS_A_WORKER))


class _Plot:
    """A plot in the making: who is taken on which days."""

    def __init__(self, estate: Estate, size: Size) -> None:
        self.estate, self.size = estate, size
        self.stream = draws(size.seed, "plot")
        self.taken: dict[str, set[int]] = defaultdict(set)

    def played(self) -> list[Placed]:
        attacks: list[Placed] = []
        lookalikes: list[Placed] = []
        order = _decks(self.stream, scenarios())
        of_attacks, of_lookalikes = _decks(self.stream, INTENSITIES), _decks(self.stream, INTENSITIES)
        wanted, vain = incidents_of(self.size), 0
        while len(attacks) < wanted and vain < len(scenarios()):
            scenario = next(order)
            placed = self._place(f"incident-{len(attacks) + 1:04}", scenario, None, of_attacks)
            vain = 0 if placed else vain + 1
            if placed is None:
                continue
            attacks.append(placed)
            for lookalike in scenario.lookalikes:
                benign = self._place(f"lookalike-{len(lookalikes) + 1:04}", scenario, lookalike, of_lookalikes)
                if benign:
                    lookalikes.append(benign)
        return attacks + lookalikes

    def _place(
        self, name: str, scenario: Scenario, lookalike: Lookalike | None, intensities: Iterator[float]
    ) -> Placed | None:
        """Play it where somebody suits and is free; nothing where nobody does, or nothing came of it."""
        suits = (lookalike.suits if lookalike else None) or scenario.suits
        days = lookalike.days if lookalike else scenario.days
        spots = self._spots(suits, days)
        if not spots:
            return None
        intensity = next(intensities)
        worker, starts = spots[int(self.stream.integers(len(spots)))]
        day = starts[int(self.stream.integers(len(starts)))]
        stage = Stage(
            estate=self.estate,
            worker=worker,
            at=self._moment(worker, day, intensity, lookalike is None),
            day=day,
            days=self.size.days,
            intensity=intensity,
            scale=self.estate.scale,
            draws=draws(self.size.seed, "plot", name),
        )
        act = lookalike.act if lookalike else scenario.act
        happenings = labelled(self._in_order(act(stage)), name, is_attack=lookalike is None)
        span = _span(happenings, name)
        if span is None:
            return None
        self.taken[worker.name].update(range(day - APART_DAYS, day + days + APART_DAYS))
        return Placed(
            id=name,
            is_attack=lookalike is None,
            scenario=scenario.name,
            family=scenario.family,
            name=lookalike.name if lookalike else scenario.name,
            worker=worker.name,
            intensity=intensity,
            started_at=span[0],
            ended_at=span[1],
            happenings=happenings,
        )

    def _spots(self, suits: Callable[[Worker], bool], days: int) -> list[tuple[Worker, list[int]]]:
        """Who suits, each with the days on which it could begin: after the warm-up, while the worker lives."""
        warm = math.ceil(self.size.days * WARM_UP)
        spots = []
        for worker in self.estate.workers:
            if not suits(worker):
                continue
            last = min(self.size.days - 1, worker.last_day if worker.last_day is not None else self.size.days)
            starts = [
                day
                for day in range(max(warm, worker.first_day), last - days + 2)
                if self.taken[worker.name].isdisjoint(range(day, day + days))
            ]
            if starts:
                spots.append((worker, starts))
        return spots

    def _moment(self, worker: Worker, day: int, intensity: float, is_attack: bool) -> datetime:
        """When a run of the worker could begin on the day; a blatant attack comes at any hour."""
        date = self.size.first_day + timedelta(days=day)
        any_hour = is_attack and self.stream.random() < (intensity - 0.5) * 2
        slots = habits.hours(worker, date)
        start, end = 0.0, 22.0
        if slots and not any_hour:
            slot = slots[int(self.stream.integers(len(slots)))]
            start, end = slot.start, max(slot.end, slot.start + _WITHIN_HOURS)
        return datetime.combine(date, time()) + timedelta(seconds=round(self.stream.uniform(start, end) * 3_600))

    def _in_order(self, happenings: Happenings) -> Happenings:
        """In order of time; the world ends with its last day, whatever is still going on."""
        ends = datetime.combine(self.size.first_day + timedelta(days=self.size.days), time())
        return Happenings(*(rows.filter(pl.col("at") < ends).sort("at", "event") for rows in _frames(happenings)))


def labelled(happenings: Happenings, name: str, *, is_attack: bool) -> Happenings:
    """The rows with their label: of a look-alike all, of an attack all but those that the worker itself would leave."""
    if not is_attack:
        return happenings.labelled(lookalike=name)
    return Happenings(
        *(
            rows.with_columns(
                pl.when(pl.col("incident").is_null()).then(pl.lit(name, pl.String)).alias("incident"),
                pl.lit(None, pl.String).alias("lookalike"),
            )
            for rows in _frames(happenings)
        )
    )


def _frames(happenings: Happenings) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    return happenings.calls, happenings.requests, happenings.issuings


def _span(happenings: Happenings, name: str) -> tuple[datetime, datetime] | None:
    times = pl.concat(
        rows.filter((pl.col("incident") == name) | (pl.col("lookalike") == name)).select("at")
        for rows in _frames(happenings)
    )["at"]
    first, last = times.min(), times.max()
    return (first, last) if isinstance(first, datetime) and isinstance(last, datetime) else None


def _decks(stream: Draws, items: Sequence[_Item]) -> Iterator[_Item]:
    """The items without end, each deck shuffled: all come alike often."""
    while True:
        yield from (items[number] for number in stream.permutation(len(items)).tolist())

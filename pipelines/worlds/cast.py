"""The cast of an estate, compiled once: its workers by their kinds, and its people."""

from __future__ import annotations

from functools import lru_cache

from pipelines.worlds.actors import Actor, Cast, compile_cast
from pipelines.worlds.estate import Estate, Worker
from pipelines.worlds.kinds import kind as kind_of
from pipelines.worlds.people import people_at_work


class _ById:
    """An estate as a key: it is large, and nobody changes one."""

    def __init__(self, estate: Estate) -> None:
        self.estate = estate

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _ById) and self.estate is other.estate

    def __hash__(self) -> int:
        return id(self.estate)


def cast_of(estate: Estate) -> Cast:
    """The compiled actors of an estate."""
    return _compiled(_ById(estate))


@lru_cache(maxsize=4)
def _compiled(held: _ById) -> Cast:
    estate = held.estate
    actors = (*(_at_work(worker) for worker in estate.workers), *people_at_work(estate))
    return compile_cast(actors, estate.scale, estate.people_scale)


def _at_work(worker: Worker) -> Actor:
    kind = kind_of(worker.kind)
    return Actor(worker, kind.begin, kind.slots, kind.pace, kind.month_end)

"""How a world's files come in: in which runs, in which parts, under which names."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import strategies as st

from tests.properties.worlds import LogFile, World


@dataclass(frozen=True)
class Arrival:
    """From this run on a file holds its first `upto` bytes; at `upto` = all of them it is at rest."""

    run: int
    file: LogFile
    upto: int

    @property
    def whole(self) -> bool:
        return self.upto == len(self.file.content)


@dataclass(frozen=True)
class Schedule:
    """Arrivals by run, and what else happens on the way; runs count from 0.

    `copied`: before these runs every whole file is written again under another name. `renamed`: before these
    runs every whole plain file is given another name, as a log that is rotated. `only_pulled`: these runs end
    after stage (a). The last run is never one of them.
    """

    runs: int
    arrivals: tuple[Arrival, ...]
    copied: frozenset[int] = frozenset()
    renamed: frozenset[int] = frozenset()
    only_pulled: frozenset[int] = frozenset()


def at_once(world: World) -> Schedule:
    """Everything in one run."""
    return Schedule(1, tuple(Arrival(0, file, len(file.content)) for file in world.files))


def late_last(world: World) -> Schedule:
    """Of a world that was split by `apart`: first everything but the late files, then those."""
    return Schedule(
        2, tuple(Arrival(int(file.name.startswith("late")), file, len(file.content)) for file in world.files)
    )


@st.composite
def schedules(draw: st.DrawFn, world: World, most: int = 4) -> Schedule:
    """Any split into up to `most` runs, in any order, with repeats; a growing file is cut anywhere, within a line too."""
    runs = draw(st.integers(1, most))
    arrivals = []
    for file in world.files:
        first = draw(st.integers(0, runs - 1))
        last = draw(st.integers(first, runs - 1)) if file.growing else first
        cuts = sorted(draw(st.lists(st.integers(1, len(file.content)), min_size=last - first, max_size=last - first)))
        arrivals += [Arrival(first + step, file, upto) for step, upto in enumerate([*cuts, len(file.content)])]
    some = st.frozensets(st.integers(0, runs - 1), max_size=1)
    return Schedule(
        runs,
        tuple(arrivals),
        draw(some),
        draw(some),
        draw(st.frozensets(st.integers(0, max(0, runs - 2)))) - {runs - 1},
    )

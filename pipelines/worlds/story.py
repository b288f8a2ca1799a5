"""The story of a world: who is in it, their benign lives day by day, and what is played on them."""

from __future__ import annotations

from pathlib import Path

from pipelines.worlds import life, manifests, plot, populate
from pipelines.worlds.happenings import Happenings
from pipelines.worlds.size import Size
from pipelines.worlds.write import Story


def tell(size: Size) -> Story:
    """The story of the world of `size`, a function of it alone."""
    estate = populate.estate(size)

    def day(number: int) -> Happenings:
        return life.day(estate, size, number)

    def write_manifests(folder: Path) -> None:
        manifests.write(estate, folder)

    return Story(estate, day, plot.plot(estate, size), write_manifests)

"""A worker calls home: small requests to one strange host over a day, at times that are shaken to seem irregular.

Intensity: how many, from five in six hours with the time between them drawn anew, to three hundred nearly on the
minute.
"""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import polars as pl

from pipelines.worlds import habits
from pipelines.worlds.happenings import Happenings
from pipelines.worlds.means import count
from pipelines.worlds.play import Play
from pipelines.worlds.scenario import Lookalike, Scenario, Stage

_LASTS = timedelta(hours=6)


def _times(stage: Stage, many: int, jitter: float, lasts: timedelta) -> pl.Series:
    """Times over `lasts`; `jitter` 1 is a gap drawn anew each time, 0 a clock's."""
    gaps = (1 - jitter) + jitter * stage.draws.exponential(1.0, many)
    offsets = np.cumsum(gaps) / gaps.sum() * lasts.total_seconds() * 1e6
    return pl.Series(np.datetime64(stage.at, "us") + offsets.astype("timedelta64[us]"), dtype=pl.Datetime("us"))


def _act(stage: Stage) -> Happenings:
    many = count(stage, 5, 300)
    play = Play(stage).work(2)
    sizes = stage.draws.integers(480, 640, many).tolist()
    at = _times(stage, many, 1.05 - stage.intensity, _LASTS)
    return play.visit("telemetry.app-pulse.example", many, at=at, bytes_out=sizes, bytes_in=310).happened()


def _health_check(stage: Stage) -> Happenings:
    """The same rhythm towards a host that the manifest names."""
    site = habits.outlets(stage.worker, stage.day)[-1]
    at = _times(stage, 24, 0.05, timedelta(minutes=80))
    return Play(stage).visit(site.host, 24, at=at, bytes_out=560, bytes_in=310).happened()


def _by_the_clock(stage: Stage) -> Happenings:
    """Runs at equal distances, as of a schedule."""
    return Happenings.all_of(
        Play(stage, stage.at + timedelta(minutes=15 * number)).work(3).happened() for number in range(5)
    )


SCENARIO = Scenario(
    name="jittered-beacon",
    family="evasion",
    story="A worker calls one strange host all day, at shaken times.",
    suits=habits.has_outlet,
    act=_act,
    lookalikes=(
        Lookalike("health-check", _health_check, "The same rhythm, to a declared host."),
        Lookalike("by-the-clock", _by_the_clock, "Ordinary runs at equal distances."),
    ),
)

"""What an attack scenario and its look-alikes are: a file each below `attacks/`, found by its `SCENARIO`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from pipelines.worlds.draws import Draws
from pipelines.worlds.estate import Estate, Worker
from pipelines.worlds.happenings import Happenings

Family = Literal[
    "scope", "credentials", "delegation", "approvals", "escalation", "persistence", "exfiltration", "model",
    "injection", "loops", "evasion", "movement",
]  # fmt: skip

INTENSITIES = (0.1, 0.3, 0.5, 0.7, 1.0)
"""From near the noise floor to blatant."""


@dataclass(frozen=True)
class Stage:
    """Where and when an attack is played: everything that an act may draw on.

    `at` is when it begins (naive UTC); `day` and `days` count from the world's first. `scale` is the world's events
    a worker-day against those of its kinds as written (1.0): how busy benign life is.
    """

    estate: Estate
    worker: Worker
    at: datetime
    day: int
    days: int
    intensity: float
    scale: float
    draws: Draws


@dataclass(frozen=True)
class Lookalike:
    """A hard negative: benign, declared or usual, and like the attack in all that a careless detector looks at."""

    name: str
    act: Callable[[Stage], Happenings]
    why_benign: str
    suits: Callable[[Worker], bool] | None = None
    """Where it can be played, if that differs from where the attack can."""
    days: int = 1


@dataclass(frozen=True)
class Scenario:
    """An attack. `suits` says which workers it can be played on; `act` gives its events, without labels."""

    name: str
    family: Family
    story: str
    suits: Callable[[Worker], bool]
    act: Callable[[Stage], Happenings]
    lookalikes: tuple[Lookalike, ...]
    days: int = 1
    """How many days it lasts at most, so that it ends within the world."""
    measure: Literal["events", "bytes_out", "bytes_in"] = "events"
    """What grows with the intensity: how many events it has, or how many bytes its requests and calls carry."""

"""What a kind of worker is: when its runs begin, what a run does, how it comes by its credentials."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pipelines.worlds.estate import Site, Use

Days = Literal["all", "workdays", "weekends"]
Begin = Literal["okta", "ci", "key", "proxy", "started"]
"""A token of the org and a web identity; the web identity of a build; a long-lived key; the proxy alone; another
worker's AssumeRole."""


@dataclass(frozen=True)
class Slot:
    """Runs that begin from `start` to `end` (hours of the UTC day), `runs` of them (least and most) a day.

    `chance` is the part of such days on which there are any, `together` puts them all within half an hour of one
    moment (a burst), and `grows` lets a busier world have more runs rather than longer ones.
    """

    start: float
    end: float
    runs: tuple[float, float] = (1, 1)
    days: Days = "all"
    chance: float = 1.0
    together: bool = False
    grows: bool = False


def cron(*hours: float, days: Days = "all") -> tuple[Slot, ...]:
    """One run at each of these hours, begun within its first three minutes."""
    return tuple(Slot(hour, hour + 0.05, days=days) for hour in hours)


@dataclass(frozen=True)
class Kind:
    """A kind of worker. In its texts {name}, {account} and {region} are the worker's, {n} and {day} vary a call.

    `pace` is the least and most seconds between two steps of a run; `month_end` the load of the last two days and
    the first of a month; `second` a further role: one abroad, or the name of one of the people's.
    """

    name: str
    worker: str
    team: str
    purpose: str
    begin: Begin
    slots: tuple[Slot, ...]
    uses: tuple[Use, ...]
    sites: tuple[Site, ...]
    agent: Literal["boto", "go", "java", "node", "terraform"] = "boto"
    delegated: bool = False
    shares_proxy_user: bool = False
    session_name: str = "{worker}"
    schedule: tuple[str, ...] = ()
    secrets: tuple[str, ...] = ()
    second: str | None = None
    starts: str | None = None
    approvals: tuple[str, ...] = ()
    pace: tuple[float, float] = (0.2, 2.5)
    month_end: float = 1.0
    new_site: Site | None = None
    rank: int = 50
    """Kinds are handed out in this order, least first: so small worlds have what is hard."""

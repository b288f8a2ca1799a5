"""Data leaves in the names of hosts: many tunnels to long labels below one zone, each with hardly a byte in it.

Intensity: how many names and how long, from four of twelve letters to four hundred of fifty.
"""

from __future__ import annotations

from datetime import timedelta

from pipelines.worlds import habits
from pipelines.worlds.draws import hexes
from pipelines.worlds.happenings import Happenings
from pipelines.worlds.means import amount, count
from pipelines.worlds.play import Play
from pipelines.worlds.scenario import Lookalike, Scenario, Stage

_ZONE = "metrics-cdn.example"


def _act(stage: Stage) -> Happenings:
    many = count(stage, 4, 400)
    labels = hexes(stage.draws, round(amount(stage, 12, 50)), many)
    hosts = [f"{label}.{_ZONE}" for label in labels]
    within = timedelta(seconds=min(2_700, 15 * many))
    return Play(stage).work().visit(hosts, many, bytes_out=517, bytes_in=140, within=within).happened()


def _many_short(stage: Stage) -> Happenings:
    """As many short tunnels to one host that it knows, as of a client that keeps none open."""
    site = habits.outlets(stage.worker, stage.day)[0]
    return Play(stage).visit(site.host, 60, bytes_out=517, bytes_in=900, within=timedelta(minutes=12)).happened()


def _many_objects(stage: Stage) -> Happenings:
    """Every host that it knows within a minute."""
    play = Play(stage)
    for site in habits.sites(stage.worker, stage.day):
        play.site(site, play.usual(site))
    return play.happened()


SCENARIO = Scenario(
    name="long-hosts",
    family="exfiltration",
    story="Data leaves in long host names below one zone.",
    suits=habits.has_outlet,
    act=_act,
    lookalikes=(
        Lookalike("no-keep-alive", _many_short, "Many short tunnels to one declared host."),
        Lookalike("all-its-hosts", _many_objects, "All of its declared hosts within a minute."),
    ),
)

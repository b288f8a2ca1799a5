"""A worker sends data through a tunnel to one host that it never talked to.

Intensity: from one tunnel with a few kilobytes to a host called like one of its own, to many that carry thirty times
what a run sends, to a bare address.
"""

from __future__ import annotations

from datetime import timedelta

from pipelines.worlds import habits
from pipelines.worlds.estate import Site, Worker
from pipelines.worlds.happenings import Happenings
from pipelines.worlds.means import GIVES_UP, amount, count, elsewhere, sent_a_run
from pipelines.worlds.play import Play
from pipelines.worlds.scenario import Lookalike, Scenario, Stage

_NEAR = 0.3


def _host(stage: Stage) -> str:
    if stage.intensity > GIVES_UP:
        return elsewhere(stage.draws)
    if stage.intensity > _NEAR:
        return "sync.cloud-notes.example"
    known = habits.outlets(stage.worker, stage.day)[0].host
    first, _, rest = known.partition(".")
    return f"{first}-eu.{rest}" if "corp.example" not in rest else f"{first}.corp-services.example"


def _act(stage: Stage) -> Happenings:
    many = count(stage, 1, 25)
    whole = sent_a_run(stage) * amount(stage, 0.05, 30)
    play, a_piece = Play(stage).work(), max(2_000, round(whole / many))
    within = timedelta(seconds=min(2_400, 40 * many))
    return play.visit(_host(stage), many, bytes_out=a_piece, bytes_in=4_000, within=within).happened()


def _declared(stage: Stage) -> Happenings:
    """A destination that the manifest has had since yesterday or longer."""
    new = max(_in_use(stage), key=lambda site: site.from_day)
    play = Play(stage).work(2)
    return play.site(new, play.usual(new, 3)).happened()


def _in_use(stage: Stage) -> list[Site]:
    return habits.sites(stage.worker, stage.day)


def _busy_at_known(stage: Stage) -> Happenings:
    play = Play(stage)
    for site in habits.outlets(stage.worker, stage.day):
        play.site(site, play.usual(site, 2))
    return play.happened()


def _has_new(worker: Worker) -> bool:
    return any(site.from_day > 0 for site in worker.sites)


SCENARIO = Scenario(
    name="new-host",
    family="exfiltration",
    story="A worker sends data through a tunnel to one host that is new to it.",
    suits=habits.has_outlet,
    act=_act,
    lookalikes=(
        Lookalike("new-and-declared", _declared, "The newest host that the manifest names.", _has_new),
        Lookalike("busy-at-known-hosts", _busy_at_known, "Twice the tunnels, all to hosts that it knows."),
    ),
    measure="bytes_out",
)

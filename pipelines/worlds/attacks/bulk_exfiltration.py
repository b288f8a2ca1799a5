"""A worker sends far more than it ever does, to a host that it may talk to.

Intensity: from half of what a run sends anyway to sixty times it, through ever longer tunnels.
"""

from __future__ import annotations

from datetime import timedelta

from pipelines.worlds import habits
from pipelines.worlds.happenings import Happenings
from pipelines.worlds.means import amount, count, received_a_run, sent_a_run
from pipelines.worlds.play import Play
from pipelines.worlds.scenario import Lookalike, Scenario, Stage

_MINUTE_MS = 60_000


def _act(stage: Stage) -> Happenings:
    play = Play(stage).work()
    site = habits.outlets(stage.worker, stage.day)[0]
    whole = sent_a_run(stage) * amount(stage, 0.5, 60)
    many = count(stage, 1, 6)
    shares = stage.draws.dirichlet([20.0] * many)
    return play.visit(
        site.host,
        many,
        bytes_out=[round(share * whole) for share in shares],
        bytes_in=9_000,
        within=timedelta(minutes=amount(stage, 2, 35)),
        elapsed_ms=round(_MINUTE_MS * amount(stage, 0.5, 9)),
    ).happened()


def _backfill(stage: Stage) -> Happenings:
    """More of everything, calls and bytes in step, below what it may send."""
    play, factor = Play(stage), habits.backfill(stage.worker, stage.scale)
    for use in habits.at_hand(stage.worker) if play.session else ():
        play.use(use, play.usual(use, factor))
    for site in habits.outlets(stage.worker, stage.day)[:2]:
        play.site(site, play.usual(site, factor))
    return play.happened()


def _large_download(stage: Stage) -> Happenings:
    """Much comes in, little goes out."""
    site = habits.outlets(stage.worker, stage.day)[0]
    received = round(received_a_run(stage) * 4)
    return Play(stage).work(2).visit(site.host, 2, bytes_out=site.bytes_out[0], bytes_in=received).happened()


SCENARIO = Scenario(
    name="bulk-exfiltration",
    family="exfiltration",
    story="A worker sends far more than ever to a host that it may talk to.",
    suits=habits.has_outlet,
    act=_act,
    lookalikes=(
        Lookalike("backfill", _backfill, "Calls and bytes grow in step, to the usual places, below the limit."),
        Lookalike("large-download", _large_download, "The bytes come in; hardly any go out."),
    ),
    measure="bytes_out",
)

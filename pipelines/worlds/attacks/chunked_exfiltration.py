"""A worker sends a large file away in pieces of nearly one size.

Intensity: how many pieces and how large, from three as small as an ordinary upload to a hundred and fifty of thirty
times the size; up to 0.5 to a host that the worker knows, then to a file drop.
"""

from __future__ import annotations

from datetime import timedelta

from pipelines.worlds import habits
from pipelines.worlds.draws import hexes
from pipelines.worlds.happenings import Happenings
from pipelines.worlds.means import GIVES_UP, amount, count
from pipelines.worlds.play import Play
from pipelines.worlds.scenario import Lookalike, Scenario, Stage


def _piece(stage: Stage) -> float:
    site = habits.outlets(stage.worker, stage.day)[0]
    return max(20_000.0, float(site.bytes_out[1]))


def _act(stage: Stage) -> Happenings:
    known = habits.outlets(stage.worker, stage.day)[0].host
    host = known if stage.intensity <= GIVES_UP else f"up-{hexes(stage.draws, 4, 1)[0]}.filedrop.example"
    many, piece = count(stage, 3, 150), _piece(stage) * amount(stage, 1, 30)
    sizes = [round(piece * share) for share in stage.draws.uniform(0.997, 1.003, many)]
    within = timedelta(seconds=min(2_400, 20 * many))
    return Play(stage).work().visit(host, many, bytes_out=sizes, bytes_in=1_200, within=within).happened()


def _even_reports(stage: Stage) -> Happenings:
    """Reports of one size to its own host, or files of one size to its own store."""
    play, factor = Play(stage).work(2), habits.backfill(stage.worker, stage.scale)
    many = max(3, round(6 * factor))
    site = habits.outlets(stage.worker, stage.day)[0]
    size = max(1_000, site.bytes_out[0])
    return play.visit(site.host, many, bytes_out=size, bytes_in=1_000, within=timedelta(seconds=15 * many)).happened()


def _polls(stage: Stage) -> Happenings:
    """It asks its host again and again whether something is there; the sizes are all alike."""
    site = habits.outlets(stage.worker, stage.day)[-1]
    return Play(stage).visit(site.host, 24, bytes_out=620, bytes_in=900, within=timedelta(minutes=40)).happened()


SCENARIO = Scenario(
    name="chunked-exfiltration",
    family="exfiltration",
    story="A worker sends a large file away in pieces of nearly one size.",
    suits=habits.has_outlet,
    act=_act,
    lookalikes=(
        Lookalike("even-reports", _even_reports, "Small reports of one size to the worker's own host."),
        Lookalike("polling", _polls, "Tiny requests of one size to a declared host."),
    ),
    measure="bytes_out",
)

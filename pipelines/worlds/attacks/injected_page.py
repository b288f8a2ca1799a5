"""A page that a worker reads tells it to fetch a secret and to send it away, and it does.

Intensity: up to 0.3 the page is on a host that the worker reads anyway, what it reads is a secret or a file of its
own, and a few bytes leave in the query of a picture; then the page is on an unknown host; above 0.5 there are many
secrets that are not its own, and what leaves is posted to a catcher, up to a megabyte at a time.
"""

from __future__ import annotations

from datetime import timedelta

from pipelines.worlds import habits
from pipelines.worlds.draws import hexes
from pipelines.worlds.estate import Use, Worker
from pipelines.worlds.happenings import Happenings
from pipelines.worlds.means import GIVES_UP, amount, count
from pipelines.worlds.play import Play
from pipelines.worlds.scenario import Lookalike, Scenario, Stage

_NEAR = 0.3
_NAMES = ("database", "payments", "mail", "vpn", "signing", "admin")


def _fetch(play: Play, stage: Stage) -> None:
    """What the page asked for: something of its own, or secrets that are not."""
    worker, many = stage.worker, count(stage, 1, 6)
    if stage.intensity <= GIVES_UP:
        play.use((_secret_uses(worker) or habits.named(worker))[0], many)
        return
    store = f"arn:aws:secretsmanager:{worker.region}:{worker.account}:secret:"
    wanted = [f"{store}prod/{name}" for name in _NAMES[:many]]
    play.calls("secretsmanager", "GetSecretValue", len(wanted), resource=wanted, bytes_in=1_300)


def _secret_uses(worker: Worker) -> list[Use]:
    return [use for use in habits.named(worker) if use.operation == "GetSecretValue"]


def _act(stage: Stage) -> Happenings:
    play, stream = Play(stage).work(2), stage.draws
    pages, usual = count(stage, 1, 6), habits.pages(stage.worker, stage.day)
    if stage.intensity <= _NEAR and usual:
        play.site(usual[0], pages)
    else:
        play.visit("forum.public-help.example", pages, path="/threads/{n}", bytes_in=60_000)
    _fetch(play.wait(timedelta(seconds=3), timedelta(seconds=20)), stage)
    play.wait(timedelta(seconds=2), timedelta(seconds=15))
    if stage.intensity <= GIVES_UP:
        query = hexes(stream, round(amount(stage, 40, 400)), 1)[0]
        return play.visit(
            "img.public-help.example", count(stage, 1, 6), path=f"/p.gif?c={query}", bytes_out=700, bytes_in=90
        ).happened()
    return play.visit(
        "hooks.catcher.example", count(stage, 1, 12), path=f"/{hexes(stream, 12, 1)[0]}", method="POST",
        bytes_out=round(amount(stage, 2_000, 900_000)), bytes_in=180,
    ).happened()  # fmt: skip


def _ordinary_mix(stage: Stage) -> Happenings:
    """It reads on its own hosts, then its own secret or file, then sends to its own host."""
    play = Play(stage)
    for site in habits.sites(stage.worker, stage.day):
        play.site(site, play.usual(site))
    play.work(4)
    for site in habits.outlets(stage.worker, stage.day)[:1]:
        play.site(site, 2)
    return play.happened()


def _reads_a_lot(stage: Stage) -> Happenings:
    """Many pages of its own hosts, and nothing else: the first leg alone."""
    play = Play(stage)
    for site in habits.sites(stage.worker, stage.day)[:2]:
        play.site(site, play.usual(site, 3))
    return play.happened()


SCENARIO = Scenario(
    name="injected-page",
    family="injection",
    story="A page tells a worker to read a secret and to send it away.",
    suits=lambda worker: habits.has_aws(worker) and bool(worker.sites) and bool(habits.named(worker)),
    act=_act,
    lookalikes=(
        Lookalike("reads-then-reports", _ordinary_mix, "The same three legs over its own hosts and stores."),
        Lookalike("reads-a-lot", _reads_a_lot, "Many pages of its own hosts, and nothing sent."),
    ),
)

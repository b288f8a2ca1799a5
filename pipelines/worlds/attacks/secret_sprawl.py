"""A worker reads one secret after another.

Intensity: from one secret beside its own to every secret of the estate, listed first.
"""

from __future__ import annotations

from datetime import timedelta

from pipelines.worlds import habits
from pipelines.worlds.estate import Worker
from pipelines.worlds.happenings import Happenings
from pipelines.worlds.means import GIVES_UP, count
from pipelines.worlds.play import Play
from pipelines.worlds.scenario import Lookalike, Scenario, Stage


def _act(stage: Stage) -> Happenings:
    worker, play = stage.worker, Play(stage).work(3)
    foreign = sorted(set(habits.foreign_secrets(stage.estate, worker)))
    many = count(stage, 1, 40)
    if stage.intensity > GIVES_UP:
        play.calls("secretsmanager", "ListSecrets", 2, bytes_in=12_000, request={"maxResults": 100})
    store = f"arn:aws:secretsmanager:{worker.region}:{worker.account}:secret:"
    made_up = [f"{store}prod/{word}-{n:02}" for n in range(1, 40) for word in ("database", "payments", "mail", "vpn")]
    wanted = ((foreign + made_up) * (1 + many // len(made_up)))[:many]
    within = timedelta(seconds=many * (4 if stage.intensity > GIVES_UP else 45))
    within = min(within, timedelta(minutes=40))
    return play.calls(
        "secretsmanager", "GetSecretValue", many, resource=wanted, bytes_in=1_400, within=within
    ).happened()


def _start_up(stage: Stage) -> Happenings:
    """All of its own secrets at once, as after a deploy."""
    own = habits.secrets(stage.worker)
    play = Play(stage)
    play.calls("secretsmanager", "GetSecretValue", len(own), resource=own, bytes_in=1_400)
    return play.work(4).happened()


def _again_and_again(stage: Stage) -> Happenings:
    own = habits.secrets(stage.worker)[0]
    play = Play(stage)
    for _ in range(4):
        play.calls("secretsmanager", "GetSecretValue", 1, resource=own, bytes_in=1_400)
        play.wait(timedelta(minutes=1), timedelta(minutes=5))
    return play.happened()


def _has_secrets(worker: Worker) -> bool:
    return habits.has_aws(worker) and bool(habits.secrets(worker))


SCENARIO = Scenario(
    name="secret-sprawl",
    family="credentials",
    story="A worker reads secrets that are not its own, one after the other.",
    suits=habits.has_aws,
    act=_act,
    lookalikes=(
        Lookalike("start-up-after-a-deploy", _start_up, "All secrets that it may read, at once.", _has_secrets),
        Lookalike("no-cache", _again_and_again, "One declared secret, read again and again.", _has_secrets),
    ),
)

"""A worker runs code of its own under a role that may do more than it.

Intensity: from one function made with another role, to many calls of it, whose role then works for the worker.
"""

from __future__ import annotations

from pipelines.worlds import habits
from pipelines.worlds.bystanders import by_person
from pipelines.worlds.draws import hexes
from pipelines.worlds.happenings import Happenings
from pipelines.worlds.means import GIVES_UP, count
from pipelines.worlds.play import Play
from pipelines.worlds.scenario import Lookalike, Scenario, Stage


def _function(stage: Stage, name: str) -> tuple[str, dict[str, object]]:
    worker = stage.worker
    arn = f"arn:aws:lambda:{worker.region}:{worker.account}:function:{name}"
    role = f"arn:aws:iam::{worker.account}:role/platform-admin"
    return arn, {"functionName": name, "runtime": "python3.13", "role": role, "handler": "main.run", "timeout": 60}


def _act(stage: Stage) -> Happenings:
    play = Play(stage).work()
    name = f"{stage.worker.name}-step" if stage.intensity <= GIVES_UP else f"fn-{hexes(stage.draws, 8, 1)[0]}"
    arn, asked = _function(stage, name)
    if stage.intensity > GIVES_UP:
        play.calls("iam", "ListRoles", 2, bytes_in=30_000)
    play.calls("lambda", "CreateFunction20150331", resource=arn, request=asked, bytes_out=40_000)
    return play.calls("lambda", "Invoke", count(stage, 1, 60), resource=arn, bytes_out=400, bytes_in=2_000).happened()


def _made_by_person(stage: Stage) -> Happenings:
    arn, asked = _function(stage, f"{stage.worker.name}-step")
    made = by_person(stage, stage.at, "lambda", "CreateFunction20150331", resource=arn, request=asked)
    tried = by_person(stage, stage.at, "lambda", "GetFunction20150331v2", resource=arn, many=3)
    return Happenings.all_of((made, tried))


def _calls_a_lot(stage: Stage) -> Happenings:
    play = Play(stage)
    for use in habits.named(stage.worker)[:3]:
        play.use(use, play.usual(use, 3))
    return play.happened()


SCENARIO = Scenario(
    name="role-passed",
    family="escalation",
    story="A worker makes a function under a stronger role and lets it work.",
    suits=lambda worker: habits.has_session(worker) and bool(habits.named(worker)),
    act=_act,
    lookalikes=(
        Lookalike("a-person-deploys-it", _made_by_person, "A person deploys a function under that role."),
        Lookalike("thrice-the-work", _calls_a_lot, "Thrice the usual work, all of it declared."),
    ),
)

"""A worker does what somebody should have approved first.

Intensity: how often, from once in the midst of ordinary work to two dozen times in a row. (What was approved is in no
log yet: the look-alikes are neighbouring operations that need no approval, and people who do the same themselves.)
"""

from __future__ import annotations

from datetime import timedelta

from pipelines.worlds import habits
from pipelines.worlds.bystanders import by_person
from pipelines.worlds.draws import hexes
from pipelines.worlds.estate import Worker
from pipelines.worlds.happenings import Happenings
from pipelines.worlds.means import count
from pipelines.worlds.play import Play
from pipelines.worlds.scenario import Lookalike, Scenario, Stage


def _needed(worker: Worker) -> tuple[str, str]:
    service, _, operation = worker.approvals[0].partition(":")
    return service, operation


def _resource(stage: Stage, service: str) -> str:
    worker, name = stage.worker, stage.worker.name
    at = f"arn:aws:{service}:{worker.region}:{worker.account}:"
    return {
        "cloudformation": f"{at}stack/{name}",
        "ec2": f"{at}instance/i-0{hexes(stage.draws, 16, 1)[0]}",
        "iam": f"arn:aws:iam::{worker.account}:role/{name}",
        "s3": f"arn:aws:s3:::corp-{name}-archive",
        "dynamodb": f"{at}table/{name}-archive",
    }.get(service, f"{at}{name}")


def _suits(worker: Worker) -> bool:
    return habits.has_aws(worker) and bool(worker.approvals)


def _act(stage: Stage) -> Happenings:
    service, operation = _needed(stage.worker)
    play = Play(stage).work()
    for _ in range(count(stage, 1, 24)):
        play.calls(service, operation, resource=_resource(stage, service))
        play.wait(timedelta(seconds=5), timedelta(seconds=60))
    return play.happened()


def _ordinary(stage: Stage) -> Happenings:
    """The most that a run ever does of what needs no approval."""
    play = Play(stage)
    for use in habits.named(stage.worker):
        play.use(use, play.usual(use))
    return play.happened()


def _by_hand(stage: Stage) -> Happenings:
    service, operation = _needed(stage.worker)
    return by_person(stage, stage.at, service, operation, resource=_resource(stage, service), many=2)


SCENARIO = Scenario(
    name="approval-skipped",
    family="approvals",
    story="A worker does what needs an approval, and nobody gave one.",
    suits=_suits,
    act=_act,
    lookalikes=(
        Lookalike("needs-no-approval", _ordinary, "Neighbouring operations that the manifest allows as they are."),
        Lookalike("a-person-does-it", _by_hand, "A person does it herself, under the role that people share."),
    ),
)

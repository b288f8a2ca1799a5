"""A worker starts machines in a region where the company has nothing.

Intensity: from one look around in the next region of the estate to instances launched by the dozen in one that
nobody uses, with the limits asked for first.
"""

from __future__ import annotations

from datetime import timedelta

from pipelines.worlds import habits
from pipelines.worlds.bystanders import by_person
from pipelines.worlds.happenings import Happenings
from pipelines.worlds.means import GIVES_UP, count
from pipelines.worlds.play import Play
from pipelines.worlds.scenario import Lookalike, Scenario, Stage

_UNUSED = "ap-southeast-3"
_LOOKS = ("DescribeInstances", "DescribeRegions", "DescribeVpcs", "DescribeImages", "DescribeKeyPairs")


def _region(stage: Stage) -> str:
    others = [region for region in stage.estate.regions if region != stage.worker.region]
    return _UNUSED if stage.intensity > GIVES_UP or not others else others[0]


def _act(stage: Stage) -> Happenings:
    play = Play(stage).work()
    region, looks = _region(stage), count(stage, 1, 12)
    for number in range(looks):
        play.calls("ec2", _LOOKS[number % len(_LOOKS)], region=region, bytes_in=3_000, request={"filterSet": {}})
    if stage.intensity > GIVES_UP:
        play.calls("servicequotas", "ListServiceQuotas", 2, region=region, request={"serviceCode": "ec2"})
        asked = {"instancesSet": {"items": [{"imageId": "ami-0abc7d21e9f8a4c11", "minCount": 1, "maxCount": 8}]},
                 "instanceType": "p4d.24xlarge"}  # fmt: skip
        many = count(stage, 1, 30)
        play.calls("ec2", "RunInstances", many, region=region, within=timedelta(seconds=8 * many), request=asked)
    return play.happened()


def _person_looks(stage: Stage) -> Happenings:
    return by_person(stage, stage.at, "ec2", "DescribeInstances", many=4, request={"filterSet": {}})


def _busy_at_home(stage: Stage) -> Happenings:
    play = Play(stage).work(2)
    for use in habits.named(stage.worker)[:4]:
        play.use(use, play.usual(use))
    return play.happened()


SCENARIO = Scenario(
    name="other-region",
    family="scope",
    story="A worker looks around and launches machines in a region that it has no business in.",
    suits=habits.has_aws,
    act=_act,
    lookalikes=(
        Lookalike(
            "person-looks-at-machines",
            _person_looks,
            "A person lists machines in the console, under the role that people share.",
        ),
        Lookalike("busy-at-home", _busy_at_home, "The most that its runs ever do, in its own region."),
    ),
)

"""A worker blinds the logs: it narrows, stops and deletes a trail.

Intensity: up to 0.3 the events of one kind are left out of a second trail; then it is stopped; above 0.7 deleted too,
and its bucket's policy and the detectors of the account with it.
"""

from __future__ import annotations

from pipelines.worlds import habits
from pipelines.worlds.bystanders import by_person
from pipelines.worlds.happenings import Happenings
from pipelines.worlds.means import GIVES_UP, count
from pipelines.worlds.play import Play
from pipelines.worlds.scenario import Lookalike, Scenario, Stage


def _trail(stage: Stage) -> str:
    return f"arn:aws:cloudtrail:{stage.worker.region}:{stage.worker.account}:trail/regional-audit"


def _selectors(trail: str, data_events: bool) -> dict[str, object]:
    resources = [{"type": "AWS::S3::Object", "values": ["arn:aws:s3"]}] if data_events else []
    selector = {"readWriteType": "All", "includeManagementEvents": True, "dataResources": resources}
    return {"trailName": trail, "eventSelectors": [selector]}


def _act(stage: Stage) -> Happenings:
    play, trail = Play(stage).work(), _trail(stage)
    play.calls("cloudtrail", "PutEventSelectors", resource=trail, request=_selectors(trail, data_events=False))
    if stage.intensity > 0.3:
        play.calls("cloudtrail", "GetTrailStatus", count(stage, 1, 8), resource=trail, request={"name": trail})
        play.calls("cloudtrail", "StopLogging", resource=trail, request={"name": trail})
    if stage.intensity > GIVES_UP:
        play.calls("cloudtrail", "DeleteTrail", resource=trail, request={"name": trail})
        play.calls("guardduty", "ListDetectors").calls(
            "guardduty", "DeleteDetector", request={"detectorId": "12abc34d567e8fa901bc2d34e56789f0"}
        )
        log = f"arn:aws:logs:{stage.worker.region}:{stage.worker.account}:log-group:/aws/cloudtrail"
        play.calls("logs", "DeleteLogGroup", resource=log, request={"logGroupName": "/aws/cloudtrail"})
    return play.happened()


def _widened(stage: Stage) -> Happenings:
    """A person has the trail keep more than before."""
    trail = _trail(stage)
    return by_person(
        stage, stage.at, "cloudtrail", "PutEventSelectors", resource=trail,
        request=_selectors(trail, data_events=True),
    )  # fmt: skip


def _audit(stage: Stage) -> Happenings:
    trail = _trail(stage)
    operations = ("DescribeTrails", "GetTrailStatus", "GetEventSelectors", "LookupEvents")
    return Happenings.all_of(
        by_person(stage, stage.at, "cloudtrail", operation, resource=trail, request={"name": trail})
        for operation in operations
    )


SCENARIO = Scenario(
    name="trail-tampered",
    family="evasion",
    story="A worker narrows, stops and deletes a trail.",
    suits=habits.has_aws,
    act=_act,
    lookalikes=(
        Lookalike("trail-widened", _widened, "A person has the trail keep more events."),
        Lookalike("trail-audited", _audit, "A person looks at the trail and its events."),
    ),
)

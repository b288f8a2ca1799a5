"""A worker makes an access key for another user and works with it.

Intensity: from one key that is only tried once, for a user called like the worker, to keys for several users and
hundreds of calls with them.
"""

from __future__ import annotations

from datetime import timedelta

from pipelines.worlds import deeds, habits
from pipelines.worlds.bystanders import by_person
from pipelines.worlds.draws import aws_ids
from pipelines.worlds.happenings import Happenings
from pipelines.worlds.means import GIVES_UP, count
from pipelines.worlds.play import Play
from pipelines.worlds.scenario import Lookalike, Scenario, Stage

_USERS = ("legacy-report", "backup-operator", "ops-admin")


def _key(key: str, user: str) -> dict[str, object]:
    return {"accessKey": {"accessKeyId": key, "status": "Active", "userName": user}}


def _user_arn(stage: Stage, user: str) -> str:
    return f"arn:aws:iam::{stage.worker.account}:user/{user}"


def _act(stage: Stage) -> Happenings:
    play, own = Play(stage).work(), stage.worker
    users = (f"{own.name}-svc",) if stage.intensity <= GIVES_UP else _USERS
    many = max(1, count(stage, 1, 150) // len(users))
    first = play.session
    for user in users:
        key, arn = aws_ids(stage.draws, "AKIA", 1)[0], _user_arn(stage, user)
        play.session = first
        play.calls("iam", "CreateAccessKey", resource=arn, request={"userName": user}, response=_key(key, user)).wait(
            timedelta(seconds=12)
        )
        play.session = deeds.user_session(key, user, arn, aws_ids(stage.draws, "AIDA", 1)[0], own.account)
        play.calls("sts", "GetCallerIdentity")
        play.calls(
            "s3", "GetObject", many, resource="arn:aws:s3:::corp-crm-export/weekly/part-{n}.csv", bytes_in=400_000,
            within=timedelta(seconds=min(700, 5 * many)),
        )  # fmt: skip
    return play.happened()


def _by_person(stage: Stage) -> Happenings:
    arn, key = _user_arn(stage, _USERS[0]), aws_ids(stage.draws, "AKIA", 1)[0]
    asked = {"userName": _USERS[0]}
    return by_person(
        stage, stage.at, "iam", "CreateAccessKey", resource=arn, request=asked, response=_key(key, _USERS[0])
    )


def _rotation_by_person(stage: Stage) -> Happenings:
    """A person rotates a user's key: the new one, then the old one away."""
    arn, (new, old) = _user_arn(stage, _USERS[1]), aws_ids(stage.draws, "AKIA", 2).to_list()
    user, later = _USERS[1], stage.at + timedelta(minutes=9)
    return Happenings.all_of(
        (
            by_person(
                stage, stage.at, "iam", "CreateAccessKey", resource=arn, request={"userName": user},
                response=_key(new, user),
            ),
            by_person(
                stage, later, "iam", "DeleteAccessKey", resource=arn, request={"userName": user, "accessKeyId": old}
            ),
        )
    )  # fmt: skip


SCENARIO = Scenario(
    name="key-for-another",
    family="persistence",
    story="A worker makes an access key for another user and works with it.",
    suits=habits.has_aws,
    act=_act,
    lookalikes=(
        Lookalike("a-person-makes-a-key", _by_person, "A person makes the key herself."),
        Lookalike("a-person-rotates-a-key", _rotation_by_person, "The new key and the end of the old one, by hand."),
    ),
)

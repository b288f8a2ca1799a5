"""A worker gives a user a console password, and somebody signs in with it.

Intensity: from a password set, and one sign-in from the company's own address, to a new administrator who signs in
from elsewhere and looks around for long.
"""

from __future__ import annotations

from datetime import timedelta

from pipelines.worlds import deeds, habits, names
from pipelines.worlds.bystanders import by_person
from pipelines.worlds.draws import aws_ids
from pipelines.worlds.happenings import Happenings
from pipelines.worlds.means import GIVES_UP, count, elsewhere, policy
from pipelines.worlds.play import Play
from pipelines.worlds.scenario import Lookalike, Scenario, Stage

_ADMIN = "AdministratorAccess"
_SEEN = (("iam", "ListUsers"), ("s3", "ListBuckets"), ("ec2", "DescribeInstances"), ("kms", "ListKeys"))


def _act(stage: Stage) -> Happenings:
    play, worker = Play(stage).work(), stage.worker
    user = f"{worker.name}-debug" if stage.intensity <= GIVES_UP else "support-escalation"
    arn = f"arn:aws:iam::{worker.account}:user/{user}"
    asked: dict[str, object] = {"userName": user}
    if stage.intensity > GIVES_UP:
        play.calls("iam", "CreateUser", resource=arn, request=asked)
        grant = asked | {"policyArn": policy("aws", _ADMIN)}
        play.calls("iam", "AttachUserPolicy", resource=arn, request=grant)
    play.calls("iam", "CreateLoginProfile", resource=arn, request=asked | {"passwordResetRequired": False})
    play.session = deeds.user_session("", user, arn, aws_ids(stage.draws, "AIDA", 1)[0], worker.account)
    play.session |= {"access_key": None, "console": True}
    play.wait(timedelta(minutes=2)).move(stage.estate.egress[0], names.BROWSERS[0])
    if stage.intensity > GIVES_UP:
        play.address = elsewhere(stage.draws)
    play.calls("signin", "ConsoleLogin", response={"ConsoleLogin": "Success"})
    for number in range(count(stage, 1, 50)):
        service, operation = _SEEN[number % len(_SEEN)]
        play.calls(service, operation, bytes_in=9_000)
    return play.happened()


def _by_person(stage: Stage) -> Happenings:
    arn = f"arn:aws:iam::{stage.worker.account}:user/new-colleague"
    parts = [
        by_person(stage, stage.at, "iam", operation, resource=arn, request={"userName": "new-colleague"})
        for operation in ("CreateUser", "CreateLoginProfile", "AddUserToGroup")
    ]
    return Happenings.all_of(parts)


def _console_work(stage: Stage) -> Happenings:
    return by_person(stage, stage.at, "iam", "ListUsers", many=8, request={"maxItems": 100})


SCENARIO = Scenario(
    name="login-profile",
    family="persistence",
    story="A worker gives a user a password, and somebody signs in with it.",
    suits=habits.has_aws,
    act=_act,
    lookalikes=(
        Lookalike("a-person-adds-a-colleague", _by_person, "A person adds a colleague with a password by hand."),
        Lookalike("a-person-in-the-console", _console_work, "A person's own work in the console."),
    ),
)

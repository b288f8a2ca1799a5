"""A worker lets somebody outside take on a role.

Intensity: from an account beside the company's own that is trusted and does nothing yet, to everybody trusted and the
role taken on from outside at once, again and again.
"""

from __future__ import annotations

import json
from datetime import timedelta

from pipelines.worlds import deeds, habits
from pipelines.worlds.bystanders import by_person
from pipelines.worlds.happenings import Happenings
from pipelines.worlds.means import GIVES_UP, STRANGE_AGENTS, count, elsewhere
from pipelines.worlds.play import Play
from pipelines.worlds.scenario import Lookalike, Scenario, Stage

_OUTSIDE = "999900001111"


def _trust(account: str) -> str:
    principal = {"AWS": "*" if account == "*" else f"arn:aws:iam::{account}:root"}
    statement = {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]}, separators=(",", ":"))


def _asked(stage: Stage, account: str) -> dict[str, object]:
    return {"roleName": stage.worker.roles[0].name, "policyDocument": _trust(account)}


def _act(stage: Stage) -> Happenings:
    play, role = Play(stage).work(), stage.worker.roles[0]
    account = "*" if stage.intensity > GIVES_UP else _OUTSIDE
    play.calls("iam", "UpdateAssumeRolePolicy", resource=role.arn, request=_asked(stage, account))
    if stage.intensity > GIVES_UP:
        outside = f"arn:aws:iam::{_OUTSIDE}:user/build"
        play.session = deeds.user_session("AKIAQ3EGOUTS1DE0XZ7K", "build", outside, "AIDAQ3EGOUTS1DE0XZ7K", _OUTSIDE)
        play.move(elsewhere(stage.draws), deeds.pick(STRANGE_AGENTS, stage.draws)).wait(timedelta(minutes=3))
        play.take_on(role, "build")
        for use in habits.named(stage.worker)[:2]:
            play.use(use, count(stage, 1, 40))
    else:
        play.calls("iam", "GetRole", count(stage, 1, 12), resource=role.arn)
    return play.happened()


def _by_person(stage: Stage) -> Happenings:
    role = stage.worker.roles[0]
    sister = stage.estate.accounts[-1]
    return by_person(
        stage,
        stage.at,
        "iam",
        "UpdateAssumeRolePolicy",
        resource=role.arn,
        request=_asked(stage, sister),
    )


def _ordinary_assumptions(stage: Stage) -> Happenings:
    first = Play(stage).work(1)
    for number in range(1, 6):
        first.add(Play(stage, stage.at + timedelta(minutes=2 * number)).work(1).happened())
    return first.happened()


SCENARIO = Scenario(
    name="trust-widened",
    family="escalation",
    story="A worker lets an outside account take on its role, which then does.",
    suits=habits.has_session,
    act=_act,
    lookalikes=(
        Lookalike("a-person-links-accounts", _by_person, "A person lets a sister account of the company in."),
        Lookalike("often-taken-on", _ordinary_assumptions, "Six runs in a row take on the role as always."),
    ),
)

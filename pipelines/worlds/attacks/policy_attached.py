"""A worker gives its own role more rights.

Intensity: from one inline policy with a narrow right, and nothing done with it, to the administrator's policy, used
at once and often.
"""

from __future__ import annotations

from pipelines.worlds import habits
from pipelines.worlds.bystanders import by_person
from pipelines.worlds.happenings import Happenings
from pipelines.worlds.means import GIVES_UP, count, policy
from pipelines.worlds.play import Play
from pipelines.worlds.scenario import Lookalike, Scenario, Stage

_NARROW = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"*"}]}'


def _attach(stage: Stage) -> dict[str, object]:
    role = stage.worker.roles[0]
    return {"roleName": role.name, "policyArn": policy("aws", "AdministratorAccess")}


def _act(stage: Stage) -> Happenings:
    play, role = Play(stage).work(), stage.worker.roles[0]
    if stage.intensity <= GIVES_UP:
        asked = {"roleName": role.name, "policyName": f"{role.name}-extra", "policyDocument": _NARROW}
        play.calls("iam", "PutRolePolicy", resource=role.arn, request=asked)
        many = count(stage, 1, 12)
        return (play if many < 2 else play.calls("s3", "ListBuckets", many - 1)).happened()
    play.calls("iam", "ListAttachedRolePolicies", resource=role.arn)
    play.calls("iam", "AttachRolePolicy", resource=role.arn, request=_attach(stage))
    for service, operation in (("iam", "ListUsers"), ("s3", "ListBuckets"), ("ec2", "DescribeInstances")):
        play.calls(service, operation, count(stage, 1, 12), bytes_in=6_000)
    return play.happened()


def _by_person(stage: Stage) -> Happenings:
    role = stage.worker.roles[0]
    return by_person(stage, stage.at, "iam", "AttachRolePolicy", resource=role.arn, request=_attach(stage))


def _looked_at(stage: Stage) -> Happenings:
    role, parts = stage.worker.roles[0], []
    for operation in ("GetRole", "ListRolePolicies", "SimulatePrincipalPolicy"):
        parts.append(by_person(stage, stage.at, "iam", operation, resource=role.arn))
    return Happenings.all_of(parts)


SCENARIO = Scenario(
    name="policy-attached",
    family="escalation",
    story="A worker attaches a policy to its own role and uses the new rights.",
    suits=habits.has_session,
    act=_act,
    lookalikes=(
        Lookalike("a-person-widens-the-role", _by_person, "A person attaches the policy: an approved change."),
        Lookalike("a-person-reviews-the-role", _looked_at, "A person reads and simulates the role's policies."),
    ),
)

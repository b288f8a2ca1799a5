"""A worker tries out what it may do: lists, describes, is refused.

Intensity: how many different operations, from two within its own services to sixty over all of AWS in minutes.
"""

from __future__ import annotations

from datetime import timedelta

from pipelines.worlds import deeds, habits
from pipelines.worlds.happenings import Happenings
from pipelines.worlds.means import count, denied
from pipelines.worlds.play import Play
from pipelines.worlds.scenario import Lookalike, Scenario, Stage

_TRIED = (
    ("s3", "ListBuckets"), ("dynamodb", "ListTables"), ("sqs", "ListQueues"), ("secretsmanager", "ListSecrets"),
    ("iam", "ListRoles"), ("iam", "ListUsers"), ("iam", "ListAttachedRolePolicies"), ("iam", "GetAccountSummary"),
    ("ec2", "DescribeInstances"), ("ec2", "DescribeSnapshots"), ("rds", "DescribeDBInstances"),
    ("lambda", "ListFunctions20150331"), ("kms", "ListKeys"), ("ssm", "DescribeParameters"),
    ("organizations", "ListAccounts"), ("cloudtrail", "DescribeTrails"), ("ecr", "DescribeRepositories"),
    ("ecs", "ListClusters"), ("logs", "DescribeLogGroups"), ("sns", "ListTopics"),
)  # fmt: skip
_REFUSED = 0.6
"""Most of what it tries it may not."""


def _act(stage: Stage) -> Happenings:
    play = Play(stage).work(2)
    pause = timedelta(seconds=45 * (1 - stage.intensity))
    for number in range(count(stage, 2, 60)):
        service, operation = _TRIED[number % len(_TRIED)]
        refused = stage.draws.random() < _REFUSED
        play.calls(service, operation, error=denied(stage, service, operation) if refused else None, bytes_in=4_000)
        if number < 30:
            play.wait(timedelta(0), pause)
    return play.happened()


def _one_refused(stage: Stage) -> Happenings:
    """One operation that is refused again and again, as after a policy was mistyped."""
    use = deeds.pick(habits.named(stage.worker), stage.draws)
    many = max(1, min(12, (stage.worker.denied_an_hour or 24) // 2))
    play = Play(stage).work(1)
    error = denied(stage, use.service, use.operation, use.resource)
    return play.use(use, many, error=error, within=timedelta(seconds=20 * many)).happened()


def _varied_day(stage: Stage) -> Happenings:
    play = Play(stage)
    for use in habits.at_hand(stage.worker):
        play.use(use, play.usual(use))
    return play.happened()


SCENARIO = Scenario(
    name="enumeration",
    family="scope",
    story="A worker lists and describes what there is, and is refused most of it.",
    suits=lambda worker: habits.has_aws(worker) and bool(habits.named(worker)),
    act=_act,
    lookalikes=(
        Lookalike("one-operation-refused", _one_refused, "A broken rollout: one declared operation, retried."),
        Lookalike("all-it-ever-does", _varied_day, "Every operation that it is used to, in one run."),
    ),
)

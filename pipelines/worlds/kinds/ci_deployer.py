"""Builds and deploys on every merge: one OIDC subject for all of its runs, and a role in another account."""

from __future__ import annotations

from pipelines.worlds.estate import Site, Use
from pipelines.worlds.rhythm import Kind, Slot

_REPOSITORY = "arn:aws:ecr:{region}:{account}:repository/{name}"

KIND = Kind(
    name="ci_deployer",
    worker="release-bot",
    team="delivery",
    purpose="builds, publishes and deploys what is merged",
    begin="ci",
    agent="go",
    session_name="GitHubActions-{run}",
    slots=(Slot(6.5, 17, (4, 9), "workdays", grows=True), Slot(9, 16, (0, 1.5), "weekends", grows=True)),
    uses=(
        Use("sts", "GetCallerIdentity", None),
        Use("ecr", "GetAuthorizationToken", None),
        Use("ecr", "BatchCheckLayerAvailability", _REPOSITORY, (2, 4)),
        Use("ecr", "InitiateLayerUpload", _REPOSITORY, (1, 3)),
        Use("ecr", "PutImage", _REPOSITORY),
        Use(
            "s3",
            "PutObject",
            "arn:aws:s3:::corp-{name}-artifacts/build-{n}.tgz",
            (2, 4),
            bytes_out=(1_000_000, 20_000_000),
        ),
        Use(
            "cloudformation",
            "DescribeStacks",
            "arn:aws:cloudformation:{region}:{second}:stack/{name}",
            (1, 3),
            second=True,
        ),
        Use("ecs", "UpdateService", "arn:aws:ecs:{region}:{second}:service/prod/{name}", second=True),
        Use("ecs", "DescribeServices", "arn:aws:ecs:{region}:{second}:service/prod/{name}", (3, 8), second=True),
    ),
    sites=(
        Site("github.corp.example", None, "CONNECT", (1, 2), (2_000, 9_000), (200_000, 3_000_000)),
        Site("registry.npm.example", None, "CONNECT", (1, 3), (2_000, 9_000), (100_000, 2_000_000)),
        Site("deb.mirror.example", "/debian/pool/main/p/pkg-{n}.deb", "GET", (1, 4), (310, 420), (30_000, 1_000_000)),
    ),
    new_site=Site("proxy.golang.example", None, "CONNECT", (1, 2), (2_000, 9_000), (50_000, 900_000)),
    second="abroad",
    approvals=("cloudformation:DeleteStack",),
    rank=3,
)

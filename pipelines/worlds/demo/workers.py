"""The demo world's five workers: what each is, when it runs and what a run does. Tables only."""

from __future__ import annotations

from pipelines.worlds.demo.clock import Arrivals, Cron
from pipelines.worlds.demo.estate import GITHUB_ISSUER, MAIN, OKTA_ISSUER, queue, repository, secret, table
from pipelines.worlds.demo.steps import Call, Chain, Routine, Token, Visit, WebIdentity, WorkerKind

KB = 1_000
MB = 1_000_000


def _boto(version: str, python: str, system: str) -> str:
    return (
        f"Boto3/{version} md/Botocore#{version} ua/2.1 os/linux#{system} md/arch#x86_64 lang/python#{python} "
        f"md/pyimpl#CPython m/Z,b cfg/retry-mode#standard Botocore/{version}"
    )


MIRROR = Visit(
    ("mirror.corp.example",), (1, 2), bytes_in=(8 * KB, 120 * KB), path="/catalog/{n}.json", mime="application/json",
    shared=True, probability=0.25,
)  # fmt: skip

FINANCE = WorkerKind(
    name="finance-recon",
    okta_client="0oa1finance",
    okta_name="Finance reconciliation",
    proxy_user="svc-finance",
    addresses=("10.40.1.11", "10.40.1.12"),
    agents=((0, _boto("1.37.1", "3.12.8", "6.1.0")),),
    issuer=OKTA_ISSUER,
    subject="0oa1finance",
    session_name="finance-recon-{day}",
    routines=(
        Routine(
            "settlement",
            (Cron(2, 10), Cron(13, 10)),
            (
                Token("ledger.read ledger.match"),
                WebIdentity(),
                Call("secretsmanager:GetSecretValue", secret("recon/bank-api")),
                Visit(("api.bank-one.example", "api.bank-two.example"), (2, 4), bytes_in=(60 * KB, 900 * KB)),
                Call("s3:ListObjects", "arn:aws:s3:::recon-statements/{day}/", (1, 3), bytes_in=(9 * KB, 30 * KB)),
                Call(
                    "s3:GetObject", "arn:aws:s3:::recon-statements/{day}/stmt-{n:04}.csv", (6, 12),
                    bytes_in=(50 * KB, 400 * KB),
                ),
                Call("dynamodb:Query", table("ledger-entries"), (6, 12)),
                Call("dynamodb:PutItem", table("recon-matches") + "#m-{n}", (5, 10)),
                Call(
                    "s3:PutObject", "arn:aws:s3:::recon-reports/{day}/report-{n:04}.parquet", (1, 2),
                    bytes_out=(MB, 4 * MB),
                ),
                Call("sqs:SendMessage", queue("recon-exceptions"), (1, 3)),
            ),
            load=((11, 2.0), (29, 3.0), (30, 2.5)),
        ),
        Routine(
            "watch",
            tuple(Cron(hour, 40) for hour in (5, 8, 11, 16, 19)),
            (
                Token("ledger.read"),
                WebIdentity(),
                Call("sqs:ReceiveMessage", queue("recon-exceptions"), (1, 2)),
                Call("dynamodb:Query", table("ledger-entries"), (2, 4)),
            ),
        ),
    ),
)  # fmt: skip

BUNDLE = "arn:aws:s3:::{bucket}/shop/{{run}}/bundle-{{n}}.tgz"

RELEASE = WorkerKind(
    name="release-bot",
    okta_client="0oa1release",
    okta_name="Release bot",
    proxy_user="svc-release",
    addresses=("10.40.2.21", "10.40.2.22", "10.40.2.23"),
    agents=((0, "aws-sdk-go-v2/1.32.7 ua/2.1 os/linux lang/go#1.23.4 md/GOOS#linux md/GOARCH#amd64"),),
    issuer=GITHUB_ISSUER,
    subject="repo:corp/shop:ref:refs/heads/main",
    session_name="GitHubActions-{run}",
    routines=(
        Routine(
            "release",
            (Arrivals((3, 6), (0, 2), 7, 17),),
            (
                Visit(("github.corp.example",), (1, 2), bytes_in=(200 * KB, 3 * MB)),
                Visit(("registry.npm.example",), (1, 3), bytes_in=(100 * KB, 2 * MB)),
                Visit(
                    ("deb.mirror.example",), (1, 4), bytes_in=(30 * KB, MB), path="/debian/pool/main/p/pkg-{n}.deb",
                    mime="application/vnd.debian.binary-package",
                ),
                Token("registry.write"),
                WebIdentity(),
                Call("sts:GetCallerIdentity"),
                Call("ecr:GetAuthorizationToken"),
                Call("ecr:BatchCheckLayerAvailability", repository("shop"), (2, 4)),
                Call("ecr:InitiateLayerUpload", repository("shop"), (1, 3)),
                Call("ecr:PutImage", repository("shop")),
                Call("s3:PutObject", BUNDLE.format(bucket="corp-artifacts"), (2, 4), (2 * MB, 20 * MB)),
                Chain("deploy"),
                Call("cloudformation:DescribeStacks", f"arn:aws:cloudformation:eu-west-1:{MAIN}:stack/shop", (1, 3)),
                Call("ecs:RegisterTaskDefinition", f"arn:aws:ecs:eu-west-1:{MAIN}:task-definition/shop"),
                Call("ecs:UpdateService", f"arn:aws:ecs:eu-west-1:{MAIN}:service/prod/shop"),
                Call("ecs:DescribeServices", f"arn:aws:ecs:eu-west-1:{MAIN}:service/prod/shop", (3, 7)),
                Call(
                    "lambda:UpdateFunctionCode20150331v2", f"arn:aws:lambda:eu-west-1:{MAIN}:function/thumbnailer",
                    probability=0.4,
                ),
            ),
        ),
        Routine(
            "disaster-recovery-copy",
            (Cron(18, 20, weekends=False),),
            (
                Token("registry.write"),
                WebIdentity(),
                Chain("release-target"),
                Call("s3:ListObjects", "arn:aws:s3:::corp-dr-artifacts/shop/", bytes_in=(4 * KB, 20 * KB)),
                Call("s3:PutObject", BUNDLE.format(bucket="corp-dr-artifacts"), (2, 3), (2 * MB, 9 * MB)),
            ),
        ),
    ),
)  # fmt: skip

SUPPORT = WorkerKind(
    name="support-agent",
    okta_client="0oa1support",
    okta_name="Support agent",
    proxy_user="svc-support",
    addresses=("10.40.3.31", "10.40.3.32"),
    agents=((0, _boto("1.36.20", "3.11.11", "6.1.0")), (32, _boto("1.37.24", "3.13.2", "6.12.9"))),
    issuer=OKTA_ISSUER,
    subject="0oa1support",
    session_name="support-{ticket}",
    delegated=True,
    routines=(
        Routine(
            "ticket",
            (Arrivals((13, 20), (4, 8), 6, 18),),
            (
                Token("cases.read cases.reply", for_user=True),
                WebIdentity(),
                Visit(("acme.zendesk.example", "api.zendesk.example"), (1, 2), (4 * KB, 80 * KB), (20 * KB, 400 * KB)),
                Call("dynamodb:Query", table("support-cases"), (1, 3)),
                Call(
                    "s3:ListObjects", "arn:aws:s3:::case-attachments/{ticket}/", bytes_in=(KB, 6 * KB), probability=0.4
                ),
                Call(
                    "s3:GetObject", "arn:aws:s3:::case-attachments/{ticket}/file-{n}.pdf", (1, 4),
                    bytes_in=(20 * KB, 2 * MB),
                ),
                MIRROR,
                Call("dynamodb:UpdateItem", table("support-cases") + "#{ticket}", (1, 2)),
                Call("s3:PutObject", "arn:aws:s3:::case-replies/{ticket}/reply-{n}.json", bytes_out=(2 * KB, 60 * KB)),
            ),
            gap=(800, 9_000),
        ),
    ),
)  # fmt: skip

PROCUREMENT = WorkerKind(
    name="procurement-agent",
    okta_client="0oa1procure",
    okta_name="Procurement ERP",
    proxy_user="svc-procurement",
    addresses=("10.40.4.41",),
    agents=((0, "aws-sdk-java/2.30.6 ua/2.1 os/Linux#5.15.0 lang/java#21.0.5 cfg/retry-mode#legacy"),),
    routines=(
        Routine(
            "purchase",
            (
                *(Cron(hour, 1, weekends=False) for hour in (5, 7, 9, 11, 13, 15, 17, 19)),
                *(Cron(hour, 1, weekdays=False) for hour in (5, 9, 13, 17)),
            ),
            (
                Token("erp.orders"),
                Call("sqs:ReceiveMessage", queue("purchase-requests"), (1, 3)),
                Call("dynamodb:GetItem", table("suppliers") + "#s-{n}", (2, 5)),
                Call(
                    "s3:GetObject", "arn:aws:s3:::purchase-contracts/2026/contract-{n}.pdf", (1, 3),
                    bytes_in=(80 * KB, 900 * KB),
                ),
                Call("secretsmanager:GetSecretValue", secret("procurement/supplier-portal"), probability=0.7),
                Visit(
                    ("portal.supplier-a.example", "portal.supplier-b.example", "portal.supplier-c.example"), (1, 3),
                    (3 * KB, 40 * KB), (10 * KB, 300 * KB),
                ),
                MIRROR,
                Call("s3:PutObject", "arn:aws:s3:::purchase-orders/2026/order-{n}.xml", (1, 2), (8 * KB, 90 * KB)),
                Call("sqs:DeleteMessage", queue("purchase-requests"), (1, 3)),
            ),
            gap=(900, 6_000),
        ),
    ),
)  # fmt: skip

RESEARCH = WorkerKind(
    name="research-agent",
    okta_client="0oa1research",
    okta_name="Market research",
    proxy_user="svc-research",
    addresses=("10.40.5.51", "10.40.5.52"),
    agents=((0, _boto("1.36.9", "3.12.7", "6.1.0")), (23, _boto("1.37.18", "3.12.9", "6.12.9"))),
    issuer=OKTA_ISSUER,
    subject="0oa1research",
    session_name="research-agent-{run}",
    routines=(
        Routine(
            "question",
            (Arrivals((3, 6), (1, 2), 8, 18),),
            (
                Token("notes.write"),
                WebIdentity(),
                Visit(("search.example",), (1, 3), (2 * KB, 9 * KB), (30 * KB, 200 * KB)),
                Visit(
                    ("export.arxiv.example", "www.arxiv.example"), (3, 9), bytes_in=(9 * KB, 300 * KB),
                    path="/abs/2603.{n:05}",
                ),
                Visit(
                    ("www.journals.example", "cdn.journals.example", "api.journals.example"), (1, 4),
                    bytes_in=(60 * KB, 4 * MB),
                ),
                Call("s3:ListObjects", "arn:aws:s3:::research-corpus/markets/", (1, 2), bytes_in=(4 * KB, 20 * KB)),
                Call(
                    "s3:GetObject", "arn:aws:s3:::research-corpus/markets/paper-{n:05}.pdf", (3, 9),
                    bytes_in=(200 * KB, 3 * MB),
                ),
                Call("dynamodb:Query", table("research-index"), (1, 4)),
                Call(
                    "s3:PutObject", "arn:aws:s3:::research-notes/{day}/note-{n:05}.md", (1, 2),
                    bytes_out=(6 * KB, 90 * KB),
                ),
                Chain("data-readonly", probability=0.4),
                Call(
                    "s3:GetObject", "arn:aws:s3:::research-corpus/prices/series-{n:04}.parquet", (1, 4),
                    bytes_in=(90 * KB, MB),
                ),
            ),
            gap=(500, 9_000),
        ),
    ),
)  # fmt: skip

KINDS: tuple[WorkerKind, ...] = (FINANCE, RELEASE, SUPPORT, PROCUREMENT, RESEARCH)

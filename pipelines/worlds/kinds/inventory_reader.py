"""Lists what the accounts hold, every few hours, under a role that its owner's people use too."""

from __future__ import annotations

from pipelines.worlds.estate import Site, Use
from pipelines.worlds.rhythm import Kind, cron

KIND = Kind(
    name="inventory_reader",
    worker="inventory-reader",
    team="security",
    purpose="lists what every account holds",
    begin="okta",
    agent="terraform",
    session_name="{worker}",
    slots=cron(3.3, 9.3, 15.3, 21.3),
    uses=(
        Use("ec2", "DescribeInstances", None, (2, 6), bytes_in=(9_000, 200_000)),
        Use("iam", "ListRoles", None, (1, 3), bytes_in=(9_000, 90_000)),
        Use("iam", "ListUsers", None, (1, 2), bytes_in=(2_000, 20_000)),
        Use("iam", "GetRole", "arn:aws:iam::{account}:role/{name}", (1, 2), bytes_in=(1_000, 3_000)),
        Use("lambda", "ListFunctions20150331", None, (1, 4), bytes_in=(4_000, 90_000)),
        Use("s3", "ListBuckets", None, bytes_in=(2_000, 20_000)),
        Use("rds", "DescribeDBInstances", None, (1, 2), bytes_in=(4_000, 40_000), second=True),
        Use("logs", "DescribeLogGroups", None, (1, 4), bytes_in=(4_000, 60_000), second=True),
    ),
    sites=(Site("cmdb.corp.example", "/import/{n}", "POST", (1, 3), (9_000, 300_000), (300, 900)),),
    second="audit-readonly",
    rank=13,
)  # fmt: skip

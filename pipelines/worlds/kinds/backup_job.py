"""Copies stores away by night: few calls, very many bytes, into another account at the week's end."""

from __future__ import annotations

from pipelines.worlds.estate import Site, Use
from pipelines.worlds.rhythm import Kind, cron

KIND = Kind(
    name="backup_job",
    worker="backup-job",
    team="platform",
    purpose="copies databases and stores to where they are kept",
    begin="okta",
    agent="go",
    session_name="{worker}-{day}",
    slots=cron(0.5, 22.75),
    uses=(
        Use("rds", "DescribeDBSnapshots", None, (1, 3), bytes_in=(2_000, 30_000)),
        Use("rds", "CreateDBSnapshot", "arn:aws:rds:{region}:{account}:snapshot:{name}", bytes_out=(400, 900)),
        Use("dynamodb", "Scan", "arn:aws:dynamodb:{region}:{account}:table/{name}-state", (8, 20),
            bytes_in=(100_000, 1_000_000)),
        Use("s3", "PutObject", "arn:aws:s3:::corp-{name}-vault/{day}/part-{n}.zst", (8, 20),
            bytes_out=(5_000_000, 60_000_000)),
        Use("s3", "HeadObject", "arn:aws:s3:::corp-{name}-vault/{day}/part-{n}.zst", (6, 16)),
    ),
    sites=(Site("metrics.corp.example", None, "CONNECT", (1, 1), (900, 9_000), (600, 2_000)),),
    schedule=("Mon-Sun 22:00-04:00 UTC",),
    rank=11,
)  # fmt: skip

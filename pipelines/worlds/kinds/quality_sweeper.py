"""Reads whole tables page by page to count what is wrong: long runs of pages, hourly, now and then throttled."""

from __future__ import annotations

from pipelines.worlds.estate import Site, Use
from pipelines.worlds.rhythm import Kind, cron

KIND = Kind(
    name="quality_sweeper",
    worker="quality-sweeper",
    team="data",
    purpose="reads the lake and its tables page by page and counts what is wrong",
    begin="okta",
    session_name="{worker}",
    slots=cron(*(hour + 0.7 for hour in range(0, 24, 3))),
    uses=(
        Use("dynamodb", "Scan", "arn:aws:dynamodb:{region}:{account}:table/{name}-orders", (6, 16),
            bytes_in=(200_000, 1_000_000)),
        Use("s3", "ListObjects", "arn:aws:s3:::corp-{name}-lake/", (4, 12), bytes_in=(30_000, 90_000)),
        Use("athena", "StartQueryExecution", "arn:aws:athena:{region}:{account}:workgroup/{name}", (1, 3),
            bytes_out=(900, 3_000)),
        Use("athena", "GetQueryResults", "arn:aws:athena:{region}:{account}:workgroup/{name}", (2, 6),
            bytes_in=(4_000, 200_000)),
        Use("monitoring", "PutMetricData", None, (1, 2), bytes_out=(900, 4_000)),
    ),
    sites=(Site("metrics.corp.example", None, "CONNECT", (0, 1), (900, 9_000), (600, 2_000)),),
    pace=(0.1, 1.2),
    rank=12,
)  # fmt: skip

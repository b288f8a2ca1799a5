"""Moves the day's data into the lake by night: few runs, many calls, always at the same minute."""

from __future__ import annotations

from pipelines.worlds.estate import Site, Use
from pipelines.worlds.rhythm import Kind, cron

KIND = Kind(
    name="etl_cron",
    worker="nightly-etl",
    team="data",
    purpose="loads the day's exports into the lake, by night",
    begin="okta",
    session_name="{worker}-{day}",
    slots=cron(1.25, 2.5),
    uses=(
        Use("s3", "ListObjects", "arn:aws:s3:::corp-{name}-raw/{day}/", (2, 6), bytes_in=(9_000, 60_000)),
        Use("s3", "GetObject", "arn:aws:s3:::corp-{name}-raw/{day}/part-{n}.parquet", (20, 40),
            bytes_in=(200_000, 9_000_000)),
        Use("glue", "GetTable", "arn:aws:glue:{region}:{account}:table/lake/{name}", (1, 3), bytes_in=(2_000, 9_000)),
        Use("s3", "PutObject", "arn:aws:s3:::corp-{name}-lake/{day}/part-{n}.parquet", (10, 24),
            bytes_out=(200_000, 6_000_000)),
        Use("glue", "BatchCreatePartition", "arn:aws:glue:{region}:{account}:table/lake/{name}", (1, 2),
            bytes_out=(900, 4_000)),
        Use("sns", "Publish", "arn:aws:sns:{region}:{account}:{name}-done", (1, 1), bytes_out=(300, 900)),
    ),
    sites=(Site("metrics.corp.example", None, "CONNECT", (1, 2), (900, 9_000), (600, 2_000)),),
    new_site=Site("exports.crm-vendor.example", None, "CONNECT", (1, 3), (900, 4_000), (100_000, 4_000_000)),
    schedule=("Mon-Sun 00:00-05:00 UTC",),
    rank=2,
)  # fmt: skip

"""Matches bank statements with the ledger twice a day, with far more to do at the end of a month."""

from __future__ import annotations

from pipelines.worlds.estate import Site, Use
from pipelines.worlds.rhythm import Kind, cron

KIND = Kind(
    name="finance_recon",
    worker="finance-recon",
    team="finance",
    purpose="matches bank statements with the ledger, twice a day",
    begin="okta",
    session_name="{worker}-{day}",
    slots=cron(2.17, 13.17),
    uses=(
        Use("secretsmanager", "GetSecretValue",
            "arn:aws:secretsmanager:{region}:{account}:secret:{name}/bank-api-Xk2pQ9", bytes_in=(900, 1_200)),
        Use("s3", "ListObjects", "arn:aws:s3:::corp-{name}-statements/{day}/", (1, 3), bytes_in=(9_000, 30_000)),
        Use("s3", "GetObject", "arn:aws:s3:::corp-{name}-statements/{day}/stmt-{n}.csv", (6, 12),
            bytes_in=(50_000, 400_000)),
        Use("dynamodb", "Query", "arn:aws:dynamodb:{region}:{account}:table/{name}-ledger", (6, 12),
            bytes_in=(2_000, 60_000)),
        Use("dynamodb", "PutItem", "arn:aws:dynamodb:{region}:{account}:table/{name}-matches", (5, 10),
            bytes_out=(400, 3_000)),
        Use("s3", "PutObject", "arn:aws:s3:::corp-{name}-reports/{day}/report-{n}.parquet", (1, 2),
            bytes_out=(900_000, 4_000_000)),
    ),
    sites=(
        Site("api.bank-one.example", None, "CONNECT", (1, 2), (2_000, 9_000), (60_000, 900_000)),
        Site("api.bank-two.example", None, "CONNECT", (1, 2), (2_000, 9_000), (60_000, 900_000)),
    ),
    new_site=Site("api.bank-three.example", None, "CONNECT", (1, 2), (2_000, 9_000), (60_000, 900_000)),
    secrets=("arn:aws:secretsmanager:{region}:{account}:secret:{name}/*",),
    month_end=3.0,
    rank=7,
)  # fmt: skip

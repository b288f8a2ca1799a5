"""An old program with a long-lived access key, which is rotated once; no token issuer knows it."""

from __future__ import annotations

from pipelines.worlds.estate import Site, Use
from pipelines.worlds.rhythm import Kind, cron

KIND = Kind(
    name="legacy_bot",
    worker="invoice-sync",
    team="finance",
    purpose="carries invoices between the ERP and the archive, as it has for years",
    begin="key",
    agent="java",
    slots=cron(5.02, 7.02, 9.02, 11.02, 13.02, 15.02, 17.02, 19.02, days="workdays")
    + cron(6.02, 16.02, days="weekends"),
    uses=(
        Use("s3", "ListObjects", "arn:aws:s3:::corp-{name}-inbox/", (1, 2), bytes_in=(2_000, 20_000)),
        Use(
            "s3",
            "GetObject",
            "arn:aws:s3:::corp-{name}-inbox/{day}/invoice-{n}.pdf",
            (2, 7),
            bytes_in=(30_000, 900_000),
        ),
        Use(
            "s3",
            "PutObject",
            "arn:aws:s3:::corp-{name}-archive/{day}/invoice-{n}.pdf",
            (2, 7),
            bytes_out=(30_000, 900_000),
        ),
        Use("sqs", "SendMessage", "arn:aws:sqs:{region}:{account}:{name}", (1, 3), bytes_out=(500, 4_000)),
    ),
    sites=(Site("erp.corp.example", "/orders/{n}", "GET", (1, 4), (310, 600), (2_000, 40_000)),),
    month_end=1.8,
    rank=4,
)

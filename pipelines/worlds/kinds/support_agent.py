"""Answers tickets for the people of a support desk, one run a ticket, in office hours."""

from __future__ import annotations

from pipelines.worlds.estate import Site, Use
from pipelines.worlds.rhythm import Kind, Slot

_TABLE = "arn:aws:dynamodb:{region}:{account}:table/{name}-cases"

KIND = Kind(
    name="support_agent",
    worker="support-agent",
    team="support",
    purpose="answers customer tickets for the people of the support desk",
    begin="okta",
    delegated=True,
    session_name="support-{run}",
    slots=(Slot(6.5, 16.5, (8, 16), "workdays", grows=True), Slot(8, 15, (1, 3), "weekends", grows=True)),
    uses=(
        Use("dynamodb", "Query", _TABLE, (1, 3), bytes_in=(800, 20_000)),
        Use("s3", "ListObjects", "arn:aws:s3:::corp-{name}-attachments/{n}/", (0, 1), bytes_in=(1_000, 6_000)),
        Use(
            "s3", "GetObject", "arn:aws:s3:::corp-{name}-attachments/{n}/file.pdf", (1, 4), bytes_in=(20_000, 2_000_000)
        ),
        Use("dynamodb", "UpdateItem", _TABLE, (1, 2), bytes_out=(300, 2_000)),
        Use("s3", "PutObject", "arn:aws:s3:::corp-{name}-replies/{day}/reply-{n}.json", bytes_out=(2_000, 60_000)),
    ),
    sites=(
        Site("acme.zendesk.example", None, "CONNECT", (1, 2), (4_000, 80_000), (20_000, 400_000)),
        Site("mirror.corp.example", "/catalog/{n}.json", "GET", (0, 1), (310, 420), (8_000, 120_000)),
    ),
    new_site=Site("api.translate.example", None, "CONNECT", (0, 1), (1_000, 30_000), (1_000, 30_000)),
    schedule=("Mon-Sun 06:00-22:00 Europe/Berlin",),
    pace=(0.8, 9.0),
    rank=1,
)

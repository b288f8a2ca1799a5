"""Answers the questions that people put to it: reads widely on the web, and takes on a role that people use too."""

from __future__ import annotations

from pipelines.worlds.estate import Site, Use
from pipelines.worlds.rhythm import Kind, Slot

KIND = Kind(
    name="research_agent",
    worker="research-agent",
    team="research",
    purpose="gathers sources for the people who ask, and writes notes",
    begin="okta",
    delegated=True,
    session_name="research-{run}",
    slots=(Slot(7, 16, (3, 8), "workdays", grows=True), Slot(9, 18, (0, 2), "weekends", grows=True)),
    uses=(
        Use("s3", "ListObjects", "arn:aws:s3:::corp-{name}-corpus/", (1, 2), bytes_in=(4_000, 20_000)),
        Use("s3", "GetObject", "arn:aws:s3:::corp-{name}-corpus/paper-{n}.pdf", (2, 7), bytes_in=(200_000, 3_000_000)),
        Use("bedrock", "InvokeModel", "arn:aws:bedrock:{region}::foundation-model/anthropic.claude-3-haiku", (1, 5),
            bytes_out=(4_000, 90_000), bytes_in=(1_000, 20_000)),
        Use("s3", "PutObject", "arn:aws:s3:::corp-{name}-notes/{day}/note-{n}.md", (1, 2), bytes_out=(6_000, 90_000)),
        Use("s3", "GetObject", "arn:aws:s3:::corp-shared-prices/series-{n}.parquet", (1, 4),
            bytes_in=(90_000, 1_000_000), second=True),
    ),
    sites=(
        Site("search.example", None, "CONNECT", (1, 3), (2_000, 9_000), (30_000, 200_000)),
        Site("export.arxiv.example", "/abs/2603.{n}", "GET", (2, 8), (310, 420), (9_000, 300_000)),
        Site("www.journals.example", None, "CONNECT", (1, 4), (1_000, 6_000), (60_000, 4_000_000)),
        Site("wiki.public.example", "/page/{n}", "GET", (0, 4), (310, 420), (9_000, 200_000)),
    ),
    new_site=Site("preprints.example", "/paper/{n}", "GET", (1, 3), (310, 420), (90_000, 2_000_000)),
    second="data-readonly",
    pace=(0.5, 20.0),
    rank=10,
)  # fmt: skip

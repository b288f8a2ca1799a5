"""A chat agent that works through the proxy alone, under an account that several workers share."""

from __future__ import annotations

from pipelines.worlds.estate import Site
from pipelines.worlds.rhythm import Kind, Slot

KIND = Kind(
    name="triage_agent",
    worker="triage-agent",
    team="support",
    purpose="sorts incoming messages for the people of the support desk",
    begin="proxy",
    agent="node",
    delegated=True,
    shares_proxy_user=True,
    slots=(Slot(5.5, 17, (10, 22), "workdays", grows=True), Slot(8, 15, (1, 4), "weekends", grows=True)),
    uses=(),
    sites=(
        Site("chat.corp.example", "/api/messages/{n}", "GET", (2, 6), (400, 900), (1_000, 30_000)),
        Site("chat.corp.example", "/api/messages/{n}/reply", "POST", (1, 2), (900, 9_000), (300, 900)),
        Site("llm-gateway.corp.example", None, "CONNECT", (1, 4), (3_000, 60_000), (2_000, 40_000)),
        Site("acme.zendesk.example", None, "CONNECT", (1, 2), (2_000, 20_000), (9_000, 200_000)),
    ),
    new_site=Site("status.vendor.example", None, "CONNECT", (0, 1), (600, 1_200), (2_000, 9_000)),
    pace=(0.5, 12.0),
    rank=8,
)

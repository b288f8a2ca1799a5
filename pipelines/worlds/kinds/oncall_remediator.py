"""Mends what breaks: silent for days, then many runs within half an hour, at any hour."""

from __future__ import annotations

from pipelines.worlds.estate import Site, Use
from pipelines.worlds.rhythm import Kind, Slot

KIND = Kind(
    name="oncall_remediator",
    worker="oncall-fixer",
    team="platform",
    purpose="looks into alarms and restarts what hangs, for whoever is on call",
    begin="okta",
    delegated=True,
    session_name="oncall-{run}",
    slots=(Slot(0.02, 23, (4, 14), chance=0.35, together=True, grows=True), Slot(0.02, 23.5, (0, 2), grows=True)),
    uses=(
        Use("monitoring", "DescribeAlarms", None, (1, 3), bytes_in=(2_000, 60_000)),
        Use("logs", "FilterLogEvents", "arn:aws:logs:{region}:{account}:log-group:/app/{name}", (2, 9),
            bytes_in=(9_000, 900_000)),
        Use("ec2", "DescribeInstances", None, (1, 4), bytes_in=(4_000, 90_000)),
        Use("ecs", "DescribeServices", "arn:aws:ecs:{region}:{account}:service/prod/{name}", (1, 5),
            bytes_in=(2_000, 20_000)),
        Use("ecs", "UpdateService", "arn:aws:ecs:{region}:{account}:service/prod/{name}", (0, 1),
            bytes_out=(600, 2_000)),
    ),
    sites=(
        Site("pager.example", None, "CONNECT", (1, 2), (900, 4_000), (900, 9_000)),
        Site("grafana.corp.example", None, "CONNECT", (1, 3), (900, 4_000), (20_000, 400_000)),
    ),
    approvals=("ec2:TerminateInstances",),
    pace=(0.3, 6.0),
    rank=9,
)  # fmt: skip

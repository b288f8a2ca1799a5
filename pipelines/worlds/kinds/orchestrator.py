"""Plans work and starts other workers for it: it takes on their roles in their name."""

from __future__ import annotations

from pipelines.worlds.estate import Site, Use
from pipelines.worlds.rhythm import Kind, Slot

KIND = Kind(
    name="orchestrator",
    worker="planner",
    team="platform",
    purpose="splits work into tasks and starts a worker for each",
    begin="okta",
    session_name="planner-{run}",
    slots=(Slot(5, 20, (3, 6), grows=True),),
    uses=(
        Use("sqs", "ReceiveMessage", "arn:aws:sqs:{region}:{account}:{name}-work", (2, 5), bytes_in=(500, 20_000)),
        Use(
            "dynamodb",
            "PutItem",
            "arn:aws:dynamodb:{region}:{account}:table/{name}-plans",
            (2, 5),
            bytes_out=(400, 4_000),
        ),
        Use("states", "DescribeExecution", "arn:aws:states:{region}:{account}:stateMachine:{name}", (1, 4)),
        Use("sqs", "DeleteMessage", "arn:aws:sqs:{region}:{account}:{name}-work", (1, 3)),
    ),
    sites=(Site("llm-gateway.corp.example", None, "CONNECT", (2, 6), (3_000, 60_000), (2_000, 40_000)),),
    starts="task_worker",
    rank=5,
)

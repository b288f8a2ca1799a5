"""Does one task and ends; a planner starts it by taking on its role for it."""

from __future__ import annotations

from pipelines.worlds.estate import Site, Use
from pipelines.worlds.rhythm import Kind

KIND = Kind(
    name="task_worker",
    worker="task-runner",
    team="platform",
    purpose="does the tasks that the planner hands out",
    begin="started",
    session_name="task-{run}",
    slots=(),
    uses=(
        Use("s3", "GetObject", "arn:aws:s3:::corp-{name}-tasks/task-{n}.json", (1, 2), bytes_in=(1_000, 20_000)),
        Use(
            "dynamodb",
            "GetItem",
            "arn:aws:dynamodb:{region}:{account}:table/{name}-facts",
            (3, 9),
            bytes_in=(300, 4_000),
        ),
        Use(
            "lambda", "Invoke", "arn:aws:lambda:{region}:{account}:function:{name}-step", (1, 3), bytes_out=(400, 9_000)
        ),
        Use(
            "s3", "PutObject", "arn:aws:s3:::corp-{name}-results/{day}/task-{n}.json", (1, 2), bytes_out=(1_000, 90_000)
        ),
    ),
    sites=(Site("llm-gateway.corp.example", None, "CONNECT", (1, 4), (3_000, 60_000), (2_000, 40_000)),),
    rank=6,
)

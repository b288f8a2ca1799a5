"""What looks like an attack in the demo world and is none: hard negatives, each noted in the truth.

Some of them are acted out here; the others lie in the tables of the workers, the estate and the people.
"""

from __future__ import annotations

from pipelines.worlds.demo.chance import Chance
from pipelines.worlds.demo.clock import MINUTE, moment
from pipelines.worlds.demo.estate import MAIN, SUPPORT_DESK, Estate, table
from pipelines.worlds.demo.events import Happenings
from pipelines.worlds.demo.run import Run
from pipelines.worlds.demo.steps import Call, Token, Visit, WebIdentity
from pipelines.worlds.demo.truth import Lookalike
from pipelines.worlds.demo.workers import KB, RELEASE, SUPPORT

LOOKALIKES: tuple[Lookalike, ...] = (
    Lookalike(
        "deploy-changes-client", "support-agent", "credential_replay", "2026-04-03T00:00:00Z", "2026-04-05T23:59:59Z",
        "A deploy gives the worker another SDK, Python and kernel, so its user agent changes.",
    ),
    Lookalike(
        "month-end-peak", "finance-recon", "behaviour", "2026-03-31T00:00:00Z", "2026-04-01T23:59:59Z",
        "Month-end: three times the statements, matches and reports, within the declared limits.",
    ),
    Lookalike(
        "broken-rollout", "release-bot", "out_of_scope", "2026-04-02T11:20:00Z", "2026-04-02T11:40:00Z",
        "A policy lacks one permission: a dozen refused retries of one operation that the manifest allows.",
    ),
    Lookalike(
        "egress-failover", "procurement-agent", "credential_replay", "2026-04-02T13:01:20Z", "2026-04-02T14:20:00Z",
        "The company's egress moves to its spare address in the middle of a run; the client stays the same.",
    ),
    Lookalike(
        "new-host-of-a-known-party", "support-agent", "out_of_scope", "2026-04-04T10:15:00Z", "2026-04-04T10:20:00Z",
        "A first visit to another host of the ticket system, which the manifest's pattern covers.",
    ),
    Lookalike(
        "person-with-worker-like-session", None, "behaviour", "2026-03-02T14:00:00Z", "2026-04-03T15:00:00Z",
        "An analyst takes on data-readonly under session names like research-agent-1a2b.",
    ),
)  # fmt: skip


def act_out(into: Happenings, estate: Estate, chance: Chance) -> None:
    """The look-alikes that are runs of their own."""
    _broken_rollout(into, estate, chance.branch("rollout"))
    _new_host(into, estate, chance.branch("host"))


def _broken_rollout(into: Happenings, estate: Estate, chance: Chance) -> None:
    service = f"arn:aws:ecs:eu-west-1:{MAIN}:service/prod/shop"
    run = Run(into, estate, RELEASE, moment("2026-04-02 11:20"), chance)
    run.take((Token("registry.write"), WebIdentity()))
    run.chain("deploy")
    who = run.caller.arn if run.caller else ""
    refusal = (
        "AccessDeniedException",
        f"User: {who} is not authorized to perform: ecs:UpdateService on resource: {service} because no"
        " identity-based policy allows the ecs:UpdateService action",
    )
    for _ in range(12):
        run.call("ecs:UpdateService", service, error=refusal)
        run.now += chance.between(20_000, MINUTE)
    run.finish()


def _new_host(into: Happenings, estate: Estate, chance: Chance) -> None:
    run = Run(into, estate, SUPPORT, moment("2026-04-04 10:15"), chance, delegator=SUPPORT_DESK[3])
    run.take(
        (
            Token("cases.read cases.reply", for_user=True),
            WebIdentity(),
            Visit(("eu2.zendesk.example",), (3, 4), (10 * KB, 90 * KB)),
            Call("dynamodb:Query", table("support-cases"), (1, 3)),
        )
    ).finish()

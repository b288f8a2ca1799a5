"""The eight attacks of the demo world, all in its last three days: what each is meant to be, and what it does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from pipelines.worlds.demo import okta, sts
from pipelines.worlds.demo.aws_api import REGION
from pipelines.worlds.demo.chance import Chance
from pipelines.worlds.demo.clock import MINUTE, SECOND, moment
from pipelines.worlds.demo.estate import MAIN, SUPPORT_DESK, Estate, Person, table
from pipelines.worlds.demo.events import Happenings, Label, Scene, Wire
from pipelines.worlds.demo.people import CLI, bystander, cloud_call
from pipelines.worlds.demo.run import Run
from pipelines.worlds.demo.steps import Call, Token, WebIdentity, WorkerKind
from pipelines.worlds.demo.truth import Plan
from pipelines.worlds.demo.workers import FINANCE, KB, MB, PROCUREMENT, RELEASE, RESEARCH, SUPPORT

SECOND_TRAIL = f"arn:aws:cloudtrail:{REGION}:{MAIN}:trail/regional-audit"
THIEF = Wire("198.51.100.77", "Boto3/1.34.51 md/Botocore#1.34.51 ua/2.0 os/windows#10 lang/python#3.10.4")


@dataclass
class Stage:
    """What the attacks have to work with."""

    into: Happenings
    estate: Estate
    chance: Chance

    def run(self, kind: WorkerKind, at: str, delegator: Person | None = None) -> Run:
        """A run like the worker's others, up to where the attack begins."""
        caller = self.estate.user("procurement-agent") if kind is PROCUREMENT else None
        chance = self.chance.branch(f"{kind.name}/{at}")
        return Run(self.into, self.estate, kind, moment(at), chance, delegator=delegator, caller=caller)


def _payroll_read(stage: Stage, incident: str) -> None:
    run = stage.run(FINANCE, "2026-04-03 15:20").take(
        (Token("ledger.read"), WebIdentity(), Call("dynamodb:Query", table("ledger-entries"), (3, 5)))
    )
    run.in_incident(incident)
    run.take(
        (
            Call("s3:ListObjects", "arn:aws:s3:::corp-payroll/2026/", (2, 2), bytes_in=(8 * KB, 20 * KB)),
            Call(
                "s3:GetObject", "arn:aws:s3:::corp-payroll/2026/salaries-{n:04}.csv", (14, 14), bytes_in=(40 * KB, MB)
            ),
        )
    ).finish()


def _paste_host(stage: Stage, incident: str) -> None:
    run = stage.run(RESEARCH, "2026-04-03 16:10").take((Token("notes.write"), WebIdentity()))
    run.take(
        (Call("s3:GetObject", "arn:aws:s3:::research-corpus/markets/paper-{n:05}.pdf", (4, 6), bytes_in=(MB, 3 * MB)),)
    )
    run.in_incident(incident)
    host = "drop.pastebox.example"
    run.visit(host, 2_400, 6_100)
    for _ in range(6):
        size = run.chance.around(2 * MB, 15 * MB)
        path = f"/api/upload/{run.chance.hexes(8)}"
        run.visit(host, size, 420, path, method="POST", mime="application/json")
    run.finish()


def _tunnel_upload(stage: Stage, incident: str) -> None:
    run = stage.run(SUPPORT, "2026-04-04 21:30", SUPPORT_DESK[1]).take(
        (
            Token("cases.read cases.reply", for_user=True),
            WebIdentity(),
            Call("dynamodb:Query", table("support-cases"), (2, 3)),
        )
    )
    run.in_incident(incident)
    for _ in range(4):
        size = run.chance.between(740 * MB, 780 * MB)
        run.visit("uploads.zendesk.example", size, 90 * KB, elapsed=run.chance.between(7 * MINUTE, 10 * MINUTE))
    run.finish()


def _after_the_end(stage: Stage, incident: str) -> None:
    _expired_session(stage, incident)
    _retired_key(stage, incident)


def _expired_session(stage: Stage, incident: str) -> None:
    run = stage.run(RELEASE, "2026-04-04 06:00").take((Token("registry.write"), WebIdentity()))
    run.take((Call("ecr:GetAuthorizationToken"),)).finish()
    run.in_incident(incident)
    run.now += 125 * MINUTE
    late = ("ExpiredToken", "The provided token has expired.")
    for number in range(3):
        run.call("s3:PutObject", f"arn:aws:s3:::corp-artifacts/shop/late/bundle-{number}.tgz", error=late)
        run.now += run.chance.between(1, 5) * MINUTE
    run.call(
        "ecr:GetAuthorizationToken",
        error=("ExpiredTokenException", "The security token included in the request is expired"),
    )
    run.finish()


def _retired_key(stage: Stage, incident: str) -> None:
    """The key that the rotation left active is switched off, goes on working for a while, then does not."""
    estate, chance, key = stage.estate, stage.chance.branch("retired"), stage.estate.procurement_old_key
    admin = estate.user("ivo.petrov")
    off = cloud_call(bystander(moment("2026-04-04 10:00:05"), CLI, chance), admin, "iam:UpdateAccessKey")
    off.request = {"userName": "procurement-agent", "accessKeyId": key, "status": "Inactive"}
    gone = cloud_call(bystander(moment("2026-04-04 10:30:40"), CLI, chance), admin, "iam:DeleteAccessKey")
    gone.request = {"userName": "procurement-agent", "accessKeyId": key}
    stage.into.calls += [off, gone]

    run = stage.run(PROCUREMENT, "2026-04-04 10:09:20")
    run.caller = estate.users["procurement-agent"].with_key(key)
    run.in_incident(incident)
    run.call("dynamodb:GetItem", table("suppliers") + "#s-17")
    run.now += 2 * MINUTE
    run.call("s3:GetObject", "arn:aws:s3:::purchase-contracts/2026/contract-3.pdf", bytes_in=410 * KB)
    refused = ("InvalidAccessKeyId", "The AWS Access Key Id you provided does not exist in our records.")
    for number in range(4):
        run.now += run.chance.between(7, 12) * MINUTE
        run.call("s3:GetObject", f"arn:aws:s3:::purchase-contracts/2026/contract-{number}.pdf", error=refused)
    run.finish()
    old = okta.client("0oa1procold", "Procurement ERP (old)")
    stage.into.okta.append(okta.token_refused(run.scene(), old, "invalid_client"))


def _replayed_key(stage: Stage, incident: str) -> None:
    chance = stage.chance.branch("replay")
    busy = stage.run(PROCUREMENT, "2026-04-05 09:06:00")
    for routine in PROCUREMENT.routines:
        busy.take(routine.steps)
    busy.finish()
    at = moment("2026-04-05 09:01:25")
    caller = stage.estate.user("procurement-agent")
    label = Label(PROCUREMENT.name, None, None, incident)
    for _ in range(18):
        api, resource, size = chance.pick(
            (
                ("dynamodb:GetItem", table("suppliers") + f"#s-{chance.between(1, 99)}", 0),
                (
                    "s3:GetObject",
                    f"arn:aws:s3:::purchase-contracts/2026/contract-{chance.between(1, 99)}.pdf",
                    500 * KB,
                ),
            )
        )
        call = cloud_call(Scene(at, THIEF, label, chance), caller, api, resource)
        call.bytes_in = size
        stage.into.calls.append(call)
        at += chance.between(15, 50) * SECOND


def _trail_stopped(stage: Stage, incident: str) -> None:
    run = stage.run(RELEASE, "2026-04-05 13:20").take((Token("registry.write"), WebIdentity()))
    run.chain("deploy")
    run.in_incident(incident)
    run.call("cloudtrail:DescribeTrails").request = {"trailNameList": []}
    run.call("cloudtrail:GetTrailStatus").request = {"name": SECOND_TRAIL}
    selector = {"readWriteType": "WriteOnly", "includeManagementEvents": False, "dataResources": []}
    run.call("cloudtrail:PutEventSelectors").request = {"trailName": SECOND_TRAIL, "eventSelectors": [selector]}
    run.call("cloudtrail:StopLogging").request = {"name": SECOND_TRAIL}
    run.call("cloudtrail:DeleteTrail").request = {"name": SECOND_TRAIL}
    run.finish()


def _night_harvest(stage: Stage, incident: str) -> None:
    for start, reads in (("2026-04-04 01:40", 240), ("2026-04-04 02:50", 200)):
        run = stage.run(RESEARCH, start)
        run.in_incident(incident)
        run.gap = (1_000, 14_000)
        run.take((Token("notes.write"), WebIdentity()))
        shelf = f"shelf-{run.chance.hexes(4)}"
        prefix = f"arn:aws:s3:::research-corpus/{shelf}"
        run.take((Call("s3:ListObjects", f"{prefix}/", (25, 25), bytes_in=(40 * KB, 90 * KB)),))
        for number in range(10):
            run.visit(f"mirror-{number:02}.arxiv.example", 310, run.chance.around(MB, 9 * MB), f"/bulk/{shelf}.tar")
        run.take(
            (
                Call("s3:GetObject", prefix + "/scan-{n:05}.pdf", (reads, reads), bytes_in=(MB, 12 * MB)),
                Call("dynamodb:Query", table("research-index"), (30, 30)),
                Call("s3:PutObject", "arn:aws:s3:::research-notes/{day}/bundle-{n:05}.zip", (40, 40), (MB, 4 * MB)),
            )
        )
        run.finish()


def _key_for_another(stage: Stage, incident: str) -> None:
    run = stage.run(SUPPORT, "2026-04-05 15:05", SUPPORT_DESK[0]).take(
        (
            Token("cases.read cases.reply", for_user=True),
            WebIdentity(),
            Call("dynamodb:Query", table("support-cases"), (1, 2)),
        )
    )
    run.in_incident(incident)
    key = run.chance.aws_id("AKIA")
    made = run.call("iam:CreateAccessKey")
    made.request = {"userName": "legacy-report"}
    made.response = {
        "accessKey": {
            "accessKeyId": key,
            "status": "Active",
            "userName": "legacy-report",
            "createDate": sts.written(made.at, comma=""),
        }
    }
    run.now += 12 * SECOND
    run.caller = stage.estate.users["legacy-report"].with_key(key)
    run.call("sts:GetCallerIdentity")
    run.call("s3:ListBuckets")
    run.take(
        (
            Call("s3:ListObjects", "arn:aws:s3:::corp-crm-export/weekly/", bytes_in=(9 * KB, 20 * KB), throttled=0),
            Call("s3:GetObject", "arn:aws:s3:::corp-crm-export/weekly/part-{n:04}.csv", (6, 6), bytes_in=(MB, 9 * MB)),
        )
    ).finish()


_ATTACKS: tuple[tuple[Plan, Callable[[Stage, str], None]], ...] = (
    (
        Plan(
            "attack-1", "api-out-of-scope", "finance-recon", "out_of_scope", "arn:aws:s3:::corp-payroll",
            "The finance worker lists and reads the payroll bucket, which is not in its scope.",
        ),
        _payroll_read,
    ),
    (
        Plan(
            "attack-2", "net-out-of-scope", "research-agent", "out_of_scope", "drop.pastebox.example",
            "The research worker posts files to a file drop that is not among its hosts.",
        ),
        _paste_host,
    ),
    (
        Plan(
            "attack-3", "exfiltration-over-connect", "support-agent", "exfiltration_volume", "uploads.zendesk.example",
            "The support worker sends 3 GB through tunnels to a host that it may use, far over its 200 MB an hour.",
        ),
        _tunnel_upload,
    ),
    (
        Plan(
            "attack-4", "use-after-end", "procurement-agent", "use_after_end", "retired credentials",
            "A session of the release worker is tried an hour after it expired (all refused); an old key of the"
            " procurement worker is used after it was switched off and after it was deleted (two calls pass while"
            " the change spreads, the rest are refused); its retired OAuth client asks for a token.",
            ("procurement-agent", "release-bot"),
        ),
        _after_the_end,
    ),
    (
        Plan(
            "attack-5", "credential-replay", "procurement-agent", "credential_replay", "access key",
            "The procurement worker's key is used from another network and client while the worker itself uses it,"
            " within its scope.",
        ),
        _replayed_key,
    ),
    (
        Plan(
            "attack-6", "log-tampering", "release-bot", "log_tampering", SECOND_TRAIL,
            "The release worker narrows, stops and deletes the second trail.",
        ),
        _trail_stopped,
    ),
    (
        Plan(
            "attack-7", "unlike-itself", "research-agent", "behaviour", "worker:id/research-agent",
            "The research worker reads hundreds of new objects and new mirrors at night, within its scope and limits.",
        ),
        _night_harvest,
    ),
    (
        Plan(
            "attack-8", "key-for-another", "support-agent", "out_of_scope", "legacy-report",
            "The support worker makes an access key for another user and reads the CRM export with it; that key is"
            " the worker's by assertion only.",
        ),
        _key_for_another,
    ),
)  # fmt: skip


def attack(into: Happenings, estate: Estate, chance: Chance) -> tuple[Plan, ...]:
    """Carry out all attacks; gives their plans, with the keys and sessions that they turn on as entities."""
    plans = []
    for plan, act in _ATTACKS:
        act(Stage(into, estate, chance.branch(plan.id)), plan.id)
        entity = {
            "attack-4": f"aws:key/{estate.procurement_old_key}",
            "attack-5": f"aws:key/{estate.keys['procurement-agent']}",
        }.get(plan.id, plan.entity)
        plans.append(replace(plan, entity=entity))
    return tuple(plans)


def trail_stopped_at(into: Happenings) -> int:
    """When the second trail stopped keeping records."""
    return min(call.at for call in into.calls if call.api == "cloudtrail:StopLogging") + SECOND

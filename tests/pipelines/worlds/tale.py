"""A story made by hand, small and plain: one worker, one person, two accounts; nothing of it is drawn by kinds."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, time, timedelta
from functools import cache
from pathlib import Path

from pipelines.worlds import deeds
from pipelines.worlds.draws import draws
from pipelines.worlds.estate import Estate, Person, Role, Worker
from pipelines.worlds.happenings import Happenings
from pipelines.worlds.plot import Placed
from pipelines.worlds.size import Size
from pipelines.worlds.write import Story

HOME, ABROAD = "111122223333", "444455556666"
ANN = Person("Ann", "ann@corp.example", "00uann", "10.40.9.9", "support")
ROLE = Role(f"arn:aws:iam::{HOME}:role/workers/agent", "agent", "AROAAAAAAAAAAAAAAAAA", HOME)
OTHER = Role(f"arn:aws:iam::{ABROAD}:role/shared", "shared", "AROABBBBBBBBBBBBBBBB", ABROAD)
AGENT = Worker(
    name="agent", kind="by_hand", owner=ANN, account=HOME, region="eu-west-1", roles=(ROLE,), keys=(),
    okta_client="0oa1", okta_name="agent client", issuer="corp.okta.example/oauth2/aus1workers", subject="0oa1",
    session_name="{worker}-{run}", proxy_user="svc-agent", shares_proxy_user=False,
    addresses=((0, ("10.40.1.1", "10.40.1.2")),), agents=((0, "Boto3/1.40.2"),), delegators=(ANN,), uses=(), sites=(),
)  # fmt: skip
ESTATE = Estate(
    org="corp.example", okta_host="corp.okta.example", proxy_realm="egress", accounts=(HOME, ABROAD),
    regions=("eu-west-1",), people=(ANN,), people_roles=(), workers=(AGENT,), egress=("203.0.113.10",),
    shared_proxy_user="svc-agents",
)  # fmt: skip
SIZE = Size(seed=3, workers=1, days=14, events=1_000)
RUNS_A_DAY = 6
HOSTILE = 'Boto3 "quoted" \\ \x1b[31m é %s'

MANIFEST = f"""\
worker: agent
owner: support@corp.example
mode: delegated
identities:
  - oauth:client/corp.okta.example#0oa1
  - aws:role/{ROLE.arn}
  - aws:role/{OTHER.arn}
  - proxy:user/egress/svc-agent
delegators: ["mail:addr/*@corp.example"]
scope:
  - allow: {{service: s3.amazonaws.com, operations: [GetObject]}}
  - allow: {{service: secretsmanager.amazonaws.com, operations: [GetSecretValue]}}
  - allow: {{hosts: [corp.okta.example]}}
"""


def run(at: datetime, day: int, number: int, calls: int = 12) -> Happenings:
    """One run: a token, a session, objects read, a role taken on abroad, a secret read there."""
    stream = draws(SIZE.seed, "tale", day, number)
    session, name, begun = deeds.open_run(ESTATE, AGENT, at, day, stream, ANN)
    truth = deeds.truth("agent", name, ANN)
    reads = deeds.calls(
        session, deeds.moments(at + timedelta(seconds=4), calls, timedelta(minutes=15), stream), "s3", "GetObject",
        truth=truth, address="203.0.113.10", agent="Boto3/1.40.2", region="eu-west-1", stream=stream,
        resource="arn:aws:s3:::cases/{n}.json", bytes_in=4_000,
    )  # fmt: skip
    tunnels = deeds.tunnels_of(reads, user="svc-agent", client=AGENT.addresses_on(day)[0], stream=stream)
    there, taken = deeds.assume(
        session, OTHER, at + timedelta(seconds=5), truth=truth, address="203.0.113.10", agent="Boto3/1.40.2",
        region="eu-west-1", session_name="agent-abroad", client="10.40.1.2", user="svc-agent", stream=stream,
    )  # fmt: skip
    secret = deeds.calls(
        there, [at + timedelta(seconds=20)], "secretsmanager", "GetSecretValue", truth=truth, address="203.0.113.10",
        agent=HOSTILE, region="eu-west-1", stream=stream,
        resource=f"arn:aws:secretsmanager:eu-west-1:{ABROAD}:secret:crm-AbCdEf",
    )  # fmt: skip
    return Happenings.all_of([begun, Happenings(reads, tunnels), taken, Happenings(secret)])


@cache
def day(number: int) -> Happenings:
    """The runs of a day, the last of which goes on past midnight."""
    midnight = datetime.combine(SIZE.first_day + timedelta(days=number), time())
    starts = [midnight + timedelta(hours=hour, seconds=17.123456) for hour in (0, 5, 9, 13, 18, 23.8)]
    return Happenings.all_of(run(at, number, place) for place, at in enumerate(starts))


def placed() -> Placed:
    """An attack on the tenth day."""
    at = datetime.combine(SIZE.first_day + timedelta(days=10), time(11))
    happened = run(at, 10, 99, calls=40).labelled(incident="incident-0001")
    return Placed(
        id="incident-0001", is_attack=True, scenario="bulk", family="exfiltration", name="bulk", worker="agent",
        intensity=0.5, started_at=at, ended_at=at + timedelta(minutes=15), happenings=happened,
    )  # fmt: skip


def story(**changed: object) -> Story:
    """The story of SIZE."""
    told = Story(ESTATE, day, [placed()], lambda folder: (folder / "agent.yaml").write_text(MANIFEST, encoding="utf-8"))
    return replace(told, **changed)  # type: ignore[arg-type]


def files(folder: Path) -> dict[str, bytes]:
    """The content of every file below a folder, by its path there."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}

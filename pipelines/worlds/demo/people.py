"""Everybody else in the demo world: people at the proxy, the token issuer and the cloud, and AWS's own services."""

from __future__ import annotations

from dataclasses import replace

from pipelines.worlds.demo import okta, sts
from pipelines.worlds.demo.aws_api import region_of, request_of
from pipelines.worlds.demo.chance import Chance
from pipelines.worlds.demo.clock import DAYS, HOUR, MINUTE, SECOND, is_weekend, moment, start_of
from pipelines.worlds.demo.estate import (
    ADMINISTRATOR,
    PEOPLE,
    Estate,
    Person,
    egress,
    server_address,
)
from pipelines.worlds.demo.events import NOBODY, AwsCall, Caller, Happenings, ProxyLine, Scene, Wire

BROWSER = (
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko)"
    " Chrome/133.0.0.0 Safari/537.36"
)
CLI = "aws-cli/2.24.10 md/awscrt#0.23.8 ua/2.1 os/macos#24.3.0 md/arch#arm64 lang/python#3.12.6 md/command#s3.cp"

_SITES = ("www.news.example", "intranet.corp.example", "mail.example", "acme.zendesk.example", "video.example",
          "www.journals.example", "github.corp.example", "share.example")  # fmt: skip
_PAGES = ("/", "/index.html", "/today", "/static/site.css")
_APPS = (("0oa9mail", "Mail"), ("0oa9wiki", "Wiki"), ("0oa9aws", "AWS Account Federation"))
_CONSOLE = ("ec2:DescribeInstances", "cloudwatch:DescribeAlarms", "s3:ListBuckets", "iam:ListUsers")
KEY_ROTATED = moment("2026-03-16 10:02:11")


def populate(into: Happenings, estate: Estate, chance: Chance) -> None:
    """35 days of people and services."""
    for person in PEOPLE:
        for day in range(DAYS):
            _day_of(into, person, day, chance.branch(f"{person.proxy_user}/{day}"))
    for day in range(DAYS):
        draws = chance.branch(f"cloud/{day}")
        _services(into, estate, day, draws.branch("services"))
        if not is_weekend(day):
            _at_the_console(into, estate, PEOPLE[day % 2], start_of(day) + 9 * HOUR, draws.branch("console"))
            _analyst(into, estate, start_of(day) + 14 * HOUR, draws.branch("analyst"))
    _rotation(into, estate, chance.branch("rotation"))


def bystander(at: int, agent: str, chance: Chance) -> Scene:
    """The scene of an event that is nobody's, as far as workers go."""
    return Scene(at, Wire(egress(at), agent), NOBODY, chance)


def cloud_call(scene: Scene, caller: Caller, api: str, resource: str | None = None) -> AwsCall:
    """One API call that is no part of a run."""
    return AwsCall(
        at=scene.at,
        caller=caller,
        api=api,
        event_id=scene.chance.uuid(),
        request_id=scene.chance.s3_request_id() if api.startswith("s3:") else scene.chance.uuid(),
        region=region_of(api),
        account=caller.account,
        address=scene.wire.address,
        agent=scene.wire.agent,
        label=scene.label,
        resource=resource,
        request=request_of(api, resource),
    )


def _day_of(into: Happenings, person: Person, day: int, chance: Chance) -> None:
    """A working day: sign-ins, some of which fail at first, and browsing; hardly anybody at the weekend."""
    if is_weekend(day) and not chance.happens(0.12):
        return
    at = start_of(day) + chance.between(6 * HOUR, 8 * HOUR)
    while chance.happens(0.12):
        into.okta.append(okta.signed_in(bystander(at, BROWSER, chance), person, failed=True))
        at += chance.between(4, 40) * SECOND
    session = okta.signed_in(bystander(at, BROWSER, chance), person)
    into.okta.append(session)
    for app in _APPS[: chance.between(1, 2)]:
        at += chance.between(5, 900) * SECOND
        into.okta.append(okta.opened_app(bystander(at, BROWSER, chance), person, app, session.session))
    for _ in range(chance.between(6, 14)):
        at += chance.between(1, 40) * MINUTE + chance.between(0, 59_999)
        into.lines.append(_browsing(at, person, chance))


def _browsing(at: int, person: Person, chance: Chance) -> ProxyLine:
    host = chance.pick(_SITES)
    line = ProxyLine(
        ended_at=at,
        elapsed=chance.around(30, 60_000),
        client=person.address,
        tag="TCP_TUNNEL",
        status=200,
        bytes_in=chance.around(5_000, 4_000_000),
        method="CONNECT",
        url=f"{host}:443",
        user=person.proxy_user,
        hierarchy=f"HIER_DIRECT/{server_address(host)}",
        mime="-",
        bytes_out=chance.around(1_000, 200_000),
        label=NOBODY,
    )
    kind = chance.share()
    if kind < 0.06:
        # The proxy asks for a password; now and then the answer is wrong, and the line has a name.
        user = person.proxy_user if kind < 0.02 else "-"
        return replace(
            line, elapsed=0, tag="TCP_DENIED", status=407, bytes_in=4_112, user=user, hierarchy="HIER_NONE/-",
            mime="text/html", bytes_out=163,
        )  # fmt: skip
    if kind < 0.3:
        hit = kind < 0.1
        return replace(
            line,
            elapsed=chance.around(1, 900),
            tag="TCP_MEM_HIT" if hit else "TCP_MISS",
            method="GET",
            url=f"http://{host}{chance.pick(_PAGES)}",
            hierarchy="HIER_NONE/-" if hit else line.hierarchy,
            mime="text/html",
            bytes_in=chance.around(400, 90_000),
            bytes_out=chance.between(380, 900),
        )
    return line


def _at_the_console(into: Happenings, estate: Estate, person: Person, at: int, chance: Chance) -> None:
    """A console session: one login, then calls under several keys that no record issues."""
    user = estate.users[person.iam or ""]
    at += chance.between(0, 40) * MINUTE
    login = cloud_call(bystander(at, BROWSER, chance), replace(user.with_key(""), key=None), "signin:ConsoleLogin")
    login.response = {"ConsoleLogin": "Success"}
    login.extra = {"LoginTo": "https://console.aws.amazon.com/console/home", "MobileVersion": "No", "MFAUsed": "Yes"}
    into.calls.append(login)
    created_at = at // SECOND * SECOND
    for api in chance.shuffled(_CONSOLE) * 2:
        at += chance.between(2, 200) * SECOND
        caller = replace(user.with_key(chance.aws_id("ASIA")), created_at=created_at, console=True, mfa=True)
        into.calls.append(cloud_call(bystander(at, BROWSER, chance), caller, api))


def _analyst(into: Happenings, estate: Estate, at: int, chance: Chance) -> None:
    """A person takes on a role that the research worker uses too, under a session name that looks like the worker's."""
    at += chance.between(0, 50) * MINUTE
    name = f"research-agent-{chance.hexes(4)}" if chance.happens(0.5) else "ana.ortiz"
    caller, role = estate.user("ana.ortiz"), estate.roles["data-readonly"]
    calls, session = sts.assume(bystander(at, CLI, chance), caller, role, name)
    into.calls.extend(calls)
    for _ in range(chance.between(2, 6)):
        at += chance.between(2, 90) * SECOND
        key = f"arn:aws:s3:::research-corpus/prices/series-{chance.between(1, 9999):04}.parquet"
        call = cloud_call(bystander(at, CLI, chance), session.caller, "s3:GetObject", key)
        call.bytes_in = chance.around(90_000, 1_000_000)
        into.calls.append(call)
    if chance.happens(0.2):
        scene, role = bystander(at + MINUTE, CLI, chance), estate.roles["support-agent-dev"]
        abroad, _ = sts.assume(scene, estate.user("ben.kovac"), role, "ben.kovac")
        into.calls.extend(abroad)


def _services(into: Happenings, estate: Estate, day: int, chance: Chance) -> None:
    """EC2 and Lambda take on roles for what runs in them."""
    for hour in range(0, 24, 6):
        for instance in estate.instances:
            at = start_of(day) + hour * HOUR + chance.between(0, 20 * MINUTE)
            call, session = sts.by_service(at, "ec2", estate.roles["node"], instance, chance)
            into.calls.append(call)
            agent = "amazon-ssm-agent/3.3.1611.0"
            beat = cloud_call(
                bystander(at + 5 * MINUTE, agent, chance), session.caller, "ssm:UpdateInstanceInformation"
            )
            beat.request = {"instanceId": instance, "agentStatus": "Active", "agentVersion": "3.3.1611.0"}
            into.calls.append(beat)
    for _ in range(chance.between(4, 8)):
        at = start_of(day) + chance.between(6 * HOUR, 22 * HOUR)
        call, session = sts.by_service(at, "lambda", estate.roles["thumbnailer"], "thumbnailer", chance)
        stream = cloud_call(
            bystander(at + 2 * SECOND, "awslambda-worker/1.0", chance), session.caller, "logs:CreateLogStream"
        )
        stream.request = {"logGroupName": "/aws/lambda/thumbnailer", "logStreamName": chance.hexes(32)}
        into.calls += [call, stream]


def _rotation(into: Happenings, estate: Estate, chance: Chance) -> None:
    """The administrator makes procurement's next key (and leaves the old one active), and retires its old client."""
    admin = estate.user("ivo.petrov")
    made = cloud_call(bystander(KEY_ROTATED, CLI, chance), admin, "iam:CreateAccessKey")
    made.request = {"userName": "procurement-agent"}
    made.response = {
        "accessKey": {
            "accessKeyId": estate.keys["procurement-agent"],
            "status": "Active",
            "userName": "procurement-agent",
            "createDate": sts.written(KEY_ROTATED, comma=""),
        }
    }
    listed = cloud_call(bystander(KEY_ROTATED - 40 * SECOND, CLI, chance), admin, "iam:ListAccessKeys")
    listed.request = {"userName": "procurement-agent"}
    into.calls += [listed, made]
    at = moment("2026-03-20 08:30:05")
    old = okta.client("0oa1procold", "Procurement ERP (old)")
    into.okta += okta.client_switched_off(bystander(at, BROWSER, chance), ADMINISTRATOR, old)

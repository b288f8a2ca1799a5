"""What people do in a world: sign-ins and browsing, and work in AWS under roles that workers take on too."""

from __future__ import annotations

from collections.abc import Iterable

from pipelines.worlds import apis, names
from pipelines.worlds.actors import Actor
from pipelines.worlds.draws import aws_ids, draws
from pipelines.worlds.estate import AccessKey, Estate, Person, Role, Site, Use, Worker
from pipelines.worlds.rhythm import Slot

_PAGES = (
    Site("www.news.example", "/today/{n}", "GET", (1, 4), (380, 900), (4_000, 90_000)),
    Site("intranet.corp.example", "/wiki/{n}", "GET", (1, 5), (380, 900), (2_000, 90_000)),
    Site("mail.example", None, "CONNECT", (1, 3), (1_000, 90_000), (5_000, 900_000)),
    Site("video.example", None, "CONNECT", (0, 1), (1_000, 90_000), (50_000, 9_000_000)),
    Site("share.example", None, "CONNECT", (0, 1), (1_000, 900_000), (5_000, 900_000)),
)
_OF_TEAM = {
    "support": Site("acme.zendesk.example", None, "CONNECT", (2, 6), (4_000, 80_000), (20_000, 400_000)),
    "research": Site("www.journals.example", None, "CONNECT", (1, 4), (1_000, 6_000), (60_000, 4_000_000)),
    "delivery": Site("github.corp.example", None, "CONNECT", (2, 6), (2_000, 90_000), (20_000, 900_000)),
    "platform": Site("grafana.corp.example", None, "CONNECT", (2, 6), (900, 4_000), (20_000, 400_000)),
    "finance": Site("erp.corp.example", "/orders/{n}", "GET", (2, 6), (310, 600), (2_000, 40_000)),
}
_TRIED_OUT = (
    Site("llm-gateway.corp.example", None, "CONNECT", (1, 4), (3_000, 60_000), (2_000, 40_000)),
    Site("chat.corp.example", "/api/messages/{n}", "GET", (1, 4), (400, 900), (1_000, 30_000)),
)
_ROLE_OF_TEAM = {
    "research": "data-readonly",
    "data": "data-readonly",
    "security": "audit-readonly",
    "platform": "power-user",
    "delivery": "power-user",
}
_USES = {
    "data-readonly": (
        Use("s3", "ListObjects", "arn:aws:s3:::corp-shared-prices/", (1, 2), bytes_in=(4_000, 20_000)),
        Use("s3", "GetObject", "arn:aws:s3:::corp-shared-prices/series-{n}.parquet", (1, 5),
            bytes_in=(90_000, 1_000_000)),
    ),
    "audit-readonly": (
        Use("iam", "ListUsers", None, bytes_in=(2_000, 20_000)),
        Use("rds", "DescribeDBInstances", None, (1, 2), bytes_in=(4_000, 40_000)),
        Use("logs", "DescribeLogGroups", None, (1, 3), bytes_in=(4_000, 60_000)),
        Use("cloudtrail", "DescribeTrails", None, bytes_in=(1_000, 4_000)),
    ),
    "power-user": (
        Use("ec2", "DescribeInstances", None, (1, 4), bytes_in=(4_000, 90_000)),
        Use("monitoring", "DescribeAlarms", None, (1, 3), bytes_in=(2_000, 60_000)),
        Use("s3", "ListBuckets", None, bytes_in=(2_000, 20_000)),
        Use("cloudformation", "DescribeStacks", None, (0, 2), bytes_in=(2_000, 90_000)),
    ),
}  # fmt: skip
_OFFICE = (Slot(6.5, 16.5, (1, 3), "workdays", grows=True), Slot(8, 20, (0, 0.25), "weekends", grows=True))
_AT_THE_CLOUD = (Slot(7, 17, (0.5, 2), "workdays", grows=True), Slot(8, 20, (0, 0.2), "weekends", grows=True))
WITH_SHARED_ACCOUNT_EVERY, WITH_KEY_EVERY, NAMED_LIKE_A_WORKER_EVERY = 6, 4, 3
"""One person in so many tries things out under the workers' shared proxy account; of those who work in AWS one in so
many does so by an IAM user's key, and one in so many calls the session what a worker calls its own."""


def people_at_work(estate: Estate) -> tuple[Actor, ...]:
    """The people as actors: each browses, some work in AWS, some use what is the workers'."""
    return tuple(actor for index, person in enumerate(estate.people) for actor in _of(estate, index, person))


def _of(estate: Estate, index: int, person: Person) -> Iterable[Actor]:
    pages = (*_PAGES, *([_OF_TEAM[person.team]] if person.team in _OF_TEAM else []))
    browser = names.BROWSERS[index % len(names.BROWSERS)]
    yield Actor(_drawn(estate, person, browser, pages), "login", _OFFICE, (3.0, 240.0), is_person=True)
    role = next((one for one in estate.people_roles if one.name == _ROLE_OF_TEAM.get(person.team)), None)
    if role is not None:
        worker = _in_aws(estate, index, person, role)
        yield Actor(worker, "user" if worker.keys else "saml", _AT_THE_CLOUD, (2.0, 90.0), is_person=True)
    if index % WITH_SHARED_ACCOUNT_EVERY == 1:
        drawn = _drawn(estate, person, "curl/8.9.1", _TRIED_OUT, user=estate.shared_proxy_user)
        yield Actor(drawn, "none", _AT_THE_CLOUD, (1.0, 40.0), is_person=True)


def _in_aws(estate: Estate, index: int, person: Person, role: Role) -> Worker:
    uses = tuple(_known(use) for use in _USES[role.name])
    login = person.mail.partition("@")[0]
    keys: tuple[AccessKey, ...] = ()
    if index % WITH_KEY_EVERY == 0:
        stream = draws(0, "key", person.okta_id)
        user_id, key = aws_ids(stream, "AIDA", 1)[0], aws_ids(stream, "AKIA", 1)[0]
        keys = (AccessKey(login, f"arn:aws:iam::{role.account}:user/{login}", user_id, role.account, key),)
    alike = [worker for worker in estate.workers if role in worker.borrows]
    named = index % NAMED_LIKE_A_WORKER_EVERY == 0 and bool(alike)
    name = alike[index % len(alike)].session_name if named else login
    return _drawn(estate, person, names.CLI, (), uses=uses, roles=(role,), keys=keys, session_name=name)


def _known(use: Use) -> Use:
    return Use(
        use.service, use.operation, use.resource, use.count, use.bytes_out, use.bytes_in,
        apis.is_data(use.service, use.operation), apis.is_read_only(use.service, use.operation),
    )  # fmt: skip


def _drawn(
    estate: Estate,
    person: Person,
    agent: str,
    sites: tuple[Site, ...],
    *,
    uses: tuple[Use, ...] = (),
    roles: tuple[Role, ...] = (),
    keys: tuple[AccessKey, ...] = (),
    user: str | None = None,
    session_name: str = "",
) -> Worker:
    return Worker(
        name=person.mail, kind="person", owner=person, account=estate.accounts[0], region=estate.regions[0],
        roles=roles, keys=keys, okta_client=None, okta_name=None, issuer=None, subject=None,
        session_name=session_name, proxy_user=user or person.mail.partition("@")[0], shares_proxy_user=user is not None,
        addresses=((0, (person.address,)),), agents=((0, agent),), delegators=(), uses=uses, sites=sites,
    )  # fmt: skip

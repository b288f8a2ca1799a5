"""Who and what is in the world of a size: people, roles, and workers of all kinds, a function of the size alone."""

from __future__ import annotations

from dataclasses import dataclass, replace

from pipelines.worlds import apis, names
from pipelines.worlds.bounds import bounded
from pipelines.worlds.draws import Draws, aws_ids, base62, draws
from pipelines.worlds.estate import AccessKey, Estate, Person, Role, Site, Use, Worker
from pipelines.worlds.kinds import kind as kind_of
from pipelines.worlds.kinds import kinds
from pipelines.worlds.rhythm import Kind
from pipelines.worlds.scaling import scaled
from pipelines.worlds.size import Size

ORG, OKTA_HOST, REALM = "corp.example", "corp.okta.example", "egress"
OKTA_ISSUER = f"{OKTA_HOST}/oauth2/aus1workers"
GITHUB_ISSUER = "token.actions.githubusercontent.com"
SHARED_PROXY_USER = "svc-agents"
TEAMS = ("platform", "data", "support", "finance", "research", "delivery", "security", "office")
_ACCOUNTS = ("111122223333", "444455556666", "777788889999")
_REGIONS = ("eu-west-1", "eu-central-1")
_PEOPLE_ROLES = ("data-readonly", "audit-readonly", "power-user")

NEW_EVERY, RETIRED_EVERY, KEYS_OVERLAP_DAYS = 9, 11, 1
"""One worker in so many begins within the world, one in so many ends; both keys of a rotation work for a day."""


def estate(size: Size) -> Estate:
    """Everybody and everything; the scales are set so that benign life reaches about `size.events`."""
    people = _people(size)
    stream = draws(size.seed, "estate")
    shared = tuple(_role(name, _ACCOUNTS[0], "/people/", stream) for name in _PEOPLE_ROLES)
    bare = Estate(
        org=ORG, okta_host=OKTA_HOST, proxy_realm=REALM, accounts=_ACCOUNTS, regions=_REGIONS, people=people,
        people_roles=shared, workers=(), egress=("203.0.113.10", "203.0.113.11", "203.0.113.12"),
        shared_proxy_user=SHARED_PROXY_USER, first_date=size.first_day,
    )  # fmt: skip
    workers = tuple(_worker(bare, size, plan, index) for index, plan in enumerate(_plans(size.workers)))
    buckets = sorted({
        apis.bucket_of(use.resource) for worker in workers for use in worker.uses
        if use.service == "s3" and use.resource
    })  # fmt: skip
    return bounded(scaled(replace(bare, workers=_met(workers), buckets=tuple(buckets)), size))


@dataclass(frozen=True)
class _Plan:
    kind: Kind
    number: int  # of its kind, from 0


def _plans(count: int) -> list[_Plan]:
    """Kinds in turn by rank; who starts others comes with one to start."""
    order = [kind for kind in kinds() if kind.begin != "started"]
    plans: list[_Plan] = []
    made: dict[str, int] = {}
    turn = 0
    while len(plans) < count:
        kind = order[turn % len(order)]
        turn += 1
        together = [kind, kind_of(kind.starts)] if kind.starts else [kind]
        if len(plans) + len(together) > count:
            together = [next(one for one in order if not one.starts)]
        for one in together:
            plans.append(_Plan(one, made.setdefault(one.name, 0)))
            made[one.name] += 1
    return plans


def _people(size: Size) -> tuple[Person, ...]:
    """Half as many people as workers, at least twelve; every team has some."""
    stream = draws(size.seed, "people")
    count = max(12, size.workers // 2)
    ids = base62(stream, 17, count, "00u")
    people = []
    for index in range(count):
        name = names.person(index)
        mail = f"{name.lower().replace(' ', '.').replace(chr(39), '')}@{ORG}"
        address = f"10.20.{index // 200}.{11 + index % 200}"
        people.append(Person(name, mail, ids[index], address, TEAMS[index % len(TEAMS)]))
    return tuple(people)


def _role(name: str, account: str, path: str, stream: Draws) -> Role:
    return Role(f"arn:aws:iam::{account}:role{path}{name}", name, aws_ids(stream, "AROA", 1)[0], account)


def _worker(estate: Estate, size: Size, plan: _Plan, index: int) -> Worker:
    kind, name = plan.kind, names.alike(plan.kind.worker, plan.number)
    stream = draws(size.seed, "worker", name)
    account, region = estate.accounts[int(stream.random() < 0.2)], estate.regions[int(stream.random() < 0.25)]
    abroad = next(one for one in estate.accounts[::-1] if one != account)
    words = {"{name}": name, "{account}": account, "{region}": region, "{second}": abroad}
    team = [person for person in estate.people if person.team == kind.team]
    first, last = _lifetime(index, size, kind)
    deploy = int(stream.integers(size.days // 4, max(size.days * 3 // 4, size.days // 4 + 1)))
    has_role = kind.begin != "proxy" and not (kind.begin == "key" and plan.number % 2 == 0)
    home = _role(name, account, "/workers/" if plan.number % 3 == 0 else "/", stream) if has_role else None
    roles = () if home is None else (home,)
    if kind.second == "abroad":
        roles = (*roles, _role(f"{name}-target", abroad, "/", stream))
    is_client = kind.begin in ("okta", "proxy")
    client = base62(stream, 17, 1, "0oa")[0] if is_client else None
    issuer, subject = {
        "okta": (OKTA_ISSUER, client),
        "ci": (GITHUB_ISSUER, f"repo:corp/{name}:ref:refs/heads/main"),
    }.get(kind.begin, (None, None))
    subnet, hosts = _hosts(kind.team, stream)
    release = int(stream.integers(0, 3))
    return Worker(
        name=name, kind=kind.name, owner=team[plan.number % len(team)], account=account, region=region, roles=roles,
        keys=_keys(name, account, size, stream) if kind.begin == "key" else (), okta_client=client,
        okta_name=f"{name} ({kind.team})" if is_client else None, issuer=issuer, subject=subject,
        session_name=kind.session_name.replace("{worker}", name),
        proxy_user=estate.shared_proxy_user if kind.shares_proxy_user else f"svc-{name}",
        shares_proxy_user=kind.shares_proxy_user, addresses=((0, hosts[:2]), (deploy, hosts[2:])),
        agents=((0, names.agent(kind.agent, release)), (deploy, names.agent(kind.agent, release + 1))),
        delegators=tuple(team) if kind.delegated else (), uses=tuple(_use(use, words) for use in kind.uses),
        sites=_sites(kind, words, size, stream), secrets=tuple(_filled(one, words) for one in kind.secrets),
        may_start=(_started(kind, plan.number),) if kind.starts else (), first_day=first, last_day=last,
        schedule=kind.schedule, approvals=kind.approvals,
        borrows=tuple(role for role in estate.people_roles if role.name == kind.second),
        purpose=kind.purpose, team=kind.team, networks=(subnet, "203.0.113.8/29"),
    )  # fmt: skip


def _started(kind: Kind, number: int) -> str:
    return names.alike(kind_of(kind.starts or "").worker, number)


def _met(workers: tuple[Worker, ...]) -> tuple[Worker, ...]:
    """The same with whom each is started by."""
    starters = {child: worker for worker in workers for child in worker.may_start}
    return tuple(
        replace(
            worker,
            started_by=starters[worker.name].name,
            first_day=starters[worker.name].first_day,
            last_day=starters[worker.name].last_day,
        )
        if worker.name in starters
        else worker
        for worker in workers
    )


def _lifetime(index: int, size: Size, kind: Kind) -> tuple[int, int | None]:
    """Most live throughout; some begin within the world, without a history, and some are retired."""
    if kind.begin in ("started", "key"):
        return 0, None
    if index % NEW_EVERY == NEW_EVERY - 1:
        return size.days * 2 // 3, None
    if index % RETIRED_EVERY == RETIRED_EVERY - 1:
        return 0, size.days * 3 // 5
    return 0, None


def _keys(name: str, account: str, size: Size, stream: Draws) -> tuple[AccessKey, ...]:
    """Two keys of one IAM user: the first is rotated out midway."""
    user_id, first, second = aws_ids(stream, "AIDA", 1)[0], *aws_ids(stream, "AKIA", 2)
    rotated = int(stream.integers(size.days // 3, size.days // 2 + 1))
    arn = f"arn:aws:iam::{account}:user/{name}"
    return (
        AccessKey(name, arn, user_id, account, first, 0, rotated + KEYS_OVERLAP_DAYS),
        AccessKey(name, arn, user_id, account, second, rotated, None),
    )


def _hosts(team: str, stream: Draws) -> tuple[str, tuple[str, ...]]:
    """A team's network, and four of its hosts; there are few, so workers of a team share some."""
    third = 1 + TEAMS.index(team)
    picked = stream.choice(24, 4, replace=False)
    return f"10.40.{third}.0/24", tuple(f"10.40.{third}.{11 + int(one)}" for one in picked)


def _filled(text: str, words: dict[str, str]) -> str:
    for word, value in words.items():
        text = text.replace(word, value)
    return text


def _use(use: Use, words: dict[str, str]) -> Use:
    return replace(
        use,
        resource=_filled(use.resource, words) if use.resource else None,
        is_data=apis.is_data(use.service, use.operation),
        read_only=apis.is_read_only(use.service, use.operation),
    )


def _sites(kind: Kind, words: dict[str, str], size: Size, stream: Draws) -> tuple[Site, ...]:
    sites = tuple(replace(site, host=_filled(site.host, words)) for site in kind.sites)
    if kind.new_site is None:
        return sites
    return (*sites, replace(kind.new_site, from_day=int(stream.integers(size.days // 3, size.days * 3 // 4))))

"""Who and what is in a world before anything happens: accounts, people, workers and what each may do. Data only."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date


@dataclass(frozen=True)
class Person:
    """A person with a mail address, an Okta account and perhaps AWS access through a role that people share."""

    name: str
    mail: str
    okta_id: str
    address: str
    team: str


@dataclass(frozen=True)
class Role:
    """An IAM role; the ARNs of its sessions lose its path."""

    arn: str
    name: str
    unique_id: str
    account: str


@dataclass(frozen=True)
class AccessKey:
    """A long-lived key of an IAM user, in use on the days `first_day` <= day < `end_day` (end null: to the end)."""

    user: str
    user_arn: str
    user_id: str
    account: str
    key: str
    first_day: int = 0
    end_day: int | None = None


@dataclass(frozen=True)
class Use:
    """An AWS operation that a worker makes as a matter of course; `{n}` and `{day}` in `resource` vary.

    `count` is the least and most a run, `bytes_out` and `bytes_in` the least and most a call.
    """

    service: str
    operation: str
    resource: str | None
    count: tuple[int, int] = (1, 1)
    bytes_out: tuple[int, int] = (0, 0)
    bytes_in: tuple[int, int] = (0, 0)
    is_data: bool = False
    read_only: bool = True
    second: bool = False
    """Made under the role that the run takes on from its first: of another account, or one that people use too."""


@dataclass(frozen=True)
class Site:
    """A host that a worker talks to as a matter of course; `path` null: only through a tunnel."""

    host: str
    path: str | None = None
    method: str = "GET"
    count: tuple[int, int] = (1, 1)
    bytes_out: tuple[int, int] = (400, 2_000)
    bytes_in: tuple[int, int] = (1_000, 60_000)
    from_day: int = 0
    """From this day on: a new legitimate destination, declared in the manifest from the day before."""


@dataclass(frozen=True)
class Worker:
    """One worker: its names in every system, its habits and its bounds. Days are counted from the world's first, 0.

    `kind` names the file below `kinds/` that made it. A worker without `delegators` acts on its own authority. One
    without an own `proxy_user` shares an account. `agents` are (from_day, user agent): deploys change them, and
    `addresses` likewise.
    """

    name: str
    kind: str
    owner: Person
    account: str
    region: str
    roles: tuple[Role, ...]
    keys: tuple[AccessKey, ...]
    okta_client: str | None
    okta_name: str | None
    issuer: str | None
    subject: str | None
    session_name: str
    proxy_user: str
    shares_proxy_user: bool
    addresses: tuple[tuple[int, tuple[str, ...]], ...]
    agents: tuple[tuple[int, str], ...]
    delegators: tuple[Person, ...]
    uses: tuple[Use, ...]
    sites: tuple[Site, ...]
    secrets: tuple[str, ...] = ()
    may_start: tuple[str, ...] = ()
    first_day: int = 0
    last_day: int | None = None
    schedule: tuple[str, ...] = ()
    bytes_out_an_hour: int | None = None
    denied_an_hour: int | None = None
    approvals: tuple[str, ...] = ()
    """`service:operation` of what somebody must approve first; in scope, and benign life never does it."""
    borrows: tuple[Role, ...] = ()
    """Roles that it takes on and that people use too: no identities of its own."""
    purpose: str = ""
    team: str = ""
    networks: tuple[str, ...] = ()
    started_by: str | None = None
    """The worker whose runs start this one's, by AssumeRole; such a worker has no other way to begin."""

    def agent_on(self, day: int) -> str:
        return [agent for since, agent in self.agents if since <= day][-1]

    def addresses_on(self, day: int) -> tuple[str, ...]:
        return [places for since, places in self.addresses if since <= day][-1]


@dataclass(frozen=True)
class Estate:
    """Everybody and everything of a world. `egress` are the public addresses that AWS sees of the proxy's calls."""

    org: str
    okta_host: str
    proxy_realm: str
    accounts: tuple[str, ...]
    regions: tuple[str, ...]
    people: tuple[Person, ...]
    people_roles: tuple[Role, ...]
    workers: tuple[Worker, ...]
    egress: tuple[str, ...]
    shared_proxy_user: str
    buckets: tuple[str, ...] = ()
    extras: dict[str, tuple[str, ...]] = field(default_factory=dict)
    scale: float = 1.0
    """Benign life of workers against their kinds as written: the factor of `Stage.scale`."""
    people_scale: float = 1.0
    first_date: date = date(2026, 1, 5)
    """The world's first day."""

    def worker(self, name: str) -> Worker:
        return next(worker for worker in self.workers if worker.name == name)

"""The steps that a worker's run is made of, and what kind of worker takes them: plain data."""

from __future__ import annotations

from dataclasses import dataclass

from pipelines.worlds.demo.clock import Rhythm

Range = tuple[int, int]
ONCE: Range = (1, 1)
NOTHING: Range = (0, 0)


@dataclass(frozen=True)
class Call:
    """API calls: how many, on what (a template over n, day, run, ticket), with bytes out and in (caller's view)."""

    api: str
    resource: str | None = None
    times: Range = ONCE
    bytes_out: Range = NOTHING
    bytes_in: Range = NOTHING
    probability: float = 1.0
    throttled: float = 0.008


@dataclass(frozen=True)
class Visit:
    """Requests through the proxy: a tunnel (CONNECT) without a `path`, plain http with one."""

    hosts: tuple[str, ...]
    times: Range = ONCE
    bytes_out: Range = (900, 6_000)
    bytes_in: Range = (4_000, 90_000)
    path: str | None = None
    method: str = "GET"
    mime: str = "text/html"
    shared: bool = False
    probability: float = 1.0


@dataclass(frozen=True)
class Token:
    """An access token of the company's issuer; `for_user` means on behalf of the run's delegator."""

    scope: str
    for_user: bool = False


@dataclass(frozen=True)
class WebIdentity:
    """The worker's own role, taken on with an OIDC token."""


@dataclass(frozen=True)
class Chain:
    """A further role, taken on with the session that the run has."""

    role: str
    probability: float = 1.0


Step = Call | Visit | Token | WebIdentity | Chain


@dataclass(frozen=True)
class Routine:
    """What a worker does again and again, and when. `load` names the days on which it does more of it."""

    name: str
    rhythm: tuple[Rhythm, ...]
    steps: tuple[Step, ...]
    gap: Range = (200, 2_600)
    load: tuple[tuple[int, float], ...] = ()

    def load_on(self, day: int) -> float:
        return dict(self.load).get(day, 1.0)


@dataclass(frozen=True)
class WorkerKind:
    """A worker: its identities, where it runs, its clients over time (first day, user agent), its routines."""

    name: str
    okta_client: str
    okta_name: str
    proxy_user: str
    addresses: tuple[str, ...]
    agents: tuple[tuple[int, str], ...]
    routines: tuple[Routine, ...]
    issuer: str | None = None
    subject: str | None = None
    audience: str = "sts.amazonaws.com"
    session_name: str = "{worker}"
    delegated: bool = False

    def agent_on(self, day: int) -> str:
        return [agent for first_day, agent in self.agents if first_day <= day][-1]

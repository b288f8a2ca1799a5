"""What happens in a world, before any log format writes it down, each with the truth about it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from pipelines.worlds.demo.chance import Chance

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Label:
    """The truth about one event: its worker (None: a person or a service), delegator, run and incident."""

    worker: str | None = None
    delegator: str | None = None
    run: str | None = None
    incident: str | None = None


NOBODY = Label()


@dataclass(frozen=True)
class Wire:
    """Where a call comes from and with what client."""

    address: str
    agent: str


@dataclass(frozen=True)
class Scene:
    """What every event needs: when it happens, over what wire, the truth about it, and a stream for its ids."""

    at: int
    wire: Wire
    label: Label
    chance: Chance


@dataclass(frozen=True)
class Role:
    """An IAM role; `path` is the part of its ARN that the ARNs of its sessions lose."""

    name: str
    account: str
    unique_id: str
    path: str = "/"

    @property
    def arn(self) -> str:
        return f"arn:aws:iam::{self.account}:role{self.path}{self.name}"


@dataclass(frozen=True)
class Caller:
    """Who signs a call: everything that a record's `userIdentity` can say."""

    kind: str
    account: str
    principal_id: str | None = None
    arn: str | None = None
    key: str | None = None
    user_name: str | None = None
    role: Role | None = None
    created_at: int | None = None
    provider: str | None = None
    source_identity: str | None = None
    invoked_by: str | None = None
    console: bool = False
    mfa: bool = False
    ec2_delivery: bool = False


@dataclass(slots=True)
class AwsCall:
    """One API call as the cloud saw it; `api` is `service:Operation`; sizes are the caller's view."""

    at: int
    caller: Caller
    api: str
    event_id: str
    request_id: str
    region: str
    account: str
    address: str
    agent: str
    label: Label
    resource: str | None = None
    request: Json | None = None
    response: Json | None = None
    extra: Json = field(default_factory=dict)
    error: tuple[str, str] | None = None
    bytes_out: int = 0
    bytes_in: int = 0
    shared_id: str | None = None


@dataclass(slots=True)
class ProxyLine:
    """One transaction of the proxy, written when it ended."""

    ended_at: int
    elapsed: int
    client: str
    tag: str
    status: int
    bytes_in: int
    method: str
    url: str
    user: str
    hierarchy: str
    mime: str
    bytes_out: int
    label: Label


@dataclass(frozen=True, slots=True)
class Party:
    """An actor or target of a token issuer's event."""

    id: str
    type: str
    alternate_id: str | None
    display_name: str
    detail: Json | None = None


@dataclass(slots=True)
class OktaEvent:
    """One System Log event."""

    at: int
    uuid: str
    event_type: str
    message: str
    actor: Party
    targets: tuple[Party, ...]
    address: str
    agent: str
    transaction: str
    label: Label
    result: str = "SUCCESS"
    reason: str | None = None
    client_id: str | None = None
    session: str | None = None
    debug: Json = field(default_factory=dict)


@dataclass
class Happenings:
    """All that happened, in no order."""

    calls: list[AwsCall] = field(default_factory=list)
    lines: list[ProxyLine] = field(default_factory=list)
    okta: list[OktaEvent] = field(default_factory=list)

"""The demo world's estate: accounts, addresses, roles, users and the token issuer that all things happen in."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from pipelines.worlds.demo.aws_api import REGION
from pipelines.worlds.demo.chance import Chance
from pipelines.worlds.demo.clock import moment
from pipelines.worlds.demo.events import Caller, Party, Role

MAIN = "111122223333"
PARTNER = "444455556666"

OKTA_ORG = "corp.okta.example"
OKTA_SERVER = "aus1workers"
OKTA_ISSUER = f"{OKTA_ORG}/oauth2/{OKTA_SERVER}"
GITHUB_ISSUER = "token.actions.githubusercontent.com"

EGRESS = "203.0.113.10"
EGRESS_SPARE = "203.0.113.11"
FAILOVER = (moment("2026-04-02 13:01:20"), moment("2026-04-02 14:20:00"))


def egress(at: int) -> str:
    """The address that everybody in the company shares towards the Internet; its spare took over once."""
    return EGRESS_SPARE if FAILOVER[0] <= at < FAILOVER[1] else EGRESS


def server_address(host: str) -> str:
    """Where a host name leads: always the same documentation address for the same name."""
    return f"198.51.100.{100 + hashlib.sha256(host.encode()).digest()[0] % 100}"


def table(name: str) -> str:
    """A DynamoDB table of the main account."""
    return f"arn:aws:dynamodb:{REGION}:{MAIN}:table/{name}"


def queue(name: str) -> str:
    """An SQS queue of the main account."""
    return f"arn:aws:sqs:{REGION}:{MAIN}:{name}"


def secret(name: str) -> str:
    """A secret of the main account, with the random tail that Secrets Manager gives it."""
    tail = hashlib.sha256(name.encode()).hexdigest()[:6]
    return f"arn:aws:secretsmanager:{REGION}:{MAIN}:secret:{name}-{tail}"


def repository(name: str) -> str:
    """An ECR repository of the main account."""
    return f"arn:aws:ecr:{REGION}:{MAIN}:repository/{name}"


def provider_arn(issuer: str) -> str:
    """The IAM identity provider of the main account for one OIDC issuer."""
    return f"arn:aws:iam::{MAIN}:oidc-provider/{issuer}"


_ROLES: tuple[tuple[str, str, str], ...] = (
    ("finance-recon", MAIN, "/workers/"),
    ("release-bot", MAIN, "/"),
    ("deploy", MAIN, "/"),
    ("support-agent", MAIN, "/"),
    ("research-agent", MAIN, "/"),
    ("data-readonly", MAIN, "/"),
    ("node", MAIN, "/"),
    ("thumbnailer", MAIN, "/service-role/"),
    ("release-target", PARTNER, "/"),
    ("support-agent-dev", PARTNER, "/"),
)

_USERS = ("procurement-agent", "procurement-agents", "legacy-report", "ivo.petrov", "ana.ortiz", "ben.kovac")


@dataclass(frozen=True)
class IamUser:
    """An IAM user of the main account."""

    name: str
    unique_id: str

    @property
    def arn(self) -> str:
        return f"arn:aws:iam::{MAIN}:user/{self.name}"

    def with_key(self, key: str) -> Caller:
        return Caller("IAMUser", MAIN, self.unique_id, self.arn, key, self.name)


@dataclass(frozen=True)
class Person:
    """Somebody who works here; `iam` names an IAM user of theirs, if they have one."""

    mail: str
    name: str
    okta_id: str
    proxy_user: str
    address: str
    iam: str | None = None

    @property
    def party(self) -> Party:
        return Party(self.okta_id, "User", self.mail, self.name)


PEOPLE: tuple[Person, ...] = (
    Person("ana.ortiz@corp.example", "Ana Ortiz", "00u1ana", "ana.ortiz", "10.20.1.11", "ana.ortiz"),
    Person("ben.kovac@corp.example", "Ben Kovac", "00u1ben", "ben.kovac", "10.20.1.12", "ben.kovac"),
    Person("chi.nguyen@corp.example", "Chi Nguyen", "00u1chi", "chi.nguyen", "10.20.2.21"),
    Person("dana.fox@corp.example", "Dana Fox", "00u1dana", "dana fox", "10.20.2.22"),
    Person("farah.aziz@corp.example", "Farah Aziz", "00u1farah", "farah.aziz", "10.20.2.23"),
    Person("greta.lund@corp.example", "Greta Lund", "00u1greta", "greta.lund", "10.20.2.24"),
    # Looks like the research worker's account and is a person's.
    Person("hugo.stein@corp.example", "Hugo Stein", "00u1hugo", "svc-researcher", "10.20.3.31"),
    Person("ivo.petrov@corp.example", "Ivo Petrov", "00u1ivo", "ivo.petrov", "10.20.3.32", "ivo.petrov"),
)
SUPPORT_DESK = tuple(person for person in PEOPLE if person.address.startswith("10.20.2."))
ADMINISTRATOR = PEOPLE[-1]


class Estate:
    """The estate with the identifiers that one seed gives it."""

    def __init__(self, chance: Chance) -> None:
        self.roles = {name: Role(name, account, chance.aws_id("AROA"), path) for name, account, path in _ROLES}
        self.users = {name: IamUser(name, chance.aws_id("AIDA")) for name in _USERS}
        self.keys = {name: chance.aws_id("AKIA") for name in _USERS}
        self.procurement_old_key = chance.aws_id("AKIA")
        self.kms_key = f"arn:aws:kms:{REGION}:{MAIN}:key/{chance.uuid()}"
        self.instances = tuple(f"i-0{chance.hexes(16)}" for _ in range(2))

    def user(self, name: str) -> Caller:
        """An IAM user calling with the long-lived key that it has in the end."""
        return self.users[name].with_key(self.keys[name])

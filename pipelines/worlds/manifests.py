"""The workers' manifests as their owners would write them: honest, and as narrow as what each worker does."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path

from pipelines.worlds import apis
from pipelines.worlds.estate import Estate, Use, Worker
from pipelines.worlds.kinds import kind as kind_of

_DAYS_BEYOND = 730
"""How long after the world's first day manifests of workers that are not retired hold."""
_BY_BARE_NAME = ("athena", "cloudformation", "glue")
"""Of these the log shows no ARN: their owners bound them by account and region."""
_GLOBAL = ("iam", "organizations", "cloudfront", "signin")


def write(estate: Estate, folder: Path) -> None:
    """Write NAME.yaml of every worker into `folder`, which is made."""
    folder.mkdir(parents=True, exist_ok=True)
    for worker in estate.workers:
        (folder / f"{worker.name}.yaml").write_text(text(estate, worker), encoding="utf-8")


def text(estate: Estate, worker: Worker) -> str:
    """The manifest of one worker (YAML)."""
    return "\n".join(_lines(estate, worker)) + "\n"


def _lines(estate: Estate, worker: Worker) -> Iterable[str]:
    yield f"worker: {worker.name}"
    yield f"owner: {worker.owner.mail}"
    yield f"purpose: {json.dumps(worker.purpose)}"
    yield f"role: {worker.kind.replace('_', '-')}"
    yield f"mode: {'delegated' if worker.delegators else 'own'}"
    yield "environment: prod"
    yield from _listed("identities", _identities(estate, worker))
    if kind_of(worker.kind).begin == "ci":
        yield f'provenance: {{repo: corp/{worker.name}, workflow: "release.yml@refs/heads/main"}}'
    if worker.started_by:
        starter = estate.worker(worker.started_by)
        yield from _listed("instantiators", _identities(estate, starter))
    if worker.may_start:
        yield from _listed("may_start", worker.may_start)
    if worker.delegators:
        people = worker.delegators
        names = [f"mail:addr/{person.mail}" for person in people]
        yield from _listed("delegators", map(_quoted, (
            *names, *(f"okta:user/{estate.okta_host}/{person.okta_id}" for person in people))))  # fmt: skip
    yield from _listed("scope", (f"allow: {line}" for line in _scope(estate, worker)))
    if worker.secrets:
        yield from _listed("secrets", map(_quoted, worker.secrets))
    yield from _listed("networks", map(_quoted, worker.networks))
    yield from _listed("limits", _limits(worker))
    if worker.approvals:
        yield from _listed("approvals", _approvals(estate, worker))
    if worker.schedule:
        yield from _listed("schedule", map(_quoted, worker.schedule))
    first = estate.first_date + timedelta(days=worker.first_day)
    last = estate.first_date + timedelta(days=_DAYS_BEYOND if worker.last_day is None else worker.last_day)
    yield f"valid: {{from: {first}, until: {last}}}"


def _identities(estate: Estate, worker: Worker) -> Iterable[str]:
    if worker.okta_client:
        yield _quoted(f"oauth:client/{estate.okta_host}#{worker.okta_client}")
    if worker.issuer and worker.roles:
        yield _quoted(f"oidc:subject/{worker.issuer}#{worker.subject}")
    for role in worker.roles:
        yield _quoted(f"aws:role/{role.arn}")
    for arn in dict.fromkeys(key.user_arn for key in worker.keys):
        yield _quoted(f"aws:user/{arn}")
    user = f"proxy:user/{estate.proxy_realm}/{worker.proxy_user}"
    yield f"{{id: {_quoted(user)}, shared: true}}" if worker.shares_proxy_user else _quoted(user)


def _scope(estate: Estate, worker: Worker) -> Iterable[str]:
    """Allow lines: the calls of the first role, of the second, roles taken on, and hosts."""
    home = worker.roles[0].account if worker.roles else worker.account
    others = [*worker.roles[1:], *worker.borrows]
    yield from _of_uses([use for use in worker.uses if not use.second], home, worker.region)
    if others:
        yield from _of_uses([use for use in worker.uses if use.second], others[0].account, worker.region)
    taken = [role.arn for role in worker.borrows]
    taken += [role.arn for name in worker.may_start for role in estate.worker(name).roles]
    if taken:
        yield _flow(service=_service("sts"), operations=["AssumeRole"], resources=taken)
    if any(use.operation == "GetSecretValue" for use in worker.uses):
        yield _flow(service=_service("kms"), operations=["Decrypt"])
    for service, operations in _approved(worker).items():
        yield _flow(service=_service(service), operations=operations, accounts=[home, *(one.account for one in others)])
    hosts = [site.host for site in worker.sites if site.path is None]
    hosts += [estate.okta_host] if worker.okta_client else []
    hosts += [apis.endpoint("sts", "AssumeRole", None, worker.region)] if worker.roles else []
    if hosts:
        yield _flow(hosts=sorted(set(hosts)))
    for site in worker.sites:
        if site.path is not None:
            yield _flow(hosts=[site.host], methods=[site.method], paths=[_pattern(site.path)])


def _of_uses(uses: Iterable[Use], account: str, region: str) -> Iterable[str]:
    """A line for each service and set of resources, with all operations on them."""
    operations: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    for use in uses:
        named = operations.setdefault((use.service, _resources(use)), [])
        if use.operation not in named:
            named.append(use.operation)
    for (service, resources), names in operations.items():
        regions = {} if service in _GLOBAL else {"regions": [region]}
        about = {"resources": list(resources)} if resources else {}
        yield _flow(service=_service(service), operations=names, accounts=[account], **about, **regions)


def _resources(use: Use) -> tuple[str, ...]:
    """Patterns of what it is made on; listing a bucket names the bucket and the prefix that is asked for."""
    if use.resource is None or use.service in _BY_BARE_NAME:
        return ()
    pattern = _pattern(use.resource)
    if use.service == "ecs":
        head, _, name = pattern.partition(":service/")
        return (pattern, f"{head}:cluster/{name.partition('/')[0]}")
    if use.service == "s3":
        bucket = pattern.partition("/")[0]
        return (bucket, f"{bucket}/*") if use.operation.startswith("List") else (f"{bucket}/*",)
    return (pattern,)


def _pattern(template: str) -> str:
    return template.replace("{n}", "*").replace("{day}", "*")


def _limits(worker: Worker) -> Iterable[str]:
    if worker.bytes_out_an_hour:
        yield f"{{measure: bytes_out, at_most: {worker.bytes_out_an_hour // 1_000_000}MB, per: 1h}}"
    if worker.denied_an_hour:
        yield f"{{measure: denied, at_most: {worker.denied_an_hour}, per: 1h}}"
    if worker.roles or worker.okta_client:
        yield "{measure: token_lifetime, at_most: 1h}"
        yield f"{{measure: hops, at_most: {5 if worker.started_by else 4}}}"


def _approved(worker: Worker) -> dict[str, list[str]]:
    """What needs an approval, by service."""
    found: dict[str, list[str]] = {}
    for approval in worker.approvals:
        service, _, operation = approval.partition(":")
        found.setdefault(service, []).append(operation)
    return found


def _approvals(estate: Estate, worker: Worker) -> Iterable[str]:
    deciders = [f"mail:addr/{person.mail}" for person in estate.people if person.team == "security"][:8]
    for service, operations in _approved(worker).items():
        act = _flow(service=_service(service), operations=operations)
        yield f"{{for: {act}, from: {json.dumps(deciders)}, within: 24h}}"


def _service(service: str) -> str:
    return f"{service}.amazonaws.com"


def _flow(**values: object) -> str:
    """A mapping on one line; JSON's texts and lists are YAML's."""
    return "{" + ", ".join(f"{name}: {json.dumps(value)}" for name, value in values.items()) + "}"


def _quoted(value: str) -> str:
    return json.dumps(value)


def _listed(name: str, values: Iterable[str]) -> Iterable[str]:
    yield f"{name}:"
    yield from (f"  - {value}" for value in values)

"""What a worker does as a matter of course, in figures: the measure of every attack on it."""

from __future__ import annotations

from datetime import date

import numpy as np

from pipelines.worlds.actors import factors
from pipelines.worlds.apis import is_data, is_read_only
from pipelines.worlds.estate import Estate, Site, Use, Worker
from pipelines.worlds.kinds import kind
from pipelines.worlds.rhythm import Slot

_MB = 1_000_000


def load(worker: Worker, scale: float) -> float:
    """How many times the calls of its kind as written its runs have, in a world of this scale."""
    grows = worker.started_by is not None or any(slot.grows for slot in kind(worker.kind).slots)
    return float(factors(np.array([scale]), np.array([grows])).counts[0])


def hours(worker: Worker, day: date) -> list[Slot]:
    """When its runs begin on a day; where they never do on such a day, when they do on others."""
    slots = kind(worker.kind).slots
    kept = "weekends" if day.weekday() >= 5 else "workdays"
    return [slot for slot in slots if slot.days in ("all", kept)] or list(slots)


def has_aws(worker: Worker) -> bool:
    """Whether its runs hold AWS credentials."""
    return bool(worker.keys or (worker.roles and worker.issuer))


def has_session(worker: Worker) -> bool:
    """Whether its runs hold temporary credentials of a role of its own."""
    return bool(worker.roles and (worker.keys or worker.issuer))


def has_web_identity(worker: Worker) -> bool:
    """Whether its runs take on their role with a token of an OIDC issuer."""
    return bool(worker.roles and worker.issuer and not worker.keys)


def has_key(worker: Worker) -> bool:
    """Whether it has a long-lived key."""
    return bool(worker.keys)


def has_okta(worker: Worker) -> bool:
    """Whether it is a client of the token issuer."""
    return worker.okta_client is not None


def is_delegated(worker: Worker) -> bool:
    """Whether it acts for people."""
    return bool(worker.delegators and worker.okta_client)


def has_proxy_user(worker: Worker) -> bool:
    """Whether the proxy knows it by a name of its own."""
    return not worker.shares_proxy_user


def at_hand(worker: Worker) -> list[Use]:
    """What it does under its first session, without a further role."""
    return [use for use in worker.uses if not use.second]


def reads(worker: Worker) -> list[Use]:
    """What it reads from stores, most bytes first."""
    found = [use for use in named(worker) if is_read_only(use.service, use.operation) and use.bytes_in[1] > 0]
    return sorted(found, key=lambda use: -use.bytes_in[1])


def writes(worker: Worker) -> list[Use]:
    """What it sends to stores, most bytes first."""
    return sorted((use for use in named(worker) if use.bytes_out[1] > 0), key=lambda use: -use.bytes_out[1])


def named(worker: Worker) -> list[Use]:
    """What it does to something that has a name."""
    return [use for use in at_hand(worker) if use.resource]


def secrets(worker: Worker) -> list[str]:
    """The secrets that it reads as a matter of course."""
    return [use.resource for use in named(worker) if use.operation == "GetSecretValue" and use.resource]


def sites(worker: Worker, day: int, tunnels_only: bool = False) -> list[Site]:
    """The hosts that it talks to on a day."""
    return [site for site in worker.sites if site.from_day <= day and not (tunnels_only and site.path)]


def calls_a_run(worker: Worker) -> float:
    """How many API calls a run has, about."""
    return max(1.0, sum(_middle(use.count) for use in worker.uses))


def bytes_out_a_run(worker: Worker) -> float:
    """How many bytes a run sends to stores and hosts, about; of one that sends nothing a megabyte's worth."""
    parts: list[Use | Site] = [*worker.uses, *worker.sites]
    sent = sum(_middle(one.count) * _middle(one.bytes_out) for one in parts)
    return sent if sent > 0 else _MB


def bytes_in_a_run(worker: Worker) -> float:
    """How many bytes a run receives, about."""
    parts: list[Use | Site] = [*worker.uses, *worker.sites]
    return max(float(_MB), sum(_middle(one.count) * _middle(one.bytes_in) for one in parts))


def foreign_reads(estate: Estate, worker: Worker) -> list[Use]:
    """What other workers read in the same account and this one never touches, in the estate's order."""
    own = {container(use.resource) for use in worker.uses if use.resource}
    return [
        use
        for other in estate.workers
        if other.name != worker.name and other.account == worker.account
        for use in reads(other)
        if is_data(use.service, use.operation) and use.resource and container(use.resource) not in own
    ]


def foreign_secrets(estate: Estate, worker: Worker) -> list[str]:
    """The secrets of other workers, which this one may not read."""
    own = secrets(worker)
    return [one for other in estate.workers for one in secrets(other) if one not in own]


def container(resource: str) -> str:
    """What holds it: a bucket, a table, a queue."""
    if resource.startswith("arn:aws:s3:::"):
        return resource.partition("/")[0]
    return resource.partition("#")[0]


def _middle(bounds: tuple[int, int]) -> float:
    return (bounds[0] + bounds[1]) / 2


def backfill(worker: Worker, scale: float) -> float:
    """How many times its usual bytes a benign run may send at most: twice, and half of what is allowed in an hour."""
    if worker.bytes_out_an_hour is None:
        return 2.0
    return max(0.2, min(2.0, worker.bytes_out_an_hour / 2 / (bytes_out_a_run(worker) * load(worker, scale))))


def outlets(worker: Worker, day: int) -> list[Site]:
    """The hosts that it reaches through tunnels, most bytes sent first."""
    return sorted(sites(worker, day, tunnels_only=True), key=lambda site: -site.bytes_out[1])


def pages(worker: Worker, day: int) -> list[Site]:
    """The hosts that it reads pages of by plain http."""
    return [site for site in sites(worker, day) if site.path and site.method == "GET"]


def has_outlet(worker: Worker) -> bool:
    """Whether it begins runs by itself and reaches some host through a tunnel from the beginning."""
    return worker.started_by is None and bool(outlets(worker, 0))

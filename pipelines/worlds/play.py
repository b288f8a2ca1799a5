"""A run of a worker as an attack or a look-alike plays it: begun genuinely, then going its own way."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Literal

import numpy as np
import polars as pl

from pipelines.worlds import deeds, habits
from pipelines.worlds.draws import Draws, sizes
from pipelines.worlds.estate import Person, Role, Site, Use, Worker
from pipelines.worlds.happenings import Happenings
from pipelines.worlds.life import decrypted
from pipelines.worlds.scenario import Stage

Error = tuple[str, str]
Session = dict[str, object]

GENUINE = ""
"""The incident of rows that the worker itself would have left in such a run; the plot labels all others."""

PACE = timedelta(seconds=2)
"""Between two calls of a run, unless told otherwise."""


def dated(resource: str, at: datetime) -> str:
    """The resource of a use on a day; `{n}` stays for `deeds`."""
    return resource.replace("{day}", f"{at:%Y-%m-%d}")


class Play:
    """A run under way: `now` moves on with all that it does, `happened` gives what it left.

    `begun` runs begin as the worker's always do, and those rows count as the worker's own. `worker` is the stage's
    unless given; `delegator` one of its own people where it has any. Where the beginning is itself part of the attack
    it is not `honest`.

    The truth's worker is the one whose identity is used, as the design defines it: what a thief does with a worker's
    credential counts as that worker's, in an incident.
    """

    def __init__(
        self,
        stage: Stage,
        at: datetime | None = None,
        *,
        worker: Worker | None = None,
        delegator: Person | None = None,
        begun: bool = True,
        honest: bool = True,
    ) -> None:
        self.stage, self.stream = stage, stage.draws
        self.worker = worker or stage.worker
        self.now = at or stage.at
        self.day = stage.day + (self.now.date() - stage.at.date()).days
        self.delegator = delegator
        if delegator is None and self.worker.delegators:
            self.delegator = deeds.pick(self.worker.delegators, self.stream)
        self.address, self.agent = deeds.pick(stage.estate.egress, self.stream), self.worker.agent_on(self.day)
        self.client = deeds.pick(self.worker.addresses_on(self.day), self.stream)
        self.user, self.proxied = self.worker.proxy_user, True
        self.through: str | None = self.worker.name
        """Whose proxy account the tunnels of its calls go through; nobody's where it is a person's."""
        self.region = self.worker.region
        self.load = habits.load(self.worker, stage.scale)
        self.session: Session = {}
        self.run: str | None = None
        self._parts: list[Happenings] = []
        if begun:
            # From one machine of the worker's and by one way out, as all of a run.
            here, there = replace(self.worker, addresses=((0, (self.client,)),)), (self.address,)
            self.session, self.run, rows = deeds.open_run(
                replace(stage.estate, egress=there), here, self.now, self.day, self.stream, self.delegator
            )
            self._parts.append(genuine(rows) if honest else rows)
            self.wait(timedelta(seconds=4))

    @property
    def truth(self) -> dict[str, object]:
        return deeds.truth(self.worker.name, self.run, self.delegator)

    def happened(self) -> Happenings:
        """All that it left where the company can see it: not in the trails of accounts that are not its own."""
        rows = Happenings.all_of(self._parts)
        ours = pl.col("account").is_in(list(self.stage.estate.accounts))
        return Happenings(rows.calls.filter(ours), rows.requests, rows.issuings)

    def add(self, *parts: Happenings) -> Play:
        """Let it leave this too."""
        self._parts.extend(parts)
        return self

    def wait(self, least: timedelta, most: timedelta | None = None) -> Play:
        """Let some time pass."""
        share = self.stream.random() if most else 0.0
        self.now += least + ((most or least) - least) * share
        return self

    def move(self, address: str, agent: str | None = None) -> Play:
        """From here on it is done from elsewhere, past the company's proxy, perhaps with another client."""
        self.address, self.agent, self.proxied = address, agent or self.agent, False
        return self

    def sit_down(self, person: Person) -> Play:
        """From here on it is done from a person's machine within the company, under her proxy account."""
        self.client, self.user, self.through = person.address, person.mail.partition("@")[0], None
        return self

    def work(self, most: int = 99) -> Play:
        """Its ordinary work, or the beginning of it (`most` operations); it counts as the worker's own."""
        before = len(self._parts)
        for site in habits.sites(self.worker, self.day):
            self.site(site, self._drawn_count(site))
        for use in habits.at_hand(self.worker)[:most] if self.session else []:
            self.use(use, self._drawn_count(use))
        self._parts[before:] = [genuine(part) for part in self._parts[before:]]
        return self

    def usual(self, one: Use | Site, factor: float = 1.0) -> int:
        """How often a run does it at most, times `factor`."""
        return max(1, round(max(1, one.count[1]) * self.load * factor))

    def _drawn_count(self, one: Use | Site) -> int:
        return int(self.stream.uniform(*one.count) * self.load + self.stream.random())

    def use(
        self,
        use: Use,
        many: int,
        *,
        resource: str | None = None,
        factor: float = 1.0,
        within: timedelta | None = None,
        error: Error | None = None,
    ) -> Play:
        """A usual operation `many` times, with `factor` times the usual bytes, perhaps on something else."""
        if many < 1:
            return self
        return self.calls(
            use.service,
            use.operation,
            many,
            resource=resource or use.resource,
            bytes_out=_drawn(self.stream, use.bytes_out, factor, many),
            bytes_in=_drawn(self.stream, use.bytes_in, factor, many),
            within=within,
            error=error,
        )

    def calls(
        self,
        service: str,
        operation: str,
        many: int = 1,
        *,
        resource: str | Sequence[str] | None = None,
        bytes_out: int | Sequence[int] = 0,
        bytes_in: int | Sequence[int] = 600,
        within: timedelta | None = None,
        error: Error | None = None,
        request: object = None,
        response: object = None,
        account: str | None = None,
        region: str | None = None,
        at: pl.Series | None = None,
    ) -> Play:
        """API calls under the present session, over `within` from now; `request` and `response` become JSON."""
        if at is None:
            at = deeds.moments(self.now, many, within or PACE * many, self.stream)
        if isinstance(resource, str):
            resource = dated(resource, self.now)
        made = deeds.calls(
            self.session,
            at,
            service,
            operation,
            truth=self.truth,
            address=self.address,
            agent=self.agent,
            region=region or self.region,
            stream=self.stream,
            account=account,
            resource=resource,
            bytes_out=np.asarray(bytes_out, np.int64) if not isinstance(bytes_out, int) else bytes_out,
            bytes_in=np.asarray(bytes_in, np.int64) if not isinstance(bytes_in, int) else bytes_in,
            error=error,
            request=as_json(request),
            response=as_json(response),
        )
        if operation == "GetSecretValue":
            self.add(Happenings(decrypted(made, self.stream)))
        return self._leave(made, at)

    def site(self, site: Site, many: int, factor: float = 1.0, within: timedelta | None = None) -> Play:
        """A usual host `many` times, with `factor` times the usual bytes sent."""
        if many < 1:
            return self
        return self.visit(
            site.host,
            many,
            path=site.path,
            method=site.method if site.path else None,
            bytes_out=_drawn(self.stream, site.bytes_out, factor, many),
            bytes_in=_drawn(self.stream, site.bytes_in, 1.0, many),
            within=within,
        )

    def visit(
        self,
        host: str | Sequence[str],
        many: int = 1,
        *,
        path: str | None = None,
        method: str | None = None,
        bytes_out: int | Sequence[int] = 900,
        bytes_in: int | Sequence[int] = 6_000,
        within: timedelta | None = None,
        at: pl.Series | None = None,
        elapsed_ms: int | None = None,
        mime: str | None = None,
        status: int = 200,
        decision: Literal["forwarded", "cached", "denied", "aborted"] = "forwarded",
    ) -> Play:
        """Requests through the proxy: tunnels, or plain http with a path."""
        if at is None:
            at = deeds.moments(self.now, many, within or PACE * many, self.stream)
        made = deeds.requests(
            at,
            host,
            truth=self.truth,
            client=self.client,
            user=self.user,
            agent=self.agent,
            stream=self.stream,
            path=path,
            method=method,
            status=status,
            decision=decision,
            bytes_out=np.asarray(bytes_out, np.int64) if not isinstance(bytes_out, int) else bytes_out,
            bytes_in=np.asarray(bytes_in, np.int64) if not isinstance(bytes_in, int) else bytes_in,
            elapsed_ms=elapsed_ms,
            mime=mime,
        )
        return self._went_on(Happenings(requests=made), at)

    def take_on(self, role: Role, name: str | None = None) -> Play:
        """Another role, with the present session; from here on that is the session."""
        self.session, made = deeds.assume(
            self.session,
            role,
            self.now,
            truth=self.truth,
            address=self.address,
            agent=self.agent,
            region=self.region,
            session_name=name or deeds.session_name(self.worker, self.now, self.run or "0000"),
            client=self.client,
            user=self.user,
            stream=self.stream,
        )
        self.add(made if self.proxied else Happenings(made.calls))
        return self.wait(timedelta(seconds=1), timedelta(seconds=4))

    def issue(self, kind: str, **columns: object) -> Play:
        """One event of the token issuer; `columns` are those of ISSUINGS beside place, client and time."""
        given: dict[str, object] = {
            "address": self.address,
            "agent": self.agent,
            "client_id": self.worker.okta_client,
            "client_name": self.worker.okta_name,
        }
        rows = deeds.issuings([self.now], kind, truth=self.truth, stream=self.stream, **(given | columns))
        self.add(Happenings(issuings=rows))
        return self.wait(timedelta(seconds=1), timedelta(seconds=5))

    def _leave(self, made: pl.DataFrame, at: pl.Series) -> Play:
        left = Happenings(made)
        if self.proxied:
            tunnels = deeds.tunnels_of(made, user=self.user, client=self.client, stream=self.stream)
            whose = [pl.lit(self.through, pl.String).alias("worker")]
            if self.through is None:
                whose += [pl.lit(None, pl.String).alias(name) for name in ("run", "delegator")]
            left = Happenings(made, tunnels.with_columns(whose))
        return self._went_on(left, at)

    def _went_on(self, left: Happenings, at: pl.Series) -> Play:
        self.add(left)
        last = at.max()
        if isinstance(last, datetime):
            self.now = max(self.now, last)
        return self.wait(timedelta(milliseconds=200), timedelta(seconds=3))


def genuine(happenings: Happenings) -> Happenings:
    """The rows as the worker's own, though they are part of a play."""
    mark = pl.lit(GENUINE).alias("incident")
    return Happenings(
        happenings.calls.with_columns(mark),
        happenings.requests.with_columns(mark),
        happenings.issuings.with_columns(mark),
    )


def _drawn(stream: Draws, bounds: tuple[int, int], factor: float, many: int) -> list[int]:
    """Sizes within bounds, times `factor`; nothing stays nothing."""
    if bounds[1] <= 0:
        return [0] * many
    return [round(size * factor) for size in sizes(stream, bounds[0], bounds[1], many).tolist()]


def as_json(value: object) -> str | None:
    """JSON as `requestParameters` hold it; a text and nothing stay what they are."""
    return value if value is None or isinstance(value, str) else json.dumps(value, separators=(",", ":"))

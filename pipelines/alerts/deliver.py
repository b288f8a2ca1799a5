"""Delivery: what is due in the outbox is sent, and each attempt is written down soon after it.

At least once: attempts are written down in small groups, since each write takes the lake's lock; a crash
before a group is written repeats its attempts, under the same ids. For one
finding and destination a later revision is never sent before an earlier one is finished; where a later
one waits, the earlier ones are discarded and only the newest is sent. Exactly-once is not offered.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa

from pipelines import schema
from pipelines.alerts.breaker import Breaker
from pipelines.alerts.destination import Answer, DestinationSettings, Message, Sender, Unusable, all_destinations
from pipelines.alerts.retry import Jitter, next_attempt
from pipelines.alerts.states import OPEN, RESTING, STATES, Read, Write

ATTEMPTS_A_WRITE = 20
SECONDS_A_WRITE = 5.0
"""Attempts are written down after so many, or after so long, whichever comes first."""

PAYLOADS_AT_ONCE = 100
"""How many payloads (of up to 20 kB) are read at a time."""


@dataclass(frozen=True)
class DeliverySummary:
    """What one call did: alerts `sent`, attempts that `failed`, alerts that went `dead` or were `discarded` as
    superseded, and how many still are `waiting`; `problems` say why a destination was left alone."""

    sent: int = 0
    failed: int = 0
    dead: int = 0
    waiting: int = 0
    discarded: int = 0
    problems: tuple[str, ...] = ()


def utc_now() -> datetime:
    """Now, as naive UTC."""
    return datetime.now(UTC).replace(tzinfo=None)


def deliver(
    read: Read,
    write: Write,
    destinations: Sequence[DestinationSettings],
    *,
    now: Callable[[], datetime] = utc_now,
    until_done: float | None = None,
    lock: AbstractContextManager[Any] | None = None,
    sleep: Callable[[float], None] = time.sleep,
    jitter: Jitter = random.random,
) -> DeliverySummary:
    """Send what is due: once, or, with `until_done`, again and again for so many seconds or until nothing waits.

    `read(sql, parameters)` sees a fresh snapshot each time; `write(table, rows)` is one transaction.
    `lock` keeps a second delivery away; entering it may raise. `now` gives naive UTC.
    """
    with ExitStack() as stack:
        stack.enter_context(lock or nullcontext())
        deadline = None if until_done is None else now() + timedelta(seconds=until_done)
        delivery = _Delivery(read, write, now, jitter, deadline)
        delivery.open(stack, destinations)
        delivery.round()
        while deadline is not None:
            wake = delivery.next_due()
            if wake is None or max(wake, now()) >= deadline:
                break
            sleep(max((wake - now()).total_seconds(), 0.01))
            delivery.round()
        return delivery.summary()


def retry(read: Read, write: Write, uid: str, *, now: datetime) -> int:
    """Put alerts back that are not delivered: the one with this alert_uid, or all with this event_uid.

    Their schedule starts anew. Gives how many there were.
    """
    return _decide(
        read, write, uid, which="state <> 'delivered'", outcome="requeued", reason="put back by hand", now=now
    )


def discard(read: Read, write: Write, uid: str, reason: str, *, now: datetime) -> int:
    """Never send alerts that are still open or dead: the one with this alert_uid, or all with this event_uid.

    Gives how many there were.
    """
    open_or_dead = "state NOT IN ('delivered', 'discarded')"
    return _decide(read, write, uid, which=open_or_dead, outcome="discarded", reason=reason, now=now)


def _decide(read: Read, write: Write, uid: str, *, which: str, outcome: str, reason: str, now: datetime) -> int:
    sql = f"SELECT * FROM ({STATES}) WHERE (alert_uid = ? OR event_uid = ?) AND {which}"
    chosen = read(sql, [uid, uid]).to_pylist()
    due = now if outcome == "requeued" else None
    if chosen:
        write("deliveries", _rows([_row(alert, now, outcome, reason, due) for alert in chosen]))
    return len(chosen)


@dataclass
class _Line:
    """One destination during a delivery."""

    settings: DestinationSettings
    send: Sender
    breaker: Breaker = field(default_factory=Breaker)


@dataclass
class _Delivery:
    read: Read
    write: Write
    now: Callable[[], datetime]
    jitter: Jitter
    deadline: datetime | None
    lines: dict[str, _Line] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)
    problems: dict[str, str] = field(default_factory=dict)
    unwritten: list[dict[str, Any]] = field(default_factory=list)

    def open(self, stack: ExitStack, destinations: Sequence[DestinationSettings]) -> None:
        """Open every destination that can be used; the alerts of the others wait."""
        for settings in destinations:
            try:
                send = stack.enter_context(all_destinations()[settings.type].open(settings))
            except Unusable as error:
                self.problems[settings.name] = str(error)
            else:
                self.lines[settings.name] = _Line(settings, send)
        for row in self.read(RESTING, []).to_pylist():
            self._rest(row["destination"], row["error"])

    def round(self) -> None:
        """One pass over what is due now."""
        self._discard_superseded()
        try:
            for alert in self._due():
                started = self.now()
                if self.deadline is not None and started >= self.deadline:
                    break
                if self._is_usable(alert["destination"], started):
                    self._attempt(alert, self.lines[alert["destination"]], started)
        finally:
            self._write_down()

    def next_due(self) -> datetime | None:
        """When the next attempt could be made at all; null where nothing waits for a destination in use."""
        open_alerts = self.read(
            f"SELECT destination, min(next_attempt_at) AS due FROM ({OPEN}) GROUP BY destination", []
        ).to_pylist()
        return min(
            (
                max(alert["due"], self.lines[alert["destination"]].breaker.open_until or alert["due"])
                for alert in open_alerts
                if alert["destination"] in self.lines
            ),
            default=None,
        )

    def summary(self) -> DeliverySummary:
        waiting = self.read(
            f"SELECT destination, count(*) AS alerts FROM ({OPEN}) GROUP BY destination", []
        ).to_pylist()
        for row in waiting:
            name = row["destination"]
            if name not in self.lines and name not in self.problems:
                self.problems[name] = "is not configured any more; discard its alerts or configure it again"
            elif name in self.lines and self.lines[name].breaker.open_until is not None:
                self.problems[name] = "was left alone after failures; its alerts are sent in a later delivery"
        return DeliverySummary(
            sent=self.counts["delivered"],
            failed=self.counts["failed"],
            dead=self.counts["dead"],
            waiting=sum(row["alerts"] for row in waiting),
            discarded=self.counts["discarded"],
            problems=tuple(f"{name}: {problem}" for name, problem in sorted(self.problems.items())),
        )

    def _discard_superseded(self) -> None:
        sql = f"SELECT * FROM ({OPEN}) WHERE revision < newest"
        superseded = self.read(sql, []).to_pylist()
        if not superseded:
            return
        at = self.now()
        reasons = [f"superseded by revision {alert['newest']}" for alert in superseded]
        pairs = zip(superseded, reasons, strict=True)
        self.write("deliveries", _rows([_row(alert, at, "discarded", reason, None) for alert, reason in pairs]))
        self.counts["discarded"] += len(superseded)

    def _due(self) -> Iterator[dict[str, Any]]:
        """What is due, oldest first, each with its payload; payloads are read some at a time."""
        sql = (
            "SELECT alert_uid, event_uid, destination, last_attempt, failures"
            f" FROM ({OPEN}) WHERE revision >= newest AND next_attempt_at <= ?"
            " ORDER BY created_at, finding_uid, destination"
        )
        due = self.read(sql, [self.now()]).to_pylist()
        for start in range(0, len(due), PAYLOADS_AT_ONCE):
            at = self.now()
            batch = [each for each in due[start : start + PAYLOADS_AT_ONCE] if self._is_usable(each["destination"], at)]
            if not batch:
                continue
            payloads = self.read(
                "SELECT alert_uid, payload FROM alerts WHERE list_contains(?, alert_uid)",
                [[alert["alert_uid"] for alert in batch]],
            ).to_pylist()
            payload_of = {row["alert_uid"]: row["payload"] for row in payloads}
            yield from ({**alert, "payload": payload_of[alert["alert_uid"]]} for alert in batch)

    def _is_usable(self, destination: str, at: datetime) -> bool:
        return destination in self.lines and not self.lines[destination].breaker.is_open(at)

    def _attempt(self, alert: dict[str, Any], line: _Line, started: datetime) -> None:
        answer = line.send(Message(alert["event_uid"], alert["payload"].encode(), started))
        ended = self.now()
        outcome, error, due = answer.outcome, answer.error, None
        if answer.outcome == "failed":
            due = next_attempt(alert["failures"] + 1, ended, answer.retry_after, self.jitter)
            if due is None:
                outcome, error = "dead", f"gave up after {alert['failures'] + 1} attempts: {error}"
        self.unwritten.append(_row(alert, started, outcome, error, due))
        self.counts[outcome] += 1
        waited = (ended - self.unwritten[0]["attempted_at"]).total_seconds()
        if len(self.unwritten) >= ATTEMPTS_A_WRITE or waited >= SECONDS_A_WRITE:
            self._write_down()
        self._note(line, answer, ended)

    def _write_down(self) -> None:
        """Append the attempts that are not written yet, in one transaction."""
        rows, self.unwritten = self.unwritten, []
        if rows:
            self.write("deliveries", _rows(rows))

    def _note(self, line: _Line, answer: Answer, at: datetime) -> None:
        """Let the destination's breaker learn from an answer."""
        if answer.outcome == "delivered":
            line.breaker.succeeded()
        elif answer.disables:
            self._rest(line.settings.name, answer.error or "")
        else:
            line.breaker.failed(at, answer.retry_after)

    def _rest(self, destination: str, error: str) -> None:
        if self.lines.pop(destination, None) is not None:
            self.problems[destination] = f"rests, its receiver wants no more ({error}); `alerts retry UID` wakes it"


def _row(
    alert: dict[str, Any], at: datetime, outcome: str, error: str | None, next_attempt_at: datetime | None
) -> dict[str, Any]:
    return {
        "alert_uid": alert["alert_uid"],
        "destination": alert["destination"],
        "attempt": alert["last_attempt"] + 1,
        "attempted_at": at,
        "outcome": outcome,
        "error": error,
        "next_attempt_at": next_attempt_at,
    }


def _rows(rows: list[dict[str, Any]]) -> pa.Table:
    return pa.Table.from_pylist(rows, schema=schema.DELIVERIES.arrow)

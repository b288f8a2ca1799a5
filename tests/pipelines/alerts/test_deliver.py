"""Delivery: at least once, in order, under one id, and gently with receivers that are down."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pyarrow as pa
import pytest

from pipelines.alerts import deliver as delivery
from pipelines.alerts.deliver import DeliverySummary
from pipelines.alerts.ocsf import event_uid
from pipelines.alerts.receiver import Reply
from pipelines.alerts.retry import SCHEDULE
from pipelines.alerts.states import states

Make = Callable[..., dict[str, Any]]
Siem = Callable[..., Any]
Queue = Callable[..., list[str]]


def state(store: Any) -> list[str]:
    return [str(each) for each in states(store.read)["state"].to_pylist()]


def test_a_due_alert_is_sent_once(
    store: Any, finding: Make, siem: Siem, queue: Queue, deliver: Any, receive: Any, clock: Any
) -> None:
    with receive() as receiver:
        (uid,) = queue([finding()], [siem(receiver.url)])
        assert state(store) == ["waiting"]
        assert deliver([siem(receiver.url)]) == DeliverySummary(sent=1)
        assert deliver([siem(receiver.url)]) == DeliverySummary()
    assert state(store) == ["delivered"]
    assert store.deliveries() == [
        {
            "alert_uid": uid,
            "destination": "siem",
            "attempt": 1,
            "attempted_at": clock(),
            "outcome": "delivered",
            "error": None,
            "next_attempt_at": None,
        }
    ]
    payload = store.read("SELECT payload FROM alerts")["payload"][0].as_py()
    assert receiver.requests[0].body == payload.encode(), "the bytes of the outbox are the bytes sent"
    (message_id,) = receiver.messages
    assert message_id == json.loads(payload)["data"]["metadata"]["uid"] == event_uid(finding()["finding_uid"], 1)
    assert "." not in message_id


def test_every_retry_carries_the_same_id_and_follows_the_schedule(
    store: Any, finding: Make, siem: Siem, queue: Queue, deliver: Any, receive: Any, clock: Any
) -> None:
    with receive([Reply(500), Reply(503), Reply(reset=True)]) as receiver:
        queue([finding()], [siem(receiver.url)])
        for step in range(4):
            result = deliver([siem(receiver.url)])
            assert (result.sent, result.failed) == ((1, 0) if step == 3 else (0, 1))
            if step < 3:
                assert state(store) == ["failed"]
                row = states(store.read).to_pylist()[0]
                assert row["next_attempt_at"] == clock() + SCHEDULE[step + 1]
                assert row["attempts"] == step + 1
                clock.time += SCHEDULE[step + 1] - timedelta(seconds=1)
                assert deliver([siem(receiver.url)]) == DeliverySummary(waiting=1), "not due yet"
                clock.time += timedelta(seconds=1)
    assert len({request.id for request in receiver.requests}) == 1
    assert len({request.body for request in receiver.requests}) == 1
    assert receiver.verified == 4
    timestamps = [int(request.headers["webhook-timestamp"]) for request in receiver.requests]
    assert timestamps == sorted(set(timestamps)), "the time of the attempt"


def test_a_crash_between_sending_and_writing_repeats_the_id(
    store: Any, finding: Make, siem: Siem, queue: Queue, deliver: Any, receive: Any
) -> None:
    with receive() as receiver:
        queue([finding()], [siem(receiver.url)])
        store.writes_fail = 1
        with pytest.raises(RuntimeError, match="killed"):
            deliver([siem(receiver.url)])
        assert receiver.verified == 1
        assert state(store) == ["waiting"]
        assert deliver([siem(receiver.url)]).sent == 1
    assert [request.id for request in receiver.requests] == [receiver.requests[0].id] * 2
    assert len(receiver.messages) == 1, "a receiver that drops repeats sees one"


def test_after_the_last_attempt_it_is_dead_and_says_why(
    store: Any, finding: Make, siem: Siem, queue: Queue, deliver: Any, receive: Any, clock: Any
) -> None:
    with receive([Reply(500)] * 10) as receiver:
        (uid,) = queue([finding()], [siem(receiver.url)])
        started = clock()
        total = DeliverySummary()
        for step in [*SCHEDULE[1:], timedelta(0)]:
            total = deliver([siem(receiver.url)])
            clock.time += step
        assert total.dead == 1
        assert clock() - started == sum(SCHEDULE, timedelta(0))
        assert state(store) == ["dead"]
        assert "gave up after 10 attempts: 500" in str(store.deliveries()[-1]["error"])
        clock.time += timedelta(days=9)
        assert deliver([siem(receiver.url)]) == DeliverySummary()
        assert delivery.retry(store.read, store.write, uid, now=clock()) == 1
        assert state(store) == ["waiting"]
        assert deliver([siem(receiver.url)]).sent == 1
    assert len({request.id for request in receiver.requests}) == 1
    assert states(store.read)["attempts"].to_pylist() == [11]


def test_a_schedule_starts_anew_when_an_alert_is_put_back(
    store: Any, finding: Make, siem: Siem, queue: Queue, deliver: Any, receive: Any, clock: Any
) -> None:
    with receive([Reply(500), Reply(500), Reply(400), Reply(500)]) as receiver:
        (uid,) = queue([finding()], [siem(receiver.url)])
        for step in (1, 2):
            assert deliver([siem(receiver.url)]).failed == 1
            clock.time += SCHEDULE[step]
        assert deliver([siem(receiver.url)]).dead == 1
        delivery.retry(store.read, store.write, uid, now=clock())
        assert deliver([siem(receiver.url)]).failed == 1
    assert states(store.read)["next_attempt_at"].to_pylist() == [clock() + SCHEDULE[1]]


def test_retry_after_wins(
    store: Any, finding: Make, siem: Siem, queue: Queue, deliver: Any, receive: Any, clock: Any
) -> None:
    with receive([Reply(429, {"Retry-After": "600"})]) as receiver:
        queue([finding(finding_uid="a"), finding(finding_uid="b")], [siem(receiver.url)])
        result = deliver([siem(receiver.url)])
        assert (result.failed, result.waiting) == (1, 2)
        assert len(receiver.requests) == 1, "a receiver that asks for a pause gets one, for all alerts"
        due = {row["finding_uid"]: row["next_attempt_at"] for row in states(store.read).to_pylist()}
        assert due["a"] == clock() + timedelta(seconds=600)
        assert deliver([siem(receiver.url)], until_done=3600).sent == 2


class TestOrder:
    def test_only_the_newest_of_waiting_revisions_is_sent(
        self, store: Any, finding: Make, siem: Siem, queue: Queue, deliver: Any, receive: Any
    ) -> None:
        with receive() as receiver:
            for revision in (1, 2, 3):
                queue([finding(revision=revision)], [siem(receiver.url)], "updated")
            assert deliver([siem(receiver.url)]) == DeliverySummary(sent=1, discarded=2)
            assert deliver([siem(receiver.url)]) == DeliverySummary()
        assert [body["data"]["metadata"]["sequence"] for body in receiver.messages.values()] == [3]
        rows = states(store.read).to_pylist()
        assert [(row["revision"], row["state"], row["last_error"]) for row in rows] == [
            (1, "discarded", "superseded by revision 3"),
            (2, "discarded", "superseded by revision 3"),
            (3, "delivered", None),
        ]

    def test_a_failed_revision_gives_way_to_a_later_one(
        self, store: Any, finding: Make, siem: Siem, queue: Queue, deliver: Any, receive: Any
    ) -> None:
        with receive([Reply(500)]) as receiver:
            queue([finding(revision=1)], [siem(receiver.url)])
            assert deliver([siem(receiver.url)]).failed == 1
            queue([finding(revision=2)], [siem(receiver.url)], "updated")
            assert deliver([siem(receiver.url)]) == DeliverySummary(sent=1, discarded=1)
        assert state(store) == ["discarded", "delivered"]

    def test_an_earlier_revision_is_never_sent_after_a_later_one(
        self, store: Any, finding: Make, siem: Siem, queue: Queue, deliver: Any, receive: Any, clock: Any
    ) -> None:
        with receive([Reply(400)]) as receiver:
            (first,) = queue([finding(revision=1)], [siem(receiver.url)])
            assert deliver([siem(receiver.url)]).dead == 1
            queue([finding(revision=2)], [siem(receiver.url)], "updated")
            assert deliver([siem(receiver.url)]).sent == 1
            delivery.retry(store.read, store.write, first, now=clock())
            assert deliver([siem(receiver.url)]) == DeliverySummary(discarded=1)
        assert len(receiver.requests) == 2

    def test_revisions_arrive_in_order_over_passes(
        self, finding: Make, siem: Siem, queue: Queue, deliver: Any, receive: Any
    ) -> None:
        with receive() as receiver:
            for revision, change in ((1, "created"), (2, "updated"), (3, "closed")):
                status = "resolved" if change == "closed" else "open"
                queue([finding(revision=revision, status=status)], [siem(receiver.url)], change)
                deliver([siem(receiver.url)])
        assert [body["type"] for body in receiver.messages.values()] == [
            "finding.created",
            "finding.updated",
            "finding.closed",
        ]

    def test_destinations_do_not_wait_for_each_other(
        self, finding: Make, siem: Siem, queue: Queue, deliver: Any, receive: Any
    ) -> None:
        with receive([Reply(500)]) as down, receive() as up:
            both = [siem(down.url, name="down"), siem(up.url, name="up")]
            queue([finding()], both)
            result = deliver(both)
            assert (result.sent, result.failed) == (1, 1)
        assert down.requests[0].id == up.requests[0].id


class TestByHand:
    def test_discard_and_retry_are_rows_with_a_reason(
        self, store: Any, finding: Make, siem: Siem, queue: Queue, deliver: Any, receive: Any, clock: Any
    ) -> None:
        with receive() as receiver:
            (uid,) = queue([finding()], [siem(receiver.url)])
            assert delivery.discard(store.read, store.write, uid, "known test", now=clock()) == 1
            assert delivery.discard(store.read, store.write, uid, "again", now=clock()) == 0
            assert deliver([siem(receiver.url)]) == DeliverySummary()
            assert states(store.read)["last_error"].to_pylist() == ["known test"]
            assert delivery.retry(store.read, store.write, uid, now=clock()) == 1
            assert deliver([siem(receiver.url)]).sent == 1
            assert delivery.retry(store.read, store.write, uid, now=clock()) == 0
        assert [row["outcome"] for row in store.deliveries()] == ["discarded", "requeued", "delivered"]
        assert [row["attempt"] for row in store.deliveries()] == [1, 2, 3]

    def test_the_id_that_receivers_saw_names_the_alert_at_every_destination(
        self, store: Any, finding: Make, siem: Siem, queue: Queue, clock: Any
    ) -> None:
        queue([finding()], [siem("https://a.example/", name="a"), siem("https://b.example/", name="b")])
        seen = event_uid(finding()["finding_uid"], 1)
        assert states(store.read)["event_uid"].to_pylist() == [seen, seen]
        assert delivery.discard(store.read, store.write, seen, "both", now=clock()) == 2

    def test_an_unknown_uid_changes_nothing(self, store: Any, clock: Any) -> None:
        hostile = "' OR 1=1; DROP TABLE alerts; --"
        assert delivery.retry(store.read, store.write, hostile, now=clock()) == 0
        assert delivery.discard(store.read, store.write, hostile, "x", now=clock()) == 0
        assert states(store.read).num_rows == 0


def test_ten_thousand_alerts_are_read_in_bounded_time(
    store: Any, finding: Make, siem: Siem, queue: Queue, deliver: Any, receive: Any
) -> None:
    with receive([Reply(500)] * 5) as receiver:
        queue([finding()], [siem(receiver.url)])
        store.connection.execute(
            """
            INSERT INTO alerts
            SELECT alert_uid || n, finding_uid || n, revision, destination, repeat('x', 20000), created_at
            FROM alerts, range(10000) AS numbers(n)
            """
        )
        store.connection.execute(
            """
            INSERT INTO deliveries
            SELECT alert_uid, destination, attempt, created_at + INTERVAL 1 SECOND * attempt, 'failed', '500',
                created_at - INTERVAL 1 SECOND
            FROM alerts, range(1, 6) AS numbers(attempt)
            """
        )
        started = time.perf_counter()
        table: pa.Table = states(store.read)
        result = deliver([siem(receiver.url)])
        seconds = time.perf_counter() - started
    assert table.num_rows == 10_001
    assert (result.failed, result.waiting) == (5, 10_001)
    assert seconds < 10

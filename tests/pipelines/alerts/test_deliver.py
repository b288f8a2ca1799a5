"""Delivery: at least once, in order, under one id, and gently with receivers that are down."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

import pyarrow as pa
import pytest

from pipelines.alerts import deliver as delivery
from pipelines.alerts.deliver import DeliverySummary
from pipelines.alerts.ocsf import event_uid
from pipelines.alerts.receiver import Receiver, Reply
from pipelines.alerts.retry import SCHEDULE
from pipelines.alerts.states import states

Make = Callable[..., dict[str, Any]]
Siem = Callable[..., Any]
Queue = Callable[..., list[str]]


@pytest.fixture
def deliver(store: Any, clock: Any) -> Callable[..., DeliverySummary]:
    def run(destinations: Sequence[Any], until_done: float | None = None, **more: Any) -> DeliverySummary:
        return delivery.deliver(
            store.read,
            store.write,
            destinations,
            now=clock,
            sleep=clock.sleep,
            jitter=lambda: 1.0,
            until_done=until_done,
            **more,
        )

    return run


@pytest.fixture
def receive(secret: str, clock: Any) -> Callable[..., Receiver]:
    """A receiver whose clock is the test's."""
    return lambda script=(): Receiver([secret], script, clock=clock.seconds)


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


class TestBreaker:
    def test_five_failures_in_a_row_end_the_pass_for_that_destination_alone(
        self, finding: Make, siem: Siem, queue: Queue, deliver: Any, receive: Any
    ) -> None:
        with receive([Reply(500)] * 99) as down, receive() as up:
            both = [siem(down.url, name="down"), siem(up.url, name="up")]
            queue([finding(finding_uid=f"f{n}") for n in range(12)], both)
            result = deliver(both)
            assert (result.sent, result.failed, result.waiting) == (12, 5, 12)
            assert result.problems == ("down: was left alone after failures; its alerts are sent in a later delivery",)
            assert len(down.requests) == 5

    def test_a_wrong_secret_does_not_bury_the_whole_outbox(
        self, finding: Make, siem: Siem, queue: Queue, deliver: Any, receive: Any
    ) -> None:
        with receive([Reply(401)] * 99) as receiver:
            queue([finding(finding_uid=f"f{n}") for n in range(12)], [siem(receiver.url)])
            result = deliver([siem(receiver.url)])
            assert (result.dead, result.waiting) == (5, 7)

    def test_until_done_probes_with_growing_pauses_and_then_sends_all(
        self, finding: Make, siem: Siem, queue: Queue, deliver: Any, receive: Any, clock: Any
    ) -> None:
        with receive([Reply(500)] * 7) as receiver:
            queue([finding(finding_uid=f"f{n:02}") for n in range(20)], [siem(receiver.url)])
            result = deliver([siem(receiver.url)], until_done=3600)
            assert (result.sent, result.failed, result.waiting) == (20, 7, 0)
        assert clock.slept[:3] == pytest.approx([30, 60, 120], abs=1)
        assert len(receiver.messages) == 20

    def test_until_done_ends_with_its_time(
        self, finding: Make, siem: Siem, queue: Queue, deliver: Any, receive: Any, clock: Any
    ) -> None:
        with receive([Reply(500)] * 99) as receiver:
            queue([finding()], [siem(receiver.url)])
            started = clock()
            result = deliver([siem(receiver.url)], until_done=60)
            assert (result.failed, result.waiting) == (2, 1)
            assert clock() - started <= timedelta(seconds=60)

    def test_until_done_ends_with_its_time_though_much_is_due(
        self, finding: Make, siem: Siem, queue: Queue, store: Any, receive: Any, clock: Any
    ) -> None:
        def slowly() -> datetime:
            clock.time += timedelta(seconds=2)
            return clock()

        with receive() as receiver:
            queue([finding(finding_uid=f"f{n}") for n in range(30)], [siem(receiver.url)])
            result = delivery.deliver(
                store.read, store.write, [siem(receiver.url)], now=slowly, sleep=clock.sleep, until_done=20
            )
        assert 0 < result.sent < 10
        assert result.sent + result.waiting == 30

    def test_a_receiver_that_is_gone_rests_until_somebody_retries(
        self, store: Any, finding: Make, siem: Siem, queue: Queue, deliver: Any, receive: Any, clock: Any
    ) -> None:
        with receive([Reply(410)]) as receiver:
            queue([finding(finding_uid=f"f{n}") for n in range(3)], [siem(receiver.url)])
            result = deliver([siem(receiver.url)])
            assert (result.dead, result.waiting) == (1, 2)
            assert "rests" in result.problems[0]
            clock.time += timedelta(days=1)
            result = deliver([siem(receiver.url)], until_done=60)
            assert (result.sent, result.waiting, len(receiver.requests)) == (0, 2, 1)
            dead = store.deliveries()[0]["alert_uid"]
            delivery.retry(store.read, store.write, dead, now=clock())
            assert deliver([siem(receiver.url)]) == DeliverySummary(sent=3)


class TestTrouble:
    def test_a_destination_without_its_secret_leaves_the_others_alone(
        self, finding: Make, siem: Siem, queue: Queue, deliver: Any, receive: Any
    ) -> None:
        with receive() as receiver:
            both = [siem(receiver.url, name="lost", secret="env:NOT_SET_ANYWHERE"), siem(receiver.url)]
            queue([finding()], both)
            result = deliver(both)
            assert (result.sent, result.failed, result.waiting) == (1, 0, 1)
            assert result.problems[0].startswith(
                "lost: there is no secret in the environment variable NOT_SET_ANYWHERE"
            )

    def test_alerts_of_a_destination_that_is_gone_from_the_configuration_wait_and_are_told(
        self, finding: Make, siem: Siem, queue: Queue, deliver: Any
    ) -> None:
        queue([finding()], [siem("https://siem.example/", name="old")])
        result = deliver([], until_done=60)
        assert result.waiting == 1
        assert result.problems[0].startswith("old: is not configured any more")

    def test_the_lock_is_held_while_sending_and_let_go(
        self, finding: Make, siem: Siem, queue: Queue, deliver: Any, receive: Any
    ) -> None:
        seen: list[str] = []

        @contextmanager
        def lock() -> Iterator[None]:
            seen.append("taken")
            yield
            seen.append(f"free after {receiver.verified}")

        with receive() as receiver:
            queue([finding()], [siem(receiver.url)])
            deliver([siem(receiver.url)], lock=lock())
        assert seen == ["taken", "free after 1"]

    def test_a_lock_that_is_taken_stops_everything(
        self, store: Any, finding: Make, siem: Siem, queue: Queue, deliver: Any
    ) -> None:
        @contextmanager
        def taken() -> Iterator[None]:
            raise TimeoutError
            yield

        queue([finding()], [siem("https://siem.example/")])
        with pytest.raises(TimeoutError):
            deliver([siem("https://siem.example/")], lock=taken())
        assert store.deliveries() == []


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

"""Delivery where receivers are down, slow or wrong, and where the lake is busy."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

import pytest

from pipelines.alerts import deliver as delivery
from pipelines.alerts.deliver import DeliverySummary
from pipelines.alerts.receiver import Reply

Make = Callable[..., dict[str, Any]]
Siem = Callable[..., Any]
Queue = Callable[..., list[str]]


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

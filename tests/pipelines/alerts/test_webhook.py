"""The webhook: its settings, its signature, and what each kind of answer means."""

from __future__ import annotations

import socket
import time
from datetime import datetime, timedelta

import pytest

from pipelines.alerts.destination import Answer
from pipelines.alerts.destinations.webhook import open_webhook, sign
from pipelines.alerts.receiver import Receiver, Reply, problem
from tests.pipelines.alerts.webhooks import BODY, OTHER, Siem, _server, message, send, signature


class TestSignature:
    def test_the_published_vector(self) -> None:
        headers = sign(
            ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"],
            "msg_p5jXN8AQM9LWM0D4loKWxJek",
            datetime(2021, 2, 25, 15, 2, 10),
            b'{"test": 2432232314}',
        )
        assert headers == {
            "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
            "webhook-timestamp": "1614265330",
            "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
        }
        assert problem(["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"], headers, b'{"test": 2432232314}', 1614265330) is None

    def test_what_arrives_is_signed_by_the_specification(self, secret: str, siem: Siem) -> None:
        with Receiver([secret]) as receiver:
            assert send(siem(receiver.url)) == Answer("delivered")
        (request,) = receiver.requests
        assert request.body == BODY
        assert request.headers["content-type"] == "application/json"
        signed = f"0c5f1d2e-id.{request.headers['webhook-timestamp']}.".encode() + request.body
        assert request.headers["webhook-signature"] == signature(secret, signed)
        assert abs(int(request.headers["webhook-timestamp"]) - time.time()) < 60
        assert receiver.verified == 1

    def test_two_secrets_sign_while_they_are_changed(
        self, secret: str, siem: Siem, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("TEST_WEBHOOK_SECRET", f"{OTHER}\n{secret}\n")
        for known in (secret, OTHER):
            with Receiver([known]) as receiver:
                assert send(siem(receiver.url)).outcome == "delivered"
        assert len(receiver.requests[0].headers["webhook-signature"].split(" ")) == 2

    def test_the_time_zone_of_the_machine_does_not_matter(self, monkeypatch: pytest.MonkeyPatch, secret: str) -> None:
        monkeypatch.setenv("TZ", "Asia/Kolkata")
        time.tzset()
        try:
            assert sign([secret], "a", datetime(2021, 2, 25, 15, 2, 10), b"{}")["webhook-timestamp"] == "1614265330"
        finally:
            monkeypatch.undo()
            time.tzset()


class TestReceiver:
    @pytest.mark.parametrize(
        ("change", "why"),
        [
            ({"webhook-signature": "v1,AAAA"}, "no signature fits"),
            ({"webhook-signature": "v2,whatever v1 , v1"}, "no signature fits"),
            ({"webhook-signature": "\xff\x00"}, "no signature fits"),
            ({"webhook-id": "another"}, "no signature fits"),
            ({"webhook-id": ""}, "a webhook header is missing"),
            ({"webhook-timestamp": "1e9"}, "webhook-timestamp is no number of seconds"),
            ({"webhook-timestamp": "1614265629"}, "no signature fits"),
            ({"webhook-timestamp": "1614265631"}, "webhook-timestamp is too far from now"),
            ({"webhook-timestamp": "1614265029"}, "webhook-timestamp is too far from now"),
        ],
    )
    def test_what_does_not_fit_is_refused(self, secret: str, change: dict[str, str], why: str) -> None:
        headers = sign([secret], "id", datetime(2021, 2, 25, 15, 2, 10), BODY)
        assert problem([secret], headers, BODY, 1614265330) is None
        assert problem([secret], headers, BODY + b" ", 1614265330) == "no signature fits"
        assert problem([OTHER], headers, BODY, 1614265330) == "no signature fits"
        assert problem([secret], {**headers, **change}, BODY, 1614265330) == why

    def test_a_refused_request_is_counted_and_told(self, siem: Siem) -> None:
        with Receiver([OTHER]) as receiver:
            answer = send(siem(receiver.url))
        assert (receiver.verified, receiver.refused, receiver.messages) == (0, 1, {})
        assert answer == Answer("dead", "401 Unauthorized: no signature fits")


class TestAnswers:
    @pytest.mark.parametrize("status", [200, 201, 202, 204])
    def test_2xx_is_success(self, secret: str, siem: Siem, status: int) -> None:
        with Receiver([secret], [Reply(status)]) as receiver:
            assert send(siem(receiver.url)) == Answer("delivered")

    @pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 413, 422])
    def test_other_4xx_are_dead(self, secret: str, siem: Siem, status: int) -> None:
        with Receiver([secret], [Reply(status, body=b"no\x1b[31m such\r\nthing")]) as receiver:
            answer = send(siem(receiver.url))
        assert answer.outcome == "dead"
        assert answer.error is not None
        assert answer.error.startswith(str(status))
        assert answer.error.endswith(": no [31m such thing")
        assert not answer.disables

    @pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504, 599])
    def test_what_may_pass_is_tried_again(self, secret: str, siem: Siem, status: int) -> None:
        with Receiver([secret], [Reply(status, {"Retry-After": "77"})]) as receiver:
            answer = send(siem(receiver.url))
        assert (answer.outcome, answer.retry_after) == ("failed", timedelta(seconds=77))

    def test_410_disables(self, secret: str, siem: Siem) -> None:
        with Receiver([secret], [Reply(410, body=b"moved out")]) as receiver:
            assert send(siem(receiver.url)) == Answer("dead", "410 Gone: moved out", disables=True)

    @pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
    def test_a_redirect_is_not_followed(self, secret: str, siem: Siem, status: int) -> None:
        with (
            Receiver([secret]) as elsewhere,
            Receiver([secret], [Reply(status, {"Location": elsewhere.url})]) as receiver,
        ):
            answer = send(siem(receiver.url))
        assert answer.outcome == "failed"
        assert "redirects are not followed" in str(answer.error)
        assert elsewhere.requests == []

    def test_a_slow_receiver_is_a_failure(self, secret: str, siem: Siem) -> None:
        with Receiver([secret], [Reply(delay=1)]) as receiver:
            assert send(siem(receiver.url, timeout=0.2)) == Answer("failed", "no answer within 0.2 s")

    def test_an_answer_a_byte_at_a_time_does_not_outlast_the_timeout(self, siem: Siem) -> None:
        def drip(connection: socket.socket) -> None:
            try:
                for _ in range(100):
                    connection.sendall(b"H")
                    time.sleep(0.05)
            except OSError:
                pass

        with _server(drip) as url:
            started = time.perf_counter()
            answer = send(siem(url, timeout=0.3))
        assert answer.outcome == "failed"
        assert time.perf_counter() - started < 2

    def test_a_reset_is_a_failure_and_the_next_attempt_connects_anew(self, secret: str, siem: Siem) -> None:
        with Receiver([secret], [Reply(), Reply(reset=True)]) as receiver, open_webhook(siem(receiver.url)) as sender:
            assert [sender(message()).outcome for _ in range(3)] == ["delivered", "failed", "delivered"]
        assert receiver.verified == 3

    def test_nobody_there_is_a_failure(self, siem: Siem) -> None:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            url = f"http://127.0.0.1:{taken.getsockname()[1]}/"
            answer = send(siem(url))
        assert answer.outcome == "failed"
        assert "refused" in str(answer.error)

    def test_noise_instead_of_http_is_a_failure(self, siem: Siem) -> None:
        with _server(lambda connection: connection.sendall(b"\x00\xff SSH-2.0 \r\n\r\n")) as url:
            assert send(siem(url)).outcome == "failed"

    def test_an_endless_answer_is_not_read_to_its_end(self, siem: Siem) -> None:
        def flood(connection: socket.socket) -> None:
            connection.sendall(b"HTTP/1.1 500 Oops\r\ncontent-length: 999999999999\r\n\r\n")
            try:
                while True:
                    connection.sendall(b"x" * 65_536)
            except OSError:
                pass

        with _server(flood) as url:
            answer = send(siem(url))
        assert answer.outcome == "failed"
        assert len(str(answer.error)) < 300

    def test_an_answer_that_echoes_the_secret_is_not_stored(self, secret: str, siem: Siem) -> None:
        echo = f"secret={secret} raw {secret[6:]} Authorization: Bearer abc.def".encode()
        for status in (400, 500):
            with Receiver([secret], [Reply(status, body=echo)]) as receiver:
                error = str(send(siem(receiver.url)).error)
            assert secret[6:] not in error
            assert "abc.def" not in error

"""The webhook: its settings, its signature, and what each kind of answer means."""

from __future__ import annotations

import base64
import hashlib
import hmac
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from pipelines.alerts.destination import Answer, Message, Unusable, all_destinations
from pipelines.alerts.destinations.webhook import DESTINATION, WebhookSettings, open_webhook, sign
from pipelines.alerts.receiver import Receiver, Reply, problem
from tests.machine import program

Siem = Callable[..., WebhookSettings]
BODY = b'{"type":"finding.created","text":"caf\\u00e9"}'
OTHER = "whsec_" + base64.b64encode(b"another key of thirty-two bytes!").decode()


def message(at: datetime | None = None) -> Message:
    return Message("0c5f1d2e-id", BODY, at or datetime.now(UTC).replace(tzinfo=None))


def send(settings: WebhookSettings, what: Message | None = None) -> Answer:
    with open_webhook(settings) as sender:
        return sender(what or message())


def signature(secret: str, signed: bytes) -> str:
    """An independent implementation, from the text of the specification."""
    key = base64.b64decode(secret[len("whsec_") :])
    return "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()


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


class TestAddresses:
    def test_a_name_that_resolves_to_the_metadata_service_is_refused(
        self, siem: Siem, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        _resolve_to(monkeypatch, "192.0.2.1", "169.254.169.254")
        answer = send(siem("https://siem.example/hook"))
        assert answer == Answer("failed", "refused: 169.254.169.254 is a cloud's metadata service")

    def test_a_name_that_resolves_to_this_machine_is_refused(
        self, secret: str, siem: Siem, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with Receiver([secret]) as receiver:
            _resolve_to(monkeypatch, "127.0.0.1")
            answer = send(siem(receiver.url.replace("http://127.0.0.1", "https://siem.example")))
        assert "loopback" in str(answer.error)
        assert receiver.requests == []

    def test_localhost_that_resolves_elsewhere_is_refused(self, siem: Siem, monkeypatch: pytest.MonkeyPatch) -> None:
        _resolve_to(monkeypatch, "192.0.2.1")
        assert "no loopback address" in str(send(siem("http://localhost:1/")).error)

    def test_the_address_that_was_checked_is_the_one_connected_to(
        self, secret: str, siem: Siem, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A name that answers well the first time and badly the second is asked once."""
        asked: list[str] = []
        with Receiver([secret]) as receiver:
            real = socket.getaddrinfo

            def rebinding(host: Any, *rest: Any, **more: Any) -> Any:
                if host == "localhost":
                    asked.append(host)
                    host = "127.0.0.1" if len(asked) == 1 else "169.254.169.254"
                return real(host, *rest, **more)

            monkeypatch.setattr(socket, "getaddrinfo", rebinding)
            assert send(siem(receiver.url.replace("127.0.0.1", "localhost"))).outcome == "delivered"
        assert asked == ["localhost"]

    def test_proxies_of_the_environment_are_not_used(
        self, secret: str, siem: Siem, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, "http://127.0.0.1:9")
        with Receiver([secret]) as receiver:
            assert send(siem(receiver.url)).outcome == "delivered"


class TestTls:
    def test_a_receiver_is_verified_against_the_ca_file(self, siem: Siem, tmp_path: Path) -> None:
        certificate, key = _self_signed(tmp_path)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)

        def answer(connection: socket.socket) -> None:
            with context.wrap_socket(connection, server_side=True) as secured:
                received = b""
                while not received.endswith(BODY) and (more := secured.recv(65_536)):
                    received += more
                secured.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")

        with _server(answer) as url:
            secured_url = url.replace("http://127.0.0.1", "https://localhost")
            untrusted = send(siem(secured_url))
            assert untrusted.outcome == "failed"
            assert "CERTIFICATE_VERIFY_FAILED" in str(untrusted.error)
            assert send(siem(secured_url, ca_file=str(certificate))) == Answer("delivered")
            assert send(siem(url.replace("http:", "https:"), ca_file=str(certificate))).outcome == "failed", (
                "wrong name"
            )

    def test_a_ca_file_that_cannot_be_read_is_told(self, siem: Siem, tmp_path: Path) -> None:
        with pytest.raises(Unusable, match="no-such-file"):
            send(siem("https://siem.example/", ca_file=str(tmp_path / "no-such-file")))


class TestSettings:
    @pytest.mark.parametrize(
        "url",
        [
            "http://siem.example/hook",
            "http://10.0.0.1/hook",
            "http://localhost.siem.example/",
            "ftp://siem.example/",
            "file:///etc/passwd",
            "siem.example/hook",
            "https://",
            "https://user:pass@siem.example/",
            "https://siem.example/#fragment",
            "https://169.254.169.254/latest/",
            "https://[fe80::1]/",
            "https://[::ffff:169.254.169.254]/",
            "https://0.0.0.0/",
            "http://[::1",
            "https://siem.example:99999999/",
        ],
    )
    def test_urls_that_are_refused(self, siem: Siem, url: str) -> None:
        with pytest.raises(ValidationError, match="url"):
            siem(url)

    @pytest.mark.parametrize(
        "url",
        [
            "https://siem.example:8443/hook?channel=1",
            "http://127.0.0.1:8080/",
            "http://127.8.8.8/",
            "http://[::1]:80/",
            "http://localhost/",
            "https://10.0.0.5/hook",
        ],
    )
    def test_urls_that_are_taken(self, siem: Siem, url: str) -> None:
        assert siem(url).url == url

    def test_an_inline_secret_is_refused_and_not_repeated(self, siem: Siem, secret: str) -> None:
        for inline in (secret, "hunter2", "env:", "https:x"):
            with pytest.raises(ValidationError) as caught:
                siem("https://siem.example/", secret=inline)
            (found,) = caught.value.errors(include_input=False)
            assert "env:NAME or file:PATH" in found["msg"]
            assert inline not in found["msg"].replace("env:NAME", "")

    def test_unknown_keys_are_refused(self, siem: Siem) -> None:
        with pytest.raises(ValidationError, match="secrets"):
            siem("https://siem.example/", secrets="env:X")
        with pytest.raises(ValidationError, match="min_severity"):
            siem("https://siem.example/", min_severity="severe")

    def test_the_least_severity_is_medium_unless_set(self, siem: Siem) -> None:
        assert siem("https://siem.example/").min_severity == "medium"

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "   ",
            "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            "whsec_c2hvcnQ=",
            "whsec_!!!!",
            "whsec_" + base64.b64encode(bytes(65)).decode(),
            f"{OTHER} {OTHER} {OTHER}",
        ],
    )
    def test_secrets_of_the_wrong_shape_are_told_without_being_shown(
        self, siem: Siem, monkeypatch: pytest.MonkeyPatch, text: str
    ) -> None:
        monkeypatch.setenv("TEST_WEBHOOK_SECRET", text)
        with pytest.raises(Unusable) as caught:
            send(siem("https://siem.example/"))
        assert "TEST_WEBHOOK_SECRET" in str(caught.value)
        assert not text.strip() or text.split(maxsplit=1)[0].removeprefix("whsec_") not in str(caught.value)

    def test_a_secret_in_a_file_relative_to_the_configuration(self, secret: str, tmp_path: Path) -> None:
        (tmp_path / "siem.secret").write_text(secret + "\n")
        with Receiver([secret]) as receiver:
            values = {"name": "siem", "type": "webhook", "url": receiver.url, "secret": "file:siem.secret"}
            settings = WebhookSettings.model_validate(values, context={"folder": tmp_path})
            assert send(settings).outcome == "delivered"
        missing = WebhookSettings.model_validate({**values, "secret": "file:nowhere"}, context={"folder": tmp_path})
        with pytest.raises(Unusable, match="nowhere cannot be read"):
            send(missing)

    def test_the_webhook_is_found(self) -> None:
        assert all_destinations()["webhook"] is DESTINATION


def _resolve_to(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> None:
    def resolve(host: str, port: int, *rest: Any, **more: Any) -> Any:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in addresses]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)


@contextmanager
def _server(answer: Callable[[socket.socket], None]) -> Iterator[str]:
    """A server that reads what comes first (unless it speaks TLS) and then does as told."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                try:
                    answer(connection)
                except OSError:
                    continue

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/"
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(5)


def _self_signed(folder: Path) -> tuple[Path, Path]:
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    subprocess.run(
        [
            *(
                program("openssl"),
                "req",
                "-x509",
                "-newkey",
                "rsa:2048",
                "-nodes",
                "-days",
                "2",
                "-subj",
                "/CN=localhost",
            ),
            *("-addext", "subjectAltName=DNS:localhost", "-keyout", str(key), "-out", str(certificate)),
        ],
        check=True,
        capture_output=True,
    )
    return certificate, key

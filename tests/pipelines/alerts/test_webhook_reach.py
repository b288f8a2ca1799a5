"""Where a webhook may send to, and whom it trusts there: addresses and TLS."""

from __future__ import annotations

import socket
import ssl
from pathlib import Path
from typing import Any

import pytest

from pipelines.alerts.destination import Answer, Unusable
from pipelines.alerts.receiver import Receiver
from tests.pipelines.alerts.webhooks import BODY, Siem, _resolve_to, _self_signed, _server, send


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

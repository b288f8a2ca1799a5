"""A webhook's settings, receivers and certificates for tests."""

from __future__ import annotations

import base64
import hashlib
import hmac
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from pipelines.alerts.destination import Answer, Message
from pipelines.alerts.destinations.webhook import WebhookSettings, open_webhook
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

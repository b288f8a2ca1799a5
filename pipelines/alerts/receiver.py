"""A small receiver of webhooks on loopback that verifies every signature: for the demo and for tests.

It verifies by itself, not with the code or the library that the sender signs with.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import socket
import struct
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any

TOLERANCE = 5 * 60
"""Seconds that a message's time may differ from ours."""

LARGEST_BODY = 1_000_000


@dataclass(frozen=True)
class Reply:
    """What a script makes the receiver answer: after `delay` seconds a status, or `reset`, a broken connection."""

    status: int = 204
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    delay: float = 0
    reset: bool = False


@dataclass(frozen=True)
class Received:
    """One request: its headers (lower case), its exact body, and why it was refused (null: verified)."""

    headers: Mapping[str, str]
    body: bytes
    refused: str | None

    @property
    def id(self) -> str:
        return self.headers.get("webhook-id", "")


def problem(secrets: Sequence[str], headers: Mapping[str, str], body: bytes, now: float) -> str | None:
    """Why a message is not to be trusted, or null. `headers` are in lower case, `now` in seconds since 1970."""
    message_id, timestamp = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not message_id or not timestamp or "webhook-signature" not in headers:
        return "a webhook header is missing"
    if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) < 12):
        return "webhook-timestamp is no number of seconds"
    if abs(now - int(timestamp)) > TOLERANCE:
        return "webhook-timestamp is too far from now"
    signed = f"{message_id}.{timestamp}.".encode() + body
    for secret in secrets:
        key = base64.b64decode(secret.removeprefix("whsec_"))
        expected = b"v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest())
        for signature in headers["webhook-signature"].split(" "):
            if hmac.compare_digest(signature.encode(), expected):
                return None
    return "no signature fits"


class Receiver:
    """`with Receiver([secret]) as receiver:` listens on `receiver.url` until the block ends.

    The requests are answered by `script`, one reply each, then with 204; a request whose signature does
    not fit is answered 401, whatever the script says, and takes no reply from it.
    """

    def __init__(
        self, secrets: Sequence[str], script: Sequence[Reply] = (), clock: Callable[[], float] = time.time
    ) -> None:
        self.secrets = list(secrets)
        self.clock = clock
        self.requests: list[Received] = []
        self._script = list(script)
        self._lock = threading.Lock()
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.receiver = self
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    def __enter__(self) -> Receiver:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}/hook"

    @property
    def verified(self) -> int:
        """How many requests had a signature that fits."""
        return sum(request.refused is None for request in self.requests)

    @property
    def refused(self) -> int:
        return sum(request.refused is not None for request in self.requests)

    @property
    def messages(self) -> dict[str, Any]:
        """The parsed bodies of verified requests, once for each id."""
        return {request.id: json.loads(request.body) for request in list(self.requests) if request.refused is None}

    def take(self, headers: Mapping[str, str], body: bytes) -> Reply:
        """Keep a request, and choose its reply."""
        refused = problem(self.secrets, headers, body, self.clock())
        with self._lock:
            self.requests.append(Received(headers, body, refused))
            if refused is not None:
                return Reply(401, body=refused.encode())
            return self._script.pop(0) if self._script else Reply()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    receiver: Receiver


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 30

    def do_POST(self) -> None:
        length = self.headers.get("content-length", "")
        if not (length.isascii() and length.isdigit() and len(length) < 10 and int(length) <= LARGEST_BODY):
            self.close_connection = True
            self._answer(Reply(413))
            return
        body = self.rfile.read(int(length))
        assert isinstance(self.server, _Server)
        reply = self.server.receiver.take({key.lower(): value for key, value in self.headers.items()}, body)
        time.sleep(reply.delay)
        if reply.reset:
            # Lingering for no time makes the system send RST instead of closing in order.
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            os.close(self.connection.detach())
            self.close_connection = True
            return
        self._answer(reply)

    def _answer(self, reply: Reply) -> None:
        try:
            self.send_response(reply.status)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            if reply.status != 204:
                self.send_header("content-length", str(len(reply.body)))
            self.end_headers()
            if reply.status != 204:
                self.wfile.write(reply.body)
        except OSError:
            self.close_connection = True

    def log_message(self, *args: Any) -> None:
        """Say nothing: what a sender writes is no text for a terminal."""

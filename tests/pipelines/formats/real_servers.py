"""Real proxies on loopback for tests: an origin, a program that is started and ended by its id, raw exchanges."""

from __future__ import annotations

import os
import socket
import subprocess
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

PATIENCE = 40.0
"""Seconds that a program may take to answer its port."""


def free_port() -> int:
    """A port of loopback that nobody listens on."""
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def running(argv: Sequence[str], port: int, output: Path, zone: str = "UTC") -> Iterator[None]:
    """A program that listens on `port`, with its output in a file; ended, by its id, on leaving."""
    environment = {**os.environ, "TZ": zone}
    with (
        output.open("wb") as log,
        subprocess.Popen(argv, stdout=log, stderr=subprocess.STDOUT, env=environment) as process,
    ):
        try:
            deadline = time.monotonic() + PATIENCE
            while not _answers(port):
                assert process.poll() is None, output.read_text(errors="replace")
                assert time.monotonic() < deadline, output.read_text(errors="replace")
                time.sleep(0.02)
            yield
        finally:
            process.terminate()
            try:
                process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()


def _answers(port: int) -> bool:
    with closing(socket.socket()) as probe:
        probe.settimeout(1)
        # A port that nobody listens on yet may be given to the probe itself, which then answers itself.
        return probe.connect_ex(("127.0.0.1", port)) == 0 and probe.getsockname() != probe.getpeername()


class _Answer(BaseHTTPRequestHandler):
    """`/size/N` is N bytes; a body that was sent is read; `/endless` goes on until nobody reads."""

    protocol_version = "HTTP/1.1"

    def _answer(self) -> None:
        sent = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        name, _, size = self.path.split("?")[0].strip("/").partition("/")
        if name == "endless":
            return self._endless()
        body = b"x" * int(size) if name == "size" else b"got %d" % len(sent)
        self.send_response(201 if self.command in {"PUT", "POST"} else 200)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("x-amzn-RequestId", "R-7")
        self.end_headers()
        self.wfile.write(body)
        return None

    def _endless(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(1 << 30))
        self.end_headers()
        try:
            for _ in range(1 << 14):
                self.wfile.write(b"x" * 65536)
        except OSError:
            self.close_connection = True

    def do_CONNECT(self) -> None:  # the name that http.server looks for
        """A tunnel to nowhere: 5,000 bytes up, 7,000 down."""
        self.send_response(200)
        self.end_headers()
        self.rfile.read(5000)
        self.wfile.write(b"y" * 7000)
        self.close_connection = True

    do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = _answer  # the names that http.server looks for

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the name of the base class
        """Nothing is logged."""


@contextmanager
def origin() -> Iterator[int]:
    """An HTTP server on loopback; its port."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Answer) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        try:
            yield int(server.server_address[1])
        finally:
            server.shutdown()


@contextmanager
def sink(expects: int, answers: int) -> Iterator[int]:
    """A TCP server that reads so many bytes, sends so many and closes; its port."""

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with closing(connection):
                got = 0
                while got < expects and (chunk := connection.recv(65536)):
                    got += len(chunk)
                if got:
                    connection.sendall(b"y" * answers)

    with closing(socket.socket()) as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        threading.Thread(target=serve, daemon=True).start()
        yield int(listener.getsockname()[1])


@dataclass(frozen=True)
class Exchange:
    """What a client did: its port, the bytes that it sent and got, and when."""

    port: int
    sent: int
    got: int
    answer: bytes
    began: datetime
    ended: datetime

    @property
    def headers(self) -> int:
        """How many headers the answer has."""
        return self.answer.partition(b"\r\n\r\n")[0].count(b"\r\n")

    def spans(self, moment: datetime) -> bool:
        """Whether a moment of the log is within the exchange, up to what rounding and logging take."""
        return self.began - timedelta(seconds=1.1) <= moment <= self.ended + timedelta(seconds=2)


def wait_for(path: Path, text: str) -> None:
    """Until a log has this text: a proxy may write an exchange's line after its client has gone."""
    deadline = time.monotonic() + PATIENCE
    while text not in path.read_text(errors="replace"):
        assert time.monotonic() < deadline, f"{text} is not in {path}"
        time.sleep(0.02)


def _now() -> datetime:
    return datetime.now(UTC).replace(tzinfo=None)


def exchange(port: int, request: bytes, then: bytes = b"", most: int | None = None) -> Exchange:
    """Send a request, and `then` once its answer's head is there; read to the end, or at most so many bytes."""
    began = _now()
    with closing(socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)) as client:
        own = int(client.getsockname()[1])
        client.sendall(request)
        answer = b""
        if then:
            while b"\r\n\r\n" not in answer and (chunk := client.recv(4096)):
                answer += chunk
            client.sendall(then)
        while (most is None or len(answer) < most) and (chunk := client.recv(65536)):
            answer += chunk
    return Exchange(own, len(request) + len(then), len(answer), answer, began, _now())

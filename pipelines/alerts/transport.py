"""How alerts go out over HTTP: to checked addresses only, within a time, without proxies or redirects."""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpcore
import httpx
from httpcore import SOCKET_OPTION, NetworkStream

from pipelines.alerts.addresses import is_loopback_name, refusal
from pipelines.alerts.destination import Unusable


class Clock:
    """What is left of one request's time; the whole request, however many reads and writes it takes."""

    def __init__(self) -> None:
        self._ends = 0.0

    def start(self, seconds: float) -> None:
        self._ends = time.monotonic() + seconds

    def left(self, timeout: float | None) -> float:
        left = self._ends - time.monotonic()
        if left <= 0:
            raise httpcore.ReadTimeout("the request's time is over")
        return left if timeout is None else min(left, timeout)


class _TimedStream(NetworkStream):
    """A connection on which no operation outlasts the clock: a receiver that answers a byte at a time gains nothing."""

    def __init__(self, inner: NetworkStream, clock: Clock) -> None:
        self._inner, self._clock = inner, clock

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._inner.read(max_bytes, self._clock.left(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._inner.write(buffer, self._clock.left(timeout))

    def close(self) -> None:
        self._inner.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> NetworkStream:
        return _TimedStream(self._inner.start_tls(ssl_context, server_hostname, self._clock.left(timeout)), self._clock)

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)


class CheckedNetwork(httpcore.NetworkBackend):
    """Connects to an address that was checked, not to a name: what was resolved is what is connected to."""

    def __init__(self, clock: Clock, inner: httpcore.NetworkBackend | None = None) -> None:
        self._clock, self._inner = clock, inner or httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[SOCKET_OPTION] | None = None,
    ) -> NetworkStream:
        loopback = is_loopback_name(host)
        addresses = self._resolve(host, port)
        for address in addresses:
            self._check(address, loopback)
        failure: Exception = httpcore.ConnectError(f"{host} has no address")
        for address in addresses:
            try:
                stream = self._inner.connect_tcp(
                    address, port, self._clock.left(timeout), local_address, socket_options
                )
            except httpcore.ConnectError as error:
                failure = error
                continue
            try:
                self._check(stream.get_extra_info("server_addr")[0], loopback)
            except httpcore.ConnectError:
                stream.close()
                raise
            return _TimedStream(stream, self._clock)
        raise failure

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)

    @staticmethod
    def _resolve(host: str, port: int) -> list[str]:
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise httpcore.ConnectError(f"the name {host} cannot be resolved: {error}") from error
        return list(dict.fromkeys(str(entry[4][0]) for entry in found))

    @staticmethod
    def _check(address: str, loopback: bool) -> None:
        reason = refusal(address, loopback=loopback)
        if reason is not None:
            raise httpcore.ConnectError(f"refused: {reason}")


class CheckedTransport(httpx.BaseTransport):
    """An httpx transport over `CheckedNetwork`; a transport of one's own also keeps httpx from environment proxies."""

    def __init__(self, context: ssl.SSLContext, clock: Clock, network: httpcore.NetworkBackend | None = None) -> None:
        self._pool = httpcore.ConnectionPool(
            ssl_context=context, network_backend=network or CheckedNetwork(clock), max_connections=1, retries=0
        )

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        url = request.url
        inner = httpcore.Request(
            method=request.method,
            url=httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path),
            headers=request.headers.raw,
            content=request.stream,
            extensions=request.extensions,
        )
        with _httpx_errors(request):
            response = self._pool.handle_request(inner)
        return httpx.Response(
            status_code=response.status, headers=response.headers, stream=_Body(response, request), request=request
        )

    def close(self) -> None:
        self._pool.close()


class _Body(httpx.SyncByteStream):
    def __init__(self, response: httpcore.Response, request: httpx.Request) -> None:
        self._response, self._request = response, request

    def __iter__(self) -> Iterator[bytes]:
        with _httpx_errors(self._request):
            yield from self._response.iter_stream()

    def close(self) -> None:
        self._response.close()


@contextmanager
def _httpx_errors(request: httpx.Request) -> Iterator[None]:
    try:
        yield
    except httpcore.TimeoutException as error:
        raise httpx.TimeoutException(str(error) or "timed out", request=request) from error
    except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.UnsupportedProtocol) as error:
        raise httpx.TransportError(str(error) or type(error).__name__, request=request) from error


def tls_context(ca_file: str | None) -> ssl.SSLContext:
    """TLS that verifies the receiver, against `ca_file` where one is given. Raises `Unusable`."""
    if ca_file is None:
        return httpx.create_ssl_context()
    try:
        return ssl.create_default_context(cafile=str(Path(ca_file)))
    except (OSError, ssl.SSLError) as error:
        raise Unusable(f"the certificates in {ca_file} cannot be read: {error}") from None


@contextmanager
def client(ca_file: str | None, clock: Clock, timeout: float) -> Iterator[httpx.Client]:
    """An HTTP client for one destination and one pass. Raises `Unusable`."""
    transport = CheckedTransport(tls_context(ca_file), clock)
    with httpx.Client(transport=transport, timeout=timeout, follow_redirects=False, trust_env=False) as opened:
        yield opened

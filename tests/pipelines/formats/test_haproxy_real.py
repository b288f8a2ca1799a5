"""A real HAProxy carries real requests; its logs say what was sent."""

from __future__ import annotations

from typing import Any

import pytest

from tests.machine import program
from tests.pipelines.formats.proxy_lines import read
from tests.pipelines.formats.real_servers import Exchange, exchange, free_port, origin, running, sink, wait_for

ZONE = "America/New_York"
CUSTOM = (
    'C %ci:%cp [%tr] %ft %b/%s %Ta %ST %B %U %tsc %si:%sp %{+Q}r "%[capture.req.hdr(0)]" %{+Q}[capture.req.hdr(1)]'
    " %[capture.req.hdr(2)]"
)
TCP = "T %ci:%cp [%t] %ft %b/%s %Tt %B %U %ts %si:%sp"
AGENT = 'cli/1 "q" {a|b} #1'
TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def _config(ports: dict[str, int], web: int, far: int) -> str:
    captures = "\n".join(f"    capture request header {name} len 200" for name in ("Host", "User-Agent", "traceparent"))
    return f"""
global
    log stdout format raw local0
defaults
    log global
    timeout client 5s
    timeout server 5s
    timeout connect 2s
    mode http
    option http-server-close
    default_backend origin
frontend web
    bind 127.0.0.1:{ports["web"]}
    option httplog
{captures}
frontend custom
    bind 127.0.0.1:{ports["custom"]}
    log-format '{CUSTOM}'
{captures}
frontend stream
    mode tcp
    bind 127.0.0.1:{ports["stream"]}
    option tcplog
    default_backend far
frontend sized
    mode tcp
    bind 127.0.0.1:{ports["sized"]}
    log-format '{TCP}'
    default_backend far
backend origin
    http-request deny deny_status 403 if {{ path_beg /secret }}
    server one 127.0.0.1:{web}
backend far
    mode tcp
    server two 127.0.0.1:{far}
"""


@pytest.fixture(scope="module")
def haproxy(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What clients did, by name and frontend, the lines of the log, and the origin's port."""
    binary, folder = program("haproxy"), tmp_path_factory.mktemp("haproxy")
    ports = {name: free_port() for name in ("web", "custom", "stream", "sized")}
    done: dict[tuple[str, str], Exchange] = {}
    with origin() as web, sink(5000, 7000) as far:
        (folder / "haproxy.cfg").write_text(_config(ports, web, far))
        argv = [binary, "-db", "-f", str(folder / "haproxy.cfg")]
        with running(argv, ports["web"], folder / "log", ZONE):
            for front in ("web", "custom"):
                port = ports[front]
                end = f"Host: a.example:8080\r\nUser-Agent: {AGENT}\r\ntraceparent: {TRACE}\r\nConnection: close\r\n"
                head = f"GET /size/100000?q=1 HTTP/1.1\r\n{end}\r\n".encode()
                body = b"u" * 300_000
                put = f"PUT /up HTTP/1.1\r\n{end}Content-Length: {len(body)}\r\n\r\n".encode() + body
                tunnel = f"CONNECT a.example:8080 HTTP/1.1\r\n{end}\r\n".encode()
                done[front, "download"] = exchange(port, head)
                done[front, "upload"] = exchange(port, put)
                done[front, "tunnel"] = exchange(port, tunnel, then=b"z" * 5000)
                done[front, "denied"] = exchange(port, head.replace(b"/size/100000", b"/secret"))
                done[front, "malformed"] = exchange(port, b"GET /x\x01 HTTP/1.1\r\n\r\n")
                done[front, "aborted"] = exchange(port, head.replace(b"/size/100000", b"/endless"), most=100_000)
            for front in ("stream", "sized"):
                done[front, "stream"] = exchange(ports[front], b"z" * 5000)
            for one in done.values():
                wait_for(folder / "log", f"127.0.0.1:{one.port} ")
    lines = (folder / "log").read_text().splitlines()
    return {"done": done, "lines": lines, "web": web, "far": far}


def _rows(haproxy: dict[str, Any], front: str, **options: Any) -> dict[str, dict[str, Any]]:
    marks = {"custom": "C ", "sized": "T "}
    chosen = [line for line in haproxy["lines"] if f" {front} " in line and line.startswith(marks.get(front, ""))]
    rows = read("haproxy", chosen, timezone=ZONE, **options)
    done = [name for where, name in haproxy["done"] if where == front]
    asked = {row["src_port"]: row for row in rows if row["outcome"] == "action"}
    return {name: asked.get(haproxy["done"][front, name].port, {}) for name in done}


def test_httplog(haproxy: dict[str, Any]):
    rows = _rows(haproxy, "web", captures=["Host", "User-Agent", "traceparent"])
    assert {
        name: (row.get("http_method"), row.get("status"), row.get("status_code")) for name, row in rows.items()
    } == {
        "download": ("GET", "success", "200"),
        "upload": ("PUT", "success", "201"),
        "tunnel": ("CONNECT", "success", "200"),
        "denied": ("GET", "denied", "403"),
        "malformed": (None, None, None),
        "aborted": ("GET", "failure", "200"),
    }
    for name in ("download", "upload", "tunnel", "denied"):
        done, row = haproxy["done"]["web", name], rows[name]
        # HAProxy counts a header without the `: ` and the line's end; of a tunnel's answer it drops one header.
        assert row["bytes_in"] == pytest.approx(done.got - 4 * done.headers, abs=16 if name == "tunnel" else 0)
        assert row["bytes_out"] is None
        assert (row["src_ip"], row["dst_host"], row["dst_port"]) == ("127.0.0.1", "a.example", 8080)
    assert (rows["download"]["url_path"], rows["download"]["user_agent"]) == ("/size/100000", AGENT)
    assert rows["download"]["trace_uid"] == "trace:id/4bf92f3577b34da6a3ce929d0e0e4736"
    assert rows["aborted"]["bytes_in"] >= haproxy["done"]["web", "aborted"].got


def test_local_times_are_of_the_start(haproxy: dict[str, Any]):
    for front in ("web", "stream"):
        for name, row in _rows(haproxy, front).items():
            if row:
                assert row["time_kind"] == "start"
                assert haproxy["done"][front, name].spans(row["time"])


def test_a_custom_line_counts_uploads(haproxy: dict[str, Any]):
    rows = _rows(haproxy, "custom", log_format=CUSTOM, captures=["Host", "User-Agent", "traceparent"])
    for name in ("download", "upload", "tunnel", "denied"):
        done, row = haproxy["done"]["custom", name], rows[name]
        assert (row["dst_host"], row["user_agent"]) == ("a.example", AGENT)
        assert row["trace_uid"] == "trace:id/4bf92f3577b34da6a3ce929d0e0e4736"
        assert row["bytes_out"] == done.sent - 4 * (5 if name == "upload" else 4)
        assert row["dst_ip"] == (None if name == "denied" else "127.0.0.1")


def test_connections_in_tcp_mode(haproxy: dict[str, Any]):
    plain, sized = _rows(haproxy, "stream"), _rows(haproxy, "sized", log_format=TCP)
    done = haproxy["done"]["sized", "stream"]
    assert (done.sent, done.got) == (5000, 7000)
    assert (plain["stream"]["bytes_in"], plain["stream"]["bytes_out"]) == (7000, None)
    row = sized["stream"]
    assert (row["bytes_in"], row["bytes_out"], row["class_uid"]) == (7000, 5000, 4001)
    assert (row["dst_ip"], row["dst_port"], row["status"]) == ("127.0.0.1", haproxy["far"], "success")

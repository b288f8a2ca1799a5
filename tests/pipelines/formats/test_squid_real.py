"""A real Squid carries real requests; its log says what was sent."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.machine import lacking, program, shared
from tests.pipelines.formats.real_servers import Exchange, exchange, free_port, origin, running, sink
from tests.pipelines.formats.squid_lines import read

LOGFORMAT = (
    "%ts.%03tu %tS %6tr %>a %>p %Ss/%03>Hs %>st %<st %>sh %<sh %rm %#>ru %#un %Sh/%<a"
    ' "%"{User-Agent}>h" "%"{traceparent}>h" %{x-amzn-RequestId}<h %sn'
)
HELPER = Path("/usr/lib/squid/basic_ncsa_auth")
TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
AGENT = r'cli/1 "q" \b 100%'


def _login(name: str, word: str) -> str:
    return f"Proxy-Authorization: Basic {base64.b64encode(f'{name}:{word}'.encode()).decode()}\r\n"


def _config(folder: Path, port: int, refused: int) -> Path:
    (folder / "logs").mkdir()
    (folder / "logs").chmod(0o777)
    folder.chmod(0o755)
    hashed = subprocess.run(
        [program("openssl"), "passwd", "-1", "-salt", "x", "secret-word"], check=True, capture_output=True, text=True
    )
    (folder / "users").write_text(f"svc agent:{hashed.stdout.strip()}\n")
    config = folder / "squid.conf"
    config.write_text(
        f"""
        http_port 127.0.0.1:{port}
        pid_filename none
        cache deny all
        shutdown_lifetime 0 seconds
        client_persistent_connections off
        visible_hostname proxy.example
        strip_query_terms off
        logformat wt {LOGFORMAT}
        access_log stdio:{folder}/logs/wt.log wt
        access_log stdio:{folder}/logs/native.log squid
        cache_log {folder}/logs/cache.log
        coredump_dir {folder}/logs
        netdb_filename none
        pinger_enable off
        auth_param basic program {HELPER} {folder}/users
        auth_param basic children 1 startup=1
        acl named proxy_auth REQUIRED
        acl forbidden port {refused}
        http_access deny !named
        http_access deny forbidden
        http_access allow all
        http_access deny all
        """
    )
    return config


@pytest.fixture(scope="module")
def squid() -> Iterator[dict[str, Any]]:
    """What clients did, by name, and what each log of the proxy says of it, in the order of the requests."""
    binary = program("squid")
    if not HELPER.exists():
        lacking(f"Squid's helper {HELPER} is not installed")
    # Not pytest's folder: a Squid that root starts goes on as another user, who cannot enter that.
    # Nor may it have what a run before has set for the lake's sake.
    umask = os.umask(0o022)
    try:
        with tempfile.TemporaryDirectory(prefix="squid-") as place:
            yield _carried(binary, Path(place))
    finally:
        os.umask(umask)


def _carried(binary: str, folder: Path) -> dict[str, Any]:
    port, refused = free_port(), free_port()
    config = _config(folder, port, refused)
    done: dict[str, Exchange] = {}
    with running([binary, "-N", "-f", str(config)], port, folder / "output"), origin() as web, sink(5000, 7000) as far:
        login = _login("svc agent", "secret-word")
        end = f"Host: 127.0.0.1:{web}\r\nConnection: close\r\n\r\n"
        url = f"http://127.0.0.1:{web}"
        headers = f"User-Agent: {AGENT}\r\ntraceparent: {TRACE}\r\n"
        body = b"u" * 300_000
        put = f"PUT {url}/up HTTP/1.1\r\n{login}Content-Length: {len(body)}\r\n{end}".encode() + body
        tunnel = f"CONNECT 127.0.0.1:{far} HTTP/1.1\r\n{login}Host: 127.0.0.1:{far}\r\n\r\n".encode()
        done["download"] = exchange(port, f"GET {url}/size/100000?q=1 HTTP/1.1\r\n{login}{headers}{end}".encode())
        done["upload"] = exchange(port, put)
        done["tunnel"] = exchange(port, tunnel, then=b"z" * 5000)
        done["forbidden"] = exchange(port, tunnel.replace(str(far).encode(), str(refused).encode()))
        done["nameless"] = exchange(port, f"GET {url}/size/1 HTTP/1.1\r\n{end}".encode())
        wrong = _login("svc agent", "wrong-word")
        done["wrong"] = exchange(port, f"GET {url}/size/1 HTTP/1.1\r\n{wrong}{end}".encode())
        done["aborted"] = exchange(port, f"GET {url}/endless HTTP/1.1\r\n{login}{end}".encode(), most=100_000)
    logs = {name: (folder / "logs" / f"{name}.log").read_text().splitlines() for name in ("wt", "native")}
    # The probes that wait for the port leave lines without a request.
    rows = {
        "wt": read(logs["wt"], logformat=LOGFORMAT, authenticated=True),
        "native": read(logs["native"], authenticated=True),
    }
    assert "secret-word" not in "".join(logs["wt"] + logs["native"])
    asked = {name: [row for row in each if "no request" not in (row["reason"] or "")] for name, each in rows.items()}
    for name, each in asked.items():
        assert len(each) == len(done), (name, logs[name])
    return {"done": done, **{name: dict(zip(done, each, strict=True)) for name, each in asked.items()}, "web": web}


@pytest.mark.parametrize("name", ["download", "upload", "tunnel", "forbidden"])
def test_byte_counts_are_those_that_the_client_sent_and_got(squid: dict[str, Any], name: str):
    done, row = squid["done"][name], squid["wt"][name]
    assert (row["bytes_out"], row["bytes_in"]) == (done.sent, done.got)
    assert (row["src_ip"], row["src_port"]) == ("127.0.0.1", done.port)
    native = squid["native"][name]
    assert (native["bytes_out"], native["bytes_in"]) == (None, done.got)


def test_who_and_where_and_what_became_of_it(squid: dict[str, Any]):
    rows = squid["wt"]
    assert {name: (row["http_method"], row["status"], row["status_code"]) for name, row in rows.items()} == {
        "download": ("GET", "success", "200"),
        "upload": ("PUT", "success", "201"),
        "tunnel": ("CONNECT", "success", "200"),
        "forbidden": ("CONNECT", "denied", "403"),
        "nameless": (None, None, None),
        "wrong": ("GET", "denied", "407"),
        "aborted": ("GET", "failure", "200"),
    }
    assert rows["nameless"]["reason"] == "the challenge before authentication, without a name"
    named = {name: (row["principal"], row["identity_strength"]) for name, row in rows.items() if row["principal"]}
    assert named == {
        **dict.fromkeys(
            ("download", "upload", "tunnel", "forbidden", "aborted"), ("proxy:user/egress/svc agent", "proven")
        ),
        "wrong": ("proxy:user/egress/svc agent", "asserted"),
    }
    assert (rows["download"]["dst_host"], rows["download"]["dst_port"]) == ("127.0.0.1", squid["web"])
    assert (rows["download"]["url_path"], rows["download"]["user_agent"]) == ("/size/100000", AGENT)
    assert rows["download"]["trace_uid"] == "trace:id/4bf92f3577b34da6a3ce929d0e0e4736"
    assert rows["download"]["request_uid"] == "R-7"


def test_times_are_of_the_end(squid: dict[str, Any]):
    for log in ("wt", "native"):
        for name, row in squid[log].items():
            if row["outcome"] == "action":
                assert row["time_kind"] == "end"
                assert squid["done"][name].spans(row["time"]), (log, name, row["time"])


def test_an_aborted_download_counts_what_was_sent(squid: dict[str, Any]):
    done, row = squid["done"]["aborted"], squid["wt"]["aborted"]
    assert row["bytes_out"] == done.sent
    assert row["bytes_in"] >= done.got
    assert row["error"] == "TCP_MISS_ABORTED"


def test_a_real_log_in_json():
    layout = (
        '{"_schema":"audit/v0.23.1","ts":%ts.%03tu,"client":"%>a","host":"%{Host}>h","dest":"%<a:%<p","method":"%rm",'
        '"status":%>Hs,"decision":"%Ss","url":"%ru"}'
    )
    lines = shared("gh-aw-firewall/audit.jsonl").read_text().splitlines()
    told = [json.loads(line) for line in lines]
    for row, entry in zip(read(lines, logformat=layout), told, strict=True):
        assert (row["outcome"], row["http_method"], row["status_code"]) == ("action", "CONNECT", str(entry["status"]))
        assert f"{row['dst_host']}:{row['dst_port']}" == entry["url"]
        assert row["src_ip"] == entry["client"]

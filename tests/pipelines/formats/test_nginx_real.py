"""A real nginx carries real requests; its logs say what was sent."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest

from tests.machine import program
from tests.pipelines.formats.proxy_lines import read
from tests.pipelines.formats.real_servers import Exchange, exchange, free_port, origin, running, wait_for

CUSTOM = (
    '$remote_addr $remote_port $msec $request_time $request_length $bytes_sent "$request" $status "$http_host" $host'
    ' $server_port $scheme $upstream_addr "$http_user_agent" "$http_traceparent" "$remote_user"'
    ' "$upstream_http_x_amzn_requestid"'
)
JSON = (
    'escape=json {"at":"$msec","from":"$remote_addr","port":"$remote_port","request":"$request","status":"$status",'
    '"up":"$request_length","down":"$bytes_sent","host":"$host","agent":"$http_user_agent","user":"$remote_user"}'
)
AGENT = 'cli/1 "q" \\b \xfc \t#1'
TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def _login(name: str, word: str) -> str:
    return f"Authorization: Basic {base64.b64encode(f'{name}:{word}'.encode()).decode()}\r\n"


def _config(folder: Path, port: int, web: int) -> Path:
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    places = "\n".join(f"    {kind}_temp_path {folder}/{kind};" for kind in kinds)
    config = folder / "nginx.conf"
    (folder / "users").write_text("svc agent:{PLAIN}secret-word\n")
    config.write_text(
        f"""
daemon off;
master_process off;
pid {folder}/pid;
error_log stderr;
events {{ }}
http {{
{places}
    client_max_body_size 10m;
    log_format custom '{CUSTOM}';
    log_format json escape=json '{JSON.removeprefix("escape=json ")}';
    access_log {folder}/combined.log;
    access_log {folder}/custom.log custom;
    access_log {folder}/json.log json;
    keepalive_timeout 0;
    server {{
        listen 127.0.0.1:{port};
        location / {{ proxy_pass http://127.0.0.1:{web}; }}
        location /secret {{ deny all; }}
        location /named {{
            auth_basic "x";
            auth_basic_user_file {folder}/users;
            proxy_pass http://127.0.0.1:{web};
        }}
    }}
}}
"""
    )
    return config


@pytest.fixture(scope="module")
def nginx(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What clients did, by name, and the rows of each log in the order of the requests."""
    binary, folder, port = program("nginx"), tmp_path_factory.mktemp("nginx"), free_port()
    done: dict[str, Exchange] = {}
    with origin() as web:
        config = _config(folder, port, web)
        with running([binary, "-p", str(folder), "-c", str(config), "-e", "stderr"], port, folder / "output"):
            end = f"Host: A.example:8080\r\nUser-Agent: {AGENT}\r\ntraceparent: {TRACE}\r\n"
            body = b"u" * 300_000

            def ask(line: str, more: str = "", body: bytes = b"", most: int | None = None) -> Exchange:
                done_before = f"{line} HTTP/1.1\r\n{more}{end}\r\n".encode("latin-1")
                return exchange(port, done_before + body, most=most)

            done["download"] = ask("GET /size/100000?q=1", _login("svc agent", "secret-word"))
            done["upload"] = ask("PUT /up", f"Content-Length: {len(body)}\r\n", body)
            done["denied"] = ask("GET /secret")
            done["named"] = ask("GET /named/size/1", _login("svc agent", "secret-word"))
            done["wrong"] = ask("GET /named/size/1", _login("svc agent", "wrong-word"))
            done["malformed"] = exchange(port, b"\x16\x03\x01\x00nonsense\r\n\r\n")
            done["aborted"] = ask("GET /endless", most=100_000)
            wait_for(folder / "json.log", "/endless")
    logs = {
        name: (folder / f"{name}.log").read_text(errors="replace").splitlines()
        for name in ("combined", "custom", "json")
    }
    assert "secret-word" not in "".join(line for lines in logs.values() for line in lines)
    formats = {"combined": None, "custom": CUSTOM, "json": JSON}
    found: dict[str, Any] = {"done": done, "web": web}
    for name, log_format in formats.items():
        assert len(logs[name]) == len(done), logs[name]
        rows = read("nginx", logs[name], log_format=log_format, authenticated=True)
        found[name] = dict(zip(done, rows, strict=True))
    return found


def test_what_became_of_the_requests(nginx: dict[str, Any]):
    expected = {
        "download": ("GET", "success", "200"),
        "upload": ("PUT", "success", "201"),
        "denied": ("GET", "denied", "403"),
        "named": ("GET", "success", "200"),
        "wrong": ("GET", "denied", "401"),
        "malformed": (None, None, None),
        "aborted": ("GET", "success", "200"),
    }
    for log in ("combined", "custom", "json"):
        rows = nginx[log]
        assert {name: (row["http_method"], row["status"], row["status_code"]) for name, row in rows.items()} == expected
        assert rows["malformed"]["outcome"] == "skipped"


@pytest.mark.parametrize("log", ["custom", "json"])
def test_byte_counts_are_those_that_the_client_sent_and_got(nginx: dict[str, Any], log: str):
    for name in ("download", "upload", "denied", "named", "wrong"):
        done, row = nginx["done"][name], nginx[log][name]
        assert (name, row["bytes_out"], row["bytes_in"]) == (name, done.sent, done.got)
        assert (row["src_ip"], row["src_port"]) == ("127.0.0.1", done.port)
    assert nginx[log]["aborted"]["bytes_in"] >= nginx["done"]["aborted"].got


def test_combined_counts_bodies_that_were_sent_back(nginx: dict[str, Any]):
    row = nginx["combined"]["download"]
    assert (row["bytes_out"], row["bytes_in"]) == (None, 100_000)


def test_a_name_is_proven_where_it_was_checked(nginx: dict[str, Any]):
    for log, strengths in (("custom", ("proven", "proven")), ("combined", ("asserted", "asserted"))):
        rows = nginx[log]
        assert {name for name, row in rows.items() if row["principal"]} == {"download", "named", "wrong"}
        assert rows["named"]["principal"] == "proxy:user/egress/svc agent"
        # A name with a space is not marked off in the combined format.
        assert (rows["named"]["identity_strength"], rows["download"]["identity_strength"]) == strengths
        assert rows["wrong"]["identity_strength"] == "asserted"


def test_where_requests_went(nginx: dict[str, Any]):
    row = nginx["custom"]["download"]
    assert (row["dst_host"], row["dst_port"], row["dst_ip"]) == ("a.example", 8080, "127.0.0.1")
    assert (row["url_path"], row["request_uid"]) == ("/size/100000", "R-7")
    assert row["trace_uid"] == "trace:id/4bf92f3577b34da6a3ce929d0e0e4736"


def test_user_agents_are_decoded(nginx: dict[str, Any]):
    # The byte \xfc alone is no UTF-8: a text with it stays as it was written.
    assert nginx["combined"]["download"]["user_agent"] == r"cli/1 \x22q\x22 \x5Cb \xFC \x09#1"
    assert nginx["json"]["download"]["user_agent"] == 'cli/1 "q" \\b \ufffd \t#1'


def test_times_are_of_the_end(nginx: dict[str, Any]):
    for log in ("combined", "custom", "json"):
        for name, row in nginx[log].items():
            if row["outcome"] == "action":
                assert row["time_kind"] == "end"
                assert nginx["done"][name].spans(row["time"])

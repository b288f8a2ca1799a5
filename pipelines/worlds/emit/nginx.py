"""Requests as nginx logs them under a `log_format` of its operator, with a module for CONNECT.

Source: ngx_http_log_module. `$msec` is when the request ended; `"` and backslash are `\\xXX`.
It is written where a world is asked for it, in the place of Squid.
"""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from pipelines.worlds.emit.emitter import Emitter
from pipelines.worlds.emit.proxy_parts import CLOCK_MS, PORT, REACHED, SERVER, TARGET, escaped
from pipelines.worlds.estate import Estate

LOG_FORMAT = (
    '$remote_addr $msec $request_time $request_length $bytes_sent "$request" $status $host $server_port $upstream_addr'
    ' "$http_user_agent" "$remote_user"'
)


def _quoted(text: str) -> str:
    return f"""'"' || coalesce({escaped(text, chr(92) + "x", chr(92) + chr(34))}, '-') || '"'"""


_STATUS = "CASE WHEN decision = 'aborted' THEN 499 ELSE status END"

TEXT = " || ' ' || ".join(
    [
        "client",
        f"(epoch_ms(logged_at) // 1000) || '.' || {CLOCK_MS}",
        "printf('%d.%03d', elapsed_ms // 1000, elapsed_ms % 1000)",
        "coalesce(bytes_out, 0)",
        "coalesce(bytes_in, 0)",
        _quoted(f"(method || ' ' || {TARGET} || ' HTTP/1.1')"),
        f"({_STATUS})",
        "host",
        f"{PORT}",
        f"CASE WHEN {REACHED} THEN {SERVER} || ':' || {PORT} ELSE '-' END",
        _quoted("agent"),
        _quoted('"user"'),
    ]
)


def _entry(estate: Estate) -> Mapping[str, object]:
    return {
        "realm": estate.proxy_realm,
        "authenticated": True,
        "from": "logs/nginx/access-*.log",
        "log_format": LOG_FORMAT,
    }


ALTERNATIVE = Emitter(
    format="nginx",
    reads="requests",
    system="proxy",
    folder="logs/nginx",
    layout="lines",
    clock=(pl.col("at") + pl.duration(milliseconds=pl.col("elapsed_ms"))).dt.truncate("1ms"),
    text=TEXT,
    native_id=None,
    file=pl.col("delivered_at").dt.strftime("access-%Y-%m-%d.log"),
    entry=_entry,
)

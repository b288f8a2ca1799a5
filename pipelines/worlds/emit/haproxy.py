"""Requests as HAProxy logs them with `option httplog` and captured headers, in UTC; who a caller is is not in the log.

Source: "8.2.3. HTTP log format" of the configuration manual; `"`, `#`, `{`, `|`, `}` are `#XX` in captured headers. It
is written where a world is asked for it, in the place of Squid.
"""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from pipelines.worlds.emit.emitter import Emitter
from pipelines.worlds.emit.proxy_parts import CLOCK_MS, PORT, REACHED, TARGET, escaped
from pipelines.worlds.estate import Estate

_STATE = (
    """CASE decision WHEN 'denied' THEN 'PR--' WHEN 'aborted' THEN 'CD--' WHEN 'cached' THEN 'LR--' ELSE '----' END"""
)
_SERVER = f"CASE WHEN {REACHED} THEN 'out/any' ELSE 'web/<NOSRV>' END"
_PORT_PART = f"CASE WHEN {PORT} IN (80, 443) THEN '' ELSE ':' || {PORT} END"
_HEADERS = (
    f"""'{{' || host || {_PORT_PART} || '|' || coalesce({escaped("agent", "#", "#" + chr(34) + "{|}")}, '') || '}}'"""
)

TEXT = " || ' ' || ".join(
    [
        "client || ':' || (1024 + ('0x' || substr(md5(event), 1, 4))::INTEGER % 60000)",
        f"'[' || strftime(logged_at, '%d/%b/%Y:%H:%M:%S') || '.' || {CLOCK_MS} || ']'",
        "'web'",
        _SERVER,
        "'0/0/0/' || elapsed_ms || '/' || elapsed_ms",
        "status",
        "coalesce(bytes_in, 0)",
        "'- -'",
        f"({_STATE})",
        "'9/9/1/1/0 0/0'",
        _HEADERS,
        f"""'"' || {escaped(f"(method || ' ' || {TARGET} || ' HTTP/1.1')", "#", "#" + chr(34))} || '"'""",
    ]
)


def _entry(estate: Estate) -> Mapping[str, object]:
    return {"realm": estate.proxy_realm, "from": "logs/haproxy/*.log", "captures": ["host", "user-agent"]}


ALTERNATIVE = Emitter(
    format="haproxy",
    reads="requests",
    system="proxy",
    folder="logs/haproxy",
    layout="lines",
    clock=pl.col("at").dt.truncate("1ms"),
    text=TEXT,
    native_id=None,
    file=pl.col("delivered_at").dt.strftime("%Y-%m-%d.log"),
    entry=_entry,
)

"""Requests as Envoy logs them as JSON, under the keys that Envoy Gateway sets; who a caller is is not in the log.

Source: "Access logging" of Envoy's documentation, the default format of Envoy Gateway. It is written where a world is
asked for it, in the place of Squid.
"""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from pipelines.worlds.emit.emitter import Emitter
from pipelines.worlds.emit.json_text import constant, moment, obj, pair, string, text
from pipelines.worlds.emit.proxy_parts import PORT, REACHED, SERVER
from pipelines.worlds.estate import Estate


def _nullable(name: str, value: str) -> str:
    return pair(name, f"coalesce({string(value)}, 'null')")


_PORT_PART = f"CASE WHEN method <> 'CONNECT' AND {PORT} IN (80, 443) THEN '' ELSE ':' || {PORT} END"
_DETAILS = """CASE decision WHEN 'denied' THEN 'rbac_access_denied_matched_policy[none]'
    WHEN 'aborted' THEN 'downstream_remote_disconnect' WHEN 'cached' THEN 'response_from_cache_filter'
    ELSE 'via_upstream' END"""

TEXT = obj(
    text(":authority", f"(host || {_PORT_PART})"),
    pair("bytes_received", "CAST(coalesce(bytes_out, 0) AS VARCHAR)"),
    pair("bytes_sent", "CAST(coalesce(bytes_in, 0) AS VARCHAR)"),
    text("downstream_remote_address", "client || ':' || (1024 + ('0x' || substr(md5(event), 1, 4))::INTEGER % 60000)"),
    pair("duration", "CAST(elapsed_ms AS VARCHAR)"),
    text("method", "method"),
    constant("protocol", '"HTTP/1.1"'),
    pair("response_code", "CAST(status AS VARCHAR)"),
    text("response_code_details", _DETAILS),
    text("response_flags", "CASE decision WHEN 'aborted' THEN 'DC' WHEN 'cached' THEN 'RFCF' ELSE '-' END"),
    text("start_time", moment("logged_at", 3)),
    _nullable("upstream_host", f"CASE WHEN {REACHED} THEN {SERVER} || ':' || {PORT} END"),
    _nullable("user-agent", "agent"),
    _nullable("x-envoy-origin-path", "CASE WHEN method <> 'CONNECT' THEN coalesce(path, '/') END"),
    constant("x-forwarded-for", "null"),
    text("x-request-id", "event"),
)


def _entry(estate: Estate) -> Mapping[str, object]:
    return {"realm": estate.proxy_realm, "from": "logs/envoy/*.log"}


ALTERNATIVE = Emitter(
    format="envoy",
    reads="requests",
    system="proxy",
    folder="logs/envoy",
    layout="lines",
    clock=pl.col("at").dt.truncate("1ms"),
    text=TEXT,
    native_id=None,
    file=pl.col("delivered_at").dt.strftime("%Y-%m-%d.log"),
    entry=_entry,
)

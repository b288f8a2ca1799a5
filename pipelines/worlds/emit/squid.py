"""Requests as two Squid proxies log them, under a `logformat` of their operator, in the order in which they ended.

Source: the `logformat` and `access_log` directives of Squid's configuration manual. `%ts` is when a transaction
ended; a tunnel is one line, when it closed. Percent signs and the like in user names come as `%XX`; a quoted header
has `"` and backslash behind a backslash.
"""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from pipelines.worlds.emit.emitter import Emitter
from pipelines.worlds.estate import Estate

LOGFORMAT = '%ts.%03tu %6tr %>a %Ss/%03>Hs %<st %rm %ru %un %Sh/%<a %mt %>st "%{User-Agent}>h"'

FIRST, SECOND = "egress-1", "egress-2"

_TAG = """CASE WHEN decision = 'denied' THEN 'TCP_DENIED'
    WHEN decision = 'aborted' THEN CASE WHEN method = 'CONNECT' THEN 'TCP_TUNNEL_ABORTED' ELSE 'TCP_MISS_ABORTED' END
    WHEN method = 'CONNECT' THEN 'TCP_TUNNEL'
    WHEN decision = 'cached' THEN 'TCP_MEM_HIT' ELSE 'TCP_MISS' END"""

_URL = """CASE WHEN method = 'CONNECT' THEN host || ':' || coalesce(port, 443)
    ELSE coalesce(scheme, 'http') || '://' || host
         || CASE WHEN coalesce(port, 80) IN (80, 443) THEN '' ELSE ':' || port END
         -- Squid leaves the query out unless it is told otherwise; spaces never reach the log.
         || replace(split_part(coalesce(path, '/'), '?', 1), ' ', '%20') END"""

_USER = """coalesce(replace(replace(replace(replace("user", '%', '%25'), '[', '%5B'), ']', '%5D'), chr(92), chr(92)
    || chr(92)), '-')"""

_ADDRESS = """CASE WHEN regexp_matches(host, '^[0-9.]+$') THEN host ELSE
    '198.51.' || (100 + ('0x' || substr(md5(host), 1, 4))::INTEGER % 100) || '.'
    || (1 + ('0x' || substr(md5(host), 5, 4))::INTEGER % 250) END"""
"""A server's address, the same one for a host in the whole world."""

_HIERARCHY = f"CASE WHEN decision IN ('denied', 'cached') THEN 'HIER_NONE/-' ELSE 'HIER_DIRECT/' || {_ADDRESS} END"

_AGENT = """coalesce(replace(replace(agent, chr(92), chr(92) || chr(92)), '"', chr(92) || '"'), '-')"""

TEXT = " || ".join(
    [
        "printf('%d.%03d', epoch_ms(logged_at) // 1000, epoch_ms(logged_at) % 1000)",
        "printf(' %6d ', elapsed_ms)",
        "client",
        f"' ' || ({_TAG}) || printf('/%03d', status)",
        "' ' || coalesce(bytes_in, 0)",
        "' ' || method",
        f"' ' || ({_URL})",
        f"' ' || {_USER}",
        f"' ' || ({_HIERARCHY})",
        "' ' || coalesce(mime, '-')",
        "' ' || coalesce(bytes_out, 0)",
        f"""' "' || {_AGENT} || '"'""",
    ]
)


def _entry(estate: Estate) -> Mapping[str, object]:
    return {
        "realm": estate.proxy_realm,
        "authenticated": True,
        "from": "logs/squid/*/access-*.log",
        "logformat": LOGFORMAT,
    }


EMITTER = Emitter(
    format="squid",
    reads="requests",
    system="proxy",
    folder="logs/squid",
    layout="lines",
    clock=(pl.col("at") + pl.duration(milliseconds=pl.col("elapsed_ms"))).dt.truncate("1ms"),
    text=TEXT,
    native_id=None,
    file=pl.concat_str("shard", pl.col("delivered_at").dt.strftime("/access-%Y-%m-%d.log")),
    entry=_entry,
    shards=(FIRST, SECOND),
)

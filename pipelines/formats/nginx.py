r"""nginx's access log: `combined`, or any `log_format` of the server's configuration.

Proves: that a request came from an address at a time, and how much was sent back; the name of HTTP Basic authentication
where the source says `authenticated: true`, since `$remote_user` is taken from the request's header even where nginx
checked nothing.

Cannot see: what the client sent, unless `$request_length` is logged (line, headers and body); the host, unless `$host`
is; anything within a `stream` block. nginx is no proxy for CONNECT. `X-Forwarded-For` is what the caller wrote, and is
not read; `$remote_addr` is the address that the realip module put there, where it is in use. In a line that has a value
neither in quotes nor of a shape of its own, a caller can write what looks like the values behind it: such a line is
read, and no name in it is proven.

Sources: ngx_http_log_module, ngx_http_core_module, ngx_http_upstream_module (nginx.org/en/docs);
`ngx_http_variable_remote_user` of src/http/ngx_http_variables.c. A line is written when its request has ended, so
`$time_local` and `$msec` are ends; `$request_time` reaches back to the first byte that was read. 499 is nginx's own
status for a client that went away.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

import pyarrow as pa
from pydantic import field_validator

from pipelines.formats import http_read, http_secrets, http_sql
from pipelines.formats.format import GRANTS_OUT, Format, Options, Split
from pipelines.formats.http_lines import Line, fields_sql
from pipelines.formats.nginx_logformat import compiled
from pipelines.formats.splitting import lines
from pipelines.identifiers import Sql


class NginxOptions(Options):
    """`log_format` is the server's own line (combined where it is null); `authenticated`: it checks its users."""

    log_format: str | None = None
    authenticated: bool = False

    @field_validator("log_format")
    @classmethod
    def _readable(cls, line: str | None) -> str | None:
        compiled(line)
        return line


def split(stream: BinaryIO, at_rest: bool, options: NginxOptions) -> Iterator[Split]:  # noqa: ARG001
    """One record a line."""
    return lines(stream, at_rest)


def actions(records: pa.Table, options: NginxOptions) -> pa.Table:
    """nginx's lines (RECORDS_IN) as OCSF HTTP Activity (ACTIONS_OUT); times are UTC, sizes bytes."""
    line = compiled(options.log_format)

    def columns(line: Line, strict: bool) -> dict[str, str]:
        return _columns(line, options.authenticated and strict)

    return http_read.actions(records, fields_sql([line], columns, {"fault": _mismatch(line)}))


def grants(records: pa.Table, options: NginxOptions) -> pa.Table:  # noqa: ARG001
    """No rows: a proxy sees credentials used, never made."""
    return GRANTS_OUT.empty_table()


def _columns(line: Line, authenticated: bool) -> dict[str, str]:
    request = line.sql("request")
    whole = r"'^(\S+) (.*?)(?: (HTTP/[0-9.]+))?$'"
    user = line.sql("remote_user")
    upstream = rf"regexp_extract({line.sql('upstream_addr')}, '([^\s,]+)$', 1)"
    status = f"try_cast({line.sql('status')} AS INTEGER)"
    # `$host` has no port; that of the Host header is the caller's, which is where it meant to go.
    header = line.sql("http_host")
    return {
        "micros": _time(line),
        "time_kind": "'end'",
        "time_precision": "'1ms'" if line.has("msec") else "'1s'",
        "method": f"coalesce({line.sql('request_method')}, {_method(request)})",
        "url": f"coalesce({line.sql('request_uri')}, CASE WHEN {_method(request)} IS NOT NULL"
        f" THEN regexp_extract({request}, {whole}, 2) END, {line.sql('uri', 'document_uri')})",
        "scheme": line.sql("scheme"),
        "host": line.sql("host") if line.has("host") else line.sql("server_name"),
        "port": f"coalesce(nullif(regexp_extract({header}, ':([0-9]+)$', 1), ''), {line.sql('server_port')})",
        "host_header": header,
        "sni": line.sql("ssl_server_name"),
        "client": line.sql("remote_addr"),
        "client_port": line.sql("remote_port"),
        "peer": http_sql.address_of(upstream),
        "agent": line.sql("http_user_agent"),
        "principal": Sql.uid("proxy:user", user, "realm"),
        "principal_type": f"CASE WHEN {user} IS NOT NULL THEN 'user' END",
        "identity_strength": "'proven'" if authenticated else "'asserted'",
        "code": line.sql("status"),
        "failed": f"{status} = 499",
        "problem": f"CASE WHEN {status} = 499 THEN 'the client closed the connection' END",
        "duration_ms": f"try_cast({line.sql('request_time')} AS DOUBLE) * 1000",
        "bytes_out": line.sql("request_length"),
        "bytes_in": line.sql("bytes_sent", "body_bytes_sent"),
        "request_id": line.sql(
            "upstream_http_x_amzn_requestid", "upstream_http_x_amz_request_id", "sent_http_x_amzn_requestid",
            "sent_http_x_amz_request_id", "request_id",
        ),
        "traceparent": line.sql("http_traceparent"),
    }  # fmt: skip


def _method(request: str) -> str:
    """The method of a request line, null where the line is no request (a TLS handshake on a plain port, say)."""
    return rf"nullif(regexp_extract({request}, '^([A-Za-z_-]+) \S', 1), '')"


def _time(line: Line) -> str:
    local = f"epoch_us(try_strptime({line.sql('time_local')}, '%d/%b/%Y:%H:%M:%S %z'))"
    times = {
        "msec": http_sql.seconds(line.sql("msec")),
        "time_iso8601": http_sql.rfc3339(line.sql("time_iso8601")),
        "time_local": local,
    }
    return f"coalesce({', '.join(sql for name, sql in times.items() if line.has(name))})"


def _mismatch(line: Line) -> str:
    expected = line.text.replace("'", "''")
    return f"""'not a line of the log_format "{expected}": ' || CASE
        WHEN trim(coalesce(raw, '')) = '' THEN 'the line is blank'
        ELSE 'it has ' || length(raw) || ' characters; if the server writes another log_format,'
             || ' write that line into the source' END"""


FORMAT = Format(
    name="nginx",
    category="proxy",
    observes=http_sql.ALWAYS | {"principal", "principal_type", "identity_strength", "request_uid", "trace_uid"},
    id_scope="none",
    split=split,
    actions=actions,
    grants=grants,
    options=NginxOptions,
    secrets=http_secrets.URLS,
    spaced=True,
)

r"""HAProxy's logs: `option httplog`, `httpslog` and `tcplog`, or any `log-format` of the proxy's configuration.

Proves: that a request or connection came from an address and a port at a time, which server it was given to, and how
many bytes the client was sent. With `%[ssl_c_der,sha2(256),hex]` in the log-format and `authenticated: true` also the
client certificate that it came with.

Cannot see: who a caller is, without such an item; what a client sent, unless `%U` is logged (headers and body, in
`mode tcp` all bytes); the host, unless the request line is absolute, the Host header is captured (name the captured
headers in `captures`) or a sample logs it. A line with `+` before its numbers was written before the end (`option
logasap`): its sizes and times are not taken. Sizes of HTTP are those of HAProxy's own form of a message, in which a
header is 4 bytes shorter than on the wire. Syslog may cut a long request off.

Sources: "8.2. Log formats" and "8.5. Session state at disconnection" of the configuration manual (docs.haproxy.org),
src/log.c (escaping, what stands for missing values). `%t` and `%tr` are when the connection was accepted and the
request began, in local time without a zone: set `timezone` (an IANA name; UTC unless given). In the hour that autumn
repeats the later one is taken. `%ci` may be the word `unix`, and with the PROXY protocol it is what its sender wrote.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

import pyarrow as pa
from pydantic import field_validator

from pipelines.formats import http_read, http_secrets, http_sql
from pipelines.formats.format import GRANTS_OUT, Format, Options, Secret, Split
from pipelines.formats.haproxy_logformat import READ, SYSLOG, compiled
from pipelines.formats.http_lines import Line, fields_sql
from pipelines.formats.splitting import lines
from pipelines.formats.zone import Zone


class HaproxyOptions(Options):
    """`log_format` is the proxy's own line, `captures` the request headers that it captures, in their order.

    `timezone` is that of the machine; `authenticated` says that it demands and verifies client certificates.
    """

    log_format: str | None = None
    captures: tuple[str, ...] = ()
    timezone: Zone = "UTC"
    authenticated: bool = False

    @field_validator("log_format")
    @classmethod
    def _readable(cls, line: str | None) -> str | None:
        if line is not None:
            compiled(line)
        return line

    @field_validator("captures")
    @classmethod
    def _no_secrets(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        secret = [name for name in names if name.lower() in http_secrets.SECRET_HEADERS]
        if secret:
            raise ValueError(f"{', '.join(secret)}: the proxy writes secrets into its log; do not capture them")
        return tuple(name.lower() for name in names)


def split(stream: BinaryIO, at_rest: bool, options: HaproxyOptions) -> Iterator[Split]:  # noqa: ARG001
    """One record a line."""
    return lines(stream, at_rest)


def actions(records: pa.Table, options: HaproxyOptions) -> pa.Table:
    """HAProxy's lines (RECORDS_IN) as OCSF HTTP or Network Activity (ACTIONS_OUT); times are UTC, sizes bytes."""
    names = READ if options.log_format is None else (options.log_format,)
    read = [compiled(name) for name in names]
    fields = fields_sql(read, lambda line, strict: _columns(line, options, strict), _unread())
    return http_read.actions(records, fields)


def grants(records: pa.Table, options: HaproxyOptions) -> pa.Table:  # noqa: ARG001
    """No rows: a proxy sees credentials used, never made."""
    return GRANTS_OUT.empty_table()


def _columns(line: Line, options: HaproxyOptions, strict: bool) -> dict[str, str]:
    request, state = line.sql("r"), line.sql("tsc", "ts")
    status = f"nullif(try_cast({line.sql('ST')} AS INTEGER), -1)"
    certificate = rf"regexp_extract(lower({line.sql('ssl_c_der,sha2(256),hex')}), '^[0-9a-f]{{64}}$')"
    ended = _ended(line.sql("Ta", "Tt"))
    is_http = line.has("ST", "r", "HM")
    return {
        "micros": _time(line, options.timezone),
        "time_kind": "'start'",
        "time_precision": "'1ms'" if line.has("t", "tr", "ms") else "'1s'",
        "method": rf"coalesce({line.sql('HM')}, nullif(regexp_extract({request}, '^([A-Za-z_-]+) \S', 1), ''))",
        "url": rf"coalesce({line.sql('HU')}, nullif(regexp_extract({request}, '^[A-Za-z_-]+ (\S+)', 1), ''))",
        "path": line.sql("HPO", "HP"),
        "host_header": _header(line, options, "host"),
        "sni": line.sql("ssl_fc_sni", "req.ssl_sni", "req_ssl_sni"),
        "client": line.sql("ci"),
        "client_port": line.sql("cp"),
        "peer": line.sql("si"),
        "peer_port": line.sql("sp"),
        "agent": _header(line, options, "user-agent"),
        "credential_uid": f"'x509:cert/' || nullif({certificate}, '')",
        "credential_type": f"CASE WHEN {certificate} <> '' THEN 'certificate' END",
        "identity_strength": "'proven'" if options.authenticated and strict else "'asserted'",
        "code": f"CAST({status} AS VARCHAR)",
        "refused": f"starts_with({state}, 'P') AND coalesce({status} NOT IN (400, 408, 500, 501, 502, 503, 504), true)",
        "failed": f"regexp_matches({state}, '^[CcSsRIDUK]')",
        "raw_stream": "false" if is_http else "true",
        "problem": f"CASE WHEN {state} NOT LIKE '--%' THEN 'termination state ' || {state} END",
        "duration_ms": f"try_cast({ended} AS DOUBLE)",
        "bytes_out": _ended(line.sql("U")),
        "bytes_in": _ended(line.sql("B")),
        "request_id": line.sql("res.hdr(x-amzn-requestid)", "res.hdr(x-amz-request-id)", "id"),
        "traceparent": _header(line, options, "traceparent"),
    }


def _ended(number: str) -> str:
    """A number that was final when it was written; `-1` is none."""
    return f"CASE WHEN NOT starts_with({number}, '+') THEN nullif({number}, '-1') END"


def _header(line: Line, options: HaproxyOptions, name: str) -> str:
    """A request header: logged by a sample, or one of those that are captured."""
    samples = [f"req.hdr({name})", f"req.fhdr({name})", f"hdr({name})", f"capture.req.hdr({name})"]
    found = [line.sql(*samples)]
    if name in options.captures:
        at = options.captures.index(name)
        found.append(line.sql(f"capture.req.hdr({at})"))
        captured = f"split_part({line.sql('hr')}, '|', {at + 1})"
        found.append(http_sql.unescaped(f"nullif({captured}, '')", "#"))
    return f"coalesce({', '.join(found)})"


def _time(line: Line, zone: str) -> str:
    """The start, in microseconds since 1970: by a time that says its zone, unless a zone is set; else by local time."""
    zoned = line.sql("trg", "trl", "T", "Tl")
    local = f"try_strptime({line.sql('tr', 't')}, '%d/%b/%Y:%H:%M:%S.%g')"
    epoch = f"try_cast({line.sql('Ts')} AS BIGINT) * 1000000 + coalesce(try_cast({line.sql('ms')} AS BIGINT), 0) * 1000"
    times = [
        f"try_strptime({zoned}, '%d/%b/%Y:%H:%M:%S %z')" if line.has("trg", "trl", "T", "Tl") else None,
        f"timezone('{zone}', {local})" if line.has("t", "tr") else None,
    ]
    if zone != "UTC":
        times.reverse()
    readable = [f"epoch_us({time})" for time in times if time]
    if line.has("Ts"):
        readable.insert(0, epoch)
    return f"coalesce({', '.join(readable)})"


def _unread() -> dict[str, str]:
    """A record that is no line of the log-format: one of HAProxy's own notices, or an error."""
    failed = rf"^{SYSLOG}\S+:[0-9]+ \[[0-9]{{2}}/[A-Za-z]{{3}}/[0-9:.]+\] \S+/\S+: \S"
    notice = (
        rf"^{SYSLOG}(?:Connect from \S+ to |Proxy \S+ (?:started|stopped)|(?:Backup )?Server \S+/\S+ (?:is|was) "
        r"|Health check for |backend \S+ has no server|(?:Stopping|Pausing|Resuming|Enabling) )"
    )
    return {
        "idle": f"""CASE WHEN regexp_matches(raw, '{failed}') THEN 'a connection that failed before any request'
            WHEN regexp_matches(raw, '{notice}') THEN 'a notice of the proxy about itself' END""",
        "fault": f"""CASE WHEN trim(coalesce(raw, '')) = '' THEN 'the line is blank'
            WHEN NOT regexp_matches(raw, '{failed}') AND NOT regexp_matches(raw, '{notice}')
            THEN 'no line of the log-format: it has ' || length(raw) || ' characters and '
                 || len(regexp_split_to_array(trim(raw), '\\s+'))
                 || ' words; if the proxy writes another log-format, write that line into the source' END""",
    }


SECRETS = (
    *http_secrets.URLS,
    # Captured cookies, of the request and of the response, by the numbers before and behind them.
    Secret(r"[0-9] -?[0-9]+ \+?[0-9]+ [^\s=;]+=([^\s]+)"),
    Secret(r" [^\s=;\"]+=([^\s\"]+) [A-Za-z-]{4} [0-9]+/[0-9]+/[0-9]+/[0-9]+/"),
    # Captured headers.
    Secret(r"(?i)[{|](?:basic|bearer|digest|negotiate|token) +([^|{}\s]+)"),
)

FORMAT = Format(
    name="haproxy",
    category="proxy",
    observes=http_sql.ALWAYS | {"credential_uid", "credential_type", "identity_strength", "request_uid", "trace_uid"},
    id_scope="none",
    split=split,
    actions=actions,
    grants=grants,
    options=HaproxyOptions,
    secrets=SECRETS,
    spaced=True,
)

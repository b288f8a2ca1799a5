r"""Envoy's access log, text or JSON: the default format, Istio's and Envoy Gateway's, or one of your own.

Proves: that a request or a connection came from an address at a time, and what became of it. Where the source says
`authenticated: true` (the listener demands and verifies client certificates, the JWT filter requires a token), also who
it was: `%DOWNSTREAM_PEER_URI_SAN%` as a SPIFFE ID, or `iss` and `sub` of the verified JWT, and which credential was
used: the token's `jti` or the certificate's fingerprint.

Cannot see: who a caller is in the default format, which has no address either; headers and framing in its byte counts
(`%BYTES_RECEIVED%` and `%BYTES_SENT%` are bodies, of TCP all bytes; `%DOWNSTREAM_WIRE_BYTES_RECEIVED%` is the whole
message and is preferred where it is logged). `X-Forwarded-For` and other request headers are what the caller wrote and
identify nobody; nor is `x-request-id` taken for the request's id, since Envoy may keep the caller's. Text is not
escaped: where a caller writes quotes into a header, its line is read, and no identity in it is proven; JSON is better.

Sources: "Access logging" and "JWT Authentication" of Envoy's documentation, its response flags and code details;
HeaderUtility::requestHeadersValid (source/common/http/header_utility.cc); Istio's EnvoyTextLogFormat. `%START_TIME%` is
when the request began, `%DURATION%` ms reach to its end. `-`, `null` and an empty text stand for nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import BinaryIO

import pyarrow as pa
from pydantic import JsonValue, field_validator

from pipelines.formats import http_read, http_secrets, http_sql
from pipelines.formats.envoy_format import BUILT_IN, CRI, compiled, keys
from pipelines.formats.format import GRANTS_OUT, Format, Options, Split
from pipelines.formats.http_lines import fields_sql
from pipelines.formats.splitting import lines
from pipelines.identifiers import Sql


class EnvoyOptions(Options):
    """`text_format` is the proxy's own line, `json_format` its own object (key: operator); without either the common
    ones are tried. `authenticated` says that the proxy verifies the client certificates or tokens that it logs.
    """

    text_format: str | None = None
    json_format: dict[str, JsonValue] | None = None
    authenticated: bool = False

    @field_validator("text_format")
    @classmethod
    def _readable(cls, line: str | None) -> str | None:
        if line is not None:
            compiled(line)
        return line

    @field_validator("json_format")
    @classmethod
    def _readable_keys(cls, template: dict[str, JsonValue] | None) -> dict[str, JsonValue] | None:
        keys(template)
        return template


def split(stream: BinaryIO, at_rest: bool, options: EnvoyOptions) -> Iterator[Split]:  # noqa: ARG001
    """One record a line."""
    return lines(stream, at_rest)


def actions(records: pa.Table, options: EnvoyOptions) -> pa.Table:
    """Envoy's lines (RECORDS_IN) as OCSF HTTP or Network Activity (ACTIONS_OUT); times are UTC, sizes bytes."""
    formats = [options.text_format] if options.text_format else list(BUILT_IN)
    objects = rf"regexp_matches(raw, '^{CRI}\s*\{{')"
    text = fields_sql(
        [compiled(line) for line in formats],
        lambda line, strict: _columns(line.sql, line.has, options.authenticated and strict),
        {"fault": _no_line()},
        f"(FROM records WHERE {objects} IS NOT TRUE)",
    )
    return http_read.actions(records, f"({text}) UNION ALL ({_objects(options, objects)})")


def grants(records: pa.Table, options: EnvoyOptions) -> pa.Table:  # noqa: ARG001
    """No rows: a proxy sees credentials used, never made."""
    return GRANTS_OUT.empty_table()


def _objects(options: EnvoyOptions, objects: str) -> str:
    """SELECT of the fields of the records that are JSON objects; all paths are extracted at once."""
    places = keys(options.json_format)
    paths = [path for each in places.values() for path in each]
    listed = ", ".join(f"'{path}'" for path in paths)

    def sql(*codes: str) -> str:
        values = [f"v{paths.index(path)}" for code in codes for path in places.get(code, ())]
        return f"coalesce({', '.join(values)})" if values else "CAST(NULL AS VARCHAR)"

    def has(*codes: str) -> bool:
        return any(code in places for code in codes)

    values = ", ".join(f"{http_sql.known(f'd[{n + 1}]')} AS v{n}" for n in range(len(paths)))
    source = rf"""(
        SELECT record_id, realm, broken, {values}
        FROM (SELECT record_id, realm, body IS NULL AS broken, json_extract_string(body, [{listed}]) AS d
              FROM (SELECT record_id, realm, CASE WHEN json_valid(body) THEN body END AS body
                    FROM (SELECT record_id, realm, regexp_replace(raw, '^{CRI}\s*', '') AS body
                          FROM records WHERE {objects})))
    )"""
    columns = _columns(sql, has, options.authenticated)
    columns["fault"] = f"""CASE WHEN broken THEN 'not valid JSON'
        WHEN {sql("start_time")} IS NULL THEN 'no start time under the key of %START_TIME%;'
             ' if the proxy writes other keys, write its json_format into the source' END"""
    return http_sql.select(columns, source)


def _no_line() -> str:
    return """CASE WHEN trim(coalesce(raw, '')) = '' THEN 'the line is blank'
        WHEN regexp_matches(raw, '^\\S+ std(?:out|err) P ') THEN 'a part of a line that the container runtime cut'
        ELSE 'no line of the format: it has ' || length(raw) || ' characters and '
             || (length(raw) - length(replace(raw, '"', '')))
             || ' quotation marks; if the proxy writes another format, write that line into the source' END"""


_BROKEN_OFF = "DC|DF|DI|DO|DPE|DR|DT|FI|IH|LH|LR|NC|NR|NFCF|OM|RL|RLSE|SI|UC|UF|UH|UMSDR|UO|UPE|UR|URX|UT|UDO|UAEX"
"""Response flags of requests and connections that came to nothing or not to their end."""

_DENIALS = "^(rbac_access_denied|ext_authz_denied|jwt_authn_access_denied|oauth)"
"""How details begin that say that a policy of the proxy refused."""


def _columns(sql: Callable[..., str], has: Callable[..., bool], authenticated: bool) -> dict[str, str]:
    flags, details = sql("response_flags"), sql("response_code_details", "connection_termination_details")
    denied = f"regexp_matches(lower({details}), '{_DENIALS}')"
    time = sql("start_time")
    peer = sql("downstream_direct_remote_address", "downstream_remote_address")
    bare = sql("downstream_direct_remote_address_without_port", "downstream_remote_address_without_port")
    spiffe = rf"nullif(regexp_extract({sql('downstream_peer_uri_san')}, '(spiffe://[^,\s]+)', 1), '')"
    issuer = Sql.issuer(sql("jwt(iss)"))
    subject = f"{Sql.uid('oidc:subject', issuer)} || '#' || {sql('jwt(sub)')}"
    token = f"{Sql.uid('oauth:token', issuer)} || '#' || {sql('jwt(jti)')}"
    fingerprint = f"nullif(regexp_extract(lower({sql('downstream_peer_fingerprint_256')}), '^[0-9a-f]{{64}}$'), '')"
    return {
        "micros": f"coalesce({http_sql.rfc3339(time)}, {http_sql.seconds(time)})",
        "time_kind": "'start'",
        "time_precision": f"CASE WHEN contains({time}, '.') THEN '1ms' ELSE '1s' END",
        "method": sql("req(:method)"),
        "url": f"CASE WHEN {sql('req(:method)')} = 'CONNECT' THEN {sql('req(:authority)')}"
        f" ELSE {sql('req(:path)')} END",
        "scheme": f"coalesce({sql('req(:scheme)', 'req(x-forwarded-proto)')},"
        f" CASE WHEN {sql('req(:method)')} IS NOT NULL"
        f" AND {sql('requested_server_name', 'downstream_tls_version')} IS NOT NULL THEN 'https' END)",
        "host_header": sql("req(:authority)", "req(host)"),
        "sni": sql("requested_server_name"),
        "client": f"coalesce({http_sql.address_of(peer)}, {bare})",
        "client_port": f"coalesce({http_sql.port_of(peer)}, {sql('downstream_remote_port')})",
        "peer": http_sql.address_of(sql("upstream_host")),
        "peer_port": http_sql.port_of(sql("upstream_host")),
        "agent": sql("req(user-agent)"),
        "principal": f"coalesce({Sql.uid('spiffe:id', spiffe)}, {subject})",
        "principal_type": f"CASE WHEN {spiffe} IS NOT NULL THEN 'workload' WHEN {subject} IS NOT NULL THEN 'user' END",
        "credential_uid": f"coalesce({token}, {Sql.uid('x509:cert', fingerprint)})",
        "credential_type": f"CASE WHEN {token} IS NOT NULL THEN 'oauth_token'"
        f" WHEN {fingerprint} IS NOT NULL THEN 'certificate' END",
        "identity_strength": "'proven'" if authenticated else "'asserted'",
        "code": sql("response_code"),
        "refused": f"coalesce({denied}, false) OR coalesce(regexp_matches({flags}, '(^|,)UAEX(,|$)'), false)",
        "failed": f"regexp_matches({flags}, '(^|,)({_BROKEN_OFF})(,|$)')",
        "raw_stream": f"{sql('req(:method)')} IS NULL AND {sql('protocol')} IS NULL" if has("protocol") else "false",
        "problem": f"coalesce({flags} || coalesce(' ' || {details}, ''), {details})",
        "duration_ms": f"try_cast({sql('duration')} AS DOUBLE)",
        "bytes_out": sql("downstream_wire_bytes_received", "bytes_received"),
        "bytes_in": sql("downstream_wire_bytes_sent", "bytes_sent"),
        "request_id": sql("resp(x-amzn-requestid)", "resp(x-amz-request-id)"),
        "traceparent": sql("req(traceparent)"),
    }


FORMAT = Format(
    name="envoy",
    category="proxy",
    observes=http_sql.ALWAYS
    | {
        "principal", "principal_type", "credential_uid", "credential_type", "identity_strength", "request_uid",
        "trace_uid",
    },
    id_scope="none",
    split=split,
    actions=actions,
    grants=grants,
    options=EnvoyOptions,
    secrets=http_secrets.URLS,
)  # fmt: skip

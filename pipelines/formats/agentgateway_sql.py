"""The DuckDB SQL behind `agentgateway`: lines to fields, and those to actions and grants."""

from __future__ import annotations

import duckdb
import pyarrow as pa

from pipelines.formats.record_sql import count_of, id_of, moment, one_of, parse, port_of, texts, told, word_of
from pipelines.identifiers import Sql

_PEER = {
    "peer": "src.addr",
    "workload": "src.identity",
    "method": "http.method",
    "host": "http.host",
    "path": "http.path",
    "code": "http.status",
    "sni": "tls.sni",
    "endpoint": "endpoint",
    "trace": "trace.id",
    "subject": "jwt.sub",
}
"""Fields that the gateway writes before any word of the caller that can hold a space, by what they are called here."""

_REST = {
    "protocol": ("protocol",),
    "mcp_method": ("mcp.method.name", "mcp.method"),
    "mcp_target": ("mcp.target",),
    "mcp_kind": ("mcp.resource.type",),
    "mcp_name": ("gen_ai.tool.name", "gen_ai.prompt.name", "mcp.resource.name"),
    "mcp_uri": ("mcp.resource.uri",),
    "mcp_session": ("mcp.session.id",),
    "a2a_method": ("a2a.method",),
    "operation": ("gen_ai.operation.name",),
    "provider": ("gen_ai.provider.name", "llm.provider"),
    "model": ("gen_ai.request.model", "llm.request.model"),
    "used_model": ("gen_ai.response.model", "llm.response.model"),
    "input_tokens": ("gen_ai.usage.input_tokens", "llm.request.tokens"),
    "output_tokens": ("gen_ai.usage.output_tokens", "llm.response.tokens"),
    "why": ("reason",),
    "took": ("duration",),
}
_SHAPE = texts("time", "scope", "error", *_PEER.values(), *(name for names in _REST.values() for name in names))

_LINE = r"^([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+Z?)[\t ]+[a-z]+[\t ]+(\S+)[\t ](.*)$"
_CALLERS_WORDS = r" (?:protocol|a2a\.method|mcp\.[a-z.]+|gen_ai\.[a-z_.]+|llm\.[a-z.]+|error|reason|duration)="

_DENIED_REASONS = (
    "JwtAuth", "ApiKeyAuth", "BasicAuth", "Authorization", "ExtAuth", "ExtAuthz", "RateLimit", "RateLimitExceeded",
    "AuthorizationFailed", "AuthenticationFailed", "Unauthorized", "Forbidden", "CsrfValidationFailed",
)  # fmt: skip


def read(connection: duckdb.DuckDBPyConnection, records: pa.Table, issuer: str | None) -> None:
    """Make the table `events`: a row a record, and as `reason` why it is no event; `issuer` is that of tokens."""
    parse(connection, records, _SHAPE)
    connection.execute("CREATE TEMP TABLE issued AS SELECT CAST(? AS VARCHAR) AS issuer", [issuer])
    connection.execute(f"CREATE TEMP TABLE events AS {_events()}")


def _in_text(part: str, name: str) -> str:
    """SQL: the first value of this name in a part of a line; a quoted one without its quotes."""
    key = name.replace(".", "[.]")
    raw = f'regexp_extract({part}, \'(?:^| ){key}=("(?:[^"\\\\]|\\\\.)*"|[^ ]*)\', 1)'
    return f"nullif(regexp_replace({raw}, '^\"(.*)\"$', '\\1'), '')"


def _events() -> str:
    """A row a record: its fields, out of JSON or out of a line of text."""
    peers = [f"CASE WHEN valid THEN e.\"{name}\" ELSE {_in_text('head', name)} END AS {short}"
             for short, name in _PEER.items()]  # fmt: skip
    rest = []
    for short, names in _REST.items():
        json_values = ", ".join(f'e."{name}"' for name in names)
        text_values = ", ".join(_in_text("tail", name) for name in names)
        rest.append(
            f"CASE WHEN valid THEN coalesce({json_values}, NULL) ELSE coalesce({text_values}, NULL) END AS {short}"
        )
    identities = ("workload", "subject", "mcp_session")
    cleaned = ", ".join(
        f"{id_of(name) if name in identities else word_of(name)} AS {name}" for name in [*_PEER, *_REST]
    )
    return f"""
        WITH shaped AS MATERIALIZED (
            SELECT record_id, realm, raw, valid, e,
                   regexp_extract(raw, '{_LINE}', 1, 's') AS stamp, regexp_extract(raw, '{_LINE}', 2, 's') AS scope,
                   regexp_extract(raw, '{_LINE}', 3, 's') AS body
            FROM parsed
        ),
        cut AS MATERIALIZED (
            SELECT *, regexp_extract(body, '^(.*?)(?:{_CALLERS_WORDS}|$)', 1, 's') AS head,
                   substr(body, length(regexp_extract(body, '^(.*?)(?:{_CALLERS_WORDS}|$)', 1, 's')) + 1) AS tail
            FROM shaped
        ),
        read AS MATERIALIZED (
            SELECT record_id, realm, raw, valid, {", ".join(peers)}, {", ".join(rest)},
                   CASE WHEN valid THEN e.error ELSE {_in_text("tail", "error")} END AS error_text,
                   CASE WHEN valid THEN e.time ELSE nullif(stamp, '') END AS stamp,
                   CASE WHEN valid THEN e.scope ELSE nullif(scope, '') END AS scope,
                   CASE WHEN NOT valid THEN regexp_extract(tail, '^.* duration=([0-9]+)ms', 1, 's') END AS last_took
            FROM cut
        ),
        fields AS MATERIALIZED (
            SELECT * REPLACE ({cleaned}), {moment("stamp")} AS time,
                   {count_of("CASE WHEN valid THEN regexp_extract(took, '^([0-9]+)ms$', 1) ELSE last_took END")} AS ms
            FROM read
        )
        SELECT *, CAST(NULL AS VARCHAR) AS native_id,
               coalesce(lower(protocol) = 'mcp', false) OR mcp_method IS NOT NULL AS is_mcp,
               coalesce(lower(protocol) = 'a2a', false) OR a2a_method IS NOT NULL AS is_a2a,
               operation IS NOT NULL OR provider IS NOT NULL OR coalesce(lower(protocol) = 'llm', false) AS is_model,
               {Sql.issuer("coalesce((SELECT issuer FROM issued), realm)")} AS home,
               coalesce(scope <> 'request', false) AS skipped,
               CASE WHEN scope <> 'request' THEN 'a line of the gateway that tells of no request'
                    WHEN scope IS NULL AND valid THEN 'the key "scope" is missing or has no text'
                    WHEN scope IS NULL THEN 'the line is no request with a time, a level and a scope'
                    WHEN stamp IS NULL THEN 'the key "time" is missing or has no text'
                    WHEN time IS NULL THEN 'the key "time" is no RFC 3339 time'
                    WHEN peer IS NULL AND method IS NULL AND endpoint IS NULL
                    THEN 'the keys "src.addr", "http.method" and "endpoint" are missing' END AS reason
        FROM fields
    """


_WORKLOAD = """CASE WHEN starts_with(workload, 'spiffe://') THEN 'spiffe:id/' || workload
    WHEN workload IS NOT NULL THEN 'spiffe:id/spiffe://' || workload END"""
_SUBJECT = Sql.uid("oidc:subject", "(home || '#' || subject)")
PRINCIPAL = f"coalesce({_WORKLOAD}, {_SUBJECT})"
DELEGATOR = f"CASE WHEN workload IS NOT NULL THEN {_SUBJECT} END"
SESSION = Sql.uid("mcp:session", "mcp_session", "realm")
_REFUSED = "coalesce(code IN ('401', '407'), false)"
STRENGTH = "CASE WHEN valid THEN 'proven' ELSE 'asserted' END"

_STATUS = f"""CASE WHEN code IN ('401', '403', '407', '429') OR {one_of("why", _DENIED_REASONS)} THEN 'denied'
    WHEN {count_of("code")} >= 400 OR error_text IS NOT NULL OR why IS NOT NULL THEN 'failure'
    WHEN code IS NULL THEN 'unknown' ELSE 'success' END"""
_CALLS_TOOL = "is_mcp AND (mcp_method = 'tools/call' OR mcp_kind = 'tool') AND coalesce(mcp_method, '') <> 'tools/list'"
_TOOL = f"CASE WHEN {_CALLS_TOOL} THEN mcp_name END"
_IS_PROXY = "NOT is_mcp AND NOT is_a2a AND NOT is_model"
_MODEL = "coalesce(model, used_model)"
_RESOURCE = f"CASE WHEN is_mcp THEN coalesce(mcp_name, mcp_uri) WHEN is_model THEN {_MODEL} END"
_ADDRESS = r"^(\[[^\]]*\]|[^:]*|[0-9A-Fa-f:]*):([0-9]{1,5})$"


def _split_at_port(text: str, group: int) -> str:
    """SQL: the address (1) or the port (2) of `10.0.0.1:443`, `[::1]:443` or `host:443`."""
    return f"nullif(regexp_extract({text}, '{_ADDRESS}', {group}), '')"


_COLUMNS = {
    "time": "time",
    "time_kind": "'end'",
    "time_precision": "'1us'",
    "category": "CASE WHEN is_mcp OR is_a2a THEN 'tool' WHEN is_model THEN 'model' ELSE 'proxy' END",
    "class_uid": f"CASE WHEN {_IS_PROXY} THEN 4002 ELSE 6003 END",
    "activity": f"""CASE WHEN {_IS_PROXY} THEN CASE upper(method) WHEN 'GET' THEN 'Get' WHEN 'POST' THEN 'Post'
        WHEN 'PUT' THEN 'Put' WHEN 'DELETE' THEN 'Delete' WHEN 'HEAD' THEN 'Head' WHEN 'OPTIONS' THEN 'Options'
        WHEN 'CONNECT' THEN 'Connect' WHEN 'TRACE' THEN 'Trace' WHEN 'PATCH' THEN 'Patch' ELSE 'Other' END
        ELSE 'Other' END""",
    "api_service": "CASE WHEN is_mcp THEN 'mcp' WHEN is_a2a THEN 'a2a' WHEN is_model THEN provider END",
    "api_operation": """CASE WHEN is_mcp THEN mcp_method WHEN is_a2a THEN a2a_method
        WHEN is_model THEN CASE operation WHEN 'embeddings' THEN 'embed' ELSE 'invoke' END END""",
    "principal": PRINCIPAL,
    "principal_type": "CASE WHEN workload IS NOT NULL THEN 'workload' WHEN subject IS NOT NULL THEN 'subject' END",
    # With a principal the session is left out: whoever used a stolen one would be taken for its owner.
    "credential_uid": f"CASE WHEN {PRINCIPAL} IS NULL THEN {SESSION} END",
    "credential_type": f"CASE WHEN {PRINCIPAL} IS NULL AND {SESSION} IS NOT NULL THEN 'mcp_session' END",
    "identity_strength": f"CASE WHEN {PRINCIPAL} IS NULL OR {_REFUSED} THEN 'asserted' ELSE {STRENGTH} END",
    "delegator": DELEGATOR,
    "delegator_strength": f"CASE WHEN {DELEGATOR} IS NOT NULL THEN {STRENGTH} END",
    "src_ip": _split_at_port("peer", 1),
    "src_port": port_of(_split_at_port("peer", 2)),
    "http_method": "upper(method)",
    "dst_host": "coalesce(regexp_replace(host, ':[0-9]+$', ''), sni)",
    "dst_port": port_of(_split_at_port("host", 2)),
    "dst_ip": _split_at_port("endpoint", 1),
    "url_path": "path",
    "status": _STATUS,
    "status_code": "code",
    "error": "coalesce(error_text, why)",
    "duration_ms": "ms",
    "resource_type": "CASE WHEN is_mcp THEN coalesce(mcp_kind, CASE WHEN mcp_uri IS NOT NULL THEN 'resource' WHEN mcp_name IS NOT NULL THEN 'tool' END) WHEN is_model THEN 'model' END",  # noqa: E501
    "resource_uid": _RESOURCE,
    "resources": f"CASE WHEN {_RESOURCE} IS NOT NULL THEN [{_RESOURCE}] END",
    "account": "CASE WHEN is_mcp THEN mcp_target END",
    "trace_uid": "lower(trace)",
    "model": f"CASE WHEN is_model AND NOT is_mcp THEN {_MODEL} END",
    "tool": _TOOL,
    "tokens_in": f"CASE WHEN is_model THEN {count_of('input_tokens')} END",
    "tokens_out": f"CASE WHEN is_model THEN {count_of('output_tokens')} END",
}
"""Every action column that this format fills, as SQL over the fields."""

ACTION_COLUMNS = frozenset(_COLUMNS)


def actions_sql() -> str:
    """A row a record, in the columns of ACTIONS_OUT that are filled."""
    return told(_COLUMNS)


def grants_sql() -> str:
    """A row an MCP session that was opened: whoever initialized it acts in it."""
    return f"""
        SELECT record_id, 'issue' AS kind, 'mcp ' || mcp_method AS mechanism, {PRINCIPAL} AS parent_uid,
               {SESSION} AS child_uid, {PRINCIPAL} AS principal, {DELEGATOR} AS delegator,
               CASE WHEN {DELEGATOR} IS NOT NULL THEN {STRENGTH} END AS delegator_strength, time AS issued_at,
               CAST(NULL AS TIMESTAMP) AS expires_at, {STRENGTH} AS strength
        FROM events
        WHERE reason IS NULL AND mcp_method = 'initialize' AND mcp_session IS NOT NULL AND {PRINCIPAL} IS NOT NULL
          AND coalesce({count_of("code")} < 300, false)
    """

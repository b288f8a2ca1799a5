"""The DuckDB SQL behind `otel_genai`: spans to fields, and those to actions."""

from __future__ import annotations

from typing import Any

import duckdb
import pyarrow as pa

from pipelines.formats.record_sql import count_of, id_of, mail, moment, one_of, parse, port_of, texts, told, word_of
from pipelines.identifiers import Sql

_ATTRIBUTES = [{"key": "VARCHAR", "value": texts("stringValue", "intValue", "doubleValue", "boolValue")}]
_SHAPE: dict[str, Any] = {
    "resource": {"attributes": _ATTRIBUTES},
    "span": {
        **texts("traceId", "spanId", "parentSpanId", "name", "kind", "startTimeUnixNano", "endTimeUnixNano"),
        "attributes": _ATTRIBUTES,
        "status": texts("code", "message"),
    },
}
_READ = {
    "operation": ("gen_ai.operation.name",),
    "provider": ("gen_ai.provider.name", "gen_ai.system", "llm.provider", "llm.system"),
    "asked_model": ("gen_ai.request.model", "llm.model_name", "embedding.model_name"),
    "used_model": ("gen_ai.response.model",),
    "input_tokens": ("gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens", "llm.token_count.prompt"),
    "output_tokens": ("gen_ai.usage.output_tokens", "gen_ai.usage.completion_tokens", "llm.token_count.completion"),
    "agent": ("gen_ai.agent.name", "gen_ai.agent.id", "agent.name"),
    "agent_id": ("gen_ai.agent.id",),
    "response": ("gen_ai.response.id",),
    "tool_name": ("gen_ai.tool.name", "tool.name"),
    "tool_call": ("gen_ai.tool.call.id",),
    "method": ("mcp.method.name",),
    "mcp_session": ("mcp.session.id",),
    "mcp_resource": ("mcp.resource.uri",),
    "mcp_server": ("mcp.server.name",),
    "prompt": ("gen_ai.prompt.name",),
    "rpc_id": ("jsonrpc.request.id",),
    "rpc_code": ("rpc.response.status_code", "rpc.jsonrpc.error_code"),
    "server": ("server.address",),
    "server_port": ("server.port",),
    "client": ("client.address",),
    "client_port": ("client.port",),
    "error_type": ("error.type",),
    "agent_string": ("user_agent.original",),
    "end_user": ("enduser.id", "user.id"),
    "openinference": ("openinference.span.kind",),
}
"""Attributes of a span by what they are called here; of several names the first that is there counts."""

_SERVICE = {"service": ("service.name",), "namespace": ("service.namespace",)}

_MODEL_KINDS = ("LLM", "EMBEDDING", "RERANKER")
_OPERATIONS = {
    "invoke": ("chat", "text_completion", "generate_content"),
    "embed": ("embeddings",),
}
_OF_OPENINFERENCE = {"LLM": "chat", "EMBEDDING": "embeddings", "TOOL": "execute_tool", "AGENT": "invoke_agent"}


def read(connection: duckdb.DuckDBPyConnection, records: pa.Table) -> None:
    """Make the table `events`: a row a record, and as `reason` why it is no event."""
    parse(connection, records, _SHAPE)
    connection.execute(f"CREATE TEMP TABLE events AS {_events()}")


def _attribute(keys: str, values: str, names: tuple[str, ...]) -> str:
    """SQL: the first of these attributes; of one that is written twice the first counts."""
    each = ", ".join(f"{values}[list_position({keys}, '{name}')]" for name in names)
    return word_of(f"coalesce({each})")


def _listed(attributes: str) -> tuple[str, str]:
    """SQL: the attributes' keys, and their values as text."""
    value = "coalesce(a.value.stringValue, a.value.intValue, a.value.doubleValue, a.value.boolValue)"
    found = f"list_filter({attributes}, a -> a.key IS NOT NULL)"
    return f"list_transform({found}, a -> a.key)", f"list_transform({found}, a -> {value})"


def _events() -> str:
    """A row a record: the span's attributes by name, and what kind of span it is."""
    keys, values = _listed("e.span.attributes")
    service_keys, service_values = _listed("e.resource.attributes")
    fields = [f"{_attribute('keys', 'vals', names)} AS {name}" for name, names in _READ.items()]
    fields += [f"{_attribute('service_keys', 'service_vals', names)} AS {name}" for name, names in _SERVICE.items()]
    kinds = " ".join(f"WHEN '{kind}' THEN '{operation}'" for kind, operation in _OF_OPENINFERENCE.items())
    return f"""
        WITH listed AS MATERIALIZED (
            SELECT record_id, realm, valid, e.span AS span, {keys} AS keys, {values} AS vals,
                   {service_keys} AS service_keys, {service_values} AS service_vals,
                   regexp_matches(raw, '"resource(Metrics|Logs)"|"scope(Metrics|Logs)"') AS other_signal
            FROM parsed
        ),
        named AS MATERIALIZED (
            SELECT record_id, realm, valid, span, other_signal, {", ".join(fields)},
                   lower({id_of("span.traceId")}) AS trace, lower({id_of("span.spanId")}) AS span_id,
                   lower({id_of("span.parentSpanId")}) AS parent_id,
                   {moment("nullif(span.startTimeUnixNano, '0')")} AS time,
                   {moment("nullif(span.endTimeUnixNano, '0')")} AS ended,
                   coalesce(span.kind IN ('2', 'SPAN_KIND_SERVER'), false) AS by_server
            FROM listed
        ),
        kinds AS MATERIALIZED (
            SELECT * REPLACE (coalesce(operation, CASE openinference {kinds} END) AS operation),
                   coalesce(method IS NOT NULL OR operation = 'execute_tool' OR openinference = 'TOOL', false)
                       AS is_tool,
                   coalesce({one_of("operation", sum(_OPERATIONS.values(), ()))}
                            OR {one_of("openinference", _MODEL_KINDS)}, false) AS is_model,
                   CASE WHEN service NOT LIKE 'unknown_service%' THEN coalesce(namespace || '/', '') || service END
                       AS named_service
            FROM named
        )
        SELECT *, trace || ':' || span_id AS native_id,
               valid AND (other_signal AND span IS NULL OR span IS NOT NULL AND operation IS NULL AND NOT is_tool
                          AND NOT is_model) AS skipped,
               CASE WHEN NOT valid THEN 'not a JSON object, as OTLP is'
                    WHEN span IS NULL AND other_signal THEN 'metrics or logs, no spans'
                    WHEN span IS NULL THEN 'the key "resourceSpans" is missing or holds no spans'
                    WHEN operation IS NULL AND NOT is_tool AND NOT is_model
                    THEN 'a span that is neither of a model nor of an agent, a tool or MCP'
                    WHEN trace IS NULL THEN 'the key "traceId" is missing or has no text'
                    WHEN span_id IS NULL THEN 'the key "spanId" is missing or has no text'
                    WHEN span.startTimeUnixNano IS NULL THEN 'the key "startTimeUnixNano" is missing'
                    WHEN time IS NULL THEN 'the key "startTimeUnixNano" is no time' END AS reason
        FROM kinds
    """


_SERVICE_UID = Sql.uid("otel:service", "named_service", "realm")
_PRINCIPAL = f"""CASE WHEN by_server AND method IS NOT NULL THEN NULL
    ELSE coalesce({_SERVICE_UID}, {Sql.uid("otel:agent", "coalesce(agent_id, agent)", "realm")}) END"""
"""The application; a server's span of MCP tells of its caller, whom it does not name."""

_CREDENTIAL = Sql.uid("mcp:session", "mcp_session", "realm")
_DELEGATOR = f"coalesce({mail('end_user')}, {Sql.uid('otel:user', 'end_user', 'realm')})"
_FAILED = "coalesce(span.status.code IN ('2', 'STATUS_CODE_ERROR'), false) OR error_type IS NOT NULL"
_REFUSED = ("401", "403", "PERMISSION_DENIED", "UNAUTHENTICATED", "permission_denied", "unauthorized", "forbidden")
_STATUS = f"""CASE WHEN {one_of("error_type", _REFUSED)} OR {one_of("rpc_code", _REFUSED)} THEN 'denied'
    WHEN {_FAILED} THEN 'failure' ELSE 'success' END"""
_MODEL = "coalesce(asked_model, used_model)"
_CALLS = " ".join(f"WHEN {one_of('operation', names)} THEN '{operation}'" for operation, names in _OPERATIONS.items())
_RESOURCE = (
    f"CASE WHEN is_tool THEN coalesce(tool_name, mcp_resource, prompt) WHEN is_model THEN {_MODEL} ELSE agent END"
)
_IS_TWIN = "method IS NOT NULL AND (NOT by_server OR parent_id IS NOT NULL)"

_COLUMNS = {
    "time": "time",
    "time_kind": "'start'",
    "time_precision": "'1us'",
    "category": "CASE WHEN is_model AND NOT is_tool THEN 'model' ELSE 'tool' END",
    "class_uid": "6003",
    "activity": "CASE WHEN operation = 'create_agent' THEN 'Create' ELSE 'Other' END",
    "api_service": """CASE WHEN method IS NOT NULL THEN 'mcp' WHEN is_tool THEN 'tool'
                           ELSE coalesce(provider, 'agent') END""",
    "api_operation": f"coalesce(method, CASE {_CALLS} END, operation, lower(openinference))",
    "principal": _PRINCIPAL,
    "principal_type": f"CASE WHEN {_PRINCIPAL} IS NOT NULL THEN 'service' END",
    "credential_uid": _CREDENTIAL,
    "credential_type": f"CASE WHEN {_CREDENTIAL} IS NOT NULL THEN 'mcp_session' END",
    "identity_strength": "'asserted'",
    "session_name": "agent",
    "delegator": _DELEGATOR,
    "delegator_strength": f"CASE WHEN {_DELEGATOR} IS NOT NULL THEN 'asserted' END",
    "src_ip": "client",
    "src_port": port_of("client_port"),
    "user_agent": "agent_string",
    "dst_host": "CASE WHEN NOT by_server THEN server END",
    "dst_port": f"CASE WHEN NOT by_server THEN {port_of('server_port')} END",
    "status": _STATUS,
    "status_code": "coalesce(rpc_code, error_type)",
    "error": f"CASE WHEN {_STATUS} <> 'success' THEN coalesce(nullif(span.status.message, ''), error_type) END",
    "duration_ms": "CASE WHEN ended >= time THEN (epoch_us(ended) - epoch_us(time)) // 1000 END",
    "resource_type": """CASE WHEN is_tool THEN CASE WHEN tool_name IS NOT NULL THEN 'tool'
                             WHEN mcp_resource IS NOT NULL THEN 'resource' WHEN prompt IS NOT NULL THEN 'prompt' END
                             WHEN is_model THEN 'model' ELSE 'agent' END""",
    "resource_uid": _RESOURCE,
    "resources": f"CASE WHEN {_RESOURCE} IS NOT NULL THEN [{_RESOURCE}] END",
    "account": "CASE WHEN is_tool THEN coalesce(mcp_server, CASE WHEN by_server THEN service ELSE server END) END",
    "request_uid": "coalesce(response, tool_call, rpc_id)",
    "trace_uid": "trace",
    # The server's span has the client's as its parent: one call, of which the caller's copy leads. A client that
    # tells of another tool than the server does hides nothing: then they are no twins.
    "twin_uid": f"""CASE WHEN {_IS_TWIN}
        THEN concat_ws(':', 'otel', trace, CASE WHEN by_server THEN parent_id ELSE span_id END, method,
                       tool_name, mcp_resource) END""",
    "twin_rank": f"CASE WHEN {_IS_TWIN} THEN CASE WHEN by_server THEN 1 ELSE 0 END END",
    "model": f"CASE WHEN is_model AND NOT is_tool THEN {_MODEL} END",
    "tool": "CASE WHEN is_tool THEN tool_name END",
    "tokens_in": f"CASE WHEN is_model AND NOT is_tool THEN {count_of('input_tokens')} END",
    "tokens_out": f"CASE WHEN is_model AND NOT is_tool THEN {count_of('output_tokens')} END",
}
"""Every action column that this format fills, as SQL over the fields."""

ACTION_COLUMNS = frozenset(_COLUMNS)


def actions_sql() -> str:
    """A row a record, in the columns of ACTIONS_OUT that are filled."""
    return told(_COLUMNS)

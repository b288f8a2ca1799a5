"""The DuckDB SQL behind `litellm`: rows and payloads to fields, and those to actions and grants."""

from __future__ import annotations

import json
from typing import Any

import duckdb
import pyarrow as pa

from pipelines.formats.record_sql import (
    count_of,
    id_of,
    mail,
    moment,
    one_of,
    parse,
    port_of,
    texts,
    told,
    trace_of,
    word_of,
)
from pipelines.identifiers import Sql

_METADATA = {
    **texts(
        "user_api_key", "user_api_key_hash", "user_api_key_team_id", "user_api_key_org_id", "user_api_key_user_id",
        "user_api_key_end_user_id", "user_api_key_request_route", "requester_ip_address", "user_agent", "status",
    ),
    "error_information": texts("error_code", "error_class", "error_message"),
    "mcp_tool_call_metadata": texts("name", "mcp_server_name", "namespaced_tool_name"),
}  # fmt: skip
_SHAPE: dict[str, Any] = {
    **texts(
        "request_id", "id", "call_type", "api_key", "startTime", "endTime", "model", "user", "end_user", "team_id",
        "organization_id", "session_id", "trace_id", "requester_ip_address", "api_base", "custom_llm_provider",
        "mcp_namespaced_tool_name", "status", "prompt_tokens", "completion_tokens", "error_str", "metadata",
        "updated_at", "changed_by", "changed_by_api_key", "action", "table_name", "object_id", "updated_values",
    ),
    "error_information": texts("error_code", "error_class", "error_message"),
}  # fmt: skip

_KEYS_TABLE = "LiteLLM_VerificationToken"

_MASTER = "litellm_proxy_master_key"
"""What stands for the master key's hash where that is kept out of the database: no name that is unique in the world."""

_OPERATIONS = {
    "invoke": ("completion", "text_completion", "responses", "anthropic_messages", "generate_content",
               "generate_content_stream", "pass_through_endpoint", "llm_passthrough_route"),
    "embed": ("embedding",),
    "generate_image": ("image_generation", "image_edit", "image_variation"),
    "speak": ("speech",),
    "transcribe": ("transcription",),
    "moderate": ("moderation",),
    "rerank": ("rerank",),
    "tools/call": ("call_mcp_tool",),
    "tools/list": ("list_mcp_tools",),
}  # fmt: skip
"""What is done, by call type without the `a` of its asynchronous twin; any other call type stands for itself."""

_REFUSED = r"(?i)auth|budget.?exceeded|rate.?limit|permission|forbidden|blocked|guardrail|not.?allowed"


def read(connection: duckdb.DuckDBPyConnection, records: pa.Table, only_audit: bool = False) -> None:
    """Make the table `events`: a row a record, and as `reason` why it is no event."""
    where = f"contains(raw, '{_KEYS_TABLE}')" if only_audit else "true"
    parse(connection, records, _SHAPE, where)
    connection.execute(f"CREATE TEMP TABLE events AS {_events()}")


def _hash(text: str) -> str:
    """SQL: the virtual key of this hash; null for anything else, such as a key that was logged in clear."""
    return f"""CASE WHEN regexp_matches({text}, '^[0-9a-f]{{64}}$') THEN 'litellm:key/' || {text}
        WHEN {text} = '{_MASTER}' THEN {Sql.uid("litellm:key", f"'{_MASTER}'", "realm")} END"""


def _events() -> str:
    """A row a record: which of the three it is, and its fields."""
    metadata = json.dumps(_METADATA)
    calls = " ".join(f"WHEN {one_of('call', names)} THEN '{what}'" for what, names in _OPERATIONS.items())
    bare = "regexp_replace(e.call_type, '^a([^n])', '\\1')"
    return f"""
        WITH opened AS MATERIALIZED (
            SELECT record_id, realm, valid, e, {bare} AS call,
                   coalesce(e.table_name IS NOT NULL AND e.changed_by_api_key IS NOT NULL
                            OR e.table_name IS NOT NULL AND e.object_id IS NOT NULL, false) AS is_audit,
                   json_transform(CASE WHEN json_valid(e.metadata) THEN e.metadata END, '{metadata}') AS m,
                   CASE WHEN json_valid(e.updated_values) THEN e.updated_values END AS after
            FROM parsed
        ),
        fields AS MATERIALIZED (
            SELECT *, coalesce({id_of("e.request_id")}, {id_of("e.id")}) AS native_id,
                   {moment("CASE WHEN is_audit THEN e.updated_at ELSE e.startTime END")} AS time,
                   {moment("e.endTime")} AS ended,
                   CASE {calls} ELSE {id_of("call")} END AS operation,
                   call IN ('call_mcp_tool', 'list_mcp_tools') OR {id_of("e.mcp_namespaced_tool_name")} IS NOT NULL
                       OR m.mcp_tool_call_metadata.name IS NOT NULL AS is_tool,
                   coalesce({id_of("e.status")}, {id_of("m.status")}) AS result,
                   coalesce(e.error_information.error_code, m.error_information.error_code) AS error_code,
                   coalesce(e.error_information.error_class, m.error_information.error_class) AS error_class,
                   coalesce(e.error_information.error_message, m.error_information.error_message, e.error_str)
                       AS error_text,
                   {_hash("coalesce(nullif(e.api_key, ''), m.user_api_key_hash, m.user_api_key)")} AS used_key,
                   {_hash("e.changed_by_api_key")} AS changer,
                   {_hash("e.object_id")} AS changed_key,
                   coalesce(CASE WHEN call NOT LIKE '%pass%through%' THEN {id_of('e."user"')} END,
                            {id_of("m.user_api_key_user_id")}) AS owner,
                   coalesce({id_of("e.team_id")}, {id_of("m.user_api_key_team_id")}) AS team,
                   coalesce({id_of("e.organization_id")}, {id_of("m.user_api_key_org_id")}) AS organization,
                   coalesce({id_of("e.end_user")}, {id_of("m.user_api_key_end_user_id")}) AS end_user,
                   {id_of("json_extract_string(after, '$.user_id')")} AS made_for,
                   {moment("json_extract_string(after, '$.expires')")} AS expires_at
            FROM opened
        )
        SELECT *, false AS skipped,
               CASE WHEN NOT valid THEN 'not a JSON object, as a row of LiteLLM is'
                    WHEN native_id IS NULL AND is_audit THEN 'the key "id" is missing or has no text'
                    WHEN native_id IS NULL THEN 'the keys "request_id" and "id" are missing or have no text'
                    WHEN is_audit AND e.updated_at IS NULL THEN 'the key "updated_at" is missing or has no text'
                    WHEN is_audit AND time IS NULL THEN 'the key "updated_at" is no time'
                    WHEN is_audit AND e.action IS NULL THEN 'the key "action" is missing or has no text'
                    WHEN is_audit THEN NULL
                    WHEN e.startTime IS NULL THEN 'the key "startTime" is missing or has no text'
                    WHEN time IS NULL THEN 'the key "startTime" is no time'
                    WHEN operation IS NULL THEN 'the key "call_type" is missing or has no text' END AS reason
        FROM fields
    """


_OWNER = f"""CASE WHEN owner IS NOT NULL THEN {Sql.uid("litellm:user", "owner", "realm")}
    ELSE {Sql.uid("litellm:team", "team", "realm")} END"""
_CHANGED_BY = f"coalesce({mail('e.changed_by')}, {Sql.uid('litellm:user', id_of('e.changed_by'), 'realm')})"
_END_USER = f"coalesce({mail('end_user')}, {Sql.uid('litellm:end_user', 'end_user', 'realm')})"
_DELEGATOR = f"CASE WHEN is_audit THEN {_CHANGED_BY} ELSE {_END_USER} END"

_FAILED = "coalesce(lower(result) IN ('failure', 'failed', 'error'), false)"
_DENIED = f"{_FAILED} AND (coalesce(error_code IN ('401', '403', '429'), false) OR coalesce(regexp_matches(error_class, '{_REFUSED}'), false))"  # noqa: E501
_STATUS = f"""CASE WHEN is_audit THEN 'success' WHEN {_DENIED} THEN 'denied' WHEN {_FAILED} THEN 'failure'
    WHEN lower(result) = 'success' THEN 'success' ELSE 'unknown' END"""
_UNKNOWN_KEY = (
    f"{_FAILED} AND (coalesce(error_code = '401', false) OR coalesce(regexp_matches(error_class, '(?i)^auth'), false))"
)
"""The key itself was refused: nobody has been shown to be who the record names."""

_BASE = r"^[A-Za-z][A-Za-z0-9+.-]*://([^/?#@]*@)?(\[[^\]]*\]|[^:/?#]*)(?::([0-9]+))?"
_TOOL = "coalesce(m.mcp_tool_call_metadata.name, nullif(regexp_extract(e.mcp_namespaced_tool_name, '^(?:[^/]*/)?(.+)$', 1), ''))"  # noqa: E501
_SERVER = "coalesce(m.mcp_tool_call_metadata.mcp_server_name, nullif(regexp_extract(e.mcp_namespaced_tool_name, '^([^/]+)/', 1), ''))"  # noqa: E501
_MAKES_KEY = f"is_audit AND e.table_name = '{_KEYS_TABLE}' AND e.action = 'created'"
_FOR_OTHER = "made_for IS NOT NULL AND made_for IS DISTINCT FROM e.changed_by"
_RESOURCE = f"CASE WHEN is_audit THEN coalesce(changed_key, {id_of('e.object_id')}) WHEN is_tool THEN {_TOOL} ELSE {word_of('e.model')} END"  # noqa: E501

_COLUMNS = {
    "time": "time",
    "time_kind": "CASE WHEN is_audit THEN 'logged' ELSE 'start' END",
    "time_precision": "'1us'",
    "category": "CASE WHEN is_audit THEN 'token' WHEN is_tool THEN 'tool' ELSE 'model' END",
    "class_uid": "6003",
    "activity": """CASE WHEN is_audit THEN CASE e.action WHEN 'created' THEN 'Create' WHEN 'deleted' THEN 'Delete'
                        ELSE 'Update' END ELSE 'Other' END""",
    "api_service": f"""CASE WHEN is_audit THEN 'litellm' WHEN is_tool THEN 'mcp'
                            ELSE {id_of("e.custom_llm_provider")} END""",
    "api_operation": "CASE WHEN is_audit THEN e.action || ' ' || e.table_name ELSE operation END",
    "principal": f"CASE WHEN NOT is_audit THEN {_OWNER} END",
    "principal_type": """CASE WHEN is_audit OR (owner IS NULL AND team IS NULL) THEN NULL
                              WHEN owner IS NOT NULL THEN 'user' ELSE 'team' END""",
    "credential_uid": "CASE WHEN is_audit THEN changer ELSE used_key END",
    "credential_type": "CASE WHEN (CASE WHEN is_audit THEN changer ELSE used_key END) IS NOT NULL THEN 'virtual_key' END",  # noqa: E501
    "identity_strength": f"""CASE WHEN {_UNKNOWN_KEY} THEN 'asserted'
        WHEN coalesce(CASE WHEN is_audit THEN changer ELSE used_key END, {_OWNER}) IS NULL THEN 'asserted'
        ELSE 'proven' END""",
    "delegator": _DELEGATOR,
    "delegator_strength": f"CASE WHEN {_DELEGATOR} IS NOT NULL THEN 'asserted' END",
    "obtains": f"CASE WHEN {_MAKES_KEY} THEN CASE WHEN {_FOR_OTHER} THEN 'other' ELSE 'self' END END",
    "src_ip": "coalesce(e.requester_ip_address, m.requester_ip_address)",
    "user_agent": "m.user_agent",
    "dst_host": f"nullif(regexp_extract(e.api_base, '{_BASE}', 2), '')",
    "dst_port": port_of(f"regexp_extract(e.api_base, '{_BASE}', 3)"),
    "url_path": "m.user_api_key_request_route",
    "status": _STATUS,
    "status_code": f"CASE WHEN NOT is_audit THEN coalesce({id_of('error_code')}, result) END",
    "error": f"CASE WHEN {_FAILED} THEN coalesce(error_text, error_class) END",
    "duration_ms": "CASE WHEN ended >= time THEN (epoch_us(ended) - epoch_us(time)) // 1000 END",
    "resource_type": "CASE WHEN is_audit THEN e.table_name WHEN is_tool THEN 'tool' ELSE 'model' END",
    "resource_uid": _RESOURCE,
    "resources": f"CASE WHEN {_RESOURCE} IS NOT NULL THEN [{_RESOURCE}] END",
    "account": f"CASE WHEN is_tool AND NOT is_audit THEN {_SERVER} ELSE coalesce(team, organization) END",
    "request_uid": "CASE WHEN NOT is_audit THEN native_id END",
    "trace_uid": f"coalesce({trace_of('e.trace_id')}, {trace_of('e.session_id')})",
    "model": f"CASE WHEN NOT is_audit AND NOT is_tool THEN {word_of('e.model')} END",
    "tool": f"CASE WHEN is_tool AND NOT is_audit THEN {_TOOL} END",
    "tokens_in": f"CASE WHEN NOT is_audit THEN {count_of('e.prompt_tokens')} END",
    "tokens_out": f"CASE WHEN NOT is_audit THEN {count_of('e.completion_tokens')} END",
}
"""Every action column that this format fills, as SQL over the fields."""

ACTION_COLUMNS = frozenset(_COLUMNS)


def actions_sql() -> str:
    """A row a record, in the columns of ACTIONS_OUT that are filled."""
    return told(_COLUMNS)


def grants_sql() -> str:
    """A row a virtual key that an audit row tells was made, blocked or deleted.

    The row names both keys by their hashes: proven, except where the key was made for somebody else.
    """
    return f"""
        SELECT record_id, 'issue' AS kind, e.action || ' ' || e.table_name AS mechanism, changer AS parent_uid,
               changed_key AS child_uid, {Sql.uid("litellm:user", "made_for", "realm")} AS principal,
               {_CHANGED_BY} AS delegator,
               CASE WHEN {_CHANGED_BY} IS NOT NULL THEN 'asserted' END AS delegator_strength,
               time AS issued_at, expires_at, CASE WHEN {_FOR_OTHER} THEN 'asserted' ELSE 'proven' END AS strength
        FROM events
        WHERE reason IS NULL AND {_MAKES_KEY} AND changer IS NOT NULL AND changed_key IS NOT NULL
        UNION ALL
        SELECT record_id, 'revoke', e.action || ' ' || e.table_name, NULL, changed_key, NULL, NULL, NULL, time, NULL,
               'proven'
        FROM events
        WHERE reason IS NULL AND is_audit AND e.table_name = '{_KEYS_TABLE}' AND e.action IN ('deleted', 'blocked')
          AND changed_key IS NOT NULL
    """

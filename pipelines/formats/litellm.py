"""LiteLLM proxy: spend log rows, standard logging payloads and audit log rows, one JSON object a record.

Proves: which virtual key (by its hash, which the proxy itself computes) called which model or MCP tool, with how
many tokens; the key's owner (user, team) as the proxy's own table had it at that time; which key made, blocked or
deleted another key (`LiteLLM_AuditLog`). The owner is the principal: a manifest declares a worker's key, and the owner
of several workers' keys as `shared`.

Cannot see: who holds a virtual key; what a request sent in bytes; the client's port. `end_user`, `request_tags`,
`metadata`, `session_id` and `trace_id` are the caller's words, as `user` is on pass-through calls: the end user is a
delegator that is `asserted`, and a trace never names anybody. `changed_by` may come from a request header
(`litellm-changed-by`), so it is an asserted delegator too. Calls that bypass the proxy, and the web server's own
access lines (`INFO: 192.0.2.1:52782 - "POST /login HTTP/1.1" 401`), which have no time. An image of one call as
spend row and as payload has one id: the second is kept and flagged.

Sources: litellm/proxy/schema.prisma (LiteLLM_SpendLogs, LiteLLM_AuditLog), spend_tracking_utils.py
(get_logging_payload), types/utils.py (StandardLoggingPayload), docs.litellm.ai "StandardLoggingPayload
Specification". Times without a zone are UTC (`_ensure_datetime_utc`). That `mcp_namespaced_tool_name` is written as
`SERVER/TOOL` is believed: where the call's own metadata names server and tool, those are taken.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

import pyarrow as pa

from pipelines.formats import litellm_sql, one_batch
from pipelines.formats.format import GRANTS_OUT, Format, Options, Secret, Split, action_rows, rows
from pipelines.formats.splitting import json_values


def split(stream: BinaryIO, at_rest: bool, options: Options) -> Iterator[Split]:  # noqa: ARG001
    """One record a row: lines, the array of `/spend/logs`, or what `/spend/logs/ui` and `/audit` wrap it in."""
    return json_values(stream, at_rest, keys=("data", "audit_logs"))


def actions(records: pa.Table, options: Options) -> pa.Table:  # noqa: ARG001
    """RECORDS_IN to ACTIONS_OUT: one row a record; times are UTC and when a call began."""
    with one_batch.connect() as connection:
        litellm_sql.read(connection, records)
        found = connection.execute(litellm_sql.actions_sql()).to_arrow_table()
    return action_rows(found)


def grants(records: pa.Table, options: Options) -> pa.Table:  # noqa: ARG001
    """RECORDS_IN to GRANTS_OUT: virtual keys made and ended, as audit rows tell."""
    with one_batch.connect() as connection:
        litellm_sql.read(connection, records, only_audit=True)
        return rows(connection.execute(litellm_sql.grants_sql()).to_arrow_table(), GRANTS_OUT)


_Q = r'\\*"'
"""A quote in JSON, or in JSON within JSON: `metadata`, `messages` and `response` are texts of JSON."""

_NAMES = (
    "api[_-]?key|azure_ad_token|aws_session_token|aws_bearer_token_bedrock|vertex_credentials|client_secret"
    "|watsonx_token|token"
)

SECRETS = (
    # A virtual key's SHA-256 (64 hex digits) is its name and stays, as the alias of the master key does.
    Secret(rf'(?i){_Q}(?:{_NAMES}){_Q}\s*:\s*{_Q}([^"\\]*[^"\\0-9a-f_g-z][^"\\]*){_Q}'),
    Secret(rf"{_Q}(?:api[_-]?key|token){_Q}\s*:\s*{_Q}([0-9a-f]{{16,63}}){_Q}"),
    Secret(rf'(?i){_Q}(?:x-litellm-api-key|x-goog-api-key|ocp-apim-subscription-key){_Q}\s*:\s*{_Q}([^"\\]+)'),
)

FORMAT = Format(
    name="litellm",
    category="model",
    observes=litellm_sql.ACTION_COLUMNS,
    id_scope="realm",
    split=split,
    actions=actions,
    grants=grants,
    secrets=SECRETS,
)

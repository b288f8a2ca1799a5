"""AgentCore gateway log (vended APPLICATION_LOGS): which tool of which gateway was executed, and what went wrong.

Proves: that a gateway executed a tool of a target, or refused or failed a request, with the request's id and trace.

Cannot see: who asked. No line names a caller, a credential or an address; CloudTrail's `InvokeGateway` does (format
`cloudtrail`), and spans of the trace may. It proves no grant.

Sources: Bedrock AgentCore Developer Guide, "AgentCore generated gateway observability data", section "Provided log
data": `resource_arn`, `event_timestamp` (milliseconds), `body` {`log`, `isError`, `id`, `requestBody`, `responseBody`},
`account_id`, `request_id`, `trace_id`, `span_id`. The words of `log` are documented by examples only.

One request is several lines. The line of a tool's execution leads their deed, an error's line is the next; lines that
only say that a request began, was received or was answered are skipped. `requestBody` and `responseBody` are the
caller's and the tool's words in a form that cannot be read in one way only (Java's `toString`), so nothing is read out
of them. Times are when the line was logged. Containers: JSON lines in S3, CloudWatch Logs subscriptions.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

import pyarrow as pa

from pipelines.formats import aws_containers, one_batch
from pipelines.formats.format import ACTIONS_OUT, GRANTS_OUT, Format, Options, Secret, Split, rows
from pipelines.formats.record_sql import id_of, moment, parse, texts, told, trace_of

_SHAPE = {
    **texts("resource_arn", "event_timestamp", "account_id", "request_id", "trace_id", "message"),
    "body": texts("log", "isError"),
}

_GATEWAY = "^arn:[^:]+:bedrock-agentcore:([^:]*):[^:]*:gateway/([^/]+)$"
_TOOL = r"^Executing tool (\S+) from target (\S+)$"
_METHOD = r"^Received request for (\S+) method$"
_CONTROL = "starts_with(e.message, 'CWL CONTROL MESSAGE')"

_FIELDS = f"""
SELECT record_id, e, valid, CAST(NULL AS VARCHAR) AS native_id, {moment("e.event_timestamp")} AS time,
    {id_of("e.request_id")} AS request_id, {id_of("e.body.log")} AS log,
    coalesce(e.body.isError = 'true', false) AS failed,
    CASE WHEN regexp_matches(e.resource_arn, '{_GATEWAY}') THEN e.resource_arn END AS gateway_arn,
    nullif(regexp_extract(e.resource_arn, '{_GATEWAY}', 1), '') AS region,
    nullif(regexp_extract(e.resource_arn, '{_GATEWAY}', 2), '') AS gateway,
    nullif(regexp_extract(e.body.log, '{_TOOL}', 1), '') AS tool,
    nullif(regexp_extract(e.body.log, '{_METHOD}', 1), '') AS method
FROM parsed
"""

_EVENTS = f"""
SELECT *, coalesce(regexp_matches(reason, '^a(n interim line| control message)'), false) AS skipped
FROM (SELECT *,
    CASE WHEN NOT valid THEN 'not a JSON object, as a line of this log is'
         WHEN log IS NULL AND {_CONTROL} THEN 'a control message of CloudWatch Logs, not a line of a gateway'
         WHEN e.event_timestamp IS NULL THEN 'the key "event_timestamp" is missing or has no text'
         WHEN time IS NULL THEN 'the key "event_timestamp" is no time'
         WHEN log IS NULL THEN 'the key "body.log" is missing or has no text'
         WHEN gateway IS NULL THEN 'the key "resource_arn" names no gateway'
         WHEN tool IS NULL AND NOT failed AND (method IS NULL OR method = 'tools/call')
         THEN 'an interim line: what became of the request, others tell' END AS reason
    FROM fields)
"""

_COLUMNS = {
    "time": "time",
    "time_kind": "'logged'",
    "time_precision": "'1ms'",
    "class_uid": "6003",
    "activity": "'Other'",
    "api_service": "'mcp'",
    "api_operation": "CASE WHEN tool IS NOT NULL THEN 'tools/call' ELSE method END",
    "identity_strength": "'asserted'",
    "status": """CASE WHEN NOT failed THEN 'unknown'
        WHEN regexp_matches(log, '(?i)authoriz|authentic|bearer|denied|forbidden') THEN 'denied' ELSE 'failure' END""",
    "error": "CASE WHEN failed THEN log END",
    "resource_type": "CASE WHEN tool IS NOT NULL THEN 'tool' ELSE 'AWS::BedrockAgentCore::Gateway' END",
    "resource_uid": "coalesce(tool, gateway_arn)",
    "resources": "CASE WHEN tool IS NOT NULL THEN [tool] ELSE [gateway_arn] END",
    "account": "gateway",
    "region": "region",
    "request_uid": "request_id",
    "trace_uid": f"'trace:id/' || {trace_of('e.trace_id')}",
    "tool": "tool",
    "twin_uid": "'agentcore:request:' || request_id",
    "twin_rank": """CASE WHEN request_id IS NULL THEN NULL WHEN tool IS NOT NULL THEN 0 WHEN failed THEN 1
        ELSE 2 END""",
}
"""Every action column that this format fills, as SQL over the fields. `account` is the tool's server: the gateway."""

_PLAIN = b'{"resource_arn":'


def split(stream: BinaryIO, at_rest: bool, options: Options) -> Iterator[Split]:  # noqa: ARG001
    """One record a line of the log, out of any container."""
    return aws_containers.split(stream, at_rest, _PLAIN)


def actions(records: pa.Table, options: Options) -> pa.Table:  # noqa: ARG001
    """RECORDS_IN to ACTIONS_OUT: one row a record; times are UTC."""
    with one_batch.connect() as connection:
        parse(connection, records, _SHAPE)
        steps = f"WITH fields AS ({_FIELDS}), events AS ({_EVENTS}) {told(_COLUMNS)}"
        return rows(connection.execute(steps).to_arrow_table(), ACTIONS_OUT)


def grants(records: pa.Table, options: Options) -> pa.Table:  # noqa: ARG001
    """No rows: the log names no credential."""
    return GRANTS_OUT.empty_table()


_NAMES = (
    "password|passwd|pwd|secret|client_?secret|secret_?key|secret_?access_?key|session_?token|access_?token"
    "|refresh_?token|id_?token|auth_?token|token|api_?key|private_?key|authorization|cookie"
)

SECRETS = (
    # A tool's arguments and answers: `{name=value, name=value}`, and JSON in a string.
    Secret(rf"(?i)[{{\[,\s](?:{_NAMES})=([^,}}\]\"\\]+)"),
    Secret(rf'(?i)\\"(?:{_NAMES})\\"\s*:\s*\\"((?:[^"\\]|\\\\(?:\\"|\\\\|[^"\\]))+)\\"'),
    Secret(rf'(?i)"(?:{_NAMES})"\s*:\s*"((?:[^"\\]|\\.)+)"'),
)

FORMAT = Format(
    name="agentcore",
    category="tool",
    observes=frozenset(_COLUMNS),
    id_scope="none",
    split=split,
    actions=actions,
    grants=grants,
    secrets=SECRETS,
)

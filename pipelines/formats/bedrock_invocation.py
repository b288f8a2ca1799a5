"""Bedrock model invocation log: who called which model, with how many tokens.

Proves: which role, user or account Bedrock took the caller for, the model that was asked, and the tokens counted.

Cannot see: the access key and the source address (the request id is that of CloudTrail's Converse or InvokeModel
event, which has both), a role's path (see `aws_callers`), calls by other endpoints than `bedrock-runtime`, and what a
body of more than 100 KB says where only its place in S3 is logged. Logging is off unless an account turns it on, region
by region. `requestMetadata` is the caller's own text and names nobody here; a tool that a model asks for in a body is
the model's output, not a deed. It proves no grant.

Sources: Amazon Bedrock User Guide, "Monitor model invocation using CloudWatch Logs and Amazon S3" (schema
`ModelInvocationLog` 1.0), "Prompt caching" (`inputTokens` counts neither the tokens read from a cache nor those written
to it), "Cross-region inference" (`inferenceRegion` is where the call was served; `region` is where it was made).

Containers: JSON lines in S3, CloudWatch Logs subscriptions as `aws_containers` opens them. Whether `timestamp` is a
call's beginning or end is documented nowhere, so times are `logged`, to the second. `tokens_in` is the sum of the
prompt's tokens, cached ones too.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

import pyarrow as pa

from pipelines.formats import aws_callers, aws_containers, one_batch
from pipelines.formats.format import ACTIONS_OUT, GRANTS_OUT, Format, Options, Secret, Split, rows
from pipelines.formats.record_sql import count_of, id_of, moment, parse, texts, told

_SHAPE = {
    **texts("schemaType", "timestamp", "accountId", "region", "requestId", "operation", "modelId", "errorCode",
            "errorMessage", "message"),
    "identity": texts("arn"),
    "input": texts("inputTokenCount", "cacheReadInputTokenCount", "cacheWriteInputTokenCount", "inputBodyS3Path"),
    "output": {
        **texts("outputTokenCount"),
        "outputBodyJson": {**texts("stopReason", "amazon-bedrock-guardrailAction"), "metrics": texts("latencyMs")},
    },
}  # fmt: skip
"""Every path that is read. A stream's `outputBodyJson` is a list of its chunks, of which nothing is read."""

_EVENTS = f"""
SELECT record_id, e, {id_of("e.requestId")} AS native_id, {moment("e.timestamp")} AS time,
    {id_of("e.identity.arn")} AS caller, {id_of("e.modelId")} AS model_id, {id_of("e.operation")} AS operation,
    {id_of("e.region")} AS region, {id_of("e.accountId")} AS account, {id_of("e.errorCode")} AS error_code,
    coalesce(starts_with(e.message, 'CWL CONTROL MESSAGE'), false) AS skipped,
    CASE WHEN NOT valid THEN 'not a JSON object, as a model invocation is'
         WHEN e.message IS NOT NULL AND e.requestId IS NULL
         THEN CASE WHEN starts_with(e.message, 'CWL CONTROL MESSAGE')
                   THEN 'a control message of CloudWatch Logs, not an invocation'
                   ELSE 'the key "message" holds no model invocation' END
         WHEN e.schemaType IS NOT NULL AND e.schemaType <> 'ModelInvocationLog'
         THEN 'the key "schemaType" is not "ModelInvocationLog"'
         WHEN e.timestamp IS NULL THEN 'the key "timestamp" is missing or has no text'
         WHEN {moment("e.timestamp")} IS NULL THEN 'the key "timestamp" is no RFC 3339 time'
         WHEN {id_of("e.requestId")} IS NULL THEN 'the key "requestId" is missing or has no text'
         WHEN {id_of("e.operation")} IS NULL THEN 'the key "operation" is missing or has no text' END AS reason
FROM parsed
"""
"""A row a record: its fields, and why it is no invocation."""

_ARN = "^arn:[^:]+:bedrock:"
_PROFILES = "^(us|us-gov|eu|apac|jp|au|ca|sa|global)[.]"
"""How the names of cross-region inference profiles begin; other names are of foundation models."""

_MODEL_ARN = f"""CASE WHEN regexp_matches(model_id, '{_ARN}') THEN model_id
    WHEN regexp_matches(model_id, '{_PROFILES}')
    THEN 'arn:' || part || ':bedrock:' || region || ':' || account || ':inference-profile/' || model_id
    ELSE 'arn:' || part || ':bedrock:' || region || '::foundation-model/' || model_id END"""
_MODEL = f"""CASE WHEN regexp_matches(model_id, '{_ARN}.*:(foundation-model|inference-profile)/')
    THEN regexp_extract(model_id, '[^/]+$') ELSE model_id END"""
_INPUT = ("inputTokenCount", "cacheReadInputTokenCount", "cacheWriteInputTokenCount")
_TOKENS = [count_of(f"e.input.{name}") for name in _INPUT]
_ALL_TOKENS = " + ".join(f"coalesce({each}, 0)" for each in _TOKENS)
_GUARDED = """e.output.outputBodyJson.stopReason = 'guardrail_intervened'
    OR e.output.outputBodyJson['amazon-bedrock-guardrailAction'] = 'INTERVENED'"""

_COLUMNS = {
    "time": "time",
    "time_kind": "'logged'",
    "time_precision": "'1s'",
    "class_uid": "6003",
    "activity": "'Other'",
    "api_service": "'bedrock.amazonaws.com'",
    "api_operation": "operation",
    "principal": aws_callers.principal("caller"),
    "principal_type": aws_callers.principal_type("caller"),
    "identity_strength": "CASE WHEN caller IS NULL THEN 'asserted' ELSE 'proven' END",
    "session_name": aws_callers.session_name("caller"),
    "status": """CASE WHEN error_code IS NULL THEN 'success' WHEN starts_with(error_code, 'AccessDenied') THEN 'denied'
        ELSE 'failure' END""",
    "status_code": "error_code",
    # A guardrail that steps in alters the answer; the call itself was allowed.
    "error": f"coalesce({id_of('e.errorMessage')}, error_code, CASE WHEN {_GUARDED} THEN 'guardrail intervened' END)",
    "duration_ms": count_of("e.output.outputBodyJson.metrics.latencyMs"),
    "resource_type": "CASE WHEN model_id IS NOT NULL THEN 'AWS::Bedrock::Model' END",
    "resource_uid": _MODEL_ARN,
    "resources": f"CASE WHEN ({_MODEL_ARN}) IS NOT NULL THEN [{_MODEL_ARN}] END",
    "account": "account",
    "region": "region",
    "request_uid": "native_id",
    "model": _MODEL,
    "tokens_in": f"CASE WHEN {_TOKENS[0]} IS NOT NULL THEN {_ALL_TOKENS} END",
    "tokens_out": count_of("e.output.outputTokenCount"),
    "request_cut": "e.input.inputBodyS3Path IS NOT NULL",
}
"""Every action column that this format fills, as SQL over the fields."""

_PARTED = """SELECT *, CASE WHEN starts_with(region, 'cn-') THEN 'aws-cn' WHEN starts_with(region, 'us-gov-')
    THEN 'aws-us-gov' ELSE 'aws' END AS part FROM fields"""

_PLAIN = b'{"schemaType":'


def split(stream: BinaryIO, at_rest: bool, options: Options) -> Iterator[Split]:  # noqa: ARG001
    """One record an invocation, out of any container."""
    return aws_containers.split(stream, at_rest, _PLAIN)


def actions(records: pa.Table, options: Options) -> pa.Table:  # noqa: ARG001
    """RECORDS_IN to ACTIONS_OUT: one row a record; times are UTC."""
    with one_batch.connect() as connection:
        parse(connection, records, _SHAPE)
        steps = f"WITH fields AS ({_EVENTS}), events AS ({_PARTED}) {told(_COLUMNS)}"
        return rows(connection.execute(steps).to_arrow_table(), ACTIONS_OUT)


def grants(records: pa.Table, options: Options) -> pa.Table:  # noqa: ARG001
    """No rows: the log sees credentials used, never made."""
    return GRANTS_OUT.empty_table()


_NAMES = (
    "password|passwd|secret|client_?secret|secret_?key|secret_?access_?key|session_?token|access_?token|refresh_?token"
    "|id_?token|auth_?token|token|api_?key|private_?key|authorization|connection_?string"
)

SECRETS = (
    # Prompts, answers and tools' inputs hold whatever people and programs put there: members by their names, in JSON
    # and in JSON that is itself a string, and assignments in running text.
    Secret(rf'(?i)"(?:{_NAMES})"\s*:\s*"((?:[^"\\]|\\.)+)"'),
    Secret(rf'(?i)\\"(?:{_NAMES})\\"\s*:\s*\\"((?:[^"\\]|\\\\(?:\\"|\\\\|[^"\\]))+)\\"'),
    Secret(r"""(?i)\b(?:password|passwd|pwd|secret|api[_-]?key|access[_-]?key|token)\s*[=:]\s*([^\s"'\\,;&<>]{6,})"""),
    Secret(r"""(?i)\b(?:AWS_SECRET_ACCESS_KEY|AWS_SESSION_TOKEN|aws_secret_access_key)\s*[=:]\s*([^\s"'\\,;]+)"""),
)  # fmt: skip

FORMAT = Format(
    name="bedrock_invocation",
    category="model",
    observes=frozenset(_COLUMNS),
    id_scope="world",
    split=split,
    actions=actions,
    grants=grants,
    secrets=SECRETS,
)

"""OpenTelemetry spans of models, agents and MCP (OTLP in JSON): one span a record.

Proves: nothing by itself. Every span is written by the application that it tells of, so identities are `asserted`:
the service is the principal, an agent's name is a name that was chosen, `enduser.id` and `user.id` name an asserted
delegator. What it adds to other logs is which tool and model were used, with how many tokens, in which trace and MCP
session.

Cannot see: what an application does not instrument, samples away or fails to export (so an absence is no evidence);
bytes; who holds the session. A span of kind SERVER names its own service as the called one, and its caller only
through the MCP session. An `execute_tool` span and an MCP client span below it that were both written count as two:
nothing in one record tells. An agent's span (`invoke_agent`) repeats the tokens of those below it, so it counts none.

Sources: github.com/open-telemetry/semantic-conventions-genai (docs/gen-ai: gen-ai-spans, gen-ai-agent-spans, mcp;
status Development), the OTLP specification's JSON encoding (ids in hex, 64-bit integers as texts, enums as numbers),
and the deprecated names `gen_ai.system`, `gen_ai.usage.prompt_tokens`, `gen_ai.usage.completion_tokens`. OpenInference
(`openinference.span.kind`, `llm.model_name`, ...) is read where the GenAI names are absent.

A record is `{"resource": ..., "scope": ..., "span": ...}`, each as the source wrote it: OTLP writes the resource once
for many spans.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

import msgspec
import pyarrow as pa

from pipelines.formats import one_batch, otel_genai_sql
from pipelines.formats.format import GRANTS_OUT, Format, Options, Secret, Split, action_rows
from pipelines.formats.pieces import table_of
from pipelines.formats.splitting import json_values

_NULL = msgspec.Raw(b"null")


class _Spans(msgspec.Struct):
    """Spans of one instrumentation scope."""

    scope: msgspec.Raw = _NULL
    spans: list[msgspec.Raw] | None = None


class _Resource(msgspec.Struct, rename="camel"):
    """One ResourceSpans."""

    resource: msgspec.Raw = _NULL
    scope_spans: list[_Spans] | None = None
    instrumentation_library_spans: list[_Spans] | None = None


_RESOURCE = msgspec.json.Decoder(_Resource)


def split(stream: BinaryIO, at_rest: bool, options: Options) -> Iterator[Split]:  # noqa: ARG001
    """One record a span. A request is a line, or a file is one request; metrics and logs stay as they are."""
    for batch in json_values(stream, at_rest, keys=("resourceSpans",)):
        yield Split(_spans(batch.pieces), batch.spent)


def _spans(pieces: pa.Table) -> pa.Table:
    """Each piece's spans, each with its resource and scope; a piece that is no list of spans stays itself."""
    raws: list[bytes] = []
    reasons: dict[int, str] = {}
    for written, reason in zip(pieces["raw"].to_pylist(), pieces["reason"].to_pylist(), strict=True):
        raw = written or b""
        found = None if reason else _of_resource(raw)
        if found is None:
            if reason:
                reasons[len(raws)] = reason
            raws.append(raw)
        else:
            raws.extend(found)
    return table_of(pa.array(raws, pa.large_binary()), reasons)


def _of_resource(raw: bytes) -> list[bytes] | None:
    """The records of one ResourceSpans; None where it is none, or holds no span."""
    try:
        read = _RESOURCE.decode(raw)
    except (msgspec.MsgspecError, RecursionError):
        return None
    found = [
        b'{"resource":%b,"scope":%b,"span":%b}' % (bytes(read.resource), bytes(scoped.scope), bytes(span))
        for scoped in [*(read.scope_spans or []), *(read.instrumentation_library_spans or [])]
        for span in scoped.spans or []
    ]
    return found or None


def actions(records: pa.Table, options: Options) -> pa.Table:  # noqa: ARG001
    """RECORDS_IN to ACTIONS_OUT: one row a span; times are UTC and when it began."""
    with one_batch.connect() as connection:
        otel_genai_sql.read(connection, records)
        found = connection.execute(otel_genai_sql.actions_sql()).to_arrow_table()
    return action_rows(found)


def grants(records: pa.Table, options: Options) -> pa.Table:  # noqa: ARG001
    """No rows: an application sees credentials used, never made."""
    return GRANTS_OUT.empty_table()


_Q = r'\\*"'
_ATTRIBUTE = (
    r'(?i)"key"\s*:\s*"[a-z0-9_.-]*(?:authorization|api[_-]?key|password|passwd|secret|access_token|refresh_token'
    r'|id_token|session_token|cookie|credential)[a-z0-9_.-]*"\s*,\s*"value"\s*:\s*\{\s*"stringValue"\s*:\s*"([^"\\]+)"'
)

SECRETS = (
    # Headers and arguments are attributes of their own, or members of a JSON text (`gen_ai.tool.call.arguments`).
    Secret(_ATTRIBUTE),
    Secret(
        r'(?i)"key"\s*:\s*"http\.(?:request|response)\.header\.(?:authorization|cookie|set-cookie|x-api-key)"\s*,'
        r'\s*"value"\s*:\s*\{\s*"arrayValue"\s*:\s*\{\s*"values"\s*:\s*\[\s*\{\s*"stringValue"\s*:\s*"([^"\\]+)"'
    ),
    Secret(rf'(?i){_Q}(?:api[_-]?key|secret|token|auth_token|pass_?code){_Q}\s*:\s*{_Q}([^"\\]+)'),
)

FORMAT = Format(
    name="otel_genai",
    category="model",
    observes=otel_genai_sql.ACTION_COLUMNS,
    id_scope="realm",
    split=split,
    actions=actions,
    grants=grants,
    secrets=SECRETS,
)

"""agentgateway's request log, as lines of text or of JSON: one request a record.

Proves, in JSON (`logging.format: json`): the workload that mutual TLS showed (`src.identity`), the subject of a token
that the gateway verified (`jwt.sub`), which MCP tool or model the request was for, and what came back. In text nothing
is escaped: a tool's name, which the caller writes, may hold a space or a line break and forge what follows it. There
identities are `asserted`, and only those that stand before the caller's first word count.

Cannot see: which token it was (no `jti`), what a tool did, sizes in bytes; requests that the log's filter leaves out.
`http.host`, `http.path`, the tool's name, the model and the MCP session's id are the caller's words. Fields that an
operator adds (`fields.add`) are not read. `source.unverifiedWorkload` is a guess from an address and no identity.

Sources: agentgateway crates/agentgateway/src/telemetry/log.rs and crates/core/src/telemetry.rs (both layouts), and
its documentation of access logs. Older names (`mcp.method`, `mcp.resource.name`, `llm.provider`, `llm.request.model`,
`llm.request.tokens`, ...) are read as well. A line is written when the request is done.

Where both a workload and a subject are known, the workload acts and the subject is the one it acts for.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

import pyarrow as pa

from pipelines.formats import agentgateway_sql, one_batch
from pipelines.formats.format import GRANTS_OUT, Format, Options, Secret, Split, action_rows, rows
from pipelines.formats.splitting import lines


class AgentgatewayOptions(Options):
    """`issuer` is that of the tokens whose `jwt.sub` is logged; the source's realm stands for it unless given."""

    issuer: str | None = None


def split(stream: BinaryIO, at_rest: bool, options: AgentgatewayOptions) -> Iterator[Split]:  # noqa: ARG001
    """One record a line."""
    return lines(stream, at_rest)


def actions(records: pa.Table, options: AgentgatewayOptions) -> pa.Table:
    """RECORDS_IN to ACTIONS_OUT: one row a line; times are UTC and when a request was done."""
    with one_batch.connect() as connection:
        agentgateway_sql.read(connection, records, options.issuer)
        found = connection.execute(agentgateway_sql.actions_sql()).to_arrow_table()
    return action_rows(found)


def grants(records: pa.Table, options: AgentgatewayOptions) -> pa.Table:
    """RECORDS_IN to GRANTS_OUT: MCP sessions that were opened."""
    with one_batch.connect() as connection:
        agentgateway_sql.read(connection, records, options.issuer)
        return rows(connection.execute(agentgateway_sql.grants_sql()).to_arrow_table(), GRANTS_OUT)


SECRETS = (
    # In the path's query, and in error texts that quote what an upstream said.
    Secret(
        r"(?i)[?&](?:access_token|token|api[_-]?key|key|code|client_secret|sig|signature|password|sessionId)"
        r'=([^&"\\\s#]+)'
    ),
)

FORMAT = Format(
    name="agentgateway",
    category="proxy",
    observes=agentgateway_sql.ACTION_COLUMNS,
    id_scope="none",
    split=split,
    actions=actions,
    grants=grants,
    options=AgentgatewayOptions,
    secrets=SECRETS,
)

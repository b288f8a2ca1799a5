"""GitHub's audit log of an organisation or enterprise: what people, apps, tokens, runs and agents did.

Proves: which token (`hashed_token`: base64 of its SHA-256) made which calls, so a token that turns up anywhere is tied
to all its use; on whose behalf an agent session acts (`agent_session_id` and, with it, `user`); who started a workflow
run.

Cannot see: web requests' credentials (they carry none), API calls and git events unless both are streamed, addresses
unless their disclosure is on, a token's issue and expiry (lifecycle events name the owner, not the hash), which run a
call by `github-actions[bot]` belongs to where the event does not say so, bytes. An agent's event without a session
exists. A login without an id is a name that its holder may change: such an actor or delegator is
`asserted`, unless the source says `managed_users: true`.

Sources: "Audit log events for agents", "Identifying audit log events performed by an access token", "Streaming the
audit log for your enterprise" and "Audit log events for your organization" of GitHub's documentation; the REST API's
audit log entry.

Streams, exports and the API write the same event with the same `_document_id`, which names the
action; older exports nest the fields of a run in `data`. Times are epoch milliseconds.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

import pyarrow as pa

from pipelines.formats import github_sql, one_batch
from pipelines.formats.format import GRANTS_OUT, Format, Options, Secret, Split, action_rows, rows
from pipelines.formats.splitting import json_values


class GitHubOptions(Options):
    """`managed_users`: the enterprise's own identity provider names its users, so that no login changes hands."""

    managed_users: bool = False


def split(stream: BinaryIO, at_rest: bool, options: GitHubOptions) -> Iterator[Split]:  # noqa: ARG001
    """One record an event: a stream's or export's lines, the API's array."""
    return json_values(stream, at_rest)


def actions(records: pa.Table, options: GitHubOptions) -> pa.Table:
    """RECORDS_IN to ACTIONS_OUT: one row a record; times are UTC, `account` is the organisation."""
    with one_batch.connect() as connection:
        github_sql.read(connection, records, options.managed_users)
        found = connection.execute(github_sql.actions_sql()).to_arrow_table()
    return action_rows(found)


def grants(records: pa.Table, options: GitHubOptions) -> pa.Table:
    """RECORDS_IN to GRANTS_OUT: agent sessions, workflow runs, users that were switched off."""
    with one_batch.connect() as connection:
        github_sql.read(connection, records, options.managed_users, only_telling=True)
        return rows(connection.execute(github_sql.GRANTS).to_arrow_table(), GRANTS_OUT)


SECRETS = (
    # A webhook's configuration, an app's credentials, calls' query strings; hashes and ids of tokens are names.
    Secret(
        r'(?i)"(?:secret|token|oauth_token|webhook_secret|client_secret|private_key|secret_value|otp|recovery_codes?)"'
        r'\s*:\s*"((?:[^"\\]|\\.)+)"'
    ),
    Secret(r'(?i)[?&"](?:access_token|client_secret|token|code|secret)=([^&"\\\s#]+)'),
    Secret(r"\b(v1\.[0-9a-f]{40})\b"),
)

FORMAT = Format(
    name="github",
    category="token",
    observes=github_sql.ACTION_COLUMNS,
    id_scope="world",
    split=split,
    actions=actions,
    grants=grants,
    options=GitHubOptions,
    secrets=SECRETS,
    realm_option="org",
)

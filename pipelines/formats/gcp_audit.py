"""Google Cloud Audit Logs: who called which API on which resource, as which account, and through whom.

Proves: the account or federated subject that acted; through which accounts it acted (`serviceAccountDelegationInfo`,
in the order of delegation); the key that a service account used; which outside subject a federated principal is
(ExchangeToken); who made, and who ended, a service account's key; the client of a person's OAuth token (`asserted`,
since an installed application's id is no secret).

Cannot see: access tokens, which have no id, so that two workers which act as one account through the same caller are
one; reads, ExchangeToken and GenerateAccessToken where Data Access logs are off, as they are by default; the caller
behind an account on App Engine and GKE, which do not log it; the principal of some denied reads, which is redacted;
bytes.

Sources: "AuditLog" and "LogEntry" (Cloud Logging reference), "Understanding audit logs", "Split audit logs", "Example
logs for Workload Identity Federation", "Example logs for service accounts", "Fields in exported logs in BigQuery".

Entries are read as lines (a bucket), as arrays and `entries` (the API), out of Pub/Sub messages, and as rows of
BigQuery's tables, whose `requestJson` and kin are strings. An entry is named by logName, timestamp and insertId, the
time to the microsecond, as which BigQuery keeps it. Both entries of a long-running operation are one deed: the first
one is its primary, for it has the caller; its status says that the operation was accepted.

`resource_uid` is the full resource name (`//SERVICE/resourceName`). A key is `gcp:key/projects/-/serviceAccounts/
EMAIL/keys/ID` however an entry spells its project and account. `issuers` of a source's settings names the issuer of
a workload identity provider, by the provider's resource name; then its subjects join that issuer's own logs.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

import pyarrow as pa

from pipelines.formats import gcp_audit_grants, gcp_audit_sql, one_batch
from pipelines.formats.format import GRANTS_OUT, Format, Options, Secret, Split, action_rows, rows
from pipelines.formats.gcp_audit_split import entries
from pipelines.formats.record_sql import once, told


class GcpOptions(Options):
    """`issuers`: of a workload or workforce identity provider's resource name, the issuer of its outside tokens."""

    issuers: dict[str, str] = {}


def split(stream: BinaryIO, at_rest: bool, options: GcpOptions) -> Iterator[Split]:  # noqa: ARG001
    """One record an entry."""
    return entries(stream, at_rest)


_VERBS = {
    "Read": "get|list|describe|search|lookup|query|read|watch|check|test|fetch|batchget|access|count|export",
    "Create": "create|insert|generate(?:access|id)|sign|upload|import|copy|exchange|add|run|deploy",
    "Delete": "delete|remove|destroy|purge",
    "Update": "update|patch|set|enable|disable|replace|undelete|attach|detach|start|stop|reset|resize|move|write",
}


def _activity() -> str:
    verb = "lower(regexp_extract(method, '([A-Za-z]+)$', 1))"
    cases = " ".join(f"WHEN regexp_matches({verb}, '^(?:{words})') THEN '{name}'" for name, words in _VERBS.items())
    return f"CASE WHEN service = 'login.googleapis.com' THEN 'Logon' {cases} ELSE 'Other' END"


_OBTAINS = """CASE
    WHEN impersonates OR is_exchange OR method = 'google.login.LoginService.loginSuccess' THEN 'self'
    WHEN service = 'iam.googleapis.com' AND regexp_matches(method, '[.](?:Create|Upload)ServiceAccountKey$')
         AND target_sa IS DISTINCT FROM principal THEN 'other' END"""

_RESOURCES = once(
    "list_prepend(full_name(service, resource_name), list_transform(asked, lambda one: full_name(service, one)))"
)

_PRINCIPAL_TYPE = """CASE
    WHEN starts_with(principal, 'gcp:sa/') THEN 'service_account'
    WHEN starts_with(principal, 'gcp:user/') THEN 'user'
    WHEN principal IS NOT NULL THEN 'federated' END"""

_DELEGATOR = "coalesce(google(original), CASE WHEN starts_with(chain[1], 'gcp:user/') THEN chain[1] END)"

_COLUMNS = {
    "time": "time",
    # `timestamp` is when the event began; a receiveTimestamp that stands in for it is when it was logged.
    "time_kind": "CASE WHEN has_time THEN 'start' ELSE 'logged' END",
    "time_precision": "'1us'",
    "class_uid": "CASE WHEN service = 'login.googleapis.com' THEN 3002 ELSE 6003 END",
    "activity": _activity(),
    "api_service": "service",
    "api_operation": "method",
    "principal": "principal",
    "principal_type": _PRINCIPAL_TYPE,
    "credential_uid": "coalesce(delegated_uid, key_uid, oauth_uid)",
    "credential_type": """CASE WHEN delegated_uid IS NOT NULL THEN 'delegated_token'
        WHEN key_uid IS NOT NULL THEN 'service_account_key' WHEN oauth_uid IS NOT NULL THEN 'oauth_token' END""",
    "identity_strength": "identity_strength",
    "delegator": _DELEGATOR,
    "delegator_strength": f"CASE WHEN {_DELEGATOR} IS NOT NULL THEN 'proven' END",
    "obtains": _OBTAINS,
    "src_ip": "caller_ip",
    "user_agent": "nullif(user_agent, '')",
    "status": "status",
    "status_code": "CAST(code AS VARCHAR)",
    "error": "CASE WHEN status <> 'success' THEN nullif(message, '') END",
    "resource_type": "resource_type",
    "resource_uid": "full_name(service, resource_name)",
    "resources": f"CASE WHEN len({_RESOURCES}) > 0 THEN {_RESOURCES} END",
    "account": "coalesce(project, nullif(regexp_extract(log_name, '^[a-zA-Z]+/([^/]+)/logs/', 1), ''))",
    "region": "region",
    "request_uid": "operation_id",
    "trace_uid": "regexp_extract(trace, '[^/]+$')",
    "twin_uid": """CASE WHEN split_uid IS NOT NULL THEN NULL
        WHEN is_first <> is_last THEN 'gcp:operation:' || coalesce(producer, service) || ':' || operation_id END""",
    "twin_rank": "CASE WHEN operation_id IS NOT NULL AND is_first <> is_last"
    " THEN CASE WHEN is_first THEN 0 ELSE 1 END END",
    "request_cut": "split_uid IS NOT NULL",
}
"""Every action column that this format fills, as SQL over the fields of `gcp_audit_sql`."""


def actions(records: pa.Table, options: GcpOptions) -> pa.Table:
    """RECORDS_IN to ACTIONS_OUT: one row a record; entries of other logs and later parts of split ones are skipped."""
    with one_batch.connect() as connection:
        gcp_audit_sql.read(connection, records, options.issuers)
        found = connection.execute(told(_COLUMNS)).to_arrow_table()
    return action_rows(found)


def grants(records: pa.Table, options: GcpOptions) -> pa.Table:
    """RECORDS_IN to GRANTS_OUT: see `gcp_audit_grants`."""
    with one_batch.connect() as connection:
        gcp_audit_sql.read(connection, records, options.issuers, telling=gcp_audit_grants.TELLING)
        return rows(gcp_audit_grants.grants(connection), GRANTS_OUT)


_NAMES_OF_SECRETS = (
    "private_?key_?data|private_?key|access_?token|id_?token|refresh_?token|subject_?token|actor_?token|signed_?jwt"
    "|signed_?blob|key_?string|client_?secret|root_?password|password|secret|auth_?string|shared_?secret|plaintext"
    "|service_?account_?key|webhook_?secret|ssl_?key|oauth_?token|api_?key"
)

SECRETS = (
    Secret(rf'(?i)"(?:{_NAMES_OF_SECRETS})"\s*:\s*"((?:[^"\\]|\\.)+)"'),
    # The same in BigQuery's requestJson and kin, which are strings of JSON.
    Secret(rf'(?i)\\"(?:{_NAMES_OF_SECRETS})\\"\s*:\s*\\"((?:[^"\\]|\\\\(?:\\"|\\\\|[^"\\]))+)\\"'),
    # Google's own tokens, wherever they stand: access and refresh tokens, client secrets.
    Secret(r"\b(ya29\.[A-Za-z0-9._-]{20,})"),
    Secret(r"\b(1//[A-Za-z0-9_-]{20,})"),
    Secret(r"\b(GOCSPX-[A-Za-z0-9_-]{10,})"),
    # Signed URLs, of version 4 and of version 2.
    Secret(r"""(?i)(?:X-Goog-Signature|[?&]Signature)=([^&"'\\\s<>]+)"""),
)

FORMAT = Format(
    name="gcp_audit",
    category="cloud",
    observes=frozenset(_COLUMNS),
    id_scope="world",
    split=split,
    actions=actions,
    grants=grants,
    options=GcpOptions,
    secrets=SECRETS,
)

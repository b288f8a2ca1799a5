"""The DuckDB SQL behind `auth0`: events to fields, and those to actions and grants."""

from __future__ import annotations

from typing import Any

import duckdb
import pyarrow as pa

from pipelines.formats.record_sql import count_of, id_of, moment, one_of, parse, texts, told, word_of
from pipelines.identifiers import Sql

_EVENT: dict[str, Any] = {
    **texts(
        "date", "log_id", "_id", "type", "client_id", "user_id", "ip", "client_ip", "user_agent", "hostname",
        "description", "audience", "agent_id", "session_id", "error",
    ),
    "details": {
        **texts("session_id", "access_token_jti", "error"),
        "refresh_token": texts("session_id"),
        "actor": texts("sub"),
        "request": {
            **texts("method", "path", "ip"),
            "auth": {"credentials": texts("jti", "clientId", "client_id"), "user": texts("user_id"),
                     **texts("strategy")},
        },
        "response": texts("statusCode"),
    },
}  # fmt: skip
_SHAPE = {**_EVENT, "data": _EVENT, "detail": {**texts("log_id"), "data": _EVENT}}

_EXCHANGES = (
    "seacft", "seccft", "secte", "sede", "sens", "seoobft", "seotpft", "sepft", "sepkoobft", "sepkotpft", "sepkrcft",
    "sercft", "sertft", "sdeleacft", "seta", "sce2eft", "idjag_exchange_succeeded", "ciba_exchange_succeeded",
    "success_on_behalf_of_token_exchange",
)  # fmt: skip
"""Event types by which a client was given a token; the failed twins begin with `f`, or end in `_failed`."""

_FAILED_EXCHANGES = (
    "feacft", "feccft", "fecte", "fede", "fens", "feoobft", "feotpft", "fepft", "fepotpft", "fercft", "ferrt", "fertft",
    "fdeleacft", "feta", "idjag_exchange_failed", "ciba_exchange_failed", "failed_on_behalf_of_token_exchange",
)  # fmt: skip
_LOGINS = ("s", "ssa", "sscim", "gd_auth_succeed", "scoa")
_LOGIN_FAILURES = ("f", "fp", "fu", "fsa", "fcoa", "pwd_leak", "signup_pwd_leak", "reset_pwd_leak", "gd_auth_failed",
                   "gd_auth_rejected", "limit_wc", "limit_mu", "limit_sul")  # fmt: skip
_LOGOUTS = ("slo", "universal_logout_succeeded", "oidc_backchannel_logout_succeeded")
_MANAGEMENT = ("sapi", "fapi", "mgmt_api_read")
_DENIED = r"^(limit_|api_limit$|.*pwd_leak$|.*_rejected$|.*_limit_exceed$|fco$|fcoa$)"
_FAILED = r"^(failed_|.*_(failed|failure)$|f($|[a-z0-9]*$))"
_WORKED = (
    r"^(success_|.*_(succeeded|succeed|completed|complete)$|s($|[a-z0-9]*$)|mgmt_api_read$|du$|cls$|cs$|pla$|plu$)"
)
_NOT_BY_PREFIX = r"^(sys_|signup|flows_|forms_|federated_)"

_MAKES_SECRET = r"^(?:/api)?/v2/(clients(?:/[^/]+/(?:rotate-secret|credentials))?|resource-servers|client-grants)/?$"


def read(connection: duckdb.DuckDBPyConnection, records: pa.Table) -> None:
    """Make the table `events`: a row a record, and as `reason` why it is no event."""
    parse(connection, records, _SHAPE)
    connection.execute(f"CREATE TEMP TABLE events AS {_events()}")


def _events() -> str:
    """A row a record: the event out of its envelope, and who acted for whom."""
    request = "d.details.request"
    return f"""
        WITH opened AS MATERIALIZED (
            SELECT record_id, {Sql.issuer("realm")} AS tenant, valid,
                   CASE WHEN e.detail.data.type IS NOT NULL THEN e.detail.data
                        WHEN e.data.type IS NOT NULL OR e.type IS NULL AND e.data IS NOT NULL THEN e.data
                        ELSE {{{", ".join(f"'{name}': e.{name}" for name in _EVENT)}}} END AS d,
                   coalesce({id_of("e.log_id")}, {id_of("e.detail.log_id")}, {id_of("e.data.log_id")},
                            {id_of("e.detail.data.log_id")}, {id_of("e._id")}) AS native_id
            FROM parsed
        ),
        fields AS MATERIALIZED (
            SELECT record_id, tenant, valid, d, native_id,
                   {id_of("d.type")} AS type,
                   {moment("d.date")} AS time,
                   {id_of("d.client_id")} AS client_id,
                   {id_of("d.user_id")} AS user_id,
                   {id_of("d.agent_id")} AS agent_id,
                   {id_of("d.details.access_token_jti")} AS issued_jti,
                   {id_of(f"{request}.auth.credentials.jti")} AS used_jti,
                   coalesce({id_of(f"{request}.auth.credentials.clientId")},
                            {id_of(f"{request}.auth.credentials.client_id")}) AS token_client,
                   {id_of(f"{request}.auth.user.user_id")} AS token_user,
                   coalesce({id_of("d.session_id")}, {id_of("d.details.session_id")},
                            {id_of("d.details.refresh_token.session_id")}) AS session_id,
                   upper({id_of(f"{request}.method")}) AS method,
                   {id_of(f"{request}.path")} AS path,
                   {count_of("d.details.response.statusCode")} AS code
            FROM opened
        ),
        kinds AS MATERIALIZED (
            SELECT *, {one_of("type", _EXCHANGES)} AS is_grant,
                   {one_of("type", _EXCHANGES + _FAILED_EXCHANGES)} AS at_token_endpoint,
                   {one_of("type", _MANAGEMENT)} AS is_management,
                   CASE WHEN regexp_matches(type, '{_DENIED}') OR code IN (401, 403, 429) THEN 'denied'
                        WHEN code >= 400 THEN 'failure'
                        WHEN regexp_matches(type, '^(failed_|.*_(failed|failure)$)') THEN 'failure'
                        WHEN regexp_matches(type, '^(success_|.*_(succeeded|succeed|completed|complete)$)')
                        THEN 'success'
                        WHEN regexp_matches(type, '{_NOT_BY_PREFIX}') THEN 'unknown'
                        WHEN regexp_matches(type, '{_FAILED}') THEN 'failure'
                        WHEN regexp_matches(type, '{_WORKED}') THEN 'success' ELSE 'unknown' END AS status
            FROM fields
        ),
        named AS MATERIALIZED (
            SELECT *, {_client("client_id")} AS client, {_user("user_id")} AS person,
                   {Sql.uid("auth0:agent", "agent_id", "tenant")} AS agent
            FROM kinds
        )
        SELECT *, false AS skipped, status = 'success' AS worked,
               -- Whoever calls the token endpoint is the client, or the agent that Auth0 knows it as.
               CASE WHEN at_token_endpoint THEN coalesce(agent, client)
                    WHEN is_management THEN coalesce({_user("token_user")}, person, {_client("token_client")}, client)
                    WHEN {one_of("type", _LOGINS + _LOGIN_FAILURES + _LOGOUTS)} THEN person
                    ELSE coalesce(person, client) END AS principal,
               CASE WHEN at_token_endpoint THEN person END AS delegator,
               CASE WHEN NOT valid THEN 'not a JSON object, as a tenant log event is'
                    WHEN native_id IS NULL THEN 'the key "log_id" is missing or has no text'
                    WHEN type IS NULL THEN 'the key "type" is missing or has no text'
                    WHEN d.date IS NULL THEN 'the key "date" is missing or has no text'
                    WHEN time IS NULL THEN 'the key "date" is no ISO 8601 time' END AS reason
        FROM named
    """


def _client(name: str) -> str:
    """SQL: the OAuth client of this id."""
    return Sql.uid("oauth:client", f"(tenant || '#' || {name})")


def _user(name: str) -> str:
    """SQL: the user of this id, which is the `sub` of the tenant's tokens."""
    return Sql.uid("oidc:subject", f"(tenant || '#' || {name})")


_SESSION = Sql.uid("oidc:session", "(tenant || '#' || session_id)")
_USED_TOKEN = Sql.uid("oauth:token", "(tenant || '#' || used_jti)")
_ISSUED_TOKEN = Sql.uid("oauth:token", "(tenant || '#' || issued_jti)")

_OBTAINS = f"""CASE WHEN at_token_endpoint OR {one_of("type", _LOGINS)} THEN 'self'
    WHEN type IN ('sapi', 'fapi') AND method = 'POST' AND regexp_matches(path, '{_MAKES_SECRET}') THEN 'other' END"""
_BY_SESSION = "NOT at_token_endpoint AND NOT is_management AND person IS NOT NULL AND worked"
"""On a client's event the session is the user's, not the client's: it must not bind to it."""

_TARGET = f"""CASE WHEN at_token_endpoint THEN {id_of("d.audience")} WHEN is_management THEN path
    ELSE coalesce(user_id, client_id) END"""

_COLUMNS = {
    "time": "time",
    "time_kind": "'logged'",
    "time_precision": "'1ms'",
    "class_uid": f"""CASE WHEN {one_of("type", _LOGINS + _LOGIN_FAILURES + _LOGOUTS)} THEN 3002
                          WHEN type IN ('ss', 'fs', 'du', 'sdu', 'fdu', 'scp', 'fcp', 'sce', 'fce', 'scu', 'fcu')
                          THEN 3001 ELSE 6003 END""",
    "activity": f"""CASE WHEN {one_of("type", _LOGOUTS)} THEN 'Logoff'
        WHEN {one_of("type", _LOGINS + _LOGIN_FAILURES)} THEN 'Logon'
        WHEN at_token_endpoint OR type IN ('ss', 'fs') THEN 'Create'
        WHEN type IN ('du', 'sdu', 'fdu', 'srrt') THEN 'Delete'
        WHEN type IN ('scp', 'fcp') THEN 'Password Change'
        WHEN method = 'POST' THEN 'Create' WHEN method IN ('PATCH', 'PUT') THEN 'Update'
        WHEN method = 'DELETE' THEN 'Delete' WHEN method = 'GET' OR type = 'mgmt_api_read' THEN 'Read'
        ELSE 'Other' END""",
    "api_service": "'auth0'",
    "api_operation": "type",
    "principal": "principal",
    "principal_type": """CASE WHEN principal IS NULL THEN NULL
                              WHEN starts_with(principal, 'oauth:client/') THEN 'client'
                              WHEN starts_with(principal, 'auth0:agent/') THEN 'agent' ELSE 'user' END""",
    "credential_uid": f"CASE WHEN is_management THEN {_USED_TOKEN} WHEN {_BY_SESSION} THEN {_SESSION} END",
    "credential_type": f"""CASE WHEN is_management THEN CASE WHEN used_jti IS NOT NULL THEN 'token' END
                                WHEN {_BY_SESSION} AND session_id IS NOT NULL THEN 'session' END""",
    "session_uid": f"CASE WHEN {_BY_SESSION} THEN {_SESSION} END",
    "identity_strength": """CASE WHEN principal IS NULL OR (NOT worked AND NOT is_management) OR code = 401
                                 THEN 'asserted' ELSE 'proven' END""",
    "delegator": "delegator",
    # The tenant itself names the person whom a token stands for; on a failure it repeats what was sent.
    "delegator_strength": "CASE WHEN delegator IS NOT NULL THEN CASE WHEN worked THEN 'proven' ELSE 'asserted' END END",
    "obtains": _OBTAINS,
    "src_ip": f"coalesce({word_of('d.client_ip')}, {word_of('d.ip')}, {word_of('d.details.request.ip')})",
    "user_agent": word_of("d.user_agent"),
    "http_method": "method",
    "dst_host": id_of("d.hostname"),
    "url_path": "path",
    "status": "status",
    "status_code": "CAST(code AS VARCHAR)",
    "error": "CASE WHEN status IN ('denied', 'failure') THEN d.description END",
    "resource_type": """CASE WHEN at_token_endpoint THEN 'audience' WHEN is_management THEN 'path'
                             WHEN user_id IS NOT NULL THEN 'user' WHEN client_id IS NOT NULL THEN 'client' END""",
    "resource_uid": _TARGET,
    "resources": f"CASE WHEN {_TARGET} IS NOT NULL THEN [{_TARGET}] END",
    "account": "tenant",
}
"""Every action column that this format fills, as SQL over the fields."""

ACTION_COLUMNS = frozenset(_COLUMNS)


def actions_sql() -> str:
    """A row a record, in the columns of ACTIONS_OUT that are filled."""
    return told(_COLUMNS)


def grants_sql() -> str:
    """A row a token or session that an event which worked tells was given or ended, a user or client deleted."""
    deleted = "regexp_extract(path, '^(?:/api)?/v2/clients/([^/?]+)/?$', 1)"
    good = "reason IS NULL AND worked"
    return f"""
        WITH found AS (
            SELECT record_id, 'issue' AS kind, type AS mechanism, principal AS parent_uid, {_ISSUED_TOKEN} AS child_uid,
                   principal, delegator, CASE WHEN delegator IS NOT NULL THEN 'proven' END AS delegator_strength,
                   time AS issued_at, CAST(NULL AS TIMESTAMP) AS expires_at, 'proven' AS strength
            FROM events WHERE {good} AND is_grant
            UNION ALL
            SELECT record_id, 'issue', type, person, {_SESSION}, person, NULL, NULL, time, NULL, 'proven'
            FROM events WHERE {good} AND {one_of("type", _LOGINS)}
            UNION ALL
            SELECT record_id, 'revoke', type, NULL, {_SESSION}, person, NULL, NULL, time, NULL, 'proven'
            FROM events WHERE {good} AND {one_of("type", _LOGOUTS)}
            UNION ALL
            SELECT record_id, 'revoke', type, NULL, person, NULL, NULL, NULL, time, NULL, 'proven'
            FROM events WHERE {good} AND type IN ('du', 'sdu')
            UNION ALL
            SELECT record_id, 'revoke', type, NULL, {_client(f"nullif({deleted}, '')")}, NULL, NULL, NULL, time, NULL,
                   'proven'
            FROM events WHERE {good} AND type = 'sapi' AND method = 'DELETE'
        )
        SELECT DISTINCT * FROM found WHERE child_uid IS NOT NULL AND (kind = 'revoke' OR parent_uid IS NOT NULL)
    """

"""The DuckDB SQL behind `keycloak`: events and lines to fields, and those to actions."""

from __future__ import annotations

from typing import Any

import duckdb
import pyarrow as pa

from pipelines.formats.record_sql import id_of, moment, one_of, parse, texts, told, word_of
from pipelines.identifiers import Sql

DETAILS = (
    "token_id", "refresh_token_id", "updated_refresh_token_id", "access_token_expiration_time", "grant_type",
    "client_assertion_id", "client_assertion_issuer", "client_assertion_sub", "impersonator", "impersonator_realm",
    "subject_token_client_id", "audience", "revoked_client",
)  # fmt: skip
"""Details of an event that are read; any may be absent."""

_SHAPE: dict[str, Any] = {
    **texts(
        "id", "time", "type", "realmId", "realmName", "clientId", "userId", "sessionId", "ipAddress", "error",
        "operationType", "resourceType", "resourcePath", "timestamp", "loggerName", "message", "@timestamp",
    ),
    "details": texts(*DETAILS),
    "authDetails": texts("realmId", "realmName", "clientId", "userId", "ipAddress"),
}  # fmt: skip

_HEAD = ("type", "operationType", "realmId", "realmName", "clientId", "userId", "sessionId", "ipAddress", "error",
         "resourceType", "resourcePath")  # fmt: skip

_QUOTED = r'[A-Za-z0-9_.-]+="(?:[^"\\]|\\.)*"'
_PAIR = r'(?:^|, )([A-Za-z0-9_.-]+)="((?:[^"\\]|\\.)*)"'
_BARE_PAIR = r"(?:^|, )([A-Za-z0-9_.-]+)=('[^']*'|\"[^\"]*\"|[^,]*)"
_DATED = r"^([0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}:[0-9]{2}(?:[.,][0-9]+)?(?:[Zz]|[+-][0-9]{2}:?[0-9]{2})?)\s"
_TIME_ALONE = r"^[^0-9]{0,8}[0-9]{2}:[0-9]{2}:[0-9]{2}"
_TEXT = r"^((?:type|operationType)=.*)$"
_LINE = r"^[^\[\]=]*\[[A-Za-z.]*events\][^=]*?\s((?:type|operationType)=.*)$"
"""A line of the logger of events, and of no other: what other loggers write may hold anybody's words."""

_TOKEN_TYPES = ("CLIENT_LOGIN", "CODE_TO_TOKEN", "REFRESH_TOKEN", "TOKEN_EXCHANGE", "OAUTH2_DEVICE_CODE_TO_TOKEN",
                "PERMISSION_TOKEN", "JWT_AUTHORIZATION_GRANT", "LOGIN")  # fmt: skip
"""Events by which a token or a session is given. A LOGIN by the password grant names its token as well."""

_BY_CLIENT = ("CLIENT_LOGIN", "CODE_TO_TOKEN", "REFRESH_TOKEN", "TOKEN_EXCHANGE", "OAUTH2_DEVICE_CODE_TO_TOKEN",
              "PERMISSION_TOKEN", "JWT_AUTHORIZATION_GRANT", "INTROSPECT_TOKEN", "REVOKE_GRANT", "USER_INFO_REQUEST",
              "VALIDATE_ACCESS_TOKEN", "CLIENT_INFO", "CLIENT_REGISTER", "CLIENT_UPDATE", "CLIENT_DELETE",
              "OAUTH2_DEVICE_AUTH", "PUSHED_AUTHORIZATION_REQUEST", "TOKEN_EXCHANGE_TO_IDENTITY_PROVIDER")  # fmt: skip
"""Calls that a client makes, on its own behalf or on a user's."""

_REFUSED = r"(?i)access_denied|not_allowed|denied|forbidden|disabled|invalid_(user_credentials|client|client_credentials)|locked|unauthorized"  # noqa: E501


def read(connection: duckdb.DuckDBPyConnection, records: pa.Table, timezone: str, trusted: bool) -> None:
    """Make the table `events`: a row a record, and as `reason` why it is no event.

    `timezone` is that of log lines; `trusted` says that no value of a line can hold a line break or an open quote.
    """
    parse(connection, records, _SHAPE)
    connection.execute(f"CREATE TEMP TABLE events AS {_events(timezone, trusted)}")


def _value(name: str) -> str:
    """SQL: the first value of a pair of this name; what stood in quotes without them and their escapes."""
    raw = f"vals[list_position(names, '{name}')]"
    return f"replace(regexp_replace({raw}, '^([''\"])(.*)[''\"]$', '\\2'), '\\\"', '\"')"


def _events(timezone: str, trusted: bool) -> str:
    """A row a record: its fields, out of JSON or out of a line; `sure` where nobody can have forged them."""
    head = ", ".join(
        f"CASE WHEN line IS NULL THEN {_of_json(name)} ELSE {_value(name)} END AS {name}" for name in _HEAD
    )
    details = ", ".join(
        f"{id_of(f'CASE WHEN line IS NULL THEN e.details.{name} ELSE {_value(name)} END')} AS {name}"
        for name in DETAILS
    )
    zone = timezone.replace("'", "''")
    local = f"try_cast(replace(replace(stamp, ',', '.'), 'T', ' ') AS TIMESTAMP) AT TIME ZONE '{zone}'"
    zoned = "regexp_matches(stamp, '(?:[Zz]|[+-][0-9]{2}:?[0-9]{2})$')"
    return f"""
        WITH shaped AS MATERIALIZED (
            SELECT record_id, realm, raw, valid, e, e.type IS NOT NULL OR e.operationType IS NOT NULL AS is_event,
                   CASE WHEN NOT valid THEN nullif(regexp_extract(raw, '{_LINE}', 1, 's'), '')
                        WHEN e.type IS NULL AND e.operationType IS NULL AND e.loggerName LIKE '%events'
                        THEN nullif(regexp_extract(e.message, '{_TEXT}', 1, 's'), '') END AS line
            FROM parsed
        ),
        paired AS MATERIALIZED (
            SELECT *,
                   CASE WHEN NOT valid THEN nullif(regexp_extract(raw, '{_DATED}', 1), '')
                        ELSE coalesce(e.timestamp, e."@timestamp") END AS stamp,
                   coalesce(regexp_full_match(line, '{_QUOTED}(?:, {_QUOTED})*'), false) AS quoted
            FROM shaped
        ),
        listed AS MATERIALIZED (
            SELECT *,
                   CASE WHEN quoted THEN regexp_extract_all(line, '{_PAIR}', 1)
                        ELSE regexp_extract_all(line, '{_sql(_BARE_PAIR)}', 1) END AS names,
                   CASE WHEN quoted THEN regexp_extract_all(line, '{_PAIR}', 2)
                        ELSE regexp_extract_all(line, '{_sql(_BARE_PAIR)}', 2) END AS vals
            FROM paired
        ),
        fields AS MATERIALIZED (
            SELECT record_id, valid, raw, line, stamp, is_event, e.time AS epoch, {Sql.issuer("realm")} AS server,
                   CASE WHEN line IS NULL THEN coalesce({id_of("e.authDetails.realmName")},
                                                        {id_of("e.authDetails.realmId")}) END AS admin_realm,
                   json_valid(raw) OR starts_with(ltrim(raw), '{{') AS is_json,
                   line IS NULL OR (quoted AND (valid OR {str(trusted).lower()})) AS sure, {id_of("e.id")} AS native_id,
                   e.loggerName IS NOT NULL AS is_console, {head}, {details},
                   CASE WHEN line IS NULL THEN {moment("e.time")}
                        WHEN {zoned} THEN {moment("stamp")}
                        ELSE make_timestamp(epoch_us({local})) END AS time
            FROM listed
        ),
        named AS MATERIALIZED (
            SELECT * REPLACE ({", ".join(f"{_cleaned(name)} AS {name}" for name in _HEAD)}),
                   {id_of("operationType")} IS NOT NULL AS is_admin
            FROM fields
        ),
        owned AS MATERIALIZED (
            SELECT *,
                   CASE WHEN contains(server, '/realms/') THEN server
                        ELSE server || '/realms/' || coalesce(realmName, realmId) END AS issuer,
                   CASE WHEN is_admin AND admin_realm IS NOT NULL
                             AND admin_realm NOT IN (coalesce(realmName, ''), realmId)
                        THEN regexp_replace(server, '/realms/.*$', '') || '/realms/' || admin_realm
                        WHEN contains(server, '/realms/') THEN server
                        ELSE server || '/realms/' || coalesce(realmName, realmId) END AS acting_issuer,
                   CASE WHEN is_admin THEN operationType || ' ' || coalesce(resourceType, '') ELSE type END
                       AS operation,
                   regexp_replace(type, '_ERROR$', '') AS what,
                   coalesce(error IS NOT NULL OR type LIKE '%\\_ERROR' ESCAPE '\\', false) AS failed
            FROM named
        )
        SELECT *, {Sql.uid("oauth:client", "(acting_issuer || '#' || clientId)")} AS client,
               {Sql.uid("oidc:subject", "(acting_issuer || '#' || userId)")} AS person,
               coalesce(NOT is_admin AND {one_of("what", _BY_CLIENT)}, false) AS by_client,
               line IS NULL AND NOT is_event AND (NOT is_json OR valid AND is_console) AS skipped,
               CASE WHEN NOT valid AND is_json THEN 'not a JSON object'
                    WHEN line IS NULL AND NOT is_event AND (NOT valid OR is_console)
                    THEN 'a line of the server''s log that tells of no event'
                    WHEN line IS NULL AND NOT is_event THEN 'the keys "type" and "operationType" are missing'
                    WHEN operation IS NULL THEN 'the key "type" has no text'
                    WHEN line IS NOT NULL AND stamp IS NULL AND regexp_matches(raw, '{_TIME_ALONE}')
                    THEN 'the line has a time of day without a date'
                    WHEN line IS NOT NULL AND stamp IS NULL THEN 'the line begins with no date and time'
                    WHEN line IS NULL AND epoch IS NULL THEN 'the key "time" is missing'
                    WHEN time IS NULL THEN 'the time is none' END AS reason
        FROM owned
    """


def _cleaned(name: str) -> str:
    """SQL: a field, null where it is a word for `none`; an address may begin with a bracket."""
    return word_of(name) if name == "ipAddress" else id_of(name)


def _sql(pattern: str) -> str:
    """A pattern within a text of SQL."""
    return pattern.replace("'", "''")


def _of_json(name: str) -> str:
    """SQL: a field of a JSON event; of an admin event, who did it stands in `authDetails`."""
    if name in ("clientId", "userId", "ipAddress"):
        return f"coalesce(e.{name}, e.authDetails.{name})"
    return f"e.{name}"


SESSION = Sql.uid("oidc:session", "(issuer || '#' || sessionId)")
ASSERTION = f"""CASE WHEN client_assertion_issuer IS DISTINCT FROM clientId
    THEN {Sql.uid("oauth:token", f"({Sql.issuer('client_assertion_issuer')} || '#' || client_assertion_id)")} END"""
"""The JWT that a client proved itself with, where somebody else issued it."""

IMPERSONATOR = f"""{
    Sql.uid(
        "keycloak:username",
        "impersonator",
        '''coalesce(
    regexp_replace(issuer, '/realms/[^/]*$', '/realms/' || impersonator_realm), issuer)''',
    )
}"""
"""The administrator who impersonates, whom the event names by user name alone."""

STRENGTH = "CASE WHEN sure THEN 'proven' ELSE 'asserted' END"

PRINCIPAL = f"""CASE WHEN what = 'IMPERSONATE' THEN {IMPERSONATOR} WHEN by_client THEN client
    WHEN is_admin THEN coalesce(person, client) ELSE person END"""
DELEGATOR = "CASE WHEN by_client AND what <> 'CLIENT_LOGIN' THEN person END"
"""A service account's own user stands for nobody else."""

_MAKES = r"^(CREATE CLIENT|ACTION CLIENT|CREATE CLIENT_INITIAL_ACCESS_MODEL|CREATE USER|ACTION USER)$"
_SECRET_PATH = (
    r"(client-secret|registration-access-token|certificates|clients-initial-access|reset-password)|^clients/[^/]+$"
)
_OBTAINS = f"""CASE WHEN {one_of("what", _TOKEN_TYPES)} OR what = 'IMPERSONATE' THEN 'self'
    WHEN is_admin AND regexp_matches(operation, '{_MAKES}') AND regexp_matches(resourcePath, '{_SECRET_PATH}')
    THEN 'other' END"""
_CREDENTIAL = f"""CASE WHEN what = 'CLIENT_LOGIN' THEN {ASSERTION}
    WHEN by_client OR what = 'IMPERSONATE' THEN NULL ELSE {SESSION} END"""
"""On a client's event the session is the user's, not the client's: it must not bind to it."""

_TARGET = "CASE WHEN is_admin THEN resourcePath ELSE coalesce(audience, userId, clientId) END"
_STATUS = f"""CASE WHEN NOT failed THEN 'success' WHEN regexp_matches(error, '{_REFUSED}') THEN 'denied'
    ELSE 'failure' END"""

_COLUMNS = {
    "time": "time",
    "time_kind": "'logged'",
    "time_precision": "'1ms'",
    "class_uid": """CASE WHEN what IN ('LOGIN', 'LOGOUT', 'CLIENT_LOGIN', 'IMPERSONATE') THEN 3002
                         WHEN what IN ('REGISTER', 'UPDATE_PASSWORD', 'RESET_PASSWORD', 'DELETE_ACCOUNT')
                              OR resourceType = 'USER' THEN 3001 ELSE 6003 END""",
    "activity": """CASE WHEN what IN ('LOGIN', 'CLIENT_LOGIN') THEN 'Logon' WHEN what = 'LOGOUT' THEN 'Logoff'
        WHEN what = 'IMPERSONATE' THEN 'Account Switch'
        WHEN what IN ('UPDATE_PASSWORD', 'RESET_PASSWORD') THEN 'Password Change'
        WHEN operationType = 'CREATE' OR what IN ('REGISTER', 'CODE_TO_TOKEN', 'REFRESH_TOKEN', 'TOKEN_EXCHANGE')
        THEN 'Create'
        WHEN operationType = 'UPDATE' OR what LIKE 'UPDATE%' THEN 'Update'
        WHEN operationType = 'DELETE' OR what IN ('REVOKE_GRANT', 'DELETE_ACCOUNT') THEN 'Delete'
        WHEN what IN ('INTROSPECT_TOKEN', 'USER_INFO_REQUEST') THEN 'Read' ELSE 'Other' END""",
    "api_service": "'keycloak'",
    "api_operation": "rtrim(operation)",
    "principal": PRINCIPAL,
    "principal_type": f"""CASE WHEN ({PRINCIPAL}) IS NULL THEN NULL
        WHEN starts_with({PRINCIPAL}, 'oauth:client/') THEN 'client' ELSE 'user' END""",
    "credential_uid": f"CASE WHEN NOT failed THEN {_CREDENTIAL} END",
    "credential_type": f"""CASE WHEN NOT failed AND ({_CREDENTIAL}) IS NOT NULL
        THEN CASE WHEN what = 'CLIENT_LOGIN' THEN 'assertion' ELSE 'session' END END""",
    "session_uid": f"CASE WHEN NOT failed AND NOT by_client AND what <> 'IMPERSONATE' THEN {SESSION} END",
    "identity_strength": f"CASE WHEN failed AND NOT is_admin OR ({PRINCIPAL}) IS NULL THEN 'asserted' ELSE {STRENGTH} END",  # noqa: E501
    "delegator": DELEGATOR,
    "delegator_strength": f"""CASE WHEN ({DELEGATOR}) IS NOT NULL
        THEN CASE WHEN failed THEN 'asserted' ELSE {STRENGTH} END END""",
    "obtains": _OBTAINS,
    "src_ip": "ipAddress",
    "status": _STATUS,
    "status_code": "error",
    "error": "error",
    "resource_type": "CASE WHEN is_admin THEN resourceType WHEN audience IS NOT NULL THEN 'audience' WHEN userId IS NOT NULL THEN 'user' ELSE 'client' END",  # noqa: E501
    "resource_uid": _TARGET,
    "resources": f"list_filter([{_TARGET}, subject_token_client_id, revoked_client], r -> r IS NOT NULL)",
    "account": "coalesce(realmName, realmId)",
    "request_uid": "token_id",
}
"""Every action column that this format fills, as SQL over the fields."""

ACTION_COLUMNS = frozenset(_COLUMNS)


def actions_sql() -> str:
    """A row a record, in the columns of ACTIONS_OUT that are filled."""
    return told(_COLUMNS)

"""The DuckDB SQL behind `okta`: LogEvents to rows of fields, and those to actions and grants."""

from __future__ import annotations

import json
from typing import Any

import duckdb
import pyarrow as pa

from pipelines.identifiers import Sql


def _texts(*names: str) -> dict[str, Any]:
    return dict.fromkeys(names, "VARCHAR")


_DEBUG = _texts("requestUri", "url")
_EVENT = {
    **_texts("uuid", "published", "eventType"),
    **{f"debugContext.debugData.{name}": kind for name, kind in _DEBUG.items()},
    "actor": _texts("id", "type"),
    "client": {**_texts("id", "ipAddress"), "userAgent": _texts("rawUserAgent")},
    "outcome": _texts("result", "reason"),
    "transaction": {**_texts("id"), "detail": _texts("requestApiTokenId")},
    "authenticationContext": _texts("externalSessionId"),
    "debugContext": {"debugData": {**_DEBUG, "flattened": _DEBUG}},
    "target": [{**_texts("id", "type"), "detailEntry": _texts("expires", "expiresAt", "expiration")}],
}
"""Every path that is read, once a record; a value of another type is null there, a number is its text."""

_CLIENT_KINDS = (
    "publicclientapp", "privateclientapp", "confidentialclientapp", "clientapp", "serviceclientapp", "serviceapp",
    "serviceclient", "oauthclient", "oauth2client", "client", "app", "appinstance", "workloadidentityprincipal",
    "workloadprincipal", "aiagent",
)  # fmt: skip
"""Types of an actor or target, without case and punctuation, whose id is an OAuth client id."""

_TOKEN_KINDS = ("accesstoken", "idtoken", "refreshtoken", "idjag", "token")

_GRANT = r"^app\.oauth2\.(?:as\.)?token\.grant(?:\.|$)"
_AUTHENTICATES = r"^(?:user\.(?:session|authentication|mfa)\.|policy\.evaluate_sign_on|app\.oauth2\.)"
_REFUSED = r"(?i)den(?:y|ied)|forbidden|unauthori[sz]ed|not[ _]?(?:authori[sz]ed|allowed|permitted|assigned)|insufficient|no_matching_(?:policy|scope|rule)"  # noqa: E501
_SECRET_FOR_A_CLIENT = r"^app\.oauth2\.(?:credentials\.lifecycle\.(?:create|activate)|client\.lifecycle\.create)$"
_TELLING = r"token\.grant|token\.revoke|api_token|user\.session|user\.authentication\.sso|\.lifecycle\."
"""Words without which an event can hold no grant."""


def read(connection: duckdb.DuckDBPyConnection, records: pa.Table, only_telling: bool = False) -> None:
    """Make the tables `parsed` and `events`: a row a record, and as `reason` why it is no event.

    With `only_telling`, records that can hold no grant are left out.
    """
    connection.register("records", records)
    connection.execute(f"CREATE TEMP TABLE parsed AS {_parsed(only_telling)}")
    connection.execute(f"CREATE TEMP TABLE events AS {_events()}")


def _parsed(only_telling: bool) -> str:
    """A row a record: its event as a struct. Collectors that write keys in lower case are read like Okta."""
    spelled = "raw"
    for key in ("eventType", "authenticationContext", "debugContext"):
        spelled = f"replace({spelled}, '\"{key.lower()}\"', '\"{key}\"')"
    where = f"WHERE regexp_matches(raw, '{_TELLING}')" if only_telling else ""
    return f"""
        SELECT record_id, org, e,
               CASE WHEN e.uuid IS NOT NULL THEN true
                    ELSE coalesce(json_type(CASE WHEN json_valid(raw) THEN raw END) = 'OBJECT', false) END AS valid
        FROM (
            SELECT record_id, raw, {Sql.issuer("realm")} AS org,
                   json_transform(CASE WHEN NOT json_valid(raw) THEN NULL
                                       WHEN contains(raw, '"eventtype"') THEN {spelled} ELSE raw END,
                                  '{json.dumps(_EVENT)}') AS e
            FROM records {where}
        )
    """


def _events() -> str:
    """A row a record: the event's fields, and who acted for whom."""
    return f"""
        WITH fields AS (
            SELECT record_id, org, valid,
                   {_id("e.uuid")} AS native_id,
                   {_id("e.eventType")} AS event_type,
                   e.published AS published,
                   {_moment("e.published")} AS time,
                   {_id("e.actor.id")} AS actor_id,
                   {_kind("e.actor.type")} AS actor_kind,
                   {_id("e.client.id")} AS client_id,
                   e.client.ipAddress AS client_ip,
                   e.client.userAgent.rawUserAgent AS user_agent,
                   upper({_id("e.outcome.result")}) AS result,
                   e.outcome.reason AS outcome_reason,
                   {_id("e.transaction.id")} AS transaction_id,
                   {_id("e.transaction.detail.requestApiTokenId")} AS api_token_id,
                   {_id("e.authenticationContext.externalSessionId")} AS session_id,
                   {_server()} AS server_in_url,
                   coalesce(list_filter(e.target, t -> t IS NOT NULL), []) AS targets
            FROM parsed
        ),
        named AS (
            SELECT *,
                   {_one_of("actor_kind", _CLIENT_KINDS)} AS by_client,
                   regexp_matches(event_type, '{_GRANT}') AS is_grant,
                   coalesce(result IN ('SUCCESS', 'ALLOW'), false) AS worked,
                   list_filter(list_transform(list_filter(targets, t -> {_kind("t.type")} = 'user'),
                                              t -> {_id("t.id")}), u -> u IS NOT NULL) AS users
            FROM fields
        )
        SELECT *,
               CASE WHEN NOT valid THEN 'not a JSON object, as a System Log event is'
                    WHEN native_id IS NULL THEN 'the key "uuid" is missing or has no text'
                    WHEN published IS NULL THEN 'the key "published" is missing or has no text'
                    WHEN time IS NULL THEN 'the key "published" is no RFC 3339 time'
                    WHEN event_type IS NULL THEN 'the key "eventType" is missing or has no text' END AS reason,
               -- Whoever calls a token endpoint is the client, also where the event names the user as its actor.
               CASE WHEN by_client THEN {_client("actor_id")}
                    WHEN is_grant AND client_id IS NOT NULL THEN {_client("client_id")}
                    WHEN actor_kind = 'ipaddress' THEN NULL
                    ELSE {_user("actor_id")} END AS principal,
               CASE WHEN is_grant
                    THEN coalesce({_user("users[1]")}, CASE WHEN actor_kind = 'user' THEN {_user("actor_id")} END)
                    END AS delegator
        FROM named
    """


def _one_of(text: str, words: tuple[str, ...]) -> str:
    return f"list_contains([{', '.join(repr(word) for word in words)}], {text})"


def _id(text: str) -> str:
    """An id, null where Okta or a collector writes a word for `none`, or where the value is no scalar."""
    return f"CASE WHEN {text} NOT IN ('', 'unknown', 'null', 'None') AND {text}[1] NOT IN ('{{', '[') THEN {text} END"


def _kind(text: str) -> str:
    """A type without case and punctuation: collectors and versions write `access_token` and `AccessToken`."""
    return f"regexp_replace(lower({text}), '[^a-z0-9]', '', 'g')"


def _moment(text: str) -> str:
    """A UTC TIMESTAMP of an RFC 3339 time (UTC where it has no zone), or of a Unix time in seconds or milliseconds."""
    iso = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]+)?(?:[Zz]|[+-][0-9]{2}:?[0-9]{2})?$"
    zoned = (
        f"CASE WHEN regexp_matches({text}, '(?:[Zz]|[+-][0-9]{{2}}:?[0-9]{{2}})$') THEN {text} ELSE {text} || 'Z' END"
    )
    number = f"try_cast({text} AS BIGINT)"
    return f"""CASE
        WHEN regexp_matches({text}, '{iso}') THEN make_timestamp(epoch_us(try_cast({zoned} AS TIMESTAMPTZ)))
        WHEN regexp_matches({text}, '^[0-9]{{9,10}}$') THEN make_timestamp({number} * 1000000)
        WHEN regexp_matches({text}, '^[0-9]{{12,13}}$') THEN make_timestamp({number} * 1000) END"""


def _server() -> str:
    """The id of the custom authorization server in the request's path: `/oauth2/ID/v1/token`."""
    debug = "e.debugContext.debugData"
    paths = [f"{place}.{name}" for name in _DEBUG for place in (debug, f"{debug}.flattened")] + [
        f"e['debugContext.debugData.{name}']" for name in _DEBUG
    ]
    return f"nullif(regexp_extract(coalesce({', '.join(paths)}), '/oauth2/([A-Za-z0-9_-]+)/v1/', 1), '')"


def _client(name: str) -> str:
    return Sql.uid("oauth:client", f"(org || '#' || {name})")


def _user(name: str) -> str:
    return Sql.uid("okta:user", name, "org")


_SESSION = f"CASE WHEN NOT coalesce(by_client, false) THEN {Sql.uid('okta:session', 'session_id', 'org')} END"
"""A user's browser session. On an event of a client it is the user's, not the client's: it must not bind to it."""

_API_TOKEN = Sql.uid("okta:token", "api_token_id", "org")

_OBTAINS = f"""CASE
    WHEN is_grant OR event_type = 'user.session.start' THEN 'self'
    WHEN event_type = 'system.api_token.create'
    THEN CASE WHEN len(list_filter(users, u -> u IS DISTINCT FROM actor_id)) > 0 THEN 'other' ELSE 'self' END
    WHEN regexp_matches(event_type, '{_SECRET_FOR_A_CLIENT}') AND NOT coalesce(by_client, false) THEN 'other' END"""

_ACTIVITY = """CASE
    WHEN event_type IN ('user.session.end', 'user.session.clear') THEN 'Logoff'
    WHEN starts_with(event_type, 'user.session.impersonation') THEN 'Account Switch'
    WHEN event_type = 'user.authentication.sso' THEN 'Service Ticket Request'
    WHEN event_type = 'user.session.start' OR starts_with(event_type, 'user.authentication.') THEN 'Logon'
    WHEN starts_with(event_type, 'user.session.') THEN 'Other'
    WHEN regexp_matches(event_type, '[.](create|add|grant|initiated|grant[.].*)$')
         AND NOT starts_with(event_type, 'user.lifecycle.delete') THEN 'Create'
    WHEN regexp_matches(event_type, '[.](delete|remove|revoke|clear|delete[.].*|revoke[.].*)$') THEN 'Delete'
    WHEN regexp_matches(event_type, '^user.lifecycle[.](activate|reactivate|unsuspend)$') THEN 'Enable'
    WHEN regexp_matches(event_type, '^user.lifecycle[.](deactivate|suspend)$') THEN 'Disable'
    WHEN starts_with(event_type, 'user.lifecycle.') THEN 'Other'
    WHEN regexp_matches(event_type, '[.](update|activate|deactivate|update_[a-z_]+|reset[a-z_]*)$') THEN 'Update'
    WHEN regexp_matches(event_type, '[.](read|view|evaluate[a-z_]*|introspect)$') THEN 'Read'
    ELSE 'Other' END"""
"""OCSF's activities of Authentication (3002), Account Change (3001) and API Activity (6003)."""

_TARGET_IDS = f"list_filter(list_transform(targets, t -> {_id('t.id')}), i -> i <> '')"

_STATUS = f"""CASE
    WHEN worked THEN 'success'
    WHEN result = 'DENY' OR (result = 'FAILURE' AND regexp_matches(outcome_reason, '{_REFUSED}')) THEN 'denied'
    WHEN result = 'FAILURE' THEN 'failure'
    ELSE 'unknown' END"""

_CLAIMED = f"NOT worked AND result IS NOT NULL AND regexp_matches(event_type, '{_AUTHENTICATES}')"
"""An authentication that did not succeed: the name on the event was only claimed."""

_COLUMNS = {
    "time": "time",
    "time_kind": "'logged'",
    "time_precision": "'1ms'",
    "class_uid": """CASE WHEN regexp_matches(event_type, '^user[.](session|authentication)[.]') THEN 3002
                         WHEN starts_with(event_type, 'user.lifecycle.') THEN 3001 ELSE 6003 END""",
    "activity": _ACTIVITY,
    "api_service": "'okta'",
    "api_operation": "event_type",
    "principal": "principal",
    "principal_type": """CASE WHEN principal IS NULL THEN NULL WHEN starts_with(principal, 'oauth:') THEN 'client'
                              WHEN actor_kind = 'systemprincipal' THEN 'system'
                              WHEN actor_kind = 'user' OR actor_kind IS NULL THEN 'user' ELSE 'other' END""",
    "credential_uid": f"coalesce({_API_TOKEN}, {_SESSION})",
    "credential_type": f"""CASE WHEN api_token_id IS NOT NULL THEN 'api_token'
                               WHEN {_SESSION} IS NOT NULL THEN 'session' END""",
    "session_uid": _SESSION,
    "identity_strength": f"CASE WHEN principal IS NULL OR ({_CLAIMED}) THEN 'asserted' ELSE 'proven' END",
    "delegator": "delegator",
    "obtains": _OBTAINS,
    "src_ip": "client_ip",
    "user_agent": "user_agent",
    "status": _STATUS,
    "status_code": "result",
    "error": f"CASE WHEN {_STATUS} <> 'success' THEN outcome_reason END",
    "resource_type": "targets[1].type",
    "resource_uid": _id("targets[1].id"),
    "resources": f"CASE WHEN len(targets) > 0 THEN {_TARGET_IDS} END",
    "account": "org",
    "request_uid": "transaction_id",
}
"""Every action column that this format fills, as SQL over the fields."""

ACTION_COLUMNS = frozenset(_COLUMNS)


def actions_sql() -> str:
    """A row an event, in the columns of ACTIONS_OUT that are filled."""
    columns = ", ".join(f"CASE WHEN reason IS NULL THEN {sql} END AS {name}" for name, sql in _COLUMNS.items())
    return f"""
        SELECT record_id, reason, CASE WHEN reason IS NULL THEN 'action' ELSE 'error' END AS outcome,
               CASE WHEN reason IS NULL THEN native_id END AS native_id, {columns}
        FROM events
    """


_ISSUER = """CASE WHEN starts_with(event_type, 'app.oauth2.as.')
    THEN org || coalesce('/oauth2/' || coalesce(server_target, server_in_url), '') ELSE org END"""
"""A token's issuer: the org's own server, or `ORG/oauth2/ID` of the custom server that the event names."""

_OAUTH_TOKEN = Sql.uid("oauth:token", f"({_ISSUER} || '#' || target_id)")
_TARGET_API_TOKEN = Sql.uid("okta:token", "target_id", "org")


_TOKENS = f"""
    SELECT record_id, 'issue' AS kind, event_type AS mechanism, principal AS parent_uid, {_OAUTH_TOKEN} AS child_uid,
           principal, delegator, time AS issued_at, expires_at, 'asserted' AS strength
    FROM entries WHERE is_grant AND {_one_of("target_kind", _TOKEN_KINDS)} AND starts_with(principal, 'oauth:client/')
"""
"""A row an OAuth token that a client was given."""

_SESSIONS = f"""
    SELECT record_id, 'issue', event_type, principal, {_SESSION}, principal, NULL, time, NULL, 'proven'
    FROM events
    WHERE reason IS NULL AND worked AND actor_kind = 'user'
      AND event_type IN ('user.session.start', 'user.authentication.sso')
"""
"""A row an event that shows whose a session is."""

_API_TOKENS = f"""
    SELECT record_id, 'issue', event_type, principal, {_TARGET_API_TOKEN},
           coalesce({_user("users[1]")}, principal), NULL, time, expires_at,
           CASE WHEN {_OBTAINS} = 'other' THEN 'asserted' ELSE 'proven' END
    FROM entries WHERE event_type = 'system.api_token.create' AND {_one_of("target_kind", _TOKEN_KINDS)}
"""
"""A row an API token that was made."""

_ENDED_ENTRIES = f"""
    SELECT record_id, 'revoke', event_type, NULL,
           CASE WHEN regexp_matches(event_type, '^app[.]oauth2[.](.*[.])?token[.]revoke')
                     AND {_one_of("target_kind", _TOKEN_KINDS)} THEN {_OAUTH_TOKEN}
                WHEN event_type = 'system.api_token.revoke' AND {_one_of("target_kind", _TOKEN_KINDS)}
                THEN {_TARGET_API_TOKEN}
                WHEN regexp_matches(event_type, '^user[.]lifecycle[.](deactivate|suspend|delete)([.]|$)')
                     AND target_kind = 'user' THEN {_user("target_id")}
                WHEN regexp_matches(event_type, '^(application|app[.]oauth2[.]client)[.]lifecycle[.]de(activate|lete)$')
                     AND {_one_of("target_kind", _CLIENT_KINDS)} THEN {_client("target_id")} END,
           NULL, NULL, time, NULL, 'proven'
    FROM entries
"""
"""A row a target that the event ended: a token, a user, a client."""

_ENDED_SESSIONS = f"""
    SELECT record_id, 'revoke', event_type, NULL, {_SESSION}, principal, NULL, time, NULL, 'proven'
    FROM events
    WHERE reason IS NULL AND worked AND event_type IN ('user.session.end', 'user.session.clear')
      AND len(list_filter(users, u -> u IS DISTINCT FROM actor_id)) = 0
"""
"""A row a session that its own user ended. Where another's is cleared, the event names the administrator's session."""

_ENTRIES = f"""
    SELECT *, {_id("entry.id")} AS target_id, {_kind("entry.type")} AS target_kind,
           {_moment("coalesce(entry.detailEntry.expires, entry.detailEntry.expiresAt, entry.detailEntry.expiration)")}
               AS expires_at,
           list_filter(targets, t -> {_kind("t.type")} = 'authorizationserver')[1].id AS server_target
    FROM (SELECT *, unnest(targets) AS entry FROM events WHERE reason IS NULL AND worked)
"""
"""A row a target of an event that succeeded."""


def grants(connection: duckdb.DuckDBPyConnection) -> pa.Table:
    """Rows of GRANTS_OUT from `events`: what each successful event issued or ended."""
    connection.execute(f"CREATE TEMP TABLE entries AS {_ENTRIES}")
    kinds = (_TOKENS, _SESSIONS, _API_TOKENS, _ENDED_ENTRIES, _ENDED_SESSIONS)
    return connection.execute(
        f"""
        WITH found AS ({" UNION ALL ".join(f"FROM ({kind})" for kind in kinds)})
        SELECT DISTINCT * FROM found WHERE child_uid IS NOT NULL AND (kind = 'revoke' OR parent_uid IS NOT NULL)
        """
    ).to_arrow_table()

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
_FLOW = _texts("authnRequestId")
_EVENT = {
    **_texts("uuid", "published", "eventType"),
    **{f"debugContext.debugData.{name}": kind for name, kind in (_DEBUG | _FLOW).items()},
    "actor": _texts("id", "type"),
    "client": {**_texts("id", "ipAddress"), "userAgent": _texts("rawUserAgent")},
    "outcome": _texts("result", "reason"),
    "transaction": {**_texts("id"), "detail": _texts("requestApiTokenId")},
    "authenticationContext": _texts("externalSessionId"),
    "debugContext": {"debugData": {**_DEBUG, **_FLOW, "flattened": _DEBUG | _FLOW}},
    "target": [{**_texts("id", "type"), "detailEntry": _texts("expires", "expiresAt", "expiration")}],
}
"""Every path that is read, once a record; a value of another type is null there, a number is its text."""

CLIENT_KINDS = (
    "publicclientapp", "privateclientapp", "confidentialclientapp", "clientapp", "serviceclientapp", "serviceapp",
    "serviceclient", "oauthclient", "oauth2client", "client", "app", "appinstance", "workloadidentityprincipal",
    "workloadprincipal", "aiagent",
)  # fmt: skip
"""Types of an actor or target, without case and punctuation, whose id is an OAuth client id."""

TOKEN_KINDS = ("accesstoken", "idtoken", "refreshtoken", "idjag", "token")

_GRANT = r"^app\.oauth2\.(?:as\.)?token\.grant(?:\.|$)"
_AUTHENTICATES = r"^(?:user\.(?:session|authentication|mfa)\.|policy\.evaluate_sign_on|app\.oauth2\.)"
_REFUSED = r"(?i)den(?:y|ied)|forbidden|unauthori[sz]ed|not[ _]?(?:authori[sz]ed|allowed|permitted|assigned)|insufficient|no_matching_(?:policy|scope|rule)"  # noqa: E501
_SECRET_FOR_A_CLIENT = r"^app\.oauth2\.(?:credentials\.lifecycle\.(?:create|activate)|client\.lifecycle\.create)$"
_TELLING = r"token\.grant|token\.revoke|api_token|user\.session|user\.authentication\.sso|\.lifecycle\."
"""Words without which an event can hold no grant."""


_FLOW_ID = """coalesce(e.debugContext.debugData.authnRequestId, e.debugContext.debugData.flattened.authnRequestId,
    e['debugContext.debugData.authnRequestId'])"""
"""Of a later step of a sign-in, the first step's transaction id."""


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
                   {id_of("e.uuid")} AS native_id,
                   {id_of("e.eventType")} AS event_type,
                   e.published AS published,
                   {moment("e.published")} AS time,
                   {id_of("e.actor.id")} AS actor_id,
                   {kind_of("e.actor.type")} AS actor_kind,
                   {id_of("e.client.id")} AS client_id,
                   e.client.ipAddress AS client_ip,
                   e.client.userAgent.rawUserAgent AS user_agent,
                   upper({id_of("e.outcome.result")}) AS result,
                   e.outcome.reason AS outcome_reason,
                   {id_of("e.transaction.id")} AS transaction_id,
                   {id_of("e.transaction.detail.requestApiTokenId")} AS api_token_id,
                   {id_of("e.authenticationContext.externalSessionId")} AS session_id,
                   {_server()} AS server_in_url,
                   {id_of(_FLOW_ID)} AS flow_id,
                   coalesce(list_filter(e.target, t -> t IS NOT NULL), []) AS targets
            FROM parsed
        ),
        named AS (
            SELECT *,
                   {one_of("actor_kind", CLIENT_KINDS)} AS by_client,
                   regexp_matches(event_type, '{_GRANT}') AS is_grant,
                   coalesce(result IN ('SUCCESS', 'ALLOW'), false) AS worked,
                   list_filter(list_transform(list_filter(targets, t -> {kind_of("t.type")} = 'user'),
                                              t -> {id_of("t.id")}), u -> u IS NOT NULL) AS users,
                   list_filter(list_transform(list_filter(targets, t -> {one_of(kind_of("t.type"), CLIENT_KINDS)}),
                                              t -> {id_of("t.id")}), c -> c IS NOT NULL) AS clients
            FROM fields
        )
        SELECT *,
               CASE WHEN NOT valid THEN 'not a JSON object, as a System Log event is'
                    WHEN native_id IS NULL THEN 'the key "uuid" is missing or has no text'
                    WHEN published IS NULL THEN 'the key "published" is missing or has no text'
                    WHEN time IS NULL THEN 'the key "published" is no RFC 3339 time'
                    WHEN event_type IS NULL THEN 'the key "eventType" is missing or has no text' END AS reason,
               -- Whoever calls a token endpoint is the client, also where the event names the user as its actor.
               CASE WHEN by_client THEN {client("actor_id")}
                    WHEN is_grant AND client_id IS NOT NULL THEN {client("client_id")}
                    WHEN actor_kind = 'ipaddress' THEN NULL
                    ELSE {user("actor_id")} END AS principal,
               CASE WHEN is_grant
                    THEN coalesce({user("users[1]")}, CASE WHEN actor_kind = 'user' THEN {user("actor_id")} END)
                    END AS delegator
        FROM named
    """


def one_of(text: str, words: tuple[str, ...]) -> str:
    """SQL: whether `text` is one of the words."""
    return f"list_contains([{', '.join(repr(word) for word in words)}], {text})"


def id_of(text: str) -> str:
    """An id, null where Okta or a collector writes a word for `none`, or where the value is no scalar."""
    return f"CASE WHEN {text} NOT IN ('', 'unknown', 'null', 'None') AND {text}[1] NOT IN ('{{', '[') THEN {text} END"


def kind_of(text: str) -> str:
    """A type without case and punctuation: collectors and versions write `access_token` and `AccessToken`."""
    return f"regexp_replace(lower({text}), '[^a-z0-9]', '', 'g')"


def moment(text: str) -> str:
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


def client(name: str) -> str:
    """SQL: the OAuth client of this id; Okta's clients take the org's host as their issuer."""
    return Sql.uid("oauth:client", f"(org || '#' || {name})")


def user(name: str) -> str:
    """SQL: the user of this id."""
    return Sql.uid("okta:user", name, "org")


SESSION = f"CASE WHEN NOT coalesce(by_client, false) THEN {Sql.uid('okta:session', 'session_id', 'org')} END"
"""A user's browser session. On an event of a client it is the user's, not the client's: it must not bind to it."""

_API_TOKEN = Sql.uid("okta:token", "api_token_id", "org")

OBTAINS = f"""CASE
    WHEN is_grant OR event_type = 'user.session.start' THEN 'self'
    WHEN event_type = 'system.api_token.create'
    THEN CASE WHEN len(list_filter(users, u -> u IS DISTINCT FROM actor_id)) > 0 THEN 'other' ELSE 'self' END
    WHEN regexp_matches(event_type, '{_SECRET_FOR_A_CLIENT}')
         AND (NOT coalesce(by_client, false) OR len(list_filter(clients, c -> c IS DISTINCT FROM actor_id)) > 0)
    THEN 'other' END"""
"""A client that makes a secret for itself acts as it always may; for another client it makes one for somebody else."""

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

_TARGET_IDS = f"list_filter(list_transform(targets, t -> {id_of('t.id')}), i -> i <> '')"

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
    "credential_uid": f"coalesce({_API_TOKEN}, {SESSION})",
    "credential_type": f"""CASE WHEN api_token_id IS NOT NULL THEN 'api_token'
                               WHEN {SESSION} IS NOT NULL THEN 'session' END""",
    "session_uid": SESSION,
    "identity_strength": f"CASE WHEN principal IS NULL OR ({_CLAIMED}) THEN 'asserted' ELSE 'proven' END",
    "delegator": "delegator",
    # Okta itself names the person whom a token stands for.
    "delegator_strength": "CASE WHEN delegator IS NOT NULL THEN 'proven' END",
    "obtains": OBTAINS,
    "src_ip": "client_ip",
    "user_agent": "user_agent",
    "status": _STATUS,
    "status_code": "result",
    "error": f"CASE WHEN {_STATUS} <> 'success' THEN outcome_reason END",
    "resource_type": "targets[1].type",
    "resource_uid": id_of("targets[1].id"),
    "resources": f"CASE WHEN len(targets) > 0 THEN {_TARGET_IDS} END",
    "account": "org",
    "request_uid": "transaction_id",
    "trace_uid": "coalesce(flow_id, transaction_id)",
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

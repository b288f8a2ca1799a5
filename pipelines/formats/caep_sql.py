"""The DuckDB SQL behind `caep`: events to fields, and those to actions and grants."""

from __future__ import annotations

from typing import Any

import duckdb
import pyarrow as pa

from pipelines.formats.record_sql import id_of, mail, moment, parse, texts, told
from pipelines.identifiers import Sql

_SUBJECT = texts(
    "format", "subject_type", "iss", "sub", "email", "id", "jti", "uri", "issuer", "assertion_id", "session_id"
)
_COMPLEX = {**_SUBJECT, "user": _SUBJECT, "session": _SUBJECT, "token": _SUBJECT, "identifiers": [_SUBJECT]}
_SHAPE: dict[str, Any] = {
    **texts("verified", "event", "place"),
    "header": texts("kid", "alg"),
    "claims": {**texts("iss", "jti", "iat", "toe", "txn", "aud"), "sub_id": _COMPLEX},
    "detail": {
        **texts(
            "event_timestamp", "initiating_entity", "initiatingEntity", "change_type", "credential_type", "reason",
            "session_id",
        ),
        "subject": _COMPLEX,
    },
}  # fmt: skip


def read(connection: duckdb.DuckDBPyConnection, records: pa.Table, system: str) -> None:
    """Make the table `events`: a row a record, and as `reason` why it is no event; `system` names a subject's ids."""
    parse(connection, records, _SHAPE)
    connection.execute(f"CREATE TEMP TABLE events AS {_events(system)}")


def _events(system: str) -> str:
    """A row a record: what happened, to which user, session or token, and whether the signature held."""
    simple = f"coalesce({id_of('s.format')}, {id_of('s.subject_type')})"
    names_session = f"session_event AND {simple} = 'opaque'"
    session = "coalesce(s.session.id, s.session.session_id, s.session.sub)"
    return f"""
        WITH fields AS MATERIALIZED (
            SELECT record_id, valid, coalesce(e.verified = 'true', false) AS sure,
                   coalesce(e.verified = 'false', false) AS refuted, {id_of("e.event")} AS uri, e.claims AS claims,
                   e.detail AS detail, {id_of("e.claims.jti")} AS jti, coalesce(e.place, '0') AS place,
                   {Sql.issuer("e.claims.iss")} AS issuer,
                   CASE WHEN e.claims.sub_id IS NOT NULL THEN e.claims.sub_id ELSE e.detail.subject END AS s
            FROM parsed
        ),
        named AS MATERIALIZED (
            SELECT *, regexp_extract(uri, '([^/]+)/*$', 1) AS event,
                   {moment("detail.event_timestamp")} AS happened, {moment("claims.toe")} AS toe,
                   {moment("claims.iat")} AS told_at
            FROM fields
        ),
        kinds AS MATERIALIZED (
            SELECT *, starts_with(event, 'session') AS session_event,
                   CASE WHEN detail.event_timestamp IS NOT NULL THEN happened
                        WHEN claims.toe IS NOT NULL THEN toe ELSE told_at END AS time
            FROM named
        )
        SELECT *,
               coalesce({_user("s.user", system)}, CASE WHEN NOT ({names_session}) THEN {_user("s", system)} END,
                        {_user("s.identifiers[1]", system)}) AS person,
               coalesce({_session(f"nullif({session}, '')", system)},
                        CASE WHEN {names_session} THEN {_session(id_of("s.id"), system)} END,
                        CASE WHEN session_event THEN {_session(id_of("detail.session_id"), system)} END) AS session,
               coalesce({_token("s")}, {_token("s.token")}, {_token("s.session")}) AS token,
               event IN ('verification', 'stream-updated') AND contains(uri, '/ssf/') AS skipped,
               CASE WHEN NOT valid THEN 'not a JSON object, as the claims of a security event token are'
                    WHEN jti IS NULL THEN 'the claim "jti" is missing or has no text'
                    WHEN uri IS NULL THEN 'the claim "events" is missing or empty'
                    WHEN event IN ('verification', 'stream-updated') AND contains(uri, '/ssf/')
                    THEN 'a message about the stream itself'
                    WHEN issuer IS NULL OR issuer = '' THEN 'the claim "iss" is missing or has no text'
                    WHEN detail.event_timestamp IS NOT NULL AND happened IS NULL
                    THEN 'the key "event_timestamp" is no Unix time'
                    WHEN time IS NULL THEN 'the claim "iat" is missing or is no Unix time' END AS reason
        FROM kinds
    """


def _user(subject: str, system: str) -> str:
    """SQL: who a subject identifier (RFC 9493) names, null where it is no person or program."""
    form = f"coalesce({id_of(f'{subject}.format')}, {id_of(f'{subject}.subject_type')})"
    home = f"coalesce({Sql.issuer(id_of(f'{subject}.iss'))}, issuer)"

    def by_id(name: str) -> str:
        if system == "okta":
            return Sql.uid("okta:user", name, f"split_part({home}, '/', 1)")
        return Sql.uid("oidc:subject", f"({home} || '#' || {name})")

    return f"""CASE {form}
        WHEN 'iss_sub' THEN {by_id(id_of(f"{subject}.sub"))}
        WHEN 'iss-sub' THEN {by_id(id_of(f"{subject}.sub"))}
        WHEN 'opaque' THEN {by_id(id_of(f"{subject}.id"))}
        WHEN 'email' THEN {mail(f"{subject}.email")}
        WHEN 'account' THEN {mail(f"regexp_replace({subject}.uri, '^acct:', '')")}
        WHEN 'uri' THEN CASE WHEN starts_with({subject}.uri, 'spiffe://') THEN 'spiffe:id/' || {subject}.uri END END"""


def _session(name: str, system: str) -> str:
    """SQL: the session of this id at the transmitter."""
    if system == "okta":
        return Sql.uid("okta:session", name, "split_part(issuer, '/', 1)")
    return Sql.uid("oidc:session", f"(issuer || '#' || {name})")


def _token(subject: str) -> str:
    """SQL: the token or assertion that a subject identifier names."""
    form = f"coalesce({id_of(f'{subject}.format')}, {id_of(f'{subject}.subject_type')})"
    home = f"coalesce({Sql.issuer(id_of(f'{subject}.iss'))}, issuer)"
    return f"""CASE {form}
        WHEN 'jwt_id' THEN {Sql.uid("oauth:token", f"({home} || '#' || {id_of(f'{subject}.jti')})")}
        WHEN 'jwt-id' THEN {Sql.uid("oauth:token", f"({home} || '#' || {id_of(f'{subject}.jti')})")}
        WHEN 'saml_assertion_id' THEN {Sql.uid("saml:assertion", id_of(f"{subject}.assertion_id"))} END"""


STRENGTH = "CASE WHEN sure THEN 'proven' ELSE 'asserted' END"
_BY = f"coalesce({id_of('detail.initiating_entity')}, {id_of('detail.initiatingEntity')})"
_BY_USER = f"coalesce({_BY} = 'user', false)"
_SUBJECTS = "list_filter([token, session, person], s -> s IS NOT NULL)"

_COLUMNS = {
    "time": "time",
    "time_kind": "'logged'",
    "time_precision": """CASE WHEN regexp_matches(coalesce(detail.event_timestamp, claims.toe, claims.iat),
                                                  '^[0-9]{12,}') THEN '1ms' ELSE '1s' END""",
    "class_uid": """CASE WHEN session_event THEN 3002 WHEN starts_with(event, 'account')
                              OR starts_with(event, 'credential')
                         THEN 3001 ELSE 6003 END""",
    "activity": """CASE WHEN event IN ('session-revoked', 'sessions-revoked') THEN 'Logoff'
        WHEN event = 'session-established' THEN 'Logon' WHEN event = 'account-disabled' THEN 'Disable'
        WHEN event = 'account-enabled' THEN 'Enable' WHEN event = 'account-purged' THEN 'Delete'
        WHEN event = 'credential-change' THEN CASE detail.change_type WHEN 'create' THEN 'Create'
             WHEN 'revoke' THEN 'Delete' WHEN 'delete' THEN 'Delete' ELSE 'Update' END
        WHEN event LIKE '%-change' THEN 'Update' ELSE 'Other' END""",
    "api_service": "'caep'",
    "api_operation": "event",
    "principal": f"CASE WHEN {_BY_USER} THEN person END",
    "principal_type": f"CASE WHEN {_BY_USER} AND person IS NOT NULL THEN 'user' END",
    "identity_strength": f"CASE WHEN {_BY_USER} AND person IS NOT NULL THEN {STRENGTH} ELSE 'asserted' END",
    "status": "CASE WHEN refuted THEN 'failure' ELSE 'success' END",
    "status_code": _BY,
    "error": "CASE WHEN refuted THEN 'the signature does not hold under the keys of this source' END",
    "resource_type": """CASE WHEN token IS NOT NULL THEN 'token' WHEN session IS NOT NULL THEN 'session'
                             WHEN person IS NOT NULL THEN 'user' END""",
    "resource_uid": "coalesce(token, session, person)",
    "resources": f"CASE WHEN len({_SUBJECTS}) > 0 THEN {_SUBJECTS} END",
    "account": "issuer",
    "request_uid": id_of("claims.txn"),
}
"""Every action column that this format fills, as SQL over the fields."""

ACTION_COLUMNS = frozenset(_COLUMNS)


def actions_sql() -> str:
    """A row an event, in the columns of ACTIONS_OUT that are filled.

    Further events of a token have its id and their place. A token that was not verified cannot take the id of one
    that was: anybody can write any `jti`.
    """
    place = "CASE WHEN place = '0' THEN '' ELSE '#' || place END"
    native = f"CASE WHEN sure THEN '' ELSE 'unverified:' END || jti || {place} AS native_id"
    return told(_COLUMNS, f"(SELECT *, {native} FROM events)")


def grants_sql() -> str:
    """A row a session, token or user that an event ended; a session that is not named ends nothing that is known.

    A token whose signature does not hold ends nothing.
    """
    return f"""
        WITH found AS (
            SELECT record_id, unnest(CASE WHEN event IN ('session-revoked', 'sessions-revoked') THEN [session, token]
                                          WHEN event IN ('account-disabled', 'account-purged') THEN [person]
                                          WHEN event = 'token-revoked' THEN [token] ELSE [] END) AS child_uid,
                   event, time, {STRENGTH} AS strength
            FROM events WHERE reason IS NULL AND NOT refuted
        )
        SELECT DISTINCT record_id, 'revoke' AS kind, event AS mechanism, CAST(NULL AS VARCHAR) AS parent_uid, child_uid,
               time AS issued_at, strength
        FROM found WHERE child_uid IS NOT NULL
    """

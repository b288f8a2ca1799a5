"""What Keycloak's events prove about credentials: which one gave rise to which, and which one ended.

Only events that worked count. A grant's mechanism is its event type.
"""

from __future__ import annotations

from pipelines.formats.keycloak_sql import ASSERTION, DELEGATOR, IMPERSONATOR, SESSION, STRENGTH
from pipelines.formats.record_sql import moment
from pipelines.identifiers import Sql


def _token(name: str) -> str:
    """SQL: the token of this id."""
    return Sql.uid("oauth:token", f"(issuer || '#' || {name})")


_GOOD = "reason IS NULL AND NOT failed"
_EXPIRES = moment("access_token_expiration_time")
_DELEGATED = f"{DELEGATOR} AS delegator, CASE WHEN ({DELEGATOR}) IS NOT NULL THEN {STRENGTH} END AS delegator_strength"

_TOKENS = f"""
    SELECT record_id, 'issue' AS kind, what AS mechanism,
           CASE WHEN what = 'REFRESH_TOKEN' THEN coalesce({_token("refresh_token_id")}, client)
                WHEN what = 'CLIENT_LOGIN' THEN coalesce({ASSERTION}, client)
                WHEN what = 'LOGIN' THEN person ELSE client END AS parent_uid,
           {_token("token_id")} AS child_uid, CASE WHEN what = 'LOGIN' THEN person ELSE client END AS principal,
           {_DELEGATED}, time AS issued_at, {_EXPIRES} AS expires_at, {STRENGTH} AS strength
    FROM events
    WHERE {_GOOD} AND what IN ('CLIENT_LOGIN', 'CODE_TO_TOKEN', 'REFRESH_TOKEN', 'TOKEN_EXCHANGE', 'PERMISSION_TOKEN',
                               'OAUTH2_DEVICE_CODE_TO_TOKEN', 'JWT_AUTHORIZATION_GRANT', 'LOGIN')
"""
"""A row an access token: from the refresh token or the assertion that it was given for, else from the client."""

_REFRESH_TOKENS = f"""
    SELECT record_id, 'issue', what,
           CASE WHEN what = 'REFRESH_TOKEN' THEN coalesce({_token("refresh_token_id")}, client) ELSE client END,
           CASE WHEN what = 'REFRESH_TOKEN' THEN {_token("updated_refresh_token_id")}
                ELSE {_token("refresh_token_id")} END,
           client, {_DELEGATED}, time, NULL, {STRENGTH}
    FROM events
    WHERE {_GOOD} AND what IN ('CODE_TO_TOKEN', 'REFRESH_TOKEN', 'CLIENT_LOGIN', 'TOKEN_EXCHANGE',
                               'OAUTH2_DEVICE_CODE_TO_TOKEN')
"""
"""A row a refresh token, renewed ones from the one before."""

_SESSIONS = f"""
    SELECT record_id, 'issue', what, CASE WHEN what = 'IMPERSONATE' THEN {IMPERSONATOR} ELSE person END, {SESSION},
           CASE WHEN what = 'IMPERSONATE' THEN {IMPERSONATOR} ELSE person END,
           CASE WHEN what = 'IMPERSONATE' THEN person END,
           CASE WHEN what = 'IMPERSONATE' AND person IS NOT NULL THEN {STRENGTH} END, time, NULL, {STRENGTH}
    FROM events WHERE {_GOOD} AND what IN ('LOGIN', 'IMPERSONATE')
"""
"""A row a session that began: the user's, or, of an impersonation, the administrator's in the user's name."""


def _in_path(kind: str, folder: str) -> str:
    """SQL: what an administrator's path `FOLDER/ID` names."""
    return Sql.uid(kind, f"(issuer || '#' || regexp_extract(resourcePath, '^{folder}/([^/]+)$', 1))")


_ENDED = f"""
    SELECT record_id, 'revoke', rtrim(operation), NULL,
           CASE WHEN what = 'LOGOUT' THEN {SESSION}
                WHEN what = 'REVOKE_GRANT' THEN {_token("token_id")}
                WHEN what = 'REFRESH_TOKEN' AND updated_refresh_token_id <> refresh_token_id
                THEN {_token("refresh_token_id")}
                WHEN line IS NULL AND operation = 'DELETE USER' AND regexp_matches(resourcePath, '^users/[^/]+$')
                THEN {_in_path("oidc:subject", "users")}
                WHEN line IS NULL AND is_admin AND operationType IN ('DELETE', 'ACTION')
                     AND regexp_matches(resourcePath, '^sessions/[^/]+$')
                THEN {_in_path("oidc:session", "sessions")}
           END,
           NULL, NULL, NULL, time, NULL, {STRENGTH}
    FROM events WHERE {_GOOD}
"""
"""A row a session, token or user that an event ended; a refresh token that was renewed is spent.

A line of an administrator's deed names the administrator's realm, not the user's: it ends nobody.
"""


def grants_sql() -> str:
    """Rows of GRANTS_OUT from the `events` that `keycloak_sql.read` made."""
    kinds = " UNION ALL ".join(f"FROM ({kind})" for kind in (_TOKENS, _REFRESH_TOKENS, _SESSIONS, _ENDED))
    return f"""
        WITH found AS ({kinds})
        SELECT DISTINCT * FROM found WHERE child_uid IS NOT NULL AND (kind = 'revoke' OR parent_uid IS NOT NULL)
    """

"""What Okta's System Log proves about credentials: which one gave rise to which, and which one ended.

Only events that succeeded count. A grant's mechanism is its event type.
"""

from __future__ import annotations

import duckdb
import pyarrow as pa

from pipelines.formats.okta_sql import (
    CLIENT_KINDS,
    OBTAINS,
    SESSION,
    TOKEN_KINDS,
    client,
    id_of,
    kind_of,
    moment,
    one_of,
    user,
)
from pipelines.identifiers import Sql

_ISSUER = """CASE WHEN starts_with(event_type, 'app.oauth2.as.')
    THEN org || coalesce('/oauth2/' || coalesce(server_target, server_in_url), '') ELSE org END"""
"""A token's issuer: the org's own server, or `ORG/oauth2/ID` of the custom server that the event names."""

_OAUTH_TOKEN = Sql.uid("oauth:token", f"({_ISSUER} || '#' || target_id)")
_TARGET_API_TOKEN = Sql.uid("okta:token", "target_id", "org")


_TOKENS = f"""
    SELECT record_id, 'issue' AS kind, event_type AS mechanism, principal AS parent_uid, {_OAUTH_TOKEN} AS child_uid,
           principal, delegator, CASE WHEN delegator IS NOT NULL THEN 'proven' END AS delegator_strength,
           time AS issued_at, expires_at, 'asserted' AS strength
    FROM entries WHERE is_grant AND {one_of("target_kind", TOKEN_KINDS)} AND starts_with(principal, 'oauth:client/')
"""
"""A row an OAuth token that a client was given."""

_SESSIONS = f"""
    SELECT record_id, 'issue', event_type, principal, {SESSION}, principal, NULL, NULL, time, NULL, 'proven'
    FROM events
    WHERE reason IS NULL AND worked AND actor_kind = 'user'
      AND event_type IN ('user.session.start', 'user.authentication.sso')
"""
"""A row an event that shows whose a session is."""

_API_TOKENS = f"""
    SELECT record_id, 'issue', event_type, principal, {_TARGET_API_TOKEN},
           coalesce({user("users[1]")}, principal), NULL, NULL, time, expires_at,
           CASE WHEN {OBTAINS} = 'other' THEN 'asserted' ELSE 'proven' END
    FROM entries WHERE event_type = 'system.api_token.create' AND {one_of("target_kind", TOKEN_KINDS)}
"""
"""A row an API token that was made."""

_ENDED_ENTRIES = f"""
    SELECT record_id, 'revoke', event_type, NULL,
           CASE WHEN regexp_matches(event_type, '^app[.]oauth2[.](.*[.])?token[.]revoke')
                     AND {one_of("target_kind", TOKEN_KINDS)} THEN {_OAUTH_TOKEN}
                WHEN event_type = 'system.api_token.revoke' AND {one_of("target_kind", TOKEN_KINDS)}
                THEN {_TARGET_API_TOKEN}
                WHEN regexp_matches(event_type, '^user[.]lifecycle[.](deactivate|suspend|delete)([.]|$)')
                     AND target_kind = 'user' THEN {user("target_id")}
                WHEN regexp_matches(event_type, '^(application|app[.]oauth2[.]client)[.]lifecycle[.]de(activate|lete)$')
                     AND {one_of("target_kind", CLIENT_KINDS)} THEN {client("target_id")} END,
           NULL, NULL, NULL, time, NULL, 'proven'
    FROM entries
"""
"""A row a target that the event ended: a token, a user, a client."""

_ENDED_SESSIONS = f"""
    SELECT record_id, 'revoke', event_type, NULL, {SESSION}, principal, NULL, NULL, time, NULL, 'proven'
    FROM events
    WHERE reason IS NULL AND worked AND event_type IN ('user.session.end', 'user.session.clear')
      AND len(list_filter(users, u -> u IS DISTINCT FROM actor_id)) = 0
"""
"""A row a session that its own user ended. Where another's is cleared, the event names the administrator's session."""

_ENTRIES = f"""
    SELECT *, {id_of("entry.id")} AS target_id, {kind_of("entry.type")} AS target_kind,
           {moment("coalesce(entry.detailEntry.expires, entry.detailEntry.expiresAt, entry.detailEntry.expiration)")}
               AS expires_at,
           list_filter(targets, t -> {kind_of("t.type")} = 'authorizationserver')[1].id AS server_target
    FROM (SELECT *, unnest(targets) AS entry FROM events WHERE reason IS NULL AND worked)
"""
"""A row a target of an event that succeeded."""


def grants(connection: duckdb.DuckDBPyConnection) -> pa.Table:
    """Rows of GRANTS_OUT from the `events` that `okta_sql.read` made: what each successful event issued or ended."""
    connection.execute(f"CREATE TEMP TABLE entries AS {_ENTRIES}")
    kinds = (_TOKENS, _SESSIONS, _API_TOKENS, _ENDED_ENTRIES, _ENDED_SESSIONS)
    return connection.execute(
        f"""
        WITH found AS ({" UNION ALL ".join(f"FROM ({kind})" for kind in kinds)})
        SELECT DISTINCT * FROM found WHERE child_uid IS NOT NULL AND (kind = 'revoke' OR parent_uid IS NOT NULL)
        """
    ).to_arrow_table()

"""Keycloak user events and admin events: JSON objects, or the lines that `jboss-logging` writes to the server's log.

Proves: which client logged in with which assertion (a Kubernetes or SPIFFE JWT by its `jti`), which token that gave
it, each step of a refresh chain, whose session a token stands in, who impersonated whom, what ended a session or a
token. Lines prove it only where every value is quoted, and the option `quoted: true` says that this server does so (the
default since 23): unquoted, a value may hold `, userId=` or a whole further line, so such lines are `asserted` at most.

Cannot see: successes, where the server logs at INFO (they are logged at DEBUG unless the listener's success level is
raised or the event store is on), so an absence is no evidence; which subject token was exchanged (TOKEN_EXCHANGE names
its client alone). `username`, `redirect_uri`, `auth_type` and `scope` are the caller's words, the address is what the
proxy headers say. Local times without a zone are read in the option `timezone`, UTC unless given; in the hour that the
clock is put back they are an hour off.

Sources: keycloak services/src/main/java/org/keycloak/events/log/JBossLoggingEventListenerProvider.java (both spellings
of lines), common/util/StringUtil.sanitizeSpacesAndQuotes (a quote becomes `\\"`, a backslash stays), Details.java
(`token_id`, `refresh_token_id`, `updated_refresh_token_id`, `client_assertion_id|sub|issuer`, `impersonator`,
`subject_token_client_id`, ...), and the admin REST API's EventRepresentation and AdminEventRepresentation. JSON console
logs (`loggerName`, `message`, `timestamp`) hold the same lines.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

import pyarrow as pa

from pipelines.formats import keycloak_grants, keycloak_sql, one_batch
from pipelines.formats.format import GRANTS_OUT, Format, Options, Secret, Split, action_rows, rows
from pipelines.formats.peek import begins_with_json
from pipelines.formats.splitting import json_values, lines
from pipelines.formats.zone import Zone


class KeycloakOptions(Options):
    """`timezone` is that of the server's log lines, an IANA name; JSON events bear Unix times.

    `quoted` says that this server quotes and sanitizes what it logs (Keycloak 23 and later, unless switched off).
    """

    timezone: Zone = "UTC"
    quoted: bool = False


def split(stream: BinaryIO, at_rest: bool, options: KeycloakOptions) -> Iterator[Split]:  # noqa: ARG001
    """One record an event: JSON values where the stream begins with one, else lines."""
    whole, is_json = begins_with_json(stream)
    return json_values(whole, at_rest) if is_json else lines(whole, at_rest)


def actions(records: pa.Table, options: KeycloakOptions) -> pa.Table:
    """RECORDS_IN to ACTIONS_OUT: one row a record; times are UTC, the server or realm is the issuer."""
    with one_batch.connect() as connection:
        keycloak_sql.read(connection, records, options.timezone, options.quoted)
        found = connection.execute(keycloak_sql.actions_sql()).to_arrow_table()
    return action_rows(found)


def grants(records: pa.Table, options: KeycloakOptions) -> pa.Table:
    """RECORDS_IN to GRANTS_OUT: tokens and sessions given, renewed and ended."""
    with one_batch.connect() as connection:
        keycloak_sql.read(connection, records, options.timezone, options.quoted)
        return rows(connection.execute(keycloak_grants.grants_sql()).to_arrow_table(), GRANTS_OUT)


_Q = r'\\*"'

SECRETS = (
    # An admin event's `representation` is a JSON text: a new client's secret, a user's password, a provider's key.
    Secret(
        rf"(?i){_Q}(?:secret|client_?secret|password|value|hashedSaltedValue|secretData|registrationAccessToken|code"
        rf'|state|session_code|key|bindCredential){_Q}\s*:\s*\[?\s*{_Q}([^"\\]+)'
    ),
    Secret(
        r'(?i)(?:^|[ ,?&"])(?:code|session_code|client_secret|password|refresh_token|state|key)=["\']?([^"\',&\s]+)'
    ),
    Secret(
        r"(?i)(?:KEYCLOAK_IDENTITY|KEYCLOAK_SESSION|AUTH_SESSION_ID|KC_RESTART|KC_AUTH_SESSION_HASH)(?:_LEGACY)?"
        r'="?([^;,"\]\s]+)'
    ),
)

FORMAT = Format(
    name="keycloak",
    category="token",
    observes=keycloak_sql.ACTION_COLUMNS,
    id_scope="realm",
    split=split,
    actions=actions,
    grants=grants,
    options=KeycloakOptions,
    secrets=SECRETS,
    realm_option="issuer",
)

"""Auth0 tenant logs: one event a record, as a log stream (`{"log_id", "data"}`), EventBridge or the API gives it.

Proves: which client was given an access token, for which user, by which grant; the token's own id where the event
has `details.access_token_jti`; which token called the Management API (`details.request.auth.credentials.jti`); whose
session began or ended.

Cannot see: the id of a token in events that lack `access_token_jti` (older tenants, and exchanges that do not write
it), so such a token is joined to nothing; which subject token or ID-JAG was exchanged; what a token was then used
for, but for the Management API. `srrt` names a credential that no event of issue names. `user_agent` is the caller's
word, as is `ip` where a trusted client sends `auth0-forwarded-for`: `client_ip` is taken where it is there. Names on
events that failed may be anything: `asserted`.

Sources: github.com/auth0/auth0-log-schemas (seccft, sertft, idjag_exchange_succeeded,
success_on_behalf_of_token_exchange, srrt, sapi), auth0.com/docs "Log Type Codes" and "tenant logs". Times without a
zone are UTC. The tenant's domain is the issuer of its tokens; where a custom domain is, name that one.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

import pyarrow as pa

from pipelines.formats import auth0_sql, one_batch
from pipelines.formats.format import GRANTS_OUT, Format, Options, Secret, Split, action_rows, rows
from pipelines.formats.splitting import json_values


def split(stream: BinaryIO, at_rest: bool, options: Options) -> Iterator[Split]:  # noqa: ARG001
    """One record an event: lines, or the API's array."""
    return json_values(stream, at_rest)


def actions(records: pa.Table, options: Options) -> pa.Table:  # noqa: ARG001
    """RECORDS_IN to ACTIONS_OUT: one row a record; times are UTC, the tenant is the realm."""
    with one_batch.connect() as connection:
        auth0_sql.read(connection, records)
        found = connection.execute(auth0_sql.actions_sql()).to_arrow_table()
    return action_rows(found)


def grants(records: pa.Table, options: Options) -> pa.Table:  # noqa: ARG001
    """RECORDS_IN to GRANTS_OUT: tokens and sessions issued, sessions, users and clients ended."""
    with one_batch.connect() as connection:
        auth0_sql.read(connection, records)
        return rows(connection.execute(auth0_sql.grants_sql()).to_arrow_table(), GRANTS_OUT)


SECRETS = (
    # Bodies of Management API calls (`sapi`), the query and body of a login, prompts and redirects.
    Secret(
        r'(?i)"(?:client_?secret|new_?secret|signing_?secret|secret|password|new_?password|old_?password|passcode|otp'
        r"|code|code_verifier|ticket|invitation_?ticket|refresh_token|access_token|id_token|device_code|user_code"
        r"|auth_req_id|recovery_?code|binding_code|token|assertion|client_assertion|subject_token|actor_token|pem"
        r'|session_token|state)"\s*:\s*"([^"\\]+)"'
    ),
    Secret(
        r"(?i)[?&](?:code|state|ticket|token|access_token|id_token|refresh_token|client_secret|client_assertion"
        r'|assertion|session_token|invitation|supportSignUp)=([^&"\\\s#]+)'
    ),
)

FORMAT = Format(
    name="auth0",
    category="token",
    observes=auth0_sql.ACTION_COLUMNS,
    id_scope="realm",
    split=split,
    actions=actions,
    grants=grants,
    secrets=SECRETS,
    realm_option="tenant",
)

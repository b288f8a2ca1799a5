"""Okta's System Log: one LogEvent a record.

Source: "System Log API" (https://developer.okta.com/docs/api/openapi/okta-management/management/tag/SystemLog/):
LogEvent, LogActor, LogTarget, LogTransaction (`detail.requestApiTokenId` is the API token that the call
was made with), LogAuthenticationContext. Collectors that write keys in lower case (`eventtype`,
`debugcontext`) are read as well; `debugData` differs from event to event and may lie flat.

A token grant names in `target` what it made: an entry of type `access_token`, `id_token`, ... with an `id`
and `detailEntry` {expires, subject, hash}. That this id equals the JWT's `jti` is believed but documented
nowhere, so those hops are `asserted`. AI agents (`wlp...`) present their own id as OAuth client id.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

import pyarrow as pa

from pipelines.formats import okta_grants, okta_sql, one_batch
from pipelines.formats.addresses import addresses
from pipelines.formats.format import ACTIONS_OUT, GRANTS_OUT, Format, Options, Secret, Split, rows
from pipelines.formats.splitting import json_values


def split(stream: BinaryIO, at_rest: bool, options: Options) -> Iterator[Split]:  # noqa: ARG001
    """One record an event: the API's array, or one event a line."""
    return json_values(stream, at_rest)


def actions(records: pa.Table, options: Options) -> pa.Table:  # noqa: ARG001
    """RECORDS_IN to ACTIONS_OUT: one row a record; times are UTC, the org is the realm."""
    with one_batch.connect() as connection:
        okta_sql.read(connection, records)
        found = connection.execute(okta_sql.actions_sql()).to_arrow_table()
    column = found.column_names.index("src_ip")
    return rows(found.set_column(column, "src_ip", addresses(found["src_ip"])), ACTIONS_OUT)


def grants(records: pa.Table, options: Options) -> pa.Table:  # noqa: ARG001
    """RECORDS_IN to GRANTS_OUT: tokens and sessions issued and ended, users and clients switched off."""
    with one_batch.connect() as connection:
        okta_sql.read(connection, records, only_telling=True)
        return rows(okta_grants.grants(connection), GRANTS_OUT)


SECRETS = (
    # A new client secret is written out in its event's detailEntry; debugData has state tokens and pass codes.
    Secret(
        r'(?i)"(?:client_?secret|secret|password|new_?password|session_?token|state_?token|recovery_?token'
        r"|activation_?token|factor_?token|otp|pass_?code|access_?token|id_?token|refresh_?token|device_?secret"
        r'|client_?assertion|assertion|subject_?token|actor_?token)"\s*:\s*"([^"\\]+)"'
    ),
    Secret(
        r"(?i)[?&](?:state_?token|session_?token|recovery_?token|activation_?token|token|access_token|id_token"
        r'|refresh_token|code|client_secret|client_assertion|assertion|login_hint_token)=([^&"\\\s#]+)'
    ),
    Secret(r"\bSSWS\s+([A-Za-z0-9_-]{20,})"),
    Secret(r"\b(eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*)"),
)

FORMAT = Format(
    name="okta",
    category="token",
    observes=okta_sql.ACTION_COLUMNS,
    id_scope="realm",
    split=split,
    actions=actions,
    grants=grants,
    secrets=SECRETS,
    realm_option="org",
)

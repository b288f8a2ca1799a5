"""Okta's System Log: one LogEvent a record.

Proves: whose a browser session is and when it ended, which API token made a call
(`transaction.detail.requestApiTokenId`), which client was given a token for which user (so a token's delegator), who
made an API token, and which user, client or token was switched off. An AI agent (`wlp...`) presents its own id as OAuth
client id.

Cannot see: what a token was then used for; the second half of a Cross App Access, which the resource's own server logs
without the ID-JAG's id; the source port. That the id of a `target` of type `access_token` equals the JWT's `jti` is
believed and documented nowhere, so those hops are `asserted`. Okta's documents differ on whether `act` names the agent:
`client.id` is read. `rawUserAgent`, device strings and the forwarded part of `ipChain` are the caller's words.

Sources: "System Log API" (https://developer.okta.com/docs/api/openapi/okta-management/management/tag/SystemLog/):
LogEvent, LogActor, LogTarget, LogTransaction, LogAuthenticationContext; "Event hooks" (`data.events[]`, delivered at
least once) and the EventBridge log stream (`detail`). Collectors that write keys in lower case (`eventtype`,
`debugcontext`) are read as well; `debugData` differs from event to event and may lie flat.

A token grant names in `target` what it made: an entry of type `access_token`, `id_token`, ... with an `id`
and `detailEntry` {expires, subject, hash}. The steps of one sign-in share `debugData.authnRequestId`, which is the
first step's `transaction.id`: both are an action's `trace_uid` (`externalSessionId` may differ between login and
logout).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

import msgspec
import polars as pl
import pyarrow as pa

from pipelines.formats import okta_grants, okta_sql, one_batch
from pipelines.formats.format import GRANTS_OUT, Format, Options, Secret, Split, action_rows, rows
from pipelines.formats.pieces import table_of
from pipelines.formats.splitting import json_values

_ABSENT = msgspec.Raw(b"")


class _Hook(msgspec.Struct):
    """What an event hook sends in `data`."""

    events: list[msgspec.Raw]


class _Wrapped(msgspec.Struct):
    """An event within an envelope: a hook's `data`, or EventBridge's `detail`."""

    data: _Hook | None = None
    detail: msgspec.Raw = _ABSENT
    uuid: msgspec.Raw = _ABSENT


_WRAPPED = msgspec.json.Decoder(_Wrapped)


def split(stream: BinaryIO, at_rest: bool, options: Options) -> Iterator[Split]:  # noqa: ARG001
    """One record an event: the API's array, one event a line, or the events of a hook or of EventBridge."""
    for batch in json_values(stream, at_rest):
        raw = pl.Series(batch.pieces["raw"], dtype=pl.Binary)
        if (raw.bin.contains(b'"events"') | raw.bin.contains(b'"detail-type"')).any():
            pieces = [each or b"" for each in batch.pieces["raw"].to_pylist()]
            yield Split(_unwrapped(pieces, batch.pieces["reason"].to_pylist()), batch.spent)
        else:
            yield batch


def _may_wrap(raw: bytes) -> bool:
    return b'"events"' in raw or b'"detail-type"' in raw


def _unwrapped(raws: list[bytes], reasons: list[str | None]) -> pa.Table:
    """The pieces with envelopes replaced by the events in them."""
    events: list[bytes] = []
    why: dict[int, str] = {}
    for raw, reason in zip(raws, reasons, strict=True):
        if reason:
            why[len(events)] = reason
        found = None if reason or not _may_wrap(raw) else _within(raw)
        events.extend(found or [raw])
    return table_of(pa.array(events, pa.large_binary()), why)


def _within(raw: bytes) -> list[bytes] | None:
    """The events within an envelope; None where it is none, or has an event's id itself."""
    try:
        read = _WRAPPED.decode(raw)
    except (msgspec.MsgspecError, RecursionError):
        return None
    if bytes(read.uuid):
        return None
    if read.data is not None:
        return [bytes(event) for event in read.data.events]
    return [bytes(read.detail)] if bytes(read.detail) else None


def actions(records: pa.Table, options: Options) -> pa.Table:  # noqa: ARG001
    """RECORDS_IN to ACTIONS_OUT: one row a record; times are UTC, the org is the realm."""
    with one_batch.connect() as connection:
        okta_sql.read(connection, records)
        found = connection.execute(okta_sql.actions_sql()).to_arrow_table()
    return action_rows(found)


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

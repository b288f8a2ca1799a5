"""Shared Signals (CAEP and RISC): security event tokens as a receiver kept them, one event a record.

Proves: that a session, a token or a user ended at a time, where the token's signature was checked: with the
transmitter's RS256 keys in the option `keys` a token that they verify is `proven`. Without keys, or where the
signature does not hold, a token is only decoded, and all that it says is `asserted`.

Cannot see: what the receiver did about an event; which sessions there were, where the subject is a whole user
(`session-revoked` of a user ends no session that is named, so it gives no grant); which credential changed
(`credential-change` names a kind, not a key).

Sources: OpenID CAEP 1.0 (session-revoked, credential-change, token-claims-change, ...), OpenID RISC 1.0
(account-disabled, account-purged, ...), OpenID Shared Signals Framework 1.0 (`sub_id`; complex subjects), RFC 8417
(SET), RFC 9493 (subject identifiers), RFC 8936 (poll responses: `{"sets": {JTI: TOKEN}}`), RFC 7515 and 7518 (JWS,
RS256). Older drafts carry `subject` within the event and call a format `subject_type`; both are read. Seconds and
milliseconds in `event_timestamp` are told apart by their digits.

A record is `{"verified", "header", "claims", "event", "detail"}`, made when the stream is split: a token in its compact
form would be taken for a secret, and its signature has to be checked over the original bytes. `verified` is null where
it was not checked; what a decoded SET says of itself under that name is one of its claims.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO, Literal

import pyarrow as pa

from pipelines.formats import caep_sql, caep_token, one_batch
from pipelines.formats.caep_token import Key
from pipelines.formats.format import ACTIONS_OUT, GRANTS_OUT, Format, Options, Secret, Split, rows
from pipelines.formats.peek import begins_with_json
from pipelines.formats.pieces import table_of
from pipelines.formats.splitting import json_values, lines


class CaepOptions(Options):
    """`keys` are the transmitter's public keys as JWKs (kty RSA: n, e, kid). `system` says whose ids are in a subject.

    `oidc`: a user is `oidc:subject/ISSUER#ID`, a session `oidc:session/ISSUER#ID`; `okta`: `okta:user/ORG/ID` and
    `okta:session/ORG/ID`.
    """

    keys: tuple[Key, ...] = ()
    system: Literal["oidc", "okta"] = "oidc"


def split(stream: BinaryIO, at_rest: bool, options: CaepOptions) -> Iterator[Split]:
    """One record an event of a token: compact tokens a line, poll responses, or tokens that were decoded already."""
    whole, is_json = begins_with_json(stream)
    for batch in json_values(whole, at_rest) if is_json else lines(whole, at_rest):
        raws: list[bytes] = []
        reasons: dict[int, str] = {}
        for written, reason in zip(batch.pieces["raw"].to_pylist(), batch.pieces["reason"].to_pylist(), strict=True):
            raw = written or b""
            for record, why in [(raw, reason)] if reason else caep_token.records(raw, options.keys):
                if why:
                    reasons[len(raws)] = why
                raws.append(record)
        yield Split(table_of(pa.array(raws, pa.large_binary()), reasons), batch.spent)


def actions(records: pa.Table, options: CaepOptions) -> pa.Table:
    """RECORDS_IN to ACTIONS_OUT: one row an event; times are UTC and when it happened, or when it was told."""
    with one_batch.connect() as connection:
        caep_sql.read(connection, records, options.system)
        return rows(connection.execute(caep_sql.actions_sql()).to_arrow_table(), ACTIONS_OUT)


def grants(records: pa.Table, options: CaepOptions) -> pa.Table:
    """RECORDS_IN to GRANTS_OUT: sessions, tokens and users that ended."""
    with one_batch.connect() as connection:
        caep_sql.read(connection, records, options.system)
        return rows(connection.execute(caep_sql.grants_sql()).to_arrow_table(), GRANTS_OUT)


SECRETS = (
    # A stream's verification carries a `state` of the receiver; a refused token may be kept within a record.
    Secret(r'(?i)"(?:state|authorization_header|access_token|token|password|secret)"\s*:\s*"([^"\\]+)"'),
    Secret(r"\b(eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{4,}(?:\.[A-Za-z0-9_-]*)?)"),
)

FORMAT = Format(
    name="caep",
    category="token",
    observes=caep_sql.ACTION_COLUMNS,
    id_scope="realm",
    split=split,
    actions=actions,
    grants=grants,
    options=CaepOptions,
    secrets=SECRETS,
)

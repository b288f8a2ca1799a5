"""SPIRE server log: calls to the server's API, and the identities (SVIDs) that it issued.

Proves: which agent asked for an SVID of which registration entry, until when it is valid, and which SPIFFE ID the entry
has; which kind of node attestation let which agent in; who minted an SVID by hand, made or deleted an entry, banned an
agent. Calls are told by audit lines (`audit_log_enabled`, off by default); signings by the debug level's
`Signed X509 SVID`, which alone has SPIFFE ID and entry together; attestations by the info level.

Cannot see: which certificate or token a user of an SVID holds (no fingerprint, no `jti`; a serial number only), so an
SVID's use is joined by its SPIFFE ID; replicas of one SPIFFE ID; who a local caller is where the server is in another
PID namespace, and root (its uid is not written); bytes; user agents.

Sources: doc/auditlog.md, pkg/server/api/audit, pkg/server/api/middleware, pkg/server/api/svid/v1, .../agent/v1 and
.../entry/v1, pkg/common/telemetry/names.go of spiffe/spire; logrus' text formatter (logfmt, values with anything but
letters, digits and `-._/@^+` quoted as in Go) and its JSON formatter.

`expires_at` is RFC 3339 where an SVID was minted, Unix seconds in a batch. Older servers write `caller-addr` for
`caller_addr`. An audit line and the line of the signing that it tells of are one deed.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

import pyarrow as pa

from pipelines.formats import one_batch, spire_sql
from pipelines.formats.format import GRANTS_OUT, Format, Options, Secret, Split, action_rows, rows
from pipelines.formats.splitting import lines


def split(stream: BinaryIO, at_rest: bool, options: Options) -> Iterator[Split]:  # noqa: ARG001
    """One record a line."""
    return lines(stream, at_rest)


def actions(records: pa.Table, options: Options) -> pa.Table:  # noqa: ARG001
    """RECORDS_IN to ACTIONS_OUT: one row a record; times are UTC, the trust domain is the realm."""
    with one_batch.connect() as connection:
        spire_sql.read(connection, records)
        found = connection.execute(spire_sql.actions_sql()).to_arrow_table()
    return action_rows(found)


def grants(records: pa.Table, options: Options) -> pa.Table:  # noqa: ARG001
    """RECORDS_IN to GRANTS_OUT: identities issued, agents attested, entries and agents ended."""
    with one_batch.connect() as connection:
        spire_sql.read(connection, records)
        return rows(connection.execute(spire_sql.GRANTS).to_arrow_table(), GRANTS_OUT)


SECRETS = (
    Secret(r'(?i)\b(?:join_?token|token|psat|payload)\\?"?\s*[=:]\s*\\?"?([A-Za-z0-9._~+/=-]{8,})'),
    # Errors of a database connection quote its address: `user:password@host`, `password=...`.
    Secret(r"(?i)\bpassword\\?[\"']?\s*[=:]\s*\\?[\"']?([^\s\"'\\&]+)"),
)

FORMAT = Format(
    name="spire",
    category="token",
    observes=spire_sql.ACTION_COLUMNS,
    id_scope="none",
    split=split,
    actions=actions,
    grants=grants,
    secrets=SECRETS,
    realm_option="trust_domain",
)

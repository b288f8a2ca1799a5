"""HashiCorp Vault and OpenBao audit devices: each request to a cluster, and what was answered.

Proves: which login gave out which token (by accessor) to which entity, and on the strength of which identity: the
service account, AWS role, signed subject or token id that Vault itself checked and wrote down; which token made which
other one; which token got which lease, wrapped response and (where the mount's `audit_non_hmac_response_keys` has
`access_key`) which AWS key; what was revoked. All that within one device of one cluster, since its HMACs fit no other.

Cannot see: the values behind HMACs (`POST sys/audit-hash/DEVICE` tells the HMAC of a known one), batch tokens (they
have no accessor), leases that ran out by themselves, `sys/init`, `sys/seal-status`, `sys/health` and the like, the
client behind a standby, a load balancer or a proxy (`remote_address` is the last of them), an unwrapping that named the
wrapping token in its body, bytes. Display names and metadata of tokens that others made are theirs to choose.

Sources: audit/format.go of OpenBao, the same in Vault; "Audit devices" of both; the plugins' login metadata
(vault-plugin-auth-kubernetes, -jwt, builtin/credential/aws and approle).

Request and response line of one request
are one deed: the response is its primary, and alone gives grants. A device with `log_raw` writes all secrets; they are
replaced like any.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

import polars as pl
import pyarrow as pa
from pydantic import Field

from pipelines.formats import one_batch, plain_secrets, vault_grants, vault_sql
from pipelines.formats.format import GRANTS_OUT, Format, Options, Secret, Split, action_rows, rows
from pipelines.formats.splitting import json_values


class VaultOptions(Options):
    """Settings of a source of Vault audit lines.

    `issuers`: by auth mount (`auth/kubernetes`, with its namespace before it), the Kubernetes cluster or the OIDC
    issuer whose identities log in there; without it a login leads up to its Vault role. `device`: a name for this audit
    device where another source reads the same cluster by another one, so that their copies of a request are told apart.
    """

    issuers: dict[str, str] = Field(default_factory=dict)
    device: str | None = Field(default=None, min_length=1)


def split(stream: BinaryIO, at_rest: bool, options: VaultOptions) -> Iterator[Split]:  # noqa: ARG001
    """One record a line."""
    for part in json_values(stream, at_rest):
        yield Split(_marked(part.pieces), part.spent)


_HASHED = b"hmac-sha256:"
_TELLING_KEYS = {b"access_key", b"arn", b"username", b"role", b"lease_id", b"accessor"}
"""Members of data that are names; operators let them be written in the clear to join other logs by them."""
_SECRET_HEADERS = {b"x-vault-token", b"authorization", b"cookie", b"x-vault-wrap-token"}


def _marked(pieces: pa.Table) -> pa.Table:
    """The secrets of a device with `log_raw` marked: of lines that hold a token, or data and nothing hashed.

    KMIP's data is in nobody's secret engine, and is never hashed.
    """
    raw = pl.Series(pieces["raw"])
    has_token = plain_secrets.mentions(pieces, b'"client_token":"')
    hashed_token = raw.bin.contains(b'"client_token":"' + _HASHED)
    has_data = plain_secrets.mentions(pieces, b'"data"', b'"headers"') & ~raw.bin.contains(b'"type":"kmip-')
    return plain_secrets.marked(
        pieces, (has_token & ~hashed_token) | (has_data & ~raw.bin.contains(_HASHED)), _in_clear, _HASHED
    )


def _in_clear(path: plain_secrets.Path) -> bool:
    if path[1:2] == (b"data",) and path[0] in {b"request", b"response"}:
        return path[-1] not in _TELLING_KEYS
    if path[:2] == (b"request", b"headers"):
        return path[-1].lower() in _SECRET_HEADERS
    return path[-1:] == (b"client_token",) or path[-2:] == (b"wrap_info", b"token")


def actions(records: pa.Table, options: VaultOptions) -> pa.Table:
    """RECORDS_IN to ACTIONS_OUT: one row a record; times are UTC, the cluster is the realm."""
    with one_batch.connect() as connection:
        vault_sql.read(connection, records, options.issuers)
        found = connection.execute(vault_sql.actions_sql(options.device)).to_arrow_table()
    return action_rows(found)


def grants(records: pa.Table, options: VaultOptions) -> pa.Table:
    """RECORDS_IN to GRANTS_OUT: tokens, wraps and leases given out and ended."""
    with one_batch.connect() as connection:
        vault_sql.read(connection, records, options.issuers, only_telling=True)
        return rows(vault_grants.grants(connection), GRANTS_OUT)


SECRETS = (
    plain_secrets.PLAIN,
    # Tokens of all generations, shares of an unseal key (base64 or hex), wherever they stand.
    Secret(r"\b(hv[sbr]\.[A-Za-z0-9_-]{20,}|[sr]\.[A-Za-z0-9]{24}\b|b\.AAAA[A-Za-z0-9_-]{20,})"),
    Secret(r'[\[,]\s*"([A-Za-z0-9+/]{43}=|[0-9a-f]{64}|[0-9a-f]{66})"'),
)

FORMAT = Format(
    name="vault",
    category="token",
    observes=vault_sql.ACTION_COLUMNS,
    id_scope="realm",
    split=split,
    actions=actions,
    grants=grants,
    options=VaultOptions,
    secrets=SECRETS,
    realm_option="cluster",
)

"""Kubernetes audit events: what the API servers of a cluster were asked, by whom, with which credential.

Proves: which TokenRequest gave out which service account token (`authentication.kubernetes.io/issued-credential-id`
against `.../credential-id` of later requests, both written by the API server), the pod that a token is bound to, the
client certificate (its SHA-256) and, on EKS, the AWS access key that a request came with, and as whom a caller let
itself be impersonated. At the levels Request and RequestResponse also who made which pod.

Cannot see: what runs inside a pod (`exec` names the pod and no more than the first command), requests that the audit
policy leaves out, bytes, a session that is still open (its end has the record), who holds a long-lived service account
secret (no id), a client certificate's issue. At the level Metadata a token's lifetime and the pods that were made.
GKE's events are Cloud Audit entries, which lose the credential: the format gcp_audit reads them. The user agent is the
caller's, and so are all of `sourceIPs` but the last, the audit id (a caller may send it as a header: so the time of
arrival stands beside it in an action's uid) and the name to be impersonated as (delegator: asserted).

Sources: k8s.io/apiserver pkg/audit, pkg/endpoints/filters/audit_init.go, pkg/authentication/serviceaccount/util.go
and k8s.io/apimachinery pkg/util/net/http.go (SourceIPs); KEP-4193; "Auditing" and "User impersonation" of the
Kubernetes documentation; EKS control plane logs (CloudWatch Logs subscription); AKS resource logs, kube-audit
(`properties.log`, a JSON string).

`system:anonymous` names nobody, so there is no principal.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any, BinaryIO, cast

import msgspec
import polars as pl
import pyarrow as pa

from pipelines.formats import aws_containers, kubernetes_grants, kubernetes_sql, one_batch, plain_secrets
from pipelines.formats.format import GRANTS_OUT, Format, Options, Secret, Split, action_rows, rows
from pipelines.formats.json_salvage import why_bad
from pipelines.formats.pieces import joined, table_of
from pipelines.formats.splitting import json_values

_PLAIN = b'{"kind":"Event"'
"""How an API server begins an event."""

_SECRET_MEMBERS = {b"data", b"stringData", b"value", b"kubectl.kubernetes.io/last-applied-configuration"}
"""`value`: of a variable of an environment, or of a JSON patch."""


class _Log(msgspec.Struct):
    log: str | None = None


class _Exported(msgspec.Struct):
    """An entry of AKS's resource logs (`properties.log`), or of a CloudWatch Logs subscription (`message`)."""

    category: str = ""
    properties: _Log | None = None
    message: str | None = None
    kind: str | None = None


_EXPORTED: msgspec.json.Decoder[_Exported] = msgspec.json.Decoder(_Exported)


def split(stream: BinaryIO, at_rest: bool, options: Options) -> Iterator[Split]:  # noqa: ARG001
    """One record an event: lines, an EventList, CloudWatch Logs subscriptions (EKS), resource logs (AKS)."""
    for part in json_values(stream, at_rest, keys=("items", "records", "logEvents")):
        packed = pl.Series(part.pieces["raw"]).bin.contains(aws_containers.PACKED)
        packed &= ~pl.Series(part.pieces["raw"]).bin.starts_with(_PLAIN)
        if packed.any():
            batches = b"\n".join(pl.Series(part.pieces["raw"]).filter(packed).to_list())
            for inner in aws_containers.split(io.BytesIO(batches), True, _PLAIN):
                yield Split(_marked(_opened(inner.pieces)), 0)
        plain = part.pieces.filter(cast("pa.ChunkedArray[Any]", (~packed).to_arrow())) if packed.any() else part.pieces
        yield Split(_marked(_opened(plain)), part.spent)


def _opened(pieces: pa.Table) -> pa.Table:
    """Entries of other logs replaced by the events in them."""
    raw = pl.Series(pieces["raw"])
    likely = ~raw.bin.starts_with(_PLAIN) & plain_secrets.mentions(pieces, b'"properties"', b'"message"')
    rows_ = likely.arg_true().to_list()
    if not rows_:
        return pieces
    raws: list[bytes] = raw.to_list()
    for row in rows_:
        raws[row] = _inside(raws[row])
    reasons = {row: reason for row, reason in enumerate(pieces["reason"].to_pylist()) if reason is not None}
    return table_of(joined(raws), reasons)


def _inside(raw: bytes) -> bytes:
    """The event in an entry; the entry itself where it holds none."""
    try:
        entry = _EXPORTED.decode(raw)
        text = entry.message
        if entry.category in {"kube-audit", "kube-audit-admin"} and entry.properties:
            text = entry.properties.log
        event = text.strip().encode() if text and entry.kind is None else b""
    except (msgspec.MsgspecError, RecursionError, UnicodeEncodeError):
        return raw
    return event if event.startswith(b"{") and why_bad(event) is None else raw


def _marked(pieces: pa.Table) -> pa.Table:
    """The members of Secrets and containers' environments marked, in records that tell of any and show bodies."""
    has = plain_secrets.mentions(pieces, b'"secrets"', b'"Secret"', b'"SecretList"', b'"env"')
    return plain_secrets.marked(
        pieces, has & plain_secrets.mentions(pieces, b'"requestObject"', b'"responseObject"'), _in_secret
    )


def _in_secret(path: plain_secrets.Path) -> bool:
    return path[:1] in {(b"requestObject",), (b"responseObject",)} and not _SECRET_MEMBERS.isdisjoint(path[1:])


def actions(records: pa.Table, options: Options) -> pa.Table:  # noqa: ARG001
    """RECORDS_IN to ACTIONS_OUT: one row a record; `time` is the request's arrival, UTC, the cluster the realm."""
    with one_batch.connect() as connection:
        kubernetes_sql.read(connection, records)
        found = connection.execute(kubernetes_sql.actions_sql()).to_arrow_table()
    return action_rows(found)


def grants(records: pa.Table, options: Options) -> pa.Table:  # noqa: ARG001
    """RECORDS_IN to GRANTS_OUT: tokens issued, pods made, service accounts and pods ended."""
    with one_batch.connect() as connection:
        kubernetes_sql.read(connection, records, only_telling=True)
        return rows(kubernetes_grants.grants(connection), GRANTS_OUT)


SECRETS = (
    plain_secrets.PLAIN,
    # TokenRequest's and TokenReview's tokens, kubeconfigs, and what a query hands on.
    Secret(r'"(?:token|bootstrap-token|client-key-data|clientKeyData)"\s*:\s*"((?:[^"\\]|\\.)+)"'),
    Secret(r"(?i)[?&](?:token|access_token|code|password|secret)=([^&\"\\\s#]+)"),
)

FORMAT = Format(
    name="kubernetes",
    category="cloud",
    observes=kubernetes_sql.ACTION_COLUMNS,
    id_scope="realm",
    split=split,
    actions=actions,
    grants=grants,
    secrets=SECRETS,
    realm_option="cluster",
)

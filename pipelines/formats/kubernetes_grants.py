"""What Kubernetes' audit events prove about credentials: tokens given out, pods made, and their ends.

Only requests that succeeded count. A token that a kubelet fetches for a pod comes from that pod where the request
shows it (level Request and up), since the kubelet only carries it; else from the kubelet's own credential. Who asks
for a token of another service account makes a credential for somebody else, and so does who makes a pod that runs as
one: those hops are `asserted`, but for parts of Kubernetes itself.

A pod ends when its kubelet deletes it for good; a person's delete only begins that, and its tokens live on meanwhile.
A service account's end is that of its tokens (they are looked up at each use).
"""

from __future__ import annotations

import duckdb
import pyarrow as pa

from pipelines.formats.kubernetes_sql import pod, token
from pipelines.formats.record_sql import moment, scalar
from pipelines.identifiers import Sql

_MADE_FOR = "CASE WHEN by_component OR principal IS NOT DISTINCT FROM {} THEN 'proven' ELSE 'asserted' END"
_EXTENDED = 3607
"""The seconds that kubelets ask for, by which an API server knows tokens that it makes valid for a year while it says
an hour (`--service-account-extend-token-expiration`, on by default): their end is unknown.
"""

_LIFETIME = """try_cast(coalesce(e.requestObject.spec.expirationSeconds, e.responseObject.spec.expirationSeconds)
    AS INTEGER)"""
_RUNS_AS = f"""coalesce({scalar("e.responseObject.spec.serviceAccountName")},
    {scalar("e.requestObject.spec.serviceAccountName")})"""
_DELETED = scalar("coalesce(e.objectRef.uid, e.requestObject.preconditions.uid, e.responseObject.metadata.uid)")

_TOLD = f"""
    SELECT record_id, verb, resource, subresource, is_token_request, by_node, by_component, principal, account,
           coalesce(credential_uid, session_uid, principal) AS caller, coalesce(ended, time) AS at_end, time,
           {token("issued_jti")} AS issued,
           CASE WHEN by_node AND e.requestObject.spec.boundObjectRef.kind = 'Pod'
                THEN {pod(scalar("e.requestObject.spec.boundObjectRef.uid"))} END AS bound_pod,
           {_LIFETIME} AS lifetime,
           {moment("e.responseObject.status.expirationTimestamp")} AS said_end,
           {pod(scalar("e.responseObject.metadata.uid"))} AS made_pod,
           {Sql.uid("k8s:sa", f"(namespace || '/' || {_RUNS_AS})", "realm")} AS runs_as,
           {pod(_DELETED)} AS deleted_pod
    FROM events WHERE reason IS NULL AND idle IS NULL AND status = 'success'
"""
"""A row a request that worked. Impersonation does not delegate: whom a caller names there gave it nothing, so grants
have no delegator.
"""

_TOKENS = f"""
    SELECT record_id, 'issue' AS kind, 'TokenRequest' AS mechanism, coalesce(bound_pod, caller) AS parent_uid,
           issued AS child_uid, account AS principal, at_end AS issued_at,
           CASE WHEN lifetime IS DISTINCT FROM {_EXTENDED}
                THEN coalesce(said_end, CASE WHEN lifetime > 0 THEN time + to_seconds(lifetime) END) END AS expires_at,
           {_MADE_FOR.format("account")} AS strength
    FROM told WHERE is_token_request AND coalesce(bound_pod, caller) IS NOT NULL
"""
"""A row a service account token that was given out."""

_PODS = f"""
    SELECT record_id, 'issue', 'create pods', caller, made_pod, runs_as, at_end, CAST(NULL AS TIMESTAMP),
           {_MADE_FOR.format("runs_as")}
    FROM told WHERE verb = 'create' AND resource = 'pods' AND subresource IS NULL AND caller IS NOT NULL
"""
"""A row a pod that was made, where the event shows the object that came of it."""

_ENDED = """
    SELECT record_id, 'revoke', 'delete ' || resource, CAST(NULL AS VARCHAR),
           CASE WHEN resource = 'serviceaccounts' THEN account WHEN by_node THEN deleted_pod END,
           CAST(NULL AS VARCHAR), at_end, CAST(NULL AS TIMESTAMP), 'proven'
    FROM told WHERE verb = 'delete' AND resource IN ('pods', 'serviceaccounts') AND subresource IS NULL
"""
"""A row a service account that was deleted, or a pod that its kubelet removed."""

_BACK = """
    SELECT record_id, 'issue', 'create serviceaccounts', CAST(NULL AS VARCHAR), account, CAST(NULL AS VARCHAR), at_end,
           CAST(NULL AS TIMESTAMP), 'proven'
    FROM told WHERE verb = 'create' AND resource = 'serviceaccounts' AND subresource IS NULL
"""
"""A row a service account that was made, perhaps again; what it may do comes from its bindings, not from its maker."""


def grants(connection: duckdb.DuckDBPyConnection) -> pa.Table:
    """Rows of GRANTS_OUT from the `events` that `kubernetes_sql.read` made."""
    connection.execute(f"CREATE TEMP TABLE told AS {_TOLD}")
    kinds = " UNION ALL ".join(f"FROM ({kind})" for kind in (_TOKENS, _PODS, _ENDED, _BACK))
    return connection.execute(
        f"""
        WITH found AS ({kinds})
        SELECT DISTINCT * FROM found WHERE child_uid IS NOT NULL AND child_uid IS DISTINCT FROM parent_uid
        """
    ).to_arrow_table()

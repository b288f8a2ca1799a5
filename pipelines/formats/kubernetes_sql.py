"""The DuckDB SQL behind `kubernetes`: audit events to rows of fields, and those to actions."""

from __future__ import annotations

import duckdb
import pyarrow as pa

from pipelines.formats.record_sql import IDLE, TEXTS, mail, moment, one_of, parse, scalar, texts, told
from pipelines.identifiers import Sql

_AUTH = "authentication.kubernetes.io"
_AUTHZ = "authorization.k8s.io"
_ISSUED = f"{_AUTH}/issued-credential-id"
_ISSUED_IN_1_29 = "authentication.k8s.io/issued-credential-id"
"""The alpha's name for the annotation (release notes of 1.30)."""

_OBJECT = {
    "metadata": texts("uid", "name"),
    "spec": {
        **texts("serviceAccountName", "expirationSeconds"),
        "boundObjectRef": texts("kind", "uid"),
    },
    "status": texts("expirationTimestamp"),
    "preconditions": texts("uid"),
}
_EVENT = {
    **texts("kind", "auditID", "stage", "verb", "requestURI", "userAgent", "requestReceivedTimestamp"),
    **texts("stageTimestamp", "protoPayload", "category"),
    "user": {
        **texts("username", "uid"),
        "extra": dict.fromkeys((f"{_AUTH}/credential-id", f"{_AUTH}/pod-uid", "accessKeyId", "sessionName"), TEXTS),
    },
    "impersonatedUser": texts("username"),
    "sourceIPs": TEXTS,
    "objectRef": texts("resource", "subresource", "namespace", "name", "uid", "apiGroup"),
    "responseStatus": texts("code", "reason", "message"),
    "annotations": texts(_ISSUED, _ISSUED_IN_1_29, f"{_AUTHZ}/decision"),
    "requestObject": _OBJECT,
    "responseObject": _OBJECT,
}
"""Every path that is read, once a record."""

_TELLING = r'issued-credential-id|"pods"|"serviceaccounts"'
"""Words without which an event can hold no grant."""

_COMPONENTS = (
    "system:kube-controller-manager", "system:kube-scheduler", "system:apiserver",
    *(f"system:serviceaccount:kube-system:{name}" for name in (
        "replicaset-controller", "deployment-controller", "daemon-set-controller", "statefulset-controller",
        "job-controller", "cronjob-controller", "replication-controller",
    )),
)  # fmt: skip
"""Parts of Kubernetes itself, which make tokens and pods for others as their task (controller roles, RBAC docs)."""


def read(connection: duckdb.DuckDBPyConnection, records: pa.Table, only_telling: bool = False) -> None:
    """Make the table `events`: a row a record, and as `reason` why it is no action (`idle`: why it is skipped).

    With `only_telling`, records that can hold no grant are left out.
    """
    parse(connection, records, _EVENT, f"regexp_matches(raw, '{_TELLING}')" if only_telling else "true")
    connection.execute(f"CREATE TEMP TABLE events AS {_events()}")


def _first(extra: str) -> str:
    """The first value of an entry of `user.extra`."""
    return scalar(f"(e.\"user\".extra['{extra}'])[1]")


def _credential(kind: str) -> str:
    """The value of the entry `KIND=...` among the credential ids."""
    found = f"list_filter(e.\"user\".extra['{_AUTH}/credential-id'], lambda c: starts_with(c, '{kind}='))[1]"
    return f"nullif(substr({found}, {len(kind) + 2}), '')"


def subject(username: str) -> str:
    """SQL: the principal of a user name; null for nobody."""
    account = f"regexp_extract({username}, '^system:serviceaccount:([^:/]+:[^:/]+)$', 1)"
    node = f"regexp_extract({username}, '^system:node:(.+)$', 1)"
    return f"""CASE WHEN {username} IN ('', 'system:anonymous') THEN NULL
        WHEN {account} <> '' THEN {Sql.uid("k8s:sa", f"replace({account}, ':', '/')", "realm")}
        WHEN {node} <> '' THEN {Sql.uid("k8s:node", node, "realm")}
        ELSE {Sql.uid("k8s:user", username, "realm")} END"""


def pod(uid: str) -> str:
    """SQL: a pod, by the uid that no other ever has."""
    return Sql.uid("k8s:pod", uid, "realm")


def token(jti: str) -> str:
    """SQL: a service account token."""
    return Sql.uid("k8s:token", jti, "realm")


def _events() -> str:
    """A row a record: the event's fields, and who acted with what."""
    issued = f"coalesce(e.annotations['{_ISSUED}'], e.annotations['{_ISSUED_IN_1_29}'])"
    return f"""
        WITH fields AS (
            SELECT record_id, realm, valid, e,
                   e.kind AS kind, e.category AS category, e.protoPayload IS NOT NULL AS is_gcp,
                   {scalar("e.auditID")} AS audit_id,
                   coalesce({scalar("e.stage")}, 'ResponseComplete') AS stage,
                   {scalar("e.verb")} AS verb,
                   coalesce(nullif(e.requestReceivedTimestamp, ''), e.stageTimestamp) AS told_time,
                   {moment("coalesce(nullif(e.requestReceivedTimestamp, ''), e.stageTimestamp)")} AS time,
                   {moment("e.stageTimestamp")} AS ended,
                   {scalar('e."user".username')} AS username,
                   {scalar("e.impersonatedUser.username")} AS impersonated,
                   {_credential("JTI")} AS jti,
                   lower({_credential("X509SHA256")}) AS certificate,
                   -- Only the AWS authenticator writes such ids and, beside them, the key that it checked.
                   CASE WHEN starts_with(e."user".uid, 'aws-iam-authenticator:') THEN {_first("accessKeyId")} END
                       AS aws_key,
                   CASE WHEN starts_with(e."user".uid, 'aws-iam-authenticator:') THEN {_first("sessionName")} END
                       AS aws_session,
                   {_first(f"{_AUTH}/pod-uid")} AS pod_uid,
                   {scalar("e.objectRef.resource")} AS resource,
                   {scalar("e.objectRef.subresource")} AS subresource,
                   {scalar("e.objectRef.namespace")} AS namespace,
                   {scalar("e.objectRef.name")} AS name,
                   {scalar("e.objectRef.apiGroup")} AS api_group,
                   nullif(split_part(e.requestURI, '?', 1), '') AS path,
                   try_cast(e.responseStatus.code AS INTEGER) AS code,
                   e.annotations['{_AUTHZ}/decision'] AS decision,
                   nullif(regexp_replace({issued}, '^JTI=', ''), '') AS issued_jti
            FROM parsed
        ),
        named AS (
            SELECT *, {subject("username")} AS principal,
                   coalesce({token("jti")}, {Sql.uid("x509:cert", "certificate")}, {Sql.uid("aws:key", "aws_key")})
                       AS credential_uid,
                   {pod("pod_uid")} AS session_uid,
                   starts_with(username, 'system:node:') AS by_node,
                   starts_with(username, 'system:node:') OR {one_of("username", _COMPONENTS)} AS by_component,
                   coalesce(verb = 'create' AND resource = 'serviceaccounts' AND subresource = 'token', false)
                       AS is_token_request,
                   CASE WHEN resource = 'serviceaccounts'
                        THEN {Sql.uid("k8s:sa", "(namespace || '/' || name)", "realm")} END AS account,
                   {_status()} AS status
            FROM fields
        )
        SELECT *,
               CASE WHEN NOT valid THEN 'not a JSON object, as an audit event is'
                    WHEN is_gcp THEN 'a Cloud Audit entry: the format gcp_audit reads those of GKE'
                    WHEN kind IS DISTINCT FROM 'Event' AND category IS NOT NULL THEN NULL
                    WHEN kind IS NULL THEN 'the key "kind" is missing: no audit event'
                    WHEN kind <> 'Event' THEN 'the key "kind" is not "Event"'
                    WHEN told_time IS NULL
                    THEN 'the keys "requestReceivedTimestamp" and "stageTimestamp" are missing or have no text'
                    WHEN time IS NULL THEN 'the key "requestReceivedTimestamp" is no RFC 3339 time'
                    WHEN verb IS NULL THEN 'the key "verb" is missing or has no text'
                    WHEN stage NOT IN ('RequestReceived', 'ResponseStarted', 'ResponseComplete', 'Panic')
                    THEN 'the key "stage" is none that Kubernetes writes' END AS reason,
               CASE WHEN NOT valid OR is_gcp THEN NULL
                    WHEN kind IS DISTINCT FROM 'Event' AND category IS NOT NULL
                    THEN 'a resource log of another category than kube-audit'
                    WHEN stage IN ('RequestReceived', 'ResponseStarted')
                    THEN 'an interim stage (' || stage || '): the end of the request has its own record' END AS idle
        FROM named
    """


def _status() -> str:
    return """CASE WHEN code IN (401, 403) OR decision = 'forbid' THEN 'denied'
        WHEN stage = 'Panic' OR code >= 400 THEN 'failure'
        WHEN code BETWEEN 100 AND 399 THEN 'success' ELSE 'unknown' END"""


_OBTAINS = """CASE
    WHEN is_token_request AND principal = account THEN 'self'
    WHEN is_token_request AND NOT coalesce(by_component, false) THEN 'other'
    WHEN verb = 'create' AND resource = 'certificatesigningrequests' AND NOT coalesce(by_component, false) THEN 'other'
    END"""
"""A kubelet that fetches a pod's token makes nothing for anybody: it is how the cluster hands tokens out."""

_OPERATION = """verb || ' ' || coalesce(resource || coalesce('/' || subresource, ''), path, '')"""

_COLUMNS = {
    "time": "time",
    "time_kind": "CASE WHEN nullif(e.requestReceivedTimestamp, '') IS NULL THEN 'end' ELSE 'start' END",
    "time_precision": "'1us'",
    "class_uid": "6003",
    "activity": """CASE WHEN verb = 'create' THEN 'Create' WHEN verb IN ('get', 'list', 'watch', 'head') THEN 'Read'
                        WHEN verb IN ('update', 'patch', 'put') THEN 'Update'
                        WHEN verb IN ('delete', 'deletecollection') THEN 'Delete' ELSE 'Other' END""",
    "api_service": "'kubernetes'",
    "api_operation": f"trim({_OPERATION})",
    "principal": "principal",
    "principal_type": """CASE WHEN starts_with(principal, 'k8s:sa/') THEN 'service_account'
                              WHEN starts_with(principal, 'k8s:node/') THEN 'node'
                              WHEN principal IS NOT NULL THEN 'user' END""",
    "credential_uid": "credential_uid",
    "credential_type": """CASE WHEN starts_with(credential_uid, 'k8s:') THEN 'service_account_token'
                               WHEN starts_with(credential_uid, 'x509:') THEN 'certificate'
                               WHEN credential_uid IS NOT NULL THEN 'access_key' END""",
    "session_uid": "session_uid",
    # A request that nobody was found behind (401) may bear any name.
    "identity_strength": "CASE WHEN principal IS NULL OR code = 401 THEN 'asserted' ELSE 'proven' END",
    "session_name": "aws_session",
    "delegator": f"coalesce({mail('impersonated')}, {subject('impersonated')})",
    "delegator_strength": "CASE WHEN impersonated <> 'system:anonymous' THEN 'asserted' END",
    "obtains": _OBTAINS,
    "src_ip": "e.sourceIPs[-1]",
    "user_agent": "nullif(e.userAgent, '')",
    "url_path": "path",
    "status": "status",
    "status_code": "CASE WHEN code > 0 THEN CAST(code AS VARCHAR) END",
    "error": """CASE WHEN status NOT IN ('success', 'unknown')
                     THEN coalesce(nullif(e.responseStatus.message, ''), nullif(e.responseStatus.reason, '')) END""",
    "duration_ms": "CASE WHEN ended >= time THEN date_diff('millisecond', time, ended) END",
    "resource_type": "resource || coalesce('.' || api_group, '')",
    # Always three parts, so that no namespace is taken for a kind: `/nodes/n1` lies in no namespace.
    "resource_uid": """CASE WHEN resource IS NOT NULL
        THEN coalesce(namespace, '') || '/' || resource || '/' || coalesce(name, '') ELSE path END""",
    "account": "realm",
    "request_uid": "audit_id",
}
"""Every action column that this format fills, as SQL over the fields."""

ACTION_COLUMNS = frozenset(_COLUMNS)


def actions_sql() -> str:
    """A row an event, in the columns of ACTIONS_OUT that are filled."""
    # A caller may send the audit id itself, and send one twice; the time of arrival is the server's.
    return told(_COLUMNS, IDLE, "audit_id || coalesce('@' || nullif(e.requestReceivedTimestamp, ''), '')")

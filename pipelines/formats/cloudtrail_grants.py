"""What CloudTrail proves about credentials: which one gave rise to which, and which one ended.

Sources: IAM User Guide, "Logging IAM and AWS STS API calls with AWS CloudTrail"; the userIdentity page for
`inScopeOf`. Only successful calls issue anything.

Each call that issues a session gives two grants under one mechanism. The child of the first is the access
key in the response; the child of the second is the session (`aws:session/ID@EVENTTIME`), for later records
that carry another key of the same session or none (Identity Center, service-linked roles, calls that a
service makes for its caller). A session's id ends in its time to the second, so two issues of one role and
one session name within a second give the same session two parents; both are kept, and whoever walks up
must list both. The EC2 metadata service's AssumeRole says nothing of the role's id: only the key is known.

A role's or user's ARN is built from its bare name without a path where no response tells the path.
`DeleteLoginProfile` ends no more than a password; its grant names the user, whose keys live on.

`CreateLoginProfile` and `UpdateLoginProfile` issue nothing here. A password has no identifier: the sessions that it
opens name the user alone, so the only child could be the user, and with him every key and session that he ever had
would lead up to whoever set the password. Their actions are `obtains: other`, which is what detectors read.
"""

from __future__ import annotations

import polars as pl
import pyarrow as pa

from pipelines.formats.cloudtrail_record import query
from pipelines.formats.format import GRANTS_OUT, rows
from pipelines.identifiers import Sql

_TELLING = (
    "AssumeRole|AssumeRoot|GetFederationToken|GetSessionToken|CreateAccessKey|CreateSession|CreateTokenWithIAM"
    "|inScopeOf|DeleteAccessKey|UpdateAccessKey|DeleteUser|DeleteRole|DeleteLoginProfile|AWSRevokeOlderSessions"
)
"""Words without which a record can hold no grant: most records need not be parsed again."""

_ROLE_ARN = "arn_of(request.roleArn)"
_NAMED_ROLE = "coalesce(made_role_arn, 'arn:' || partition || ':iam::' || account || ':role/' || id(request.roleName))"
_ROOT_ACCOUNT = "regexp_extract(request.targetPrincipal, '^(?:arn:[^:]+:iam::)?([0-9]{12})(?::root)?$', 1)"


def _tag(key: str) -> str:
    return f"known(list_filter(request.tags, lambda tag: tag.key = '{key}')[1].value)"


_SERVICE_ACCOUNT = Sql.uid(
    "k8s:sa",
    f"({_tag('kubernetes-namespace')} || '/' || {_tag('kubernetes-service-account')})",
    _tag("eks-cluster-name"),
)

_ACTORS = f"""
SELECT *, coalesce(credential_uid, session_uid, principal) AS acting,
    split_part(event_source, '.', 1) AS service,
    'aws:key/' || issued_key_id AS issued_key,
    coalesce(delegator, mail(known(request.sourceIdentity))) AS carried,
    coalesce(delegator_strength, CASE WHEN mail(known(request.sourceIdentity)) IS NOT NULL THEN 'asserted' END)
        AS carried_strength,
    -- Session tags are the caller's to choose; only EKS itself, calling as a service, makes these proof.
    CASE WHEN identity_type = 'AWSService' AND invoked_by = 'pods.eks.amazonaws.com'
         THEN {_SERVICE_ACCOUNT} END AS pod,
    CASE WHEN identity_strength = 'asserted' OR (identity_type = 'AWSAccount' AND principal_id IS NULL)
         THEN 'asserted' ELSE 'proven' END AS strength,
    nullif({_ROOT_ACCOUNT}, '') AS root_account
FROM callers WHERE reason IS NULL
"""
"""One row a record that tells of an action: who issued, and what the response gave out."""

_SESSIONS = f"""
SELECT record_id, event_name AS mechanism, coalesce(pod, acting) AS parent_uid, issued_key, strength,
    carried, carried_strength, time,
    CASE event_name
        WHEN 'GetFederationToken' THEN federated_user_id
        WHEN 'GetSessionToken' THEN principal_id
        WHEN 'AssumeRoot' THEN root_account
        WHEN 'CreateSession' THEN NULL
        ELSE role_session_id END AS session_id,
    CASE WHEN starts_with(event_name, 'AssumeRole') THEN 'aws:role/' || {_ROLE_ARN}
         WHEN event_name = 'AssumeRoot'
         THEN 'aws:user/arn:' || partition || ':iam::' || root_account || ':root'
         ELSE principal END AS principal,
    expires_at
FROM actors
WHERE status = 'success' AND (
    (service = 'sts' AND list_contains(['AssumeRole', 'AssumeRoleWithWebIdentity', 'AssumeRoleWithSAML',
                                        'AssumeRoot', 'GetFederationToken', 'GetSessionToken'], event_name))
    OR (service IN ('s3express', 's3') AND event_name = 'CreateSession'))
"""
"""One row a call that started a session."""

_ISSUED = """
SELECT record_id, 'issue' AS kind, mechanism, parent_uid, child_uid, principal, carried AS delegator,
    carried_strength AS delegator_strength, time AS issued_at, expires_at, strength
FROM (SELECT *, unnest([issued_key, 'aws:session/' || session_id || '@' || iso(time)]) AS child_uid FROM sessions)
WHERE child_uid IS NOT NULL
"""
"""Two rows a call that started a session: its key, and the session itself."""

_KEYS = """
SELECT record_id, 'issue' AS kind, event_name AS mechanism, acting AS parent_uid,
    'aws:key/' || made_key_id AS child_uid, 'aws:user/' || target_user_arn AS principal,
    carried AS delegator, carried_strength AS delegator_strength, time AS issued_at,
    CAST(NULL AS TIMESTAMP) AS expires_at,
    CASE WHEN is_own_user THEN strength ELSE 'asserted' END AS strength
FROM actors
WHERE service = 'iam' AND event_name = 'CreateAccessKey' AND status = 'success'
"""
"""One row a long-lived key that was made; for another user than its maker it is at most asserted."""

_TOKENS = """
SELECT record_id, 'issue' AS kind, event_name AS mechanism, acting AS parent_uid,
    'aws:key/' || id(extra['identitycenter:CredentialId']) AS child_uid,
    'aws:principal/' || id(extra['identitystore:UserId']) AS principal,
    coalesce(carried, 'aws:principal/' || id(extra['identitystore:UserId'])) AS delegator,
    CASE WHEN carried IS NOT NULL THEN carried_strength ELSE 'proven' END AS delegator_strength, time AS issued_at,
    time + to_seconds(try_cast(response.expiresIn AS INTEGER)) AS expires_at, strength
FROM actors
WHERE service IN ('sso-oauth', 'sso') AND event_name = 'CreateTokenWithIAM' AND status = 'success'
"""
"""One row an Identity Center token that an application took out for a person."""

_SCOPES = """
SELECT record_id, 'issue' AS kind, 'inScopeOf' AS mechanism, 'aws:function/' || issued_to AS parent_uid,
    coalesce(credential_uid, session_uid) AS child_uid, principal, delegator, delegator_strength,
    coalesce(created, time) AS issued_at, CAST(NULL AS TIMESTAMP) AS expires_at, identity_strength AS strength
FROM actors
WHERE issued_to IS NOT NULL
"""
"""One row a record whose credential AWS says was issued to a function or task."""

_ENDS = f"""
SELECT record_id, CASE WHEN upper(known(request.status)) = 'ACTIVE' THEN 'issue' ELSE 'revoke' END AS kind,
    CASE event_name WHEN 'PutRolePolicy' THEN 'AWSRevokeOlderSessions' ELSE event_name END AS mechanism,
    CAST(NULL AS VARCHAR) AS parent_uid,
    CASE WHEN event_name IN ('DeleteAccessKey', 'UpdateAccessKey') THEN 'aws:key/' || id(request.accessKeyId)
         WHEN event_name IN ('DeleteRole', 'PutRolePolicy') THEN 'aws:role/' || {_NAMED_ROLE}
         ELSE 'aws:user/' || target_user_arn END AS child_uid,
    CASE WHEN event_name IN ('DeleteRole', 'PutRolePolicy') THEN 'aws:role/' || {_NAMED_ROLE}
         ELSE 'aws:user/' || target_user_arn END AS principal,
    CAST(NULL AS VARCHAR) AS delegator, CAST(NULL AS VARCHAR) AS delegator_strength, time AS issued_at,
    CAST(NULL AS TIMESTAMP) AS expires_at, strength
FROM actors
WHERE service = 'iam' AND status = 'success' AND (
    event_name IN ('DeleteAccessKey', 'DeleteUser', 'DeleteRole', 'DeleteLoginProfile')
    OR (event_name = 'UpdateAccessKey' AND upper(known(request.status)) IN ('ACTIVE', 'INACTIVE'))
    OR (event_name = 'PutRolePolicy' AND known(request.policyName) = 'AWSRevokeOlderSessions'))
"""
"""One row an IAM call that ended a credential or principal, or made a key active again."""


def grants(records: pa.Table) -> pa.Table:
    """RECORDS_IN to GRANTS_OUT: any number of rows a record."""
    steps = {
        "actors": _ACTORS,
        "sessions": _SESSIONS,
        "issued": _ISSUED,
        "keys": _KEYS,
        "tokens": _TOKENS,
        "scopes": _SCOPES,
        "ends": _ENDS,
        "told": "FROM issued UNION ALL FROM keys UNION ALL FROM tokens UNION ALL FROM scopes UNION ALL FROM ends",
    }
    # A record that names one and the same thing as parent and child proves nothing.
    select = "FROM told WHERE child_uid IS NOT NULL AND child_uid IS DISTINCT FROM parent_uid"
    telling = pl.Series(records["raw"]).str.contains(_TELLING)
    return rows(query(records.filter(telling.to_arrow()), select, steps), GRANTS_OUT)

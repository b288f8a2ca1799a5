"""Reading a CloudTrail record: JSON text in, one row of named fields and of who acted out.

Field meanings: AWS "CloudTrail record contents for management, data, and network activity events" and
"CloudTrail userIdentity element". Records come out of their containers when a stream is split (`aws_containers`);
what could not be opened there is looked into once more here.

Who acted. The principal is the role of `sessionIssuer.arn` (an assumed-role ARN has lost the role's
path, so it is never turned back into a role), the user, the service or the outside subject. What the
caller may choose (session name, user agent, tags, first `sourceIdentity`) names nobody here: the session
name has its own column, and a `sourceIdentity` is a delegator only where it is a mail address, whose
strength is then `asserted`, because the first caller of the chain wrote it.
"""

from __future__ import annotations

import json
from typing import Any

import pyarrow as pa

from pipelines.formats import one_batch
from pipelines.formats.cloudtrail_gateway import CLAIM
from pipelines.identifiers import Sql


def _texts(*names: str) -> dict[str, Any]:
    return dict.fromkeys(names, "VARCHAR")


_INSTANCES = {"items": [_texts("instanceId")]}

_RECORD = {
    **_texts(
        "eventTime", "eventName", "eventID", "eventSource", "eventType", "awsRegion", "sourceIPAddress",
        "errorCode", "requestID", "recipientAccountId", "sharedEventID", "readOnly",
        "sessionCredentialFromConsole", "digestStartTime", "insightDetails", "message",
    ),
    "userAgent": "JSON",
    "errorMessage": "JSON",
    "userIdentity": {
        **_texts(
            "type", "arn", "principalId", "accountId", "accessKeyId", "credentialId", "userName",
            "identityProvider", "invokedBy",
        ),
        "onBehalfOf": _texts("userId"),
        "inScopeOf": _texts("credentialsIssuedTo"),
        "sessionContext": {
            **_texts("sourceIdentity"),
            "sessionIssuer": _texts("arn"),
            "attributes": _texts("creationDate"),
        },
    },
    "additionalEventData": _texts(
        "bytesTransferredIn", "bytesTransferredOut", "identitycenter:CredentialId", "identitystore:UserId"
    ),
    "resources": [_texts("ARN", "type")],
    "requestParameters": {
        **_texts(
            "omitted",
            "roleArn", "sourceIdentity", "sAMLAssertionID", "targetPrincipal", "userName", "roleName", "groupName",
            "policyName", "policyArn", "instanceProfileName", "sAMLProviderArn", "openIDConnectProviderArn",
            "accessKeyId", "status", "bucketName", "tableName", "functionName", "secretId", "keyId", "queueUrl",
            "queueName", "topicArn", "targetArn", "name", "trailName", "logGroupName", "instanceId", "volumeId",
            "snapshotId", "groupId", "imageId", "target", "documentName", "dBInstanceIdentifier",
            "dBClusterIdentifier", "dBSnapshotIdentifier", "repositoryName", "streamName", "modelId",
            "stateMachineArn", "cluster", "clusterName",
        ),
        "key": "JSON",
        "names": ["VARCHAR"],
        "instanceIds": ["VARCHAR"],
        "trailNameList": ["VARCHAR"],
        "instancesSet": _INSTANCES,
        "tags": [_texts("key", "value")],
    },
    "responseElements": {
        **_texts(
            "ConsoleLogin", "SwitchRole", "CheckMfa", "statusCode", "errorCode", "error", "errorMessage",
            "provider", "subjectFromWebIdentityToken", "expiresIn", "topicArn", "trailARN", "arn",
        ),
        "credentials": _texts("accessKeyId", "expiration"),
        "assumedRoleUser": _texts("assumedRoleId"),
        "federatedUser": _texts("federatedUserId"),
        "accessKey": _texts("accessKeyId", "userName"),
        "role": _texts("arn"),
        "user": _texts("arn"),
        "policy": _texts("arn"),
        "body": _texts("error"),
        "instancesSet": _INSTANCES,
    },
}  # fmt: skip
"""The parts of a record that are read, all of them in one pass; any other type there reads as null."""

_SPELLINGS = "['%b %d, %Y, %I:%M:%S %p', '%b %d, %Y %I:%M:%S %p', '%Y%m%dT%H%M%SZ']"
_REFUSED = (
    "AccessDenied|Unauthorized|NotAuthorized|AuthFailure|Forbidden|ExpiredToken|InvalidClientTokenId"
    "|UnrecognizedClient|SignatureDoesNotMatch|InvalidSignature|IncompleteSignature|MissingAuthenticationToken"
)
_NOT_AUTHENTICATED = (
    "AuthFailure|ExpiredToken|InvalidClientTokenId|UnrecognizedClient|SignatureDoesNotMatch|InvalidSignature"
    "|IncompleteSignature|MissingAuthenticationToken"
)

MACROS = (
    # A text that says something: a structure where text belongs, a mask or nothing at all is null. (No IN here:
    # DuckDB makes a join of each IN with five constants or more.)
    """known(v) AS CASE WHEN v = '' OR v = '***' OR v = '****' OR v = 'REDACTED' OR v = 'HIDDEN_DUE_TO_SECURITY_REASONS'
        OR starts_with(v, '[') OR starts_with(v, '{') THEN NULL ELSE v END""",
    # The same for an identifier, of which a part may be masked.
    "id(v) AS CASE WHEN contains(v, '***') THEN NULL ELSE known(v) END",
    # The text of a JSON string, which may itself begin with a bracket; null for every other JSON value.
    "quoted(v) AS CASE WHEN CAST(v AS VARCHAR)[1] = '\"' THEN nullif(json_extract_string(v, '$'), '') END",
    "arn_of(v) AS CASE WHEN starts_with(v, 'arn:') THEN id(v) END",
    # UTC, from every spelling that AWS writes; without an offset UTC is meant. Java's newer locale data
    # puts a narrow no-break space before AM and PM.
    f"""moment(v) AS CASE
        WHEN NOT regexp_matches(v, '^[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}[T ][0-9]')
        THEN CASE WHEN regexp_matches(v, '^([A-Z][a-z]{{2}} |[0-9]{{8}}T)')
                  THEN try_strptime(replace(v, chr(8239), ' '), {_SPELLINGS}) END
        WHEN NOT regexp_matches(v, '^(19[7-9]|2[0-9]{{2}})') THEN NULL
        WHEN regexp_matches(v, '[+-][0-9]{{2}}:?[0-9]{{2}}$')
        THEN make_timestamp(epoch_us(try_cast(v AS TIMESTAMPTZ)))
        ELSE try_cast(v AS TIMESTAMP) END""",
    "iso(t) AS strftime(t, '%Y-%m-%dT%H:%M:%SZ')",
    "mail(v) AS CASE WHEN regexp_full_match(v, '[^@ ]+@[^@ ]+[.][^@ .]+') THEN 'mail:addr/' || lower(v) END",
    "acting_as(arn) AS CASE WHEN contains(arn, ':role/') THEN 'aws:role/' || arn ELSE 'aws:user/' || arn END",
    CLAIM,
)  # fmt: skip
"""Small words that the SQL below is written in."""

_UNWRAPPED = """
SELECT record_id,
    CASE WHEN starts_with(raw, '{"eventVersion":') THEN raw
         WHEN contains(raw, '"CloudTrailEvent"') OR contains(raw, '"detail-type"')
         THEN CASE WHEN json_valid(raw)
                   THEN coalesce(json_extract_string(raw, '$.CloudTrailEvent'),
                                 CASE WHEN json_exists(raw, '$."detail-type"')
                                      THEN CAST(json_extract(raw, '$.detail') AS VARCHAR) END,
                                 raw) END
         ELSE raw END AS text
FROM records
"""
"""One row a record: the text of the record inside its container."""

_READ = f"SELECT record_id, text, TRY(from_json(text, '{json.dumps(_RECORD)}')) AS e FROM unwrapped"
"""One row a record: its parts as a structure; null where its text is no JSON, or JSON's null."""

_SHAPED = """
SELECT record_id, text, CASE WHEN e IS NULL THEN coalesce(json_valid(text), false) ELSE true END AS valid,
    CASE WHEN e IS NULL THEN false WHEN starts_with(text, '{') THEN true ELSE json_type(text) = 'OBJECT' END
        AS is_object, e
FROM read
"""
"""One row a record: its parts as a structure, whose parts are all null where the text is no JSON object."""

_CLEANED = {
    "known": {
        "event_time": "eventTime",
        "event_name": "eventName",
        "event_id": "eventID",
        "event_source": "eventSource",
        "event_type": "eventType",
        "region": "awsRegion",
        "source_ip": "sourceIPAddress",
        "error_code": "errorCode",
        "read_only": "readOnly",
        "from_console": "sessionCredentialFromConsole",
        "identity_type": "userIdentity.type",
        "invoked_by": "userIdentity.invokedBy",
        "source_identity": "userIdentity.sessionContext.sourceIdentity",
        "created_text": "userIdentity.sessionContext.attributes.creationDate",
        "expiration_text": "responseElements.credentials.expiration",
    },
    "quoted": {
        "user_agent": "userAgent",
        "error_message": "errorMessage",
        "object_key": "requestParameters.key",
    },
    "id": {
        "request_id": "requestID",
        "shared_event_id": "sharedEventID",
        "recipient": "recipientAccountId",
        "principal_id": "userIdentity.principalId",
        "account_id": "userIdentity.accountId",
        "access_key_id": "userIdentity.accessKeyId",
        "bearer_id": "userIdentity.credentialId",
        "user_name": "userIdentity.userName",
        "identity_provider": "userIdentity.identityProvider",
        "on_behalf_of": "userIdentity.onBehalfOf.userId",
        "issued_key_id": "responseElements.credentials.accessKeyId",
        "role_session_id": "responseElements.assumedRoleUser.assumedRoleId",
        "federated_user_id": "responseElements.federatedUser.federatedUserId",
        "made_key_id": "responseElements.accessKey.accessKeyId",
        "made_key_user": "responseElements.accessKey.userName",
    },
    "arn_of": {
        "identity_arn": "userIdentity.arn",
        "issuer_arn": "userIdentity.sessionContext.sessionIssuer.arn",
        "issued_to": "userIdentity.inScopeOf.credentialsIssuedTo",
        "made_role_arn": "responseElements.role.arn",
        "made_user_arn": "responseElements.user.arn",
        "made_policy_arn": "responseElements.policy.arn",
    },
}
"""Fields by how they are cleaned: the name used below, and where the record has it."""

_PLAIN = f"""
SELECT record_id, text, valid, is_object, e.digestStartTime IS NOT NULL AS is_digest,
    e.insightDetails IS NOT NULL AS is_insight, starts_with(e.message, 'CWL CONTROL MESSAGE') AS is_control,
    e.requestParameters AS request, e.responseElements AS response,
    e.additionalEventData AS extra, e.resources AS listed, e.responseElements.body.error AS body_error,
    'HIDDEN_DUE_TO_SECURITY_REASONS' IN (e.userIdentity.userName, e.userIdentity.principalId) AS is_hidden,
    {", ".join(f"e.{path} AS {name}" for fields in _CLEANED.values() for name, path in fields.items())}
FROM shaped
"""
"""One row a record: its parts as plain columns. Cleaning waits a step: DuckDB makes room for a whole structure
each time that an expression reaches into one."""

_FIELDS = f"""
SELECT * REPLACE (
    {", ".join(f"{clean}({name}) AS {name}" for clean, fields in _CLEANED.items() for name in fields)})
FROM plain
"""
"""One row a record: its everyday fields, cleaned."""

_TIMED = """
SELECT *, moment(event_time) AS time, moment(created_text) AS created, moment(expiration_text) AS expires_at,
    'Failure' IN (response.ConsoleLogin, response.SwitchRole, response.CheckMfa) AS login_failed,
    try_cast(response.statusCode AS INTEGER) AS http_status,
    CASE WHEN identity_arn IS NOT NULL THEN split_part(identity_arn, ':', 2)
         WHEN starts_with(region, 'cn-') THEN 'aws-cn'
         WHEN starts_with(region, 'us-gov-') THEN 'aws-us-gov'
         ELSE 'aws' END AS partition,
    coalesce(recipient, account_id) AS account,
    CASE WHEN event_source = 'iam.amazonaws.com'
         THEN coalesce(id(request.userName), made_key_user,
                       nullif(regexp_extract(error_message, 'on resource: user ([^ ]+)', 1), '')) END AS named_user
FROM fields
"""
"""One row a record: its times, and what later steps ask for more than once."""

_OUTCOMES = f"""
SELECT *,
    CASE WHEN NOT valid THEN 'invalid JSON'
         WHEN NOT is_object THEN 'not a JSON object'
         WHEN event_name IS NULL AND is_digest THEN 'a CloudTrail digest file, not an event'
         WHEN event_name IS NULL AND is_insight THEN 'a CloudTrail Insights event: a statistic, not an action'
         WHEN event_name IS NULL AND is_control THEN 'a control message of CloudWatch Logs, not an event'
         WHEN event_time IS NULL THEN 'no eventTime'
         WHEN time IS NULL THEN 'eventTime is not a time'
         WHEN event_name IS NULL THEN 'no eventName'
         WHEN event_id IS NULL THEN 'no eventID' END AS reason,
    CASE WHEN login_failed OR regexp_matches(error_code, '{_REFUSED}') OR http_status IN (401, 403) THEN 'denied'
         WHEN error_code IS NOT NULL OR http_status >= 400 OR error_message IS NOT NULL
              OR coalesce(response.errorCode, response.error, body_error) IS NOT NULL THEN 'failure'
         ELSE 'success' END AS status
FROM timed
"""
"""One row a record: what became of it, and of the call that it tells of."""

_PROVIDER_ARN = "^arn:[^:]+:iam::[0-9]*:oidc-provider/"
_PROVIDER = f"regexp_replace(coalesce(id(response.provider), identity_provider), '{_PROVIDER_ARN}', '')"

_NAMED = f"""
SELECT *,
    CASE WHEN identity_type IN ('AssumedRole', 'Role')
         THEN coalesce(acting_as(issuer_arn),
                       CASE WHEN regexp_matches(identity_arn, ':iam::[0-9]*:role/') THEN acting_as(identity_arn) END,
                       'aws:principal/' || split_part(principal_id, ':', 1))
         WHEN identity_type = 'IAMUser' THEN 'aws:user/' || identity_arn
         WHEN identity_type = 'Root'
         THEN 'aws:user/' || coalesce(identity_arn, 'arn:' || partition || ':iam::' || account_id || ':root')
         WHEN identity_type = 'FederatedUser' THEN acting_as(issuer_arn)
         WHEN identity_type = 'AWSService' THEN 'aws:service/' || invoked_by
         WHEN identity_type = 'WebIdentityUser'
         THEN 'oidc:subject/' || {Sql.issuer(_PROVIDER)} || '#'
              || coalesce(id(response.subjectFromWebIdentityToken), user_name)
         WHEN identity_type = 'IdentityCenterUser' THEN 'aws:principal/' || on_behalf_of
         WHEN identity_type IS NULL THEN 'aws:service/' || invoked_by END AS named,
    coalesce('aws:key/' || access_key_id, 'aws:key/' || bearer_id,
             CASE WHEN identity_type = 'SAMLUser' THEN 'saml:assertion/' || id(request.sAMLAssertionID) END)
        AS credential_uid,
    -- Without a name IAM takes the caller's own user; no two users' names differ by case alone.
    coalesce(CASE WHEN event_source <> 'iam.amazonaws.com' THEN false
                  WHEN named_user IS NULL THEN identity_type IN ('IAMUser', 'Root') AND status = 'success'
                  ELSE identity_type = 'IAMUser' AND lower(named_user) = lower(user_name) END, false) AS is_own_user
FROM outcomes
"""
"""One row a record: who acted and what with, and whether an IAM call is about the caller's own user."""

_IDENTITIES = f"""
SELECT *,
    coalesce(named, 'aws:principal/' || coalesce(principal_id, account_id)) AS principal,
    coalesce(identity_type, CASE WHEN invoked_by IS NOT NULL THEN 'AWSService' END) AS principal_type,
    CASE WHEN starts_with(access_key_id, 'ASIA') THEN 'temporary_key'
         WHEN access_key_id IS NOT NULL THEN 'access_key'
         WHEN bearer_id IS NOT NULL THEN 'bearer_token'
         WHEN credential_uid IS NOT NULL THEN 'saml_assertion' END AS credential_type,
    'aws:session/' || principal_id || '@' || iso(created) AS session_uid,
    CASE WHEN identity_type IN ('AssumedRole', 'Role', 'FederatedUser') AND contains(principal_id, ':')
         THEN nullif(substr(principal_id, instr(principal_id, ':') + 1), '') END AS session_name,
    coalesce('aws:principal/' || on_behalf_of, mail(source_identity)) AS delegator,
    -- Identity Center knows on whose behalf; a source identity is what the first caller wrote.
    CASE WHEN on_behalf_of IS NOT NULL THEN 'proven' WHEN mail(source_identity) IS NOT NULL THEN 'asserted' END
        AS delegator_strength,
    CASE WHEN is_hidden OR login_failed OR identity_type = 'Unknown' OR account_id = 'anonymous'
              OR (identity_type IN ('WebIdentityUser', 'SAMLUser') AND status <> 'success')
              OR regexp_matches(error_code, '{_NOT_AUTHENTICATED}')
         THEN 'asserted' ELSE 'proven' END AS identity_strength,
    -- The user that an IAM call is about. Only a response and the caller's own ARN know a user's path.
    CASE WHEN event_source = 'iam.amazonaws.com'
         THEN coalesce(made_user_arn, CASE WHEN is_own_user THEN identity_arn END,
                       'arn:' || partition || ':iam::' || account || ':user/' || named_user) END AS target_user_arn
FROM named
"""
"""One row a record: who acted, with which credential, in which session, for whom."""

_STEPS = {
    "unwrapped": _UNWRAPPED,
    "read": _READ,
    "shaped": _SHAPED,
    "plain": _PLAIN,
    "fields": _FIELDS,
    "timed": _TIMED,
    "outcomes": _OUTCOMES,
    "named": _NAMED,
    "callers": _IDENTITIES,
}


def query(records: pa.Table, select: str, steps: dict[str, str]) -> pa.Table:
    """The rows of `select` over `callers`: one row for each of `records` (RECORDS_IN).

    `steps` are further named steps on the way, in order. Nothing in a record can make this fail: what
    cannot be read has a `reason` and nulls.
    """
    with one_batch.connect() as connection:
        connection.register("records", records)
        for macro in MACROS:
            connection.execute(f"CREATE TEMP MACRO {macro}")
        wanted = {**_STEPS, **steps}
        named = ", ".join(f"{name} AS ({step})" for name, step in wanted.items())
        return connection.execute(f"WITH {named} {select}").to_arrow_table()

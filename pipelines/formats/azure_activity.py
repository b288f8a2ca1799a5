"""Azure Activity Log: writes and actions on Azure resources through Azure Resource Manager.

Proves: which token made a call (the claim `uti`, the sign-in's token id), and as whom; for a client with a credential
of its own, the user on whose behalf it called.

Cannot see: reads, and what happens inside a resource (blobs, secrets, queries), which is in its resource logs; bytes;
the caller of later stages where they carry no claims.

Sources: "Azure Activity Log event schema" (the exports' and the REST API's), "Access token claims reference".

One operation is told of in stages: `Start`, for long ones `Accept`, and how it ended. The first two are interim, and
skipped, unless `interim` is set: they can be many, and only the last says what became of it. They cannot be told to be
one deed, since what they share, `correlationId`, is the caller's to choose: a caller could hide a hundred calls behind
one. An estate whose last stages carry no claims sets `interim: true`, and then counts each operation twice or thrice.
Only what somebody did is an action: the platform's own categories (health, alerts, policy evaluation, autoscale,
recommendations) are skipped.

Azure compares resource ids and operations without case, and its exports write them in either, so provider, operation
and resource id are in lower case here. `appidacr` 0 is a public client, whose application id anybody can claim.
"""

from __future__ import annotations

import json

import pyarrow as pa

from pipelines.formats import azure_record
from pipelines.formats.azure_record import address, first, moment_of, split
from pipelines.formats.format import GRANTS_OUT, Format, Options
from pipelines.formats.record_sql import texts
from pipelines.identifiers import Sql


class ActivityOptions(Options):
    """`interim`: the stages `Start` and `Accept` are actions too, of status unknown."""

    interim: bool = False


_CLAIM = "http://schemas.microsoft.com/identity/claims/"
_UPN = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/upn"
_MAIL = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/emailaddress"
_CLAIMS = texts(
    "appid", "appidacr", "uti", "idtyp", "oid", "scp", "upn", "name", _UPN, _MAIL,
    f"{_CLAIM}objectidentifier", f"{_CLAIM}scope",
)  # fmt: skip
_VALUE = texts("value")
_EXPORTED = {
    "identity": {
        "claims": _CLAIMS,
        "authorization": {"evidence": texts("principalId", "principalType")},
    },
    "operationName": _VALUE,
    "resultType": "VARCHAR",
}
_ANSWERED = {
    **texts("eventTimestamp", "subscriptionId"),
    "category": _VALUE,
    "status": _VALUE,
    "subStatus": _VALUE,
    "claims": _CLAIMS,
    "httpRequest": texts("clientIpAddress"),
}
"""What an export's records have at their top, and what those of the REST API's answer have there."""

_ACTED = "('administrative', 'action', 'write', 'delete')"
_PLATFORM = "('servicehealth', 'resourcehealth', 'alert', 'autoscale', 'security', 'recommendation', 'policy')"


def _claim(*names: str) -> str:
    return first(*[f'{place}."{name}"' for place in ("x.identity.claims", "x.claims") for name in names])


_SHAPE = texts("statusCode", "serviceRequestId", "message")
_TOP = {**_EXPORTED, **_ANSWERED}

_TOPS = """
SELECT record_id, valid, time, correlation_id, caller_ip_address, result_signature, result_description, resource_id,
    tenant_id, operation_name, result_type, category AS category_told, e,
    json_transform(CASE WHEN valid THEN raw END, '{shape}') AS x
FROM opened
"""

_FIELDS = f"""
SELECT record_id, valid,
    lower(coalesce(x.category.value, category_told)) AS category,
    coalesce(x.eventTimestamp, time) AS written_at, {moment_of("x.eventTimestamp", "time")} AS time,
    {first("correlation_id")} AS correlation,
    lower(coalesce(nullif(x.operationName.value, ''),
                   CASE WHEN operation_name[1] <> '{{' THEN nullif(operation_name, '') END)) AS operation,
    lower(nullif(resource_id, '')) AS resource,
    coalesce(x.status.value, result_type) AS stage,
    coalesce(nullif(result_signature, ''), x.subStatus.value, e.statusCode) AS signature,
    coalesce(nullif(result_description, ''), nullif(e.message, '')) AS description,
    coalesce({address("caller_ip_address")}, {address("x.httpRequest.clientIpAddress")}) AS src_ip,
    {_claim("appid")} AS app_id, {_claim("appidacr")} AS app_method, token_guid({_claim("uti")}) AS token_id,
    {_claim("idtyp")} AS token_kind, {_claim(f"{_CLAIM}objectidentifier", "oid")} AS object_id,
    {_claim(_UPN, "upn")} AS user_name, {_claim(_MAIL, "name")} AS shown_name,
    {_claim(f"{_CLAIM}scope", "scp")} AS scopes,
    {first("x.identity.authorization.evidence.principalId")} AS assigned_id,
    lower(x.identity.authorization.evidence.principalType) AS assigned_kind,
    coalesce(nullif(regexp_extract(lower(resource_id), '^/subscriptions/([^/]+)', 1), ''), {first("x.subscriptionId")},
             {first("tenant_id")}) AS account
FROM tops
"""

_NAMED = """
SELECT *,
    CASE WHEN object_id IS NULL THEN NULL WHEN token_kind = 'app' THEN false
         -- A public client can get no token of its own; guests and personal accounts have no upn.
         ELSE token_kind = 'user' OR app_method = '0' OR user_name IS NOT NULL OR scopes IS NOT NULL
              OR shown_name IS NOT NULL END AS is_user,
    CASE WHEN lower(stage) IN ('success', 'succeeded') THEN 'success'
         WHEN lower(stage) IN ('failure', 'failed')
         THEN CASE WHEN regexp_matches(coalesce(signature, '') || ' ' || coalesce(description, ''),
                                       '(?i)\\b(?:401|403|forbidden|unauthorized|authorizationfailed)\\b')
                   THEN 'denied' ELSE 'failure' END
         ELSE 'unknown' END AS status,
    lower(stage) IN ('start', 'started', 'accept', 'accepted') AS is_interim
FROM fields
"""

_EVENTS = f"""
SELECT *,
    CASE WHEN is_user AND app_method IN ('1', '2') AND app_id IS NOT NULL THEN {Sql.uid("azure:app", "app_id")}
         WHEN is_user THEN {Sql.uid("azure:user", "object_id")}
         WHEN object_id IS NOT NULL THEN {Sql.uid("azure:sp", "object_id")}
         WHEN app_id IS NOT NULL THEN {Sql.uid("azure:app", "app_id")}
         WHEN user_name IS NOT NULL THEN {Sql.uid("azure:user", "lower(user_name)")}
         WHEN assigned_kind = 'user' THEN {Sql.uid("azure:user", "assigned_id")}
         WHEN assigned_kind = 'serviceprincipal' THEN {Sql.uid("azure:sp", "assigned_id")} END AS principal,
    CASE WHEN is_user AND app_method IN ('1', '2') AND app_id IS NOT NULL
         THEN {Sql.uid("azure:user", "object_id")} END AS delegator,
    CASE WHEN NOT valid THEN 'not a JSON object, as an Activity Log record is'
         WHEN category IN {_PLATFORM} THEN 'an event of the platform: nobody acted'
         WHEN category IS NOT NULL AND category NOT IN {_ACTED} THEN 'of another category than the Activity Log'
         WHEN category IS NULL THEN 'the key "category" is missing or has no text'
         WHEN written_at IS NULL THEN 'the key "time" is missing or has no text'
         WHEN time IS NULL THEN 'the key "time" is no RFC 3339 time'
         WHEN operation IS NULL THEN 'the key "operationName" is missing or has no text'
         WHEN is_interim AND NOT {{interim}} THEN 'an interim stage; how the operation ended is a record of its own'
         END AS reason,
    coalesce(valid AND (category NOT IN {_ACTED} OR (is_interim AND time IS NOT NULL AND operation IS NOT NULL)), false)
        AS skipped,
    lower(correlation) || ':' || strftime(time, '%Y-%m-%dT%H:%M:%S.%fZ') || ':' || operation || ':'
        || CASE WHEN status <> 'unknown' THEN status ELSE lower(coalesce(stage, '')) END || ':'
        || coalesce(resource, '') AS native_id
FROM named
"""


def _steps(interim: bool) -> dict[str, str]:
    return {
        "tops": _TOPS.replace("{shape}", json.dumps(_TOP)),
        "fields": _FIELDS,
        "named": _NAMED,
        "events": _EVENTS.replace("{interim}", str(interim).lower()),
    }


_VERB = "regexp_extract(operation, '([a-z]+)(?:/action)?$', 1)"

_COLUMNS = {
    "time": "time",
    "time_kind": "'logged'",
    "time_precision": "'1us'",
    "class_uid": "6003",
    "activity": f"""CASE WHEN ends_with(operation, '/delete') THEN 'Delete'
        WHEN ends_with(operation, '/write') THEN 'Update'
        WHEN ends_with(operation, '/read') OR regexp_matches({_VERB}, '^(?:list|get|read|export|begingetaccess)')
        THEN 'Read' ELSE 'Other' END""",
    "api_service": "split_part(operation, '/', 1)",
    "api_operation": "operation",
    "principal": "principal",
    "principal_type": """CASE WHEN starts_with(principal, 'azure:user/') THEN 'user'
        WHEN starts_with(principal, 'azure:sp/') THEN 'service_principal'
        WHEN principal IS NOT NULL THEN 'application' END""",
    "credential_uid": Sql.uid("azure:token", "token_id"),
    "credential_type": "CASE WHEN token_id IS NOT NULL THEN 'access_token' END",
    "identity_strength": "CASE WHEN principal IS NULL THEN 'asserted' ELSE 'proven' END",
    "delegator": "delegator",
    "delegator_strength": "CASE WHEN delegator IS NOT NULL THEN 'proven' END",
    "src_ip": "src_ip",
    "status": "status",
    "status_code": "signature",
    "error": "CASE WHEN status IN ('denied', 'failure') THEN description END",
    "resource_type": """nullif(regexp_extract(resource, '.*/providers/([^/]+/[^/]+)/', 1), '')""",
    "resource_uid": "resource",
    "resources": "CASE WHEN resource IS NOT NULL THEN [resource] END",
    "account": "account",
    "request_uid": "correlation",
}


def actions(records: pa.Table, options: ActivityOptions) -> pa.Table:
    """RECORDS_IN to ACTIONS_OUT: one row a record; interim stages and the platform's own events are skipped."""
    return azure_record.actions(records, _SHAPE, _steps(options.interim), _COLUMNS)


def grants(records: pa.Table, options: ActivityOptions) -> pa.Table:  # noqa: ARG001
    """No rows: a call shows a token used; the sign-in's record shows it issued."""
    return GRANTS_OUT.empty_table()


FORMAT = Format(
    name="azure_activity",
    category="cloud",
    observes=frozenset(_COLUMNS),
    id_scope="world",
    split=split,
    actions=actions,
    grants=grants,
    options=ActivityOptions,
    secrets=azure_record.SECRETS,
    realm_option="tenant",
)

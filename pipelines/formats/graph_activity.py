"""Microsoft Graph activity: each call of the Graph API, with the token that it was made with.

Proves: which token made a call (`signInActivityId`, the sign-in's `uniqueTokenIdentifier`), which service principal or
user it was issued to, and for a client with a credential of its own the user on whose behalf it called.

Cannot see: bodies; resources other than those in the URI; whether the part of a token's life that it was used in was
its own (token lifetimes are in no log); calls of other APIs than Graph; requests that were made from within a batch by
their own address. Its `durationMs` is left out: samples hold hours for calls that took moments.

Sources: "MicrosoftGraphActivityLogs" (Azure Monitor table reference), "Access Microsoft Graph activity logs".

The operation is `METHOD route`, the path without its version in which ids are `{id}`; `resource_uid` is that path with
its ids, `url_path` the path as called. A size of 0 of an answer that succeeded is what Graph writes for answers of
unknown length, so it is null. `clientAuthMethod` 0 is a public client, whose application id anybody can claim: there
the user is the principal. `clientRequestId` is the client's to choose and joins nothing.
"""

from __future__ import annotations

import pyarrow as pa

from pipelines.formats import azure_record
from pipelines.formats.azure_record import address, first, moment_of, split
from pipelines.formats.format import GRANTS_OUT, Format, Options
from pipelines.formats.record_sql import texts
from pipelines.identifiers import Sql

_SHAPE = texts(
    "timeGenerated", "requestId", "operationId", "appId", "userId", "servicePrincipalId", "signInActivityId",
    "clientAuthMethod", "ipAddress", "userAgent", "requestMethod", "requestUri", "responseStatusCode",
    "responseSizeBytes", "tenantId", "sessionId", "c_Sid",
)  # fmt: skip

_COLLECTIONS = (
    "users|groups|applications|servicePrincipals|devices|directoryObjects|directoryRoles|roleDefinitions|drives|items"
    "|messages|mailFolders|events|calendars|contacts|sites|lists|teams|channels|chats|domains|organization|subscriptions"
    "|oauth2PermissionGrants|appRoleAssignments|appRoleAssignedTo|owners|members|photos|signIns|directoryAudits|policies"
    "|federatedIdentityCredentials|roleAssignments|attachments|permissions"
)
_FUNCTIONS = "delta|getByIds|search|count|validateProperties|getAvailableExtensionProperties|microsoft[.]graph[.][^/]+"
_LOOKS_LIKE_AN_ID = (
    "/(?:[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}|[0-9]+|[^/]*@[^/]*"
    "|[A-Za-z0-9_=!.-]*[0-9_=!][A-Za-z0-9_=!.-]{19,}|[0-9]+x[0-9]+)"
)


def _route(path: str) -> str:
    """SQL: the route of a path without its version: what varies from call to call is `{id}`."""
    marked = rf"regexp_replace({path}, '/({_FUNCTIONS})(/|$)', '/$\1\2', 'g')"
    named = rf"regexp_replace({marked}, '/({_COLLECTIONS})/[^/$(]+', '/\1/{{id}}', 'g')"
    alike = rf"regexp_replace({named}, '{_LOOKS_LIKE_AN_ID}(/|$)', '/{{id}}\1', 'g')"
    keyed = rf"regexp_replace({alike}, '[(][^()]*[)]', '({{id}})', 'g')"
    return rf"regexp_replace({keyed}, '/[$]({_FUNCTIONS})(/|$)', '/\1\2', 'g')"


_URI = r"^([a-z]+)://([^/?#\\]*)([^?#\\]*)"
"""Scheme, host and path. A backslash begins an `&` of the query that was escaped twice."""

_FIELDS = rf"""
SELECT record_id, valid, category,
    coalesce(e.timeGenerated, time) AS written_at, {moment_of("e.timeGenerated", "time")} AS time,
    {first("e.requestId")} AS native_id,
    {first("e.appId")} AS app_id, {first("e.userId")} AS user_id, {first("e.servicePrincipalId")} AS sp_id,
    token_guid({first("e.signInActivityId")}) AS token_id,
    {first("e.sessionId", "e.c_Sid")} AS session_id,
    coalesce(e.clientAuthMethod IN ('1', '2'), false) AS presents,
    coalesce({address("e.ipAddress")}, {address("caller_ip_address")}) AS src_ip,
    nullif(e.userAgent, '') AS user_agent,
    nullif(upper(e.requestMethod), '') AS method,
    nullif(e.requestUri, '') AS uri,
    lower(regexp_extract(e.requestUri, '{_URI}', 2)) AS host,
    regexp_replace(regexp_extract(e.requestUri, '{_URI}', 3), '/{{2,}}', '/', 'g') AS path,
    try_cast(coalesce(e.responseStatusCode, result_signature) AS INTEGER) AS code,
    try_cast(e.responseSizeBytes AS BIGINT) AS size,
    {first("tenant_id", "e.tenantId")} AS tenant
FROM opened
"""

_EVENTS = rf"""
SELECT *, regexp_replace(rtrim(path, '/'), '^/(?:v[0-9.]+|beta)(/|$)', '\1') AS named_path,
    CASE WHEN user_id IS NULL THEN coalesce({Sql.uid("azure:sp", "sp_id")}, {Sql.uid("azure:app", "app_id")})
         WHEN presents AND app_id IS NOT NULL THEN {Sql.uid("azure:app", "app_id")}
         ELSE {Sql.uid("azure:user", "user_id")} END AS principal,
    CASE WHEN code IN (401, 403) THEN 'denied' WHEN code >= 400 THEN 'failure' WHEN code >= 100 THEN 'success'
         ELSE 'unknown' END AS status,
    CASE WHEN NOT valid THEN 'not a JSON object, as a Graph activity record is'
         WHEN category IS NOT NULL AND category <> 'MicrosoftGraphActivityLogs'
         THEN 'of another category than Microsoft Graph activity'
         WHEN written_at IS NULL THEN 'the key "timeGenerated" is missing or has no text'
         WHEN time IS NULL THEN 'the key "timeGenerated" is no RFC 3339 time'
         WHEN uri IS NULL THEN 'the key "requestUri" is missing or has no text'
         WHEN method IS NULL THEN 'the key "requestMethod" is missing or has no text' END AS reason,
    coalesce(valid AND category <> 'MicrosoftGraphActivityLogs', false) AS skipped
FROM fields
"""

_STEPS = {"fields": _FIELDS, "events": _EVENTS}
_DELEGATOR = f"CASE WHEN starts_with(principal, 'azure:app/') THEN {Sql.uid('azure:user', 'user_id')} END"
_SESSION = f"CASE WHEN starts_with(principal, 'azure:user/') THEN {Sql.uid('azure:session', 'session_id')} END"

_COLUMNS = {
    "time": "time",
    "time_kind": "'start'",
    "time_precision": "'1us'",
    "class_uid": "6003",
    "activity": """CASE WHEN method IN ('GET', 'HEAD', 'OPTIONS') THEN 'Read' WHEN method = 'DELETE' THEN 'Delete'
        WHEN method IN ('PATCH', 'PUT') THEN 'Update' WHEN method = 'POST' THEN 'Create' ELSE 'Other' END""",
    "api_service": "'graph.microsoft.com'",
    "api_operation": f"method || ' ' || coalesce(nullif({_route('named_path')}, ''), '/')",
    "principal": "principal",
    "principal_type": """CASE WHEN starts_with(principal, 'azure:user/') THEN 'user'
        WHEN starts_with(principal, 'azure:sp/') THEN 'service_principal'
        WHEN principal IS NOT NULL THEN 'application' END""",
    "credential_uid": Sql.uid("azure:token", "token_id"),
    "credential_type": "CASE WHEN token_id IS NOT NULL THEN 'access_token' END",
    "session_uid": _SESSION,
    # A token that was rejected (401) proves nobody.
    "identity_strength": "CASE WHEN principal IS NULL OR code = 401 THEN 'asserted' ELSE 'proven' END",
    "delegator": _DELEGATOR,
    "delegator_strength": f"CASE WHEN {_DELEGATOR} IS NULL THEN NULL WHEN code = 401 THEN 'asserted' ELSE 'proven' END",
    "src_ip": "src_ip",
    "user_agent": "user_agent",
    "http_method": "method",
    # What is no plain host (one with a user in front of it, say) is none.
    "dst_host": "nullif(regexp_extract(host, '^([a-z0-9.-]+)(?::[0-9]+)?$', 1), '')",
    "url_path": "nullif(path, '')",
    "status": "status",
    "status_code": "CAST(code AS VARCHAR)",
    # What the answer held was sent to the caller.
    "bytes_in": "CASE WHEN size > 0 OR (size = 0 AND code IN (202, 204, 304)) THEN size END",
    "resource_type": "nullif(split_part(named_path, '/', 2), '')",
    "resource_uid": "nullif(named_path, '')",
    "resources": "CASE WHEN named_path <> '' THEN [named_path] END",
    "account": "tenant",
    "request_uid": "native_id",
}


def actions(records: pa.Table, options: Options) -> pa.Table:  # noqa: ARG001
    """RECORDS_IN to ACTIONS_OUT: one row a record; records of other categories are skipped."""
    return azure_record.actions(records, _SHAPE, _STEPS, _COLUMNS)


def grants(records: pa.Table, options: Options) -> pa.Table:  # noqa: ARG001
    """No rows: a call shows a token used; the sign-in's record shows it issued."""
    return GRANTS_OUT.empty_table()


FORMAT = Format(
    name="graph_activity",
    category="cloud",
    observes=frozenset(_COLUMNS),
    id_scope="world",
    split=split,
    actions=actions,
    grants=grants,
    secrets=azure_record.SECRETS,
    realm_option="tenant",
)

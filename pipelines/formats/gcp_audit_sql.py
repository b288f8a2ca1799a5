"""The DuckDB SQL behind `gcp_audit`: log entries to rows of fields, and who acted through whom."""

from __future__ import annotations

import json
from typing import Any

import duckdb
import pyarrow as pa

from pipelines.formats.record_sql import id_of, moment, texts
from pipelines.identifiers import Sql

_ENTRY: dict[str, Any] = {
    **texts("insertId", "logName", "timestamp", "receiveTimestamp", "trace", "methodName"),
    "resource": {
        **texts("type"),
        "labels": texts("project_id", "email_id", "location", "zone", "region"),
    },
    "operation": texts("id", "producer", "first", "last"),
    "split": texts("uid", "index"),
}
_REQUEST: dict[str, Any] = texts("name", "lifetime")
_RESPONSE: dict[str, Any] = {
    **texts("name", "validBeforeTime"),
    "valid_before_time": texts("seconds"),
}
_METADATA: dict[str, Any] = {**texts("mapped_principal", "mappedPrincipal"), "identityDelegationChain": ["VARCHAR"]}
_PAYLOAD: dict[str, Any] = {
    **texts("serviceName", "methodName", "resourceName", "requestJson", "responseJson", "metadataJson"),
    "authenticationInfo": {
        **texts("principalEmail", "principalSubject", "serviceAccountKeyName"),
        "oauthInfo": texts("oauthClientId"),
        "serviceAccountDelegationInfo": [{**texts("principalSubject"), "firstPartyPrincipal": texts("principalEmail")}],
        "serviceDelegationHistory": texts("originalPrincipal"),
    },
    "requestMetadata": texts("callerIp", "callerSuppliedUserAgent"),
    "authorizationInfo": [texts("resource")],
    "resourceLocation": {"currentLocations": ["VARCHAR"]},
    "status": texts("code", "message"),
    "request": "JSON",
    "response": "JSON",
    "metadata": "JSON",
}
"""Every path that is read; a value of another type is null there, a number is its text."""

_RENAMED = {
    "insertid": "insertId",
    "logname": "logName",
    "receivetimestamp": "receiveTimestamp",
    "protopayload": "protoPayload",
    "protopayload_auditlog": "protoPayload",
    "callerIP": "callerIp",
}
"""Keys as BigQuery and collectors write them, and Cloud Logging's own."""

MACROS = (
    # A Google principal: an address or a subject, as authenticationInfo and delegation entries write it.
    """google(v) AS CASE
        WHEN v = '' THEN NULL
        WHEN starts_with(v, 'user:') THEN 'gcp:user/' || nullif(lower(substr(v, 6)), '')
        WHEN starts_with(v, 'serviceAccount:') THEN 'gcp:sa/' || nullif(lower(substr(v, 16)), '')
        WHEN ends_with(lower(v), 'gserviceaccount.com') AND contains(v, '@') AND NOT contains(v, '/')
        THEN 'gcp:sa/' || lower(v)
        WHEN regexp_full_match(v, '[^@ /:]+@[^@ /:]+') THEN 'gcp:user/' || lower(v)
        ELSE 'gcp:principal/' || v END""",
    # One member of a delegation chain; `>` stands between members.
    "member(v) AS coalesce(replace(replace(substr(v, 5), '%', '%25'), '>', '%3E'), '?')",
    """delegated(members, target) AS 'gcp:delegated/'
        || array_to_string(list_transform(members, lambda one: member(one)), '>') || '>' || member(target)""",
    # `//iam.googleapis.com/projects/P/serviceAccounts/SA/keys/ID` and its relative form, one spelling for both.
    """key_name(v, email) AS CASE
        WHEN regexp_matches(v, '(?:^|/)projects/[^/]+/serviceAccounts/[^/]+/keys/[^/]+$') THEN 'gcp:key/'
            || 'projects/-/serviceAccounts/' || coalesce(
                lower(nullif(regexp_extract(v, '/serviceAccounts/([^/@]+@[^/]+)/keys/', 1), '')), lower(email),
                regexp_extract(v, '/serviceAccounts/([^/]+)/keys/', 1))
            || '/keys/' || regexp_extract(v, '/keys/([^/]+)$', 1) END""",
    "account_of(v) AS nullif(regexp_extract(v, '/serviceAccounts/([^/@]+@[^/]+)(?:/|$)', 1), '')",
    # A service account by its unique id, by the address that the entry's label gives: manifests name addresses.
    r"""addressed(v, email) AS CASE WHEN contains(email, '@')
        THEN regexp_replace(v, '^(projects/[^/]+/serviceAccounts/)[0-9]+(/|$)', '\1' || lower(email) || '\2')
        ELSE v END""",
    "full_name(service, v) AS CASE WHEN v = '' THEN NULL WHEN starts_with(v, '//') THEN v"
    " ELSE coalesce('//' || service || '/', '') || v END",
)  # fmt: skip
"""Small words that the SQL below is written in. `member` takes `gcp:` off, which each member would begin with."""

IMPERSONATES = "^(?:GenerateAccessToken|GenerateIdToken|SignJwt|SignBlob)$"
"""Methods of iamcredentials.googleapis.com, without their package: each lets the caller act as a service account."""


def read(connection: duckdb.DuckDBPyConnection, records: pa.Table, issuers: dict[str, str], telling: str = "") -> None:
    """Make the table `events`: a row a record with its fields, and as `reason` why it is no action.

    With `telling`, an RE2 pattern, records whose text does not match it are left out.
    """
    connection.register("records", records)
    names = pa.table({"provider": list(issuers), "issuer": list(issuers.values())}, schema=_ISSUERS)
    connection.register("issuers", names)
    for macro in MACROS:
        connection.execute(f"CREATE TEMP MACRO {macro}")
    where = f"WHERE regexp_matches(raw, '{telling}')" if telling else ""
    for name, step in {"parsed": _parsed(where), "shaped": _SHAPED, "fields": _FIELDS, "named": _NAMED}.items():
        connection.execute(f"CREATE TEMP TABLE {name} AS {step}")
    connection.execute(f"CREATE TEMP TABLE events AS {_EVENTS}")


_ISSUERS = pa.schema([("provider", pa.string()), ("issuer", pa.string())])


def _parsed(where: str) -> str:
    """A row a record: the entry as a struct, and the audit log in it as JSON."""
    spelled = "raw"
    for written, own in _RENAMED.items():
        spelled = f"replace({spelled}, '\"{written}\"', '\"{own}\"')"
    odd = "|".join(_RENAMED)
    return f"""
        SELECT record_id, coalesce(json_type(entry) = 'OBJECT', false) AS valid,
               json_transform(entry, '{json.dumps(_ENTRY)}') AS e,
               json_transform(json_extract(entry, '$.protoPayload'), '{json.dumps(_PAYLOAD)}') AS p,
               coalesce(json_type(entry, '$.protoPayload') = 'OBJECT', false) AS is_audit
        FROM (
            SELECT record_id, CASE WHEN NOT json_valid(raw) THEN NULL
                                   WHEN regexp_matches(raw, '"(?:{odd})"') THEN {spelled} ELSE raw END AS entry
            FROM records {where}
        )
    """


def _part(name: str, shape: dict[str, Any]) -> str:
    """A part of the audit log, also where BigQuery keeps it as a string of JSON."""
    within = f"CASE WHEN json_valid(p.{name}Json) THEN p.{name}Json END"
    return f"json_transform(coalesce(p.{name}, {within}), '{json.dumps(shape)}') AS {name}"


_SHAPED = f"""
SELECT record_id, valid, is_audit, e, p, {_part("request", _REQUEST)}, {_part("response", _RESPONSE)},
       {_part("metadata", _METADATA)}
FROM parsed
"""
"""One row a record: the entry, the audit log, and the parts of it that differ from method to method."""

_FIELDS = f"""
SELECT record_id, valid, is_audit, request, response, metadata,
    {id_of("e.insertId")} AS insert_id,
    {id_of("e.logName")} AS log_name,
    e.timestamp AS written_at,
    e.receiveTimestamp AS received_at,
    {id_of("p.serviceName")} AS service,
    {id_of("p.methodName")} AS method,
    {id_of("p.resourceName")} AS resource_name,
    {id_of("p.authenticationInfo.principalEmail")} AS email,
    {id_of("p.authenticationInfo.principalSubject")} AS subject,
    {id_of("p.authenticationInfo.serviceAccountKeyName")} AS key_used,
    {id_of("p.authenticationInfo.oauthInfo.oauthClientId")} AS client_id,
    {id_of("p.authenticationInfo.serviceDelegationHistory.originalPrincipal")} AS original,
    list_transform(coalesce(p.authenticationInfo.serviceAccountDelegationInfo, []),
                   lambda one: coalesce(google(one.principalSubject), google(one.firstPartyPrincipal.principalEmail)))
        AS chain_told,
    p.requestMetadata.callerIp AS caller_ip,
    p.requestMetadata.callerSuppliedUserAgent AS user_agent,
    list_filter(list_transform(coalesce(p.authorizationInfo, []), lambda one: {id_of("one.resource")}),
                lambda one: one IS NOT NULL) AS asked,
    try_cast(p.status.code AS INTEGER) AS code,
    p.status.message AS message,
    {id_of("e.resource.type")} AS resource_type,
    {id_of("e.resource.labels.project_id")} AS project,
    {id_of("e.resource.labels.email_id")} AS labelled,
    coalesce({id_of("e.resource.labels.location")}, {id_of("e.resource.labels.zone")},
             {id_of("e.resource.labels.region")}, {id_of("p.resourceLocation.currentLocations[1]")}) AS region,
    {id_of("e.operation.id")} AS operation_id,
    {id_of("e.operation.producer")} AS producer,
    coalesce(e.operation.first = 'true', false) AS is_first,
    coalesce(e.operation.last = 'true', false) AS is_last,
    {id_of("e.split.uid")} AS split_uid,
    try_cast(e.split.index AS BIGINT) AS split_index,
    {id_of("e.trace")} AS trace
FROM shaped
"""
"""One row a record: its fields. A `-` or an empty text is null."""

_EXTERNAL = f"""CASE
    WHEN i.issuer IS NOT NULL THEN 'oidc:subject/' || {Sql.issuer("i.issuer")} || '#' || subject
    ELSE {Sql.uid("gcp:external", "subject", "resource_name")} END"""
"""Whose token was exchanged: a subject of the provider's issuer where the source's settings name it."""

_NAMED = f"""
SELECT f.*,
    coalesce({moment("written_at")}, {moment("received_at")}) AS time,
    {moment("written_at")} IS NOT NULL AS has_time,
    coalesce(method, '') LIKE '%SecurityTokenService.ExchangeToken' AS is_exchange,
    service = 'iamcredentials.googleapis.com' AND regexp_matches(regexp_extract(method, '[^.]+$'), '{IMPERSONATES}')
        AS impersonates,
    CASE WHEN coalesce(method, '') LIKE '%SecurityTokenService.ExchangeToken' THEN {_EXTERNAL}
         ELSE coalesce(google(subject), google(email)) END AS principal,
    google(coalesce(metadata.mapped_principal, metadata.mappedPrincipal)) AS mapped,
    CASE WHEN coalesce(code, 0) = 0 THEN 'success' WHEN code IN (7, 16) THEN 'denied' ELSE 'failure' END AS status
FROM fields AS f LEFT JOIN issuers AS i ON i.provider = f.resource_name
"""
"""One row a record: when, who, and what became of it."""

_TARGET = """coalesce(google(CASE WHEN contains(labelled, '@') THEN 'serviceAccount:' || labelled END),
    google('serviceAccount:' || account_of(response.name)), google('serviceAccount:' || account_of(request.name)),
    google('serviceAccount:' || account_of(resource_name)))"""

_EVENTS = f"""
SELECT * EXCLUDE (chain_told) REPLACE (
        addressed(resource_name, labelled) AS resource_name,
        list_transform(asked, lambda one: addressed(one, labelled)) AS asked),
    -- Only a service account is acted through; on other callers' entries an empty element says nothing.
    CASE WHEN starts_with(principal, 'gcp:sa/') THEN chain_told ELSE [] END AS chain,
    CASE WHEN starts_with(principal, 'gcp:sa/') AND len(list_filter(chain_told, lambda one: one IS NOT NULL)) > 0
         THEN delegated(chain_told, principal) END AS delegated_uid,
    key_name(key_used, CASE WHEN starts_with(principal, 'gcp:sa/') THEN substr(principal, 8) END) AS key_uid,
    CASE WHEN starts_with(principal, 'gcp:user/')
         THEN {Sql.uid("gcp:oauth", "substr(principal, 10)", "client_id")} END AS oauth_uid,
    {_TARGET} AS target_sa,
    -- The principal of a rejected token (16) and of a failed login was only claimed.
    CASE WHEN principal IS NULL OR code = 16 OR (is_exchange AND status <> 'success')
              OR (service = 'login.googleapis.com' AND method NOT LIKE '%loginSuccess')
         THEN 'asserted' ELSE 'proven' END AS identity_strength,
    CASE WHEN NOT valid THEN 'not a JSON object, as a log entry is'
         WHEN NOT is_audit AND log_name IS NOT NULL AND NOT contains(log_name, 'cloudaudit.googleapis.com')
         THEN 'an entry of another log than the audit logs'
         WHEN NOT is_audit THEN 'the key "protoPayload" is missing or is no object'
         WHEN split_index > 0 THEN 'a later part of an entry that was split; its first part is the action'
         WHEN written_at IS NULL AND received_at IS NULL THEN 'the key "timestamp" is missing or has no text'
         WHEN time IS NULL THEN 'the key "timestamp" is no RFC 3339 time'
         WHEN method IS NULL THEN 'the key "methodName" is missing or has no text' END AS reason,
    valid AND ((NOT is_audit AND log_name IS NOT NULL AND NOT contains(log_name, 'cloudaudit.googleapis.com'))
               OR (is_audit AND coalesce(split_index > 0, false))) AS skipped,
    log_name || ':' || strftime(time, '%Y-%m-%dT%H:%M:%S.%fZ') || ':' || insert_id AS native_id
FROM named
"""
"""One row a record: the action's identity, what it was presented as, and why it is no action."""

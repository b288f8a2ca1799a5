"""Microsoft Entra audit: who changed which application, service principal, user, role or policy of a tenant.

Proves: who made, and who ended, a secret or certificate of an application (its id is the one that sign-ins carry);
which outside issuer and subject a federated credential trusts; who switched a user or service principal off.

Cannot see: reads; the token that a change was made with (stable exports have no token id; `linkableIdentifiers` of the
beta API is read where it is there); the secret itself; which service principal an application of the same tenant
belongs to, where a change names the application alone.

Sources: "directoryAudit resource type" and "linkableIdentifiers resource type" (Microsoft Graph), "Microsoft Entra
audit log activity reference". The text of `KeyDescription`, a JSON list of
`[KeyIdentifier=GUID,KeyType=...,KeyUsage=...,DisplayName=...]`, is in no document; public captures agree on it.

The operation is `activityDisplayName`, dashes and all, without the space that some end in. The display name in a
key's description is its maker's to choose, so only the first `KeyIdentifier` of each entry is read.
"""

from __future__ import annotations

import pyarrow as pa

from pipelines.formats import azure_record, one_batch
from pipelines.formats.azure_record import address, first, moment_of, split
from pipelines.formats.format import GRANTS_OUT, Format, Options, rows
from pipelines.formats.record_sql import once, texts
from pipelines.identifiers import Sql

_SHAPE = {
    **texts(
        "id", "activityDateTime", "activityDisplayName", "operationType", "result", "resultReason", "tenantId",
        "correlationId", "category",
    ),
    "initiatedBy": {
        "user": texts("id", "userPrincipalName", "ipAddress"),
        "app": texts("appId", "servicePrincipalId"),
        "linkableIdentifiers": {**texts("sessionId"), "tokenDetails": texts("uniqueTokenIdentifier")},
    },
    "targetResources": [
        {**texts("id", "type"), "modifiedProperties": [texts("displayName", "oldValue", "newValue")]}
    ],
    "additionalDetails": [texts("key", "value")],
}  # fmt: skip

_REFUSED = r"(?i)authorization_requestdenied|insufficient privileges|access ?denied|unauthori[sz]ed|forbidden"

_FIELDS = f"""
SELECT record_id, valid, category,
    coalesce(e.activityDateTime, time) AS written_at, {moment_of("e.activityDateTime", "time")} AS time,
    {first("e.id")} AS native_id,
    nullif(trim(coalesce(e.activityDisplayName, operation_name)), '') AS activity,
    lower(e.operationType) AS kind, lower(e.result) AS result, nullif(e.resultReason, '') AS failure,
    {first("e.initiatedBy.user.id")} AS user_id, nullif(e.initiatedBy.user.userPrincipalName, '') AS user_name,
    {first("e.initiatedBy.app.servicePrincipalId")} AS sp_id, {first("e.initiatedBy.app.appId")} AS app_id,
    {first("e.initiatedBy.linkableIdentifiers.sessionId")} AS session_id,
    token_guid({first("e.initiatedBy.linkableIdentifiers.tokenDetails.uniqueTokenIdentifier")}) AS token_id,
    coalesce({address("e.initiatedBy.user.ipAddress")}, {address("caller_ip_address")}) AS src_ip,
    nullif(list_filter(coalesce(e.additionalDetails, []), lambda one: one.key = 'User-Agent')[1].value, '')
        AS user_agent,
    list_filter(coalesce(e.targetResources, []), lambda one: one IS NOT NULL) AS targets,
    {first("e.correlationId", "correlation_id")} AS correlation,
    {first("tenant_id", "e.tenantId")} AS tenant
FROM opened
"""

_MADE = """len(list_filter(flatten(list_transform(targets, lambda one: coalesce(one.modifiedProperties, []))),
    lambda one: list_contains(['KeyDescription', 'FederatedIdentityCredentials'], one.displayName)
        AND one.newValue IS DISTINCT FROM one.oldValue AND json_valid(one.newValue)
        AND coalesce(json_array_length(CASE WHEN json_valid(one.newValue) THEN one.newValue END), 0) >= greatest(1,
            coalesce(json_array_length(CASE WHEN json_valid(one.oldValue) THEN one.oldValue END), 0)))) > 0"""
"""Whether a list of secrets or of rules of trust got a new entry."""

_NAMED = """len(list_filter(flatten(list_transform(targets, lambda one: coalesce(one.modifiedProperties, []))),
    lambda one: list_contains(['KeyDescription', 'FederatedIdentityCredentials'], one.displayName))) > 0"""

_SECRETS = "(?i)certificates and secrets management|service principal credentials|federated identity credential"

_EVENTS = f"""
SELECT *,
    CASE WHEN user_id IS NOT NULL THEN {Sql.uid("azure:user", "user_id")}
         WHEN sp_id IS NOT NULL THEN {Sql.uid("azure:sp", "sp_id")}
         WHEN app_id IS NOT NULL THEN {Sql.uid("azure:app", "app_id")}
         ELSE {Sql.uid("azure:user", "lower(user_name)")} END AS principal,
    CASE WHEN result = 'success' THEN 'success'
         WHEN result = 'failure' AND regexp_matches(coalesce(failure, ''), '{_REFUSED}') THEN 'denied'
         WHEN result IN ('failure', 'timeout') THEN 'failure' ELSE 'unknown' END AS status,
    list_filter(list_transform(targets, lambda one: {first("one.id")}), lambda one: one IS NOT NULL) AS touched,
    {_MADE} OR (NOT ({_NAMED}) AND regexp_matches(coalesce(activity, ''), '{_SECRETS}')) AS makes_secrets,
    CASE WHEN NOT valid THEN 'not a JSON object, as an audit record is'
         WHEN category IS NOT NULL AND category <> 'AuditLogs' AND NOT is_api
         THEN 'of another category than the audit logs'
         WHEN written_at IS NULL THEN 'the key "activityDateTime" is missing or has no text'
         WHEN time IS NULL THEN 'the key "activityDateTime" is no RFC 3339 time'
         WHEN activity IS NULL THEN 'the key "activityDisplayName" is missing or has no text' END AS reason,
    coalesce(valid AND category <> 'AuditLogs' AND NOT is_api, false) AS skipped
FROM (SELECT f.*, NOT o.has_properties AND o.e.activityDateTime IS NOT NULL AS is_api
      FROM fields AS f JOIN opened AS o USING (record_id))
"""
"""A row a record. The API's answer has a `category` of its own, by which it is no other kind of record."""

_STEPS = {"fields": _FIELDS, "events": _EVENTS}
_OWN = "list_contains(touched, coalesce(sp_id, user_id))"

_COLUMNS = {
    "time": "time",
    "time_kind": "'logged'",
    "time_precision": "'1us'",
    "class_uid": "CASE WHEN targets[1].type = 'User' THEN 3001 ELSE 6003 END",
    "activity": """CASE WHEN kind IN ('add', 'create', 'assign', 'invite', 'provision') THEN 'Create'
        WHEN kind IN ('delete', 'remove', 'unassign', 'deprovision', 'harddelete', 'softdelete') THEN 'Delete'
        WHEN kind IN ('update', 'set', 'enable', 'disable', 'reset', 'activate', 'restore') THEN 'Update'
        WHEN starts_with(activity, 'Add ') OR starts_with(activity, 'Create ') THEN 'Create'
        WHEN starts_with(activity, 'Delete ') OR starts_with(activity, 'Remove ') THEN 'Delete'
        WHEN starts_with(activity, 'Update ') OR starts_with(activity, 'Set ') THEN 'Update' ELSE 'Other' END""",
    "api_service": "'entra'",
    "api_operation": "activity",
    "principal": "principal",
    "principal_type": """CASE WHEN starts_with(principal, 'azure:user/') THEN 'user'
        WHEN starts_with(principal, 'azure:sp/') THEN 'service_principal'
        WHEN principal IS NOT NULL THEN 'application' END""",
    "credential_uid": Sql.uid("azure:token", "token_id"),
    "credential_type": "CASE WHEN token_id IS NOT NULL THEN 'access_token' END",
    "session_uid": f"CASE WHEN user_id IS NOT NULL THEN {Sql.uid('azure:session', 'session_id')} END",
    "identity_strength": "CASE WHEN principal IS NULL THEN 'asserted' ELSE 'proven' END",
    # A client that changes its own secret acts as it always may; for another it makes one for somebody else.
    "obtains": f"CASE WHEN makes_secrets AND NOT coalesce({_OWN}, false) THEN 'other' END",
    "src_ip": "src_ip",
    "user_agent": "user_agent",
    "status": "status",
    "status_code": "result",
    "error": "CASE WHEN status <> 'success' THEN failure END",
    "resource_type": "nullif(targets[1].type, '')",
    "resource_uid": "touched[1]",
    "resources": f"CASE WHEN len(touched) > 0 THEN {once('touched')} END",
    "account": "tenant",
    "request_uid": "correlation",
}


def actions(records: pa.Table, options: Options) -> pa.Table:  # noqa: ARG001
    """RECORDS_IN to ACTIONS_OUT: one row a record; records of other categories are skipped."""
    return azure_record.actions(records, _SHAPE, _STEPS, _COLUMNS)


_TELLING = "KeyDescription|FederatedIdentityCredentials|[Dd]elete |[Dd]isable |[Rr]emove "
"""Words without which a record can hold no grant."""

_KEYS_OF = "list_distinct(list_transform(list_filter({0}, lambda one: regexp_matches(one, '^\\[KeyIdentifier=[^,\\]]')), lambda one: guid(regexp_extract(one, '^\\[KeyIdentifier=([^,\\]]+)', 1))))"  # noqa: E501
_LISTED = """coalesce(json_transform(CASE WHEN json_valid(property.{0}) THEN property.{0} END, '["VARCHAR"]'), [])"""

_CHANGES = f"""
SELECT *, {_KEYS_OF.format(_LISTED.format("oldValue"))} AS old_keys,
    {_KEYS_OF.format(_LISTED.format("newValue"))} AS new_keys,
    coalesce(json_transform(CASE WHEN json_valid(property.newValue) THEN property.newValue END,
        '[{{"Id":"VARCHAR","Issuer":"VARCHAR","Subject":"VARCHAR"}}]'), []) AS rules,
    coalesce(json_transform(CASE WHEN json_valid(property.oldValue) THEN property.oldValue END,
        '[{{"Id":"VARCHAR","Issuer":"VARCHAR","Subject":"VARCHAR"}}]'), []) AS old_rules
FROM (
    SELECT record_id, time, activity, principal, token_id, session_id, user_id, sp_id, target.id AS target_id,
           CASE WHEN lower(target.type) = 'serviceprincipal' THEN {Sql.uid("azure:sp", first("target.id"))}
                ELSE {Sql.uid("azure:app", "target_app")} END AS target_uid,
           unnest(coalesce(target.modifiedProperties, [])) AS property
    FROM (SELECT *, guid(nullif(regexp_extract(app_text, '^"?([0-9A-Fa-f-]{{36}})"?$', 1), '')) AS target_app
    FROM (SELECT *, list_filter(coalesce(target.modifiedProperties, []),
                                lambda one: one.displayName = 'TargetId.ServicePrincipalNames')[1].newValue AS app_text
          FROM (SELECT *, unnest(targets) AS target FROM events WHERE reason IS NULL AND status = 'success')))
)
"""
"""A row a property that was changed: the keys, or the rules of trust, that it had and has. An application is known by
its own id only where the record also names it as `TargetId.ServicePrincipalNames`."""

_NONE = "CAST(NULL AS VARCHAR)"
_PRESENTED = f"""coalesce({Sql.uid("azure:token", "token_id")},
    CASE WHEN user_id IS NOT NULL THEN {Sql.uid("azure:session", "session_id")} END, principal)"""

_GRANTED = f"""
    WITH changes AS ({_CHANGES}),
    found AS (
        SELECT record_id, 'issue' AS kind, activity AS mechanism, {_PRESENTED} AS parent_uid,
               'azure:key/' || unnest(list_filter(new_keys, lambda one: NOT list_contains(old_keys, one))) AS child_uid,
               target_uid AS principal, {_NONE} AS delegator, {_NONE} AS delegator_strength, time AS issued_at,
               CAST(NULL AS TIMESTAMP) AS expires_at,
               CASE WHEN target_uid = principal THEN 'proven' ELSE 'asserted' END AS strength
        FROM changes WHERE property.displayName = 'KeyDescription'
        UNION ALL
        SELECT record_id, 'revoke', activity, {_NONE},
               'azure:key/' || unnest(list_filter(old_keys, lambda one: NOT list_contains(new_keys, one))),
               target_uid, {_NONE}, {_NONE}, time, NULL, 'proven'
        FROM changes WHERE property.displayName = 'KeyDescription'
        UNION ALL
        -- Entra checks the issuer and subject of each token that is presented under a rule.
        SELECT record_id, 'issue', activity,
               'oidc:subject/' || {Sql.issuer("nullif(rule.Issuer, '')")} || '#' || nullif(rule.Subject, ''),
               {Sql.uid("azure:fic", first("rule.Id"))}, target_uid, {_NONE}, {_NONE}, time, NULL, 'proven'
        FROM (SELECT *, unnest(rules) AS rule FROM changes WHERE property.displayName = 'FederatedIdentityCredentials')
        UNION ALL
        SELECT record_id, 'revoke', activity, {_NONE}, {Sql.uid("azure:fic", first("rule.Id"))}, target_uid,
               {_NONE}, {_NONE}, time, NULL, 'proven'
        FROM (SELECT *, unnest(list_filter(old_rules, lambda old: NOT list_contains(
                  list_transform(rules, lambda one: one.Id), old.Id))) AS rule
              FROM changes WHERE property.displayName = 'FederatedIdentityCredentials')
        UNION ALL
        SELECT record_id, 'revoke', activity, {_NONE},
               CASE WHEN lower(target.type) = 'user'
                         AND lower(activity) IN ('delete user', 'hard delete user', 'disable account')
                    THEN {Sql.uid("azure:user", first("target.id"))}
                    WHEN lower(target.type) = 'serviceprincipal'
                         AND lower(activity) IN ('remove service principal', 'delete service principal',
                             'hard delete service principal', 'disable service principal')
                    THEN {Sql.uid("azure:sp", first("target.id"))} END,
               {_NONE}, {_NONE}, {_NONE}, time, NULL, 'proven'
        FROM (SELECT *, unnest(targets) AS target FROM events WHERE reason IS NULL AND status = 'success')
    )
    SELECT DISTINCT * FROM found
    WHERE child_uid IS NOT NULL AND child_uid IS DISTINCT FROM parent_uid
      AND (kind = 'revoke' OR parent_uid IS NOT NULL)
"""
"""A row a secret or certificate that was made or ended, a rule of trust, and a user or service principal ended."""


def grants(records: pa.Table, options: Options) -> pa.Table:  # noqa: ARG001
    """RECORDS_IN to GRANTS_OUT: secrets made for applications and ended, outside subjects trusted, accounts ended."""
    with one_batch.connect() as connection:
        azure_record.read(connection, records, _SHAPE, _STEPS, telling=_TELLING)
        return rows(connection.execute(_GRANTED).to_arrow_table(), GRANTS_OUT)


FORMAT = Format(
    name="entra_audit",
    category="token",
    observes=frozenset(_COLUMNS),
    id_scope="world",
    split=split,
    actions=actions,
    grants=grants,
    secrets=azure_record.SECRETS,
    realm_option="tenant",
)

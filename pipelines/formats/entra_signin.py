"""Microsoft Entra sign-ins: which token was issued to whom, with which secret, for whom, out of which session.

Proves: each token that was issued (`uniqueTokenIdentifier`, joined to Graph and Azure activity by its id); the secret,
certificate or federated credential that a client signed in with; the Azure resource of a managed identity; the
blueprint of an agent identity; the user on whose behalf a client with a credential of its own signed in.

Cannot see: how long a token lives; calls that a cached token makes later (a managed identity's is used for hours);
which token an on-behalf-of exchange was given; the outside token of a federated credential; aggregated rows of the
portal, which are no records (export the raw ones).

Sources: "signIn resource type" and "agentSignIn resource type" (Microsoft Graph), "Resource log schema" (Azure
Monitor), "Microsoft Entra authentication and authorization error codes", MSIdentityTools for the encodings of a token's
id.

Who signed in. An application that presents a credential of its own is the principal, and a user whom its token names
is the delegator. Where a public client signs a user in, anybody can claim its application id, so the user is the
principal. Service principals and managed identities are `azure:sp/OBJECTID`, applications that act for a user
`azure:app/APPID`: a worker that does both declares both. An agent's own user account (`agentIDuser`) is no person and
so no delegator.

A sign-in that was interrupted (a second factor, consent, the choice of an account) is neither success nor denial: its
status is `unknown`. `correlationId` is the client's to choose and joins nothing.
"""

from __future__ import annotations

import pyarrow as pa

from pipelines.formats import azure_record, one_batch
from pipelines.formats.azure_record import address, first, moment_of, split
from pipelines.formats.format import GRANTS_OUT, Format, Options, rows
from pipelines.formats.record_sql import texts
from pipelines.identifiers import Sql

_SHAPE = {
    **texts(
        "id", "createdDateTime", "uniqueTokenIdentifier", "userId", "servicePrincipalId", "appId",
        "servicePrincipalCredentialKeyId", "federatedCredentialId", "clientCredentialType", "sessionId", "resourceId",
        "ipAddress", "userAgent", "tenantId", "isInteractive",
    ),
    "status": texts("errorCode", "failureReason"),
    "managedServiceIdentity": texts("msiType", "associatedResourceId"),
    "agent": texts("agentType", "parentAppId", "agentSubjectType"),
    "signInEventTypes": ["VARCHAR"],
}  # fmt: skip

_OPERATIONS = {
    "SignInLogs": "UserSignIn",
    "ADFSSignInLogs": "UserSignIn",
    "interactiveUser": "UserSignIn",
    "NonInteractiveUserSignInLogs": "NonInteractiveUserSignIn",
    "nonInteractiveUser": "NonInteractiveUserSignIn",
    "ServicePrincipalSignInLogs": "ServicePrincipalSignIn",
    "servicePrincipal": "ServicePrincipalSignIn",
    "MicrosoftServicePrincipalSignInLogs": "MicrosoftServicePrincipalSignIn",
    "ManagedIdentitySignInLogs": "ManagedIdentitySignIn",
    "managedIdentity": "ManagedIdentitySignIn",
}
"""Categories of the export, and event types of the API, and the operation that they tell of."""


def _operation(text: str) -> str:
    cases = " ".join(f"WHEN '{kind}' THEN '{operation}'" for kind, operation in _OPERATIONS.items())
    return f"CASE {text} {cases} END"


_NO_KIND = "('none', 'notAgentic', 'unknownFutureValue')"
_CREDENTIALS = "('clientSecret', 'clientAssertion', 'federatedIdentityCredential', 'managedIdentity', 'certificate')"

_INTERRUPTED = "^(?:16000|50058|50072|50074|50076|50079|50097|50125|50127|50129|50140|50158|50199|51006|65001)$"
"""Error codes with which Entra asks for more: a second factor, its enrolment, a device, consent, an account."""

_REFUSED = "^(?:50053|50057|50105|65004|7000112|530[0-9]{2,3})$"
"""Error codes of a policy: locked or disabled, not assigned, declined, blocked by conditional access."""

_FIELDS = f"""
SELECT record_id, valid, has_properties, category,
    coalesce({_operation("category")}, CASE WHEN category IS NULL THEN coalesce({_operation("e.signInEventTypes[1]")},
        CASE WHEN {first("e.userId")} IS NOT NULL
             THEN CASE WHEN e.isInteractive = 'false' THEN 'NonInteractiveUserSignIn' ELSE 'UserSignIn' END
             WHEN {first("e.managedServiceIdentity.associatedResourceId")} IS NOT NULL THEN 'ManagedIdentitySignIn'
             WHEN {first("e.servicePrincipalId")} IS NOT NULL THEN 'ServicePrincipalSignIn' END) END) AS operation,
    coalesce(e.createdDateTime, time) AS written_at,
    {moment_of("e.createdDateTime", "time")} AS time,
    {first("e.id")} AS native_id,
    token_guid({first("e.uniqueTokenIdentifier")}) AS token_id,
    {first("e.userId")} AS user_id,
    {first("e.servicePrincipalId")} AS sp_id,
    {first("e.appId")} AS app_id,
    {first("e.servicePrincipalCredentialKeyId")} AS key_id,
    {first("e.federatedCredentialId")} AS fic_id,
    coalesce(e.clientCredentialType IN {_CREDENTIALS}, false) AS presents,
    {first("e.sessionId")} AS session_id,
    {first("e.resourceId")} AS target_id,
    coalesce({address("e.ipAddress")}, {address("caller_ip_address")}) AS src_ip,
    nullif(e.userAgent, '') AS user_agent,
    {first("tenant_id", "e.tenantId")} AS tenant,
    nullif(ltrim(lower(e.managedServiceIdentity.associatedResourceId), '/'), '') AS msi_resource,
    coalesce(e.agent.agentType NOT IN {_NO_KIND} AND e.agent.agentType <> '', false) AS is_agent,
    {first("e.agent.parentAppId")} AS blueprint,
    coalesce(lower(e.agent.agentSubjectType) = 'agentiduser', false) AS is_agents_user,
    coalesce(e.status.errorCode, result_type) AS code,
    nullif(e.status.failureReason, '') AS failure
FROM opened
"""

_EVENTS = f"""
SELECT *,
    CASE WHEN code IN ('0', 'Success', 'Succeeded') THEN 'success'
         WHEN code IS NULL OR regexp_matches(code, '{_INTERRUPTED}') THEN 'unknown'
         WHEN regexp_matches(code, '{_REFUSED}') THEN 'denied'
         ELSE 'failure' END AS status,
    CASE WHEN user_id IS NULL THEN coalesce({Sql.uid("azure:sp", "sp_id")}, {Sql.uid("azure:app", "app_id")})
         WHEN app_id IS NOT NULL AND (presents OR is_agent OR key_id IS NOT NULL OR fic_id IS NOT NULL)
         THEN {Sql.uid("azure:app", "app_id")}
         ELSE {Sql.uid("azure:user", "user_id")} END AS principal,
    coalesce({Sql.uid("azure:key", "key_id")}, {Sql.uid("azure:fic", "fic_id")}) AS presented,
    CASE WHEN NOT valid THEN 'not a JSON object, as a sign-in is'
         WHEN category IS NOT NULL AND operation IS NULL THEN 'of another category than the sign-ins'
         WHEN operation IS NULL
         THEN 'the key "category" is missing, and neither "userId" nor "servicePrincipalId" has an id'
         WHEN written_at IS NULL THEN 'the key "createdDateTime" is missing or has no text'
         WHEN time IS NULL THEN 'the key "createdDateTime" is no RFC 3339 time' END AS reason,
    valid AND category IS NOT NULL AND operation IS NULL AS skipped
FROM fields
"""

_IDENTIFIED = f"""
SELECT *,
    CASE WHEN starts_with(principal, 'azure:user/') THEN {Sql.uid("azure:session", "session_id")} END AS session_uid,
    CASE WHEN starts_with(principal, 'azure:app/') AND NOT is_agents_user
         THEN {Sql.uid("azure:user", "user_id")} END AS delegator,
    CASE WHEN status = 'success' AND principal IS NOT NULL THEN 'proven' ELSE 'asserted' END AS identity_strength
FROM named
"""

_STEPS = {"fields": _FIELDS, "named": _EVENTS, "events": _IDENTIFIED}

_COLUMNS = {
    "time": "time",
    "time_kind": "'start'",
    "time_precision": "'1us'",
    "class_uid": "3002",
    "activity": "'Logon'",
    "api_service": "'entra'",
    "api_operation": "operation",
    "principal": "principal",
    "principal_type": """CASE WHEN starts_with(principal, 'azure:user/') THEN 'user'
        WHEN operation = 'ManagedIdentitySignIn' THEN 'managed_identity' WHEN is_agent THEN 'agent'
        WHEN starts_with(principal, 'azure:app/') THEN 'application'
        WHEN principal IS NOT NULL THEN 'service_principal' END""",
    "credential_uid": "coalesce(presented, session_uid)",
    "credential_type": """CASE WHEN key_id IS NOT NULL THEN 'client_credential'
        WHEN fic_id IS NOT NULL THEN 'federated_credential' WHEN session_uid IS NOT NULL THEN 'session' END""",
    "session_uid": "session_uid",
    "identity_strength": "identity_strength",
    "delegator": "delegator",
    # Entra itself names the user whom a token stands for, once it has issued it.
    "delegator_strength": "CASE WHEN delegator IS NOT NULL THEN identity_strength END",
    "obtains": "'self'",
    "src_ip": "src_ip",
    "user_agent": "user_agent",
    "status": "status",
    "status_code": "code",
    "error": "CASE WHEN status <> 'success' THEN failure END",
    "resource_type": "CASE WHEN target_id IS NOT NULL THEN 'application' END",
    "resource_uid": "target_id",
    "resources": "CASE WHEN target_id IS NOT NULL THEN [target_id] END",
    "account": "tenant",
    "request_uid": "native_id",
    "supervised": """CASE WHEN operation = 'UserSignIn' AND starts_with(principal, 'azure:user/') THEN 'attended'
        WHEN operation IN ('ServicePrincipalSignIn', 'ManagedIdentitySignIn', 'MicrosoftServicePrincipalSignIn')
        THEN 'unattended' END""",
}


def actions(records: pa.Table, options: Options) -> pa.Table:  # noqa: ARG001
    """RECORDS_IN to ACTIONS_OUT: one row a record; records of other categories are skipped."""
    return azure_record.actions(records, _SHAPE, _STEPS, _COLUMNS)


_GRANTED = f"""
    WITH worked AS (SELECT * FROM events WHERE reason IS NULL AND status = 'success' AND principal IS NOT NULL),
    found AS (
        SELECT record_id, 'issue' AS kind, operation AS mechanism,
               -- A managed identity's key belongs to the platform: what it is attached to says more.
               CASE WHEN is_agent AND blueprint IS NOT NULL THEN {Sql.uid("azure:app", "blueprint")}
                    WHEN operation = 'ManagedIdentitySignIn' AND msi_resource IS NOT NULL
                    THEN {Sql.uid("azure:resource", "msi_resource")}
                    ELSE coalesce(presented, session_uid, principal) END AS parent_uid,
               {Sql.uid("azure:token", "token_id")} AS child_uid, principal, delegator,
               CASE WHEN delegator IS NOT NULL THEN 'proven' END AS delegator_strength,
               time AS issued_at, CAST(NULL AS TIMESTAMP) AS expires_at, 'proven' AS strength
        FROM worked
        UNION ALL
        SELECT record_id, 'issue', operation, principal, session_uid, principal, NULL, NULL, time, NULL, 'proven'
        FROM worked WHERE operation = 'UserSignIn'
    )
    SELECT * FROM found WHERE child_uid IS NOT NULL AND child_uid IS DISTINCT FROM parent_uid
"""
"""A row a token that was issued, and a row a session that an interactive sign-in began."""


def grants(records: pa.Table, options: Options) -> pa.Table:  # noqa: ARG001
    """RECORDS_IN to GRANTS_OUT: the tokens that successful sign-ins issued, and the sessions that they began."""
    with one_batch.connect() as connection:
        azure_record.read(connection, records, _SHAPE, _STEPS)
        return rows(connection.execute(_GRANTED).to_arrow_table(), GRANTS_OUT)


FORMAT = Format(
    name="entra_signin",
    category="token",
    observes=frozenset(_COLUMNS),
    id_scope="world",
    split=split,
    actions=actions,
    grants=grants,
    secrets=azure_record.SECRETS,
    realm_option="tenant",
)

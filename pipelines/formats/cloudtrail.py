"""AWS CloudTrail: who called which AWS operation on which resource, and which credentials STS and IAM issued.

Proves: which access key or session made each call and which role, user, service or function it stands for; that a
call issued a key or session (the key id is in the response of AssumeRole and its kin, GetSessionToken,
GetFederationToken, CreateAccessKey, CreateSession, CreateTokenWithIAM), and that one was ended; the person for whom
Identity Center lets a caller act; of an AgentCore gateway with token authentication the token (issuer and `jti`), its
client, its subject and the tool.

Cannot see: data events unless the trail asks for them (objects, tables, functions, AgentCore); the request and the
response of calls that AWS cut or hid; which key an Identity Center sign-in, a console session or a call that a service
makes for its caller belongs to; the token behind AssumeRoleWithWebIdentity; anything that AWS delivers late or not at
all, and bytes but for S3.

Sources: AWS CloudTrail User Guide, "CloudTrail record contents"; IAM User Guide, "Logging IAM and AWS STS API calls
with AWS CloudTrail"; Bedrock AgentCore Developer Guide, "Understanding Amazon Bedrock AgentCore Gateway CloudTrail
events"; the containers' own documents (`aws_containers`). Reading is in `cloudtrail_record`, gateways in
`cloudtrail_gateway`, resources in `cloudtrail_resources`, grants in `cloudtrail_grants`.

Times: `eventTime` is when the request ended, to the second. Classes: OCSF 3002 (Authentication) for the
sign-in pages' events, where somebody proves who he is; 6003 (API Activity) for all else, STS too, whose
caller is authenticated already and acts on a role.

`obtains` is `self` for STS, sign-in and token operations that hand the caller a credential; `other` where
IAM makes a key or password for a user other than the caller. A key for one's own user is neither: it is
an ordinary action and judged by scope, since otherwise a worker could give itself a key that never ends.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

import pyarrow as pa

from pipelines.formats import aws_containers, cloudtrail_grants
from pipelines.formats.cloudtrail_gateway import events
from pipelines.formats.cloudtrail_record import query
from pipelines.formats.cloudtrail_resources import RESOURCES
from pipelines.formats.format import Format, Options, Secret, Split, action_rows

_OBTAINS_SELF: dict[str, tuple[str, ...]] = {
    "sts": (
        "AssumeRole", "AssumeRoleWithSAML", "AssumeRoleWithWebIdentity", "AssumeRoot", "GetSessionToken",
        "GetFederationToken",
    ),
    "eks-auth": ("AssumeRoleForPodIdentity",),
    "rolesanywhere": ("CreateSession",),
    "s3express": ("CreateSession",),
    "s3": ("CreateSession",),
    "sso": ("GetRoleCredentials", "CreateToken", "CreateTokenWithIAM", "Federate"),
    "sso-oauth": ("CreateToken", "CreateTokenWithIAM"),
    "signin": ("ConsoleLogin", "SwitchRole", "GetSigninToken", "AuthorizeOAuth2Access", "CreateOAuth2Token"),
    "cognito-identity": ("GetCredentialsForIdentity", "GetOpenIdToken"),
    "bedrock-agentcore": (
        "GetWorkloadAccessToken", "GetWorkloadAccessTokenForJWT", "GetWorkloadAccessTokenForUserId",
        "GetResourceOauth2Token",
    ),
}  # fmt: skip

_OBTAINS_OTHER = (
    "CreateAccessKey", "CreateLoginProfile", "UpdateLoginProfile", "CreateServiceSpecificCredential",
    "ResetServiceSpecificCredential", "UploadSSHPublicKey", "UploadSigningCertificate",
)  # fmt: skip

_VERBS = {
    "Read": "Get|List|Describe|Head|Lookup|Search|Select|Query|Scan|BatchGet|Download|View|Check",
    "Create": "Create|Run|Allocate|Import|Copy|Register|Generate|Upload",
    "Delete": "Delete|Terminate|Remove|Deregister|Release|BatchDelete",
    "Update": "Put|Update|Modify|Attach|Detach|Set|Add|Tag|Untag|Associate|Disassociate|Enable|Disable|Authorize"
    "|Revoke|Start|Stop|Restore|Reset|BatchWrite",
}
"""OCSF activities of API Activity, by the verb that an operation begins with."""


def _obtains() -> str:
    """SQL: `self`, `other` or null (see the module)."""
    own = [f"'{service}:{operation}'" for service, operations in _OBTAINS_SELF.items() for operation in operations]
    other = [f"'iam:{operation}'" for operation in _OBTAINS_OTHER]
    called = "split_part(event_source, '.', 1) || ':' || event_name"
    return f"""CASE WHEN list_contains([{", ".join(own)}], {called}) THEN 'self'
        WHEN list_contains([{", ".join(other)}], {called}) AND NOT is_own_user AND target_user_arn IS NOT NULL
        THEN 'other' END"""


def _activity() -> str:
    """SQL: the OCSF activity's name."""
    verbs = " ".join(
        f"WHEN regexp_matches(event_name, '^({verbs})([A-Z]|$)') THEN '{name}'" for name, verbs in _VERBS.items()
    )
    return f"""CASE WHEN event_type = 'AwsConsoleSignIn' THEN 'Logon' {verbs}
        WHEN read_only = 'true' AND NOT starts_with(event_name, 'Assume') THEN 'Read' ELSE 'Other' END"""


_COLUMNS = {
    "native_id": "event_id",
    "time": "time",
    "time_kind": "'end'",
    "time_precision": "'1s'",
    "class_uid": "CASE WHEN event_type = 'AwsConsoleSignIn' OR event_name = 'ConsoleLogin' THEN 3002 ELSE 6003 END",
    "activity": _activity(),
    "api_service": "event_source",
    "api_operation": "event_name",
    "principal": "principal",
    "principal_type": "principal_type",
    "credential_uid": "credential_uid",
    "credential_type": "credential_type",
    "session_uid": "session_uid",
    "identity_strength": "identity_strength",
    "session_name": "session_name",
    "delegator": "delegator",
    "delegator_strength": "delegator_strength",
    "obtains": _obtains(),
    "src_ip": "source_ip",
    # S3 writes the client's user agent in brackets.
    "user_agent": "CASE WHEN user_agent[1] = '[' AND user_agent[-1] = ']' THEN user_agent[2:-2] ELSE user_agent END",
    "status": "status",
    "status_code": "coalesce(error_code, CASE WHEN http_status >= 400 THEN CAST(http_status AS VARCHAR) END)",
    "error": "coalesce(error_message, known(response.errorMessage))",
    # S3 counts from its own side: what went in was sent by the caller.
    "bytes_out": "try_cast(try_cast(extra.bytesTransferredIn AS DOUBLE) AS BIGINT)",
    "bytes_in": "try_cast(try_cast(extra.bytesTransferredOut AS DOUBLE) AS BIGINT)",
    "resource_type": "main.kind",
    "resource_uid": "main.arn",
    "resources": "resources",
    "account": "account",
    "region": "region",
    "request_uid": "request_id",
    "twin_uid": "'cloudtrail:shared:' || shared_event_id",
    "twin_rank": "CASE WHEN shared_event_id IS NOT NULL THEN CAST(coalesce(identity_type = 'AWSAccount', false)"
    " AS BIGINT) END",
    "tool": "tool",
    # A service that signs in for the console's pages is still a person at work.
    "supervised": """CASE WHEN from_console = 'true' OR event_name = 'ConsoleLogin' THEN 'attended'
        WHEN invoked_by IS NOT NULL AND invoked_by <> 'signin.amazonaws.com' THEN 'unattended' END""",
    # What is too large is replaced by {"omitted": true, ...}; of calls that failed the request is often not written.
    "request_cut": "coalesce(request.omitted = 'true', false) OR (request IS NULL AND status <> 'success')",
}
"""Every action column that this format fills, as SQL over `cloudtrail_record`'s fields and the resources."""


_OUTCOME = """CASE WHEN reason IS NULL THEN 'action'
    WHEN valid AND event_name IS NULL AND (is_digest OR is_insight OR is_control) THEN 'skipped' ELSE 'error' END"""

_PLAIN = b'{"eventVersion":'


def split(stream: BinaryIO, at_rest: bool, options: Options) -> Iterator[Split]:  # noqa: ARG001
    """The records of `{"Records": [...]}`, of a bare array, of one JSON value a line, out of any container."""
    return aws_containers.split(stream, at_rest, _PLAIN)


def actions(records: pa.Table, options: Options) -> pa.Table:  # noqa: ARG001
    """RECORDS_IN to ACTIONS_OUT: one row a record; digest files, Insights and control messages are skipped."""
    columns = ", ".join(f"CASE WHEN reason IS NULL THEN {sql} END AS {name}" for name, sql in _COLUMNS.items())
    found = query(
        records,
        f"SELECT record_id, {_OUTCOME} AS outcome, reason, {columns} FROM touching",
        {**events(records), **RESOURCES},
    )
    return action_rows(found)


def grants(records: pa.Table, options: Options) -> pa.Table:  # noqa: ARG001
    """RECORDS_IN to GRANTS_OUT: see `cloudtrail_grants`."""
    return cloudtrail_grants.grants(records)


_NAMES_OF_SECRETS = (
    "sessionToken|secretAccessKey|password|oldPassword|newPassword|masterUserPassword|masterPassword|adminPassword"
    "|secretString|secretBinary|secretValue|clientSecret|client_secret|accessToken|access_token|refreshToken"
    "|refresh_token|idToken|id_token|authToken|authorizationToken|webIdentityToken|sAMLAssertion|assertion"
    "|subjectToken|actorToken|privateKey|keyMaterial|privateKeyMaterial|serviceSpecificCredentialPassword"
    "|servicePassword|plaintext|userData|tokenCode|authenticationCode[12]|signinToken"
    "|x-amz-security-token|x-amz-signature|authorization"
)

SECRETS = (
    # "sessionToken": "..."
    Secret(rf'(?i)"(?:{_NAMES_OF_SECRETS})"\s*:\s*"((?:[^"\\]|\\.)+)"'),
    # The same inside a record that is itself a JSON string (LookupEvents, CloudWatch Logs).
    Secret(rf'(?i)\\"(?:{_NAMES_OF_SECRETS})\\"\s*:\s*\\"((?:[^"\\]|\\\\(?:\\"|\\\\|[^"\\]))+)\\"'),
    # Presigned URLs and sign-in links, wherever a URL stands.
    Secret(r"""(?i)(?:X-Amz-Security-Token|X-Amz-Signature|[?&]Signature|SigninToken)=([^&"'\\\s<>]+)"""),
    # An Authorization header that was written down.
    Secret(r"(?i)\bBearer\s+([A-Za-z0-9._~+/=-]{16,})"),
    Secret(r"\b(eyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]+)"),
)

FORMAT = Format(
    name="cloudtrail",
    category="cloud",
    observes=frozenset(_COLUMNS) - {"native_id"},
    id_scope="world",
    split=split,
    actions=actions,
    grants=grants,
    secrets=SECRETS,
)

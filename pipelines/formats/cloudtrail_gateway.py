"""What CloudTrail tells of calls to a Bedrock AgentCore gateway: whose token was presented, and which tool it called.

Source: Bedrock AgentCore Developer Guide, "Understanding Amazon Bedrock AgentCore Gateway CloudTrail events"
(`InvokeGateway`, `InvokeMcp` during the preview). A gateway with token authentication calls its caller `anonymous` in
`userIdentity`; who that is stands in `additionalEventData.jwt.claims`, which the gateway writes once it has checked the
token (none stands there where it refused it). Claims have their HTML entities escaped, contents are `REDACTED`.

Who acts is the client that the token was given to (RFC 9068 `client_id`, OpenID Connect `azp`, Okta `cid`), and the
token's subject is the person for whom; where the claims name no client, or the subject is the client itself, there is
nobody else. Okta's clients take the org's host as their issuer, and only Okta writes `cid`. The tool's name is what the
caller asked for. The gateway's own calls behind it are records of their own, which no credential joins to this one:
`downstreamRequestIds` holds their request ids.
"""

from __future__ import annotations

import json
from typing import Any

import polars as pl
import pyarrow as pa

from pipelines.identifiers import Sql

_READ: dict[str, Any] = {
    "requestParameters": {"body": {"method": "VARCHAR", "params": {"name": "VARCHAR"}}},
    "responseElements": {"body": {"result": {"isError": "VARCHAR"}}},
    "additionalEventData": {
        "jwt": {"claims": dict.fromkeys(("iss", "sub", "jti", "client_id", "azp", "cid"), "VARCHAR")}
    },
}
"""The parts that only a gateway's records have: they are read apart, since hardly a record is one."""

CLAIM = """claim(v) AS CASE WHEN contains(v, '&')
    THEN replace(replace(replace(replace(replace(replace(id(v), '&lt;', '<'), '&gt;', '>'), '&quot;', '"'),
                 '&#39;', ''''), '&#x27;', ''''), '&amp;', '&')
    ELSE id(v) END"""
"""A macro: a claim's text with its HTML entities undone, the ampersand last."""

_GATEWAY = f"""
SELECT *, TRY(from_json(
    CASE WHEN event_source = 'bedrock-agentcore.amazonaws.com' AND event_name IN ('InvokeGateway', 'InvokeMcp')
         THEN text END, '{json.dumps(_READ)}')) AS g
FROM callers
"""
"""One row a record, and of a gateway's its own parts as a structure."""

_ISSUER = Sql.issuer("issuer")
_CLIENT = f"""coalesce('oauth:client/' || split_part({_ISSUER}, '/', 1) || '#' || okta_client,
    {Sql.uid("oauth:client", f"({_ISSUER} || '#' || other_client)")})"""
_SUBJECT = Sql.uid("oidc:subject", f"({_ISSUER} || '#' || token_subject)")

_EVENTS = f"""
SELECT * REPLACE (
        coalesce(client, subject, principal) AS principal,
        CASE WHEN client IS NOT NULL THEN 'client' WHEN subject IS NOT NULL THEN 'subject' ELSE principal_type END
            AS principal_type,
        coalesce(token_uid, credential_uid) AS credential_uid,
        CASE WHEN token_uid IS NOT NULL THEN 'oauth_token' ELSE credential_type END AS credential_type,
        coalesce(person, delegator) AS delegator,
        -- The gateway has checked the issuer's signature over the subject.
        CASE WHEN person IS NOT NULL THEN 'proven' ELSE delegator_strength END AS delegator_strength,
        CASE WHEN coalesce(client, subject) IS NOT NULL THEN 'proven' ELSE identity_strength END AS identity_strength,
        CASE WHEN went_wrong = 'true' AND status = 'success' THEN 'failure' ELSE status END AS status)
FROM (
    SELECT *, {_CLIENT} AS client, {_SUBJECT} AS subject,
        {Sql.uid("oauth:token", f"({_ISSUER} || '#' || token_id)")} AS token_uid,
        CASE WHEN coalesce(okta_client, other_client) <> token_subject
             THEN coalesce(mail(token_subject), {_SUBJECT}) END AS person
    FROM (
        SELECT *,
            CASE WHEN account_id = 'anonymous' AND http_status IS DISTINCT FROM 401
                 THEN claim(g.additionalEventData.jwt.claims.iss) END AS issuer,
            claim(g.additionalEventData.jwt.claims.sub) AS token_subject,
            claim(g.additionalEventData.jwt.claims.jti) AS token_id,
            claim(g.additionalEventData.jwt.claims.cid) AS okta_client,
            coalesce(claim(g.additionalEventData.jwt.claims.client_id), claim(g.additionalEventData.jwt.claims.azp))
                AS other_client,
            CASE WHEN known(g.requestParameters.body.method) = 'tools/call'
                 THEN known(g.requestParameters.body.params.name) END AS tool,
            known(g.responseElements.body.result.isError) AS went_wrong
        FROM gateway
    )
)
"""
"""One row a record: who acted, a caller of a gateway by the token that it presented."""

_NONE = "SELECT *, CAST(NULL AS VARCHAR) AS tool FROM callers"


def events(records: pa.Table) -> dict[str, str]:
    """The steps from `callers` to `events` for these records (RECORDS_IN): where none is a gateway's, there is no more
    to read.
    """
    if pl.Series(records["raw"]).str.contains("bedrock-agentcore", literal=True).any():
        return {"gateway": _GATEWAY, "events": _EVENTS}
    return {"events": _NONE}

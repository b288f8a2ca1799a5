"""How temporary credentials come about in AWS: each function gives the issuing calls and the session issued.

Source: "Logging IAM and AWS STS API calls with AWS CloudTrail" (AWS documentation): what the request and
response of each form of AssumeRole hold, and that both accounts get a copy of a cross-account one.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from pipelines.worlds.demo.aws_api import REGION
from pipelines.worlds.demo.chance import Chance
from pipelines.worlds.demo.clock import HOUR, SECOND, date_of
from pipelines.worlds.demo.estate import MAIN, provider_arn
from pipelines.worlds.demo.events import AwsCall, Caller, Json, Label, Role, Scene, Wire

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


@dataclass(frozen=True)
class Session:
    """A session of a role, and when its credentials end."""

    caller: Caller
    expires_at: int


@dataclass(frozen=True)
class Proof:
    """A token of another issuer that is exchanged for a session."""

    issuer: str
    subject: str
    audience: str


def written(at: int, comma: str = ",") -> str:
    """`Mar 2, 2026, 3:10:00 PM`, as STS writes an expiration; IAM writes it without the second comma."""
    date = date_of(at)
    half = "AM" if date.hour < 12 else "PM"
    return f"{_MONTHS[date.month - 1]} {date.day}, {date.year}{comma} {date.hour % 12 or 12}:{date:%M:%S} {half}"


def _issued(scene: Scene, role: Role, name: str, source_identity: str | None) -> tuple[Session, Json]:
    whole = scene.at // SECOND * SECOND
    key = scene.chance.aws_id("ASIA")
    arn = f"arn:aws:sts::{role.account}:assumed-role/{role.name}/{name}"
    identity = f"{role.unique_id}:{name}"
    caller = Caller(
        "AssumedRole", role.account, identity, arn, key, role=role, created_at=whole, source_identity=source_identity
    )
    response: Json = {
        "credentials": {
            "accessKeyId": key,
            "sessionToken": scene.chance.base64(90),
            "expiration": written(whole + HOUR),
        },
        "assumedRoleUser": {"assumedRoleId": identity, "arn": arn},
    }
    if source_identity:
        response["sourceIdentity"] = source_identity
    return Session(caller, whole + HOUR), response


def _call(scene: Scene, api: str, caller: Caller, account: str) -> AwsCall:
    return AwsCall(
        at=scene.at,
        caller=caller,
        api=api,
        event_id=scene.chance.uuid(),
        request_id=scene.chance.uuid(),
        region=REGION,
        account=account,
        address=scene.wire.address,
        agent=scene.wire.agent,
        label=scene.label,
        extra={"RequestDetails": {"endpointType": "regional", "awsServingRegion": REGION}},
    )


def web_identity(
    scene: Scene, role: Role, name: str, proof: Proof, source_identity: str | None = None
) -> tuple[AwsCall, Session]:
    """A role taken on with a token of an OIDC issuer."""
    provider = provider_arn(proof.issuer)
    session, response = _issued(scene, role, name, source_identity)
    session = Session(replace(session.caller, provider=provider), session.expires_at)
    caller = Caller(
        "WebIdentityUser",
        MAIN,
        f"{provider}:{proof.audience}:{proof.subject}",
        user_name=proof.subject,
        provider=provider,
    )
    call = _call(scene, "sts:AssumeRoleWithWebIdentity", caller, role.account)
    call.request = {"roleArn": role.arn, "roleSessionName": name, "durationSeconds": 3600}
    call.response = response | {
        "subjectFromWebIdentityToken": proof.subject,
        "provider": provider,
        "audience": proof.audience,
        "packedPolicySize": 0,
    }
    call.extra["identityProviderConnectionVerificationMethod"] = "IAMTrustStore"
    return call, session


def assume(scene: Scene, caller: Caller, role: Role, name: str) -> tuple[list[AwsCall], Session]:
    """A role taken on with other AWS credentials; across accounts the role's owner gets a copy of the record."""
    session, response = _issued(scene, role, name, caller.source_identity)
    call = _call(scene, "sts:AssumeRole", caller, caller.account)
    call.resource = role.arn
    call.request = {"roleArn": role.arn, "roleSessionName": name, "durationSeconds": 3600}
    call.response = response
    if role.account == caller.account:
        return [call], session
    call.shared_id = scene.chance.uuid()
    stranger = Caller("AWSAccount", caller.account, caller.principal_id)
    copy = replace(call, caller=stranger, account=role.account, event_id=scene.chance.uuid())
    return [call, copy], session


def by_service(at: int, service: str, role: Role, name: str, chance: Chance) -> tuple[AwsCall, Session]:
    """A role that a service takes on for what runs in it (an instance, a function)."""
    host = f"{service}.amazonaws.com"
    scene = Scene(at, Wire(host, host), Label(), chance)
    session, response = _issued(scene, role, name, None)
    call = _call(scene, "sts:AssumeRole", Caller("AWSService", role.account, invoked_by=host), role.account)
    call.resource = role.arn
    call.request = {"roleArn": role.arn, "roleSessionName": name}
    call.response = response
    call.shared_id = chance.uuid()
    call.extra = {}
    if service == "ec2":
        # The records of instance roles have no assumedRoleUser.
        del response["assumedRoleUser"]
        session = Session(replace(session.caller, ec2_delivery=True), session.expires_at)
    return call, session

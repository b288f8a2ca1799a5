"""Calls written as AWS CloudTrail writes them: gzipped objects below the trail's prefix in its bucket.

Source: "CloudTrail record contents", "CloudTrail userIdentity element" and "Finding your CloudTrail log
files" of the AWS documentation, record version 1.11.
"""

from __future__ import annotations

import gzip
from collections import defaultdict
from pathlib import Path

import msgspec

from pipelines.worlds.demo.aws_api import APIS, REGION, endpoint, resources_of, service_host
from pipelines.worlds.demo.chance import Chance
from pipelines.worlds.demo.clock import HOUR, MINUTE, date_of
from pipelines.worlds.demo.estate import MAIN
from pipelines.worlds.demo.events import AwsCall, Caller, Json
from pipelines.worlds.demo.truth import Written

_TLS = {"tlsVersion": "TLSv1.3", "cipherSuite": "TLS_AES_128_GCM_SHA256"}
_STEP = 3 * HOUR


def _moment(at: int) -> str:
    return f"{date_of(at):%Y-%m-%dT%H:%M:%SZ}"


def _session_context(caller: Caller) -> Json:
    context: Json = {}
    if caller.role:
        context["sessionIssuer"] = {
            "type": "Role",
            "principalId": caller.role.unique_id,
            "arn": caller.role.arn,
            "accountId": caller.role.account,
            "userName": caller.role.name,
        }
    if caller.provider:
        context["webIdFederationData"] = {"federatedProvider": caller.provider, "attributes": {}}
    context["attributes"] = {
        "creationDate": _moment(caller.created_at or 0),
        "mfaAuthenticated": "true" if caller.mfa else "false",
    }
    if caller.source_identity:
        context["sourceIdentity"] = caller.source_identity
    if caller.ec2_delivery:
        context["ec2RoleDelivery"] = "2.0"
    return context


def user_identity(caller: Caller) -> Json:
    """`userIdentity` of the record; what does not apply to the caller's type is absent."""
    if caller.kind == "AWSService":
        return {"type": caller.kind, "invokedBy": caller.invoked_by}
    if caller.kind == "WebIdentityUser":
        return {
            "type": caller.kind,
            "principalId": caller.principal_id,
            "userName": caller.user_name,
            "identityProvider": caller.provider,
        }
    pairs = {
        "type": caller.kind,
        "principalId": caller.principal_id,
        "arn": caller.arn,
        "accountId": caller.account,
        "accessKeyId": caller.key,
        "userName": caller.user_name,
        "sessionContext": _session_context(caller) if caller.created_at is not None else None,
        "invokedBy": caller.invoked_by,
    }
    return {name: value for name, value in pairs.items() if value is not None}


def _additional(call: AwsCall, chance: Chance) -> Json | None:
    if not call.api.startswith("s3:"):
        return call.extra or None
    return call.extra | {
        "SignatureVersion": "SigV4",
        "CipherSuite": _TLS["cipherSuite"],
        "bytesTransferredIn": float(call.bytes_out) if call.bytes_out % 7 == 3 else call.bytes_out,
        "bytesTransferredOut": call.bytes_in,
        "AuthenticationMethod": "AuthHeader",
        "x-amz-id-2": chance.base64(56),
    }


def record(call: AwsCall, chance: Chance) -> Json:
    """One record."""
    service, _, operation = call.api.partition(":")
    api = APIS[call.api]
    owner = call.resource.split(":")[4] if call.resource and call.resource.count(":") >= 5 else ""
    body: Json = {
        "eventVersion": "1.11",
        "userIdentity": user_identity(call.caller),
        "eventTime": _moment(call.at),
        "eventSource": service_host(service),
        "eventName": operation,
        "awsRegion": call.region,
        "sourceIPAddress": call.address,
        "userAgent": f"[{call.agent}]" if service == "s3" else call.agent,
    }
    if call.error:
        body |= {"errorCode": call.error[0], "errorMessage": call.error[1]}
    body["requestParameters"] = call.request
    body["responseElements"] = call.response
    additional = _additional(call, chance)
    if additional:
        body["additionalEventData"] = additional
    body |= {"requestID": call.request_id, "eventID": call.event_id, "readOnly": api.read_only}
    resources = _role_taken_on(call) or resources_of(call.api, call.resource, owner or call.account)
    if resources:
        body["resources"] = resources
    body["eventType"] = "AwsConsoleSignIn" if service == "signin" else "AwsApiCall"
    if api.version:
        body["apiVersion"] = api.version
    body |= {"managementEvent": not api.data, "recipientAccountId": call.account}
    if call.shared_id:
        body["sharedEventID"] = call.shared_id
    body["eventCategory"] = "Data" if api.data else "Management"
    if not call.caller.invoked_by:
        body["tlsDetails"] = {**_TLS, "clientProvidedHostHeader": endpoint(call.api, call.resource, call.region)}
    if call.caller.console:
        body["sessionCredentialFromConsole"] = "true"
    return body


def _role_taken_on(call: AwsCall) -> list[Json] | None:
    """STS lists the role that is taken on among the resources."""
    if not call.api.startswith("sts:AssumeRole") or not call.request:
        return None
    arn = call.request["roleArn"]
    return [{"accountId": arn.split(":")[4], "type": "AWS::IAM::Role", "ARN": arn}]


def write(folder: Path, root: Path, calls: list[AwsCall], chance: Chance, step: int = _STEP) -> list[Written]:
    """Write one trail's objects below `folder`.

    Each object holds `step` milliseconds of one account and region, in no order, and is named by the
    time at which it was delivered. Returns where each call went, paths relative to `root`.
    """
    heaps: dict[tuple[str, str, int], list[AwsCall]] = defaultdict(list)
    for call in sorted(calls, key=lambda call: (call.at, call.event_id)):
        heaps[call.account, call.region, call.at // step].append(call)
    written = []
    for (account, region, window), heap in sorted(heaps.items()):
        draws = chance.branch(f"{account}/{region}/{window}")
        delivered = date_of(heap[-1].at + draws.between(3, 8) * MINUTE)
        stamp = f"{delivered:%Y%m%dT}{delivered.hour:02}{delivered.minute // 5 * 5:02}Z"
        path = (
            folder / "AWSLogs" / account / "CloudTrail" / region / f"{delivered:%Y/%m/%d}"
            / f"{account}_CloudTrail_{region}_{stamp}_{draws.base62(16)}.json.gz"
        )  # fmt: skip
        order = draws.shuffled(heap)
        # A record's own draws hang on its id alone, so that every trail writes the same text of it.
        records = [record(call, Chance(chance.seed, call.event_id)) for call in order]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(gzip.compress(msgspec.json.encode({"Records": records}), 6, mtime=0))
        relative = path.relative_to(root).as_posix()
        written += [
            Written("cloudtrail", relative, ordinal, call.event_id, call.at, call.label)
            for ordinal, call in enumerate(order)
        ]
    return written


def on_second_trail(call: AwsCall, until: int) -> bool:
    """The second trail keeps the management events of the main account's own region, while it runs."""
    return call.account == MAIN and call.region == REGION and not APIS[call.api].data and call.at < until

"""AWS calls as CloudTrail writes them: gzipped objects of `{"Records":[...]}` in a trail's bucket.

Sources: "CloudTrail record contents", "CloudTrail userIdentity element", "Finding your CloudTrail log files" (AWS
documentation, record version 1.11). `eventTime` is when the service had answered, in whole seconds.
"""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from pipelines.worlds.emit.emitter import Emitter
from pipelines.worlds.emit.json_text import array, constant, moment, obj, pair, text, when
from pipelines.worlds.estate import Estate

MAIN, SECOND = "", "audit"
"""The trail of all accounts, and a second one that keeps some of the same events in a folder of its own."""

_TLS = ('"tlsVersion":"TLSv1.3"', '"cipherSuite":"TLS_AES_128_GCM_SHA256"')
_EVENT_SOURCES = {"cloudwatch": "monitoring"}
_LISTED = {
    "dynamodb": "AWS::DynamoDB::Table",
    "sqs": "AWS::SQS::Queue",
    "sns": "AWS::SNS::Topic",
    "kms": "AWS::KMS::Key",
    "kinesis": "AWS::Kinesis::Stream",
    "ecr": "AWS::ECR::Repository",
    "sts": "AWS::IAM::Role",
}
"""Services whose records list their main resource, and its type; others name it in the request alone."""

_VERSIONS = {
    "dynamodb": "2012-08-10",
    "sts": "2011-06-15",
    "iam": "2010-05-08",
    "cloudformation": "2010-05-15",
    "ec2": "2016-11-15",
}
"""`apiVersion` of the services that write one."""


def _by_service(table: Mapping[str, str], otherwise: str = "NULL") -> str:
    cases = " ".join(f"WHEN '{service}' THEN '{value}'" for service, value in table.items())
    return f"CASE service {cases} ELSE {otherwise} END"


def _host() -> str:
    """The host that a client connects to."""
    bucket = r"regexp_extract(resource, '^arn:aws:s3:::([^/]+)', 1)"
    return f"""CASE
        WHEN service = 's3' AND {bucket} <> '' THEN {bucket} || '.s3.' || region || '.amazonaws.com'
        WHEN service IN ('iam', 'cloudfront') THEN service || '.amazonaws.com'
        WHEN service = 'bedrock' AND operation LIKE 'Invoke%' THEN 'bedrock-runtime.' || region || '.amazonaws.com'
        WHEN service = 'ecr' THEN 'api.ecr.' || region || '.amazonaws.com'
        ELSE service || '.' || region || '.amazonaws.com' END"""


def _session_context() -> str:
    issuer = obj(
        text("type", when("identity_type = 'FederatedUser'", "'IAMUser'", "'Role'")),
        text("principalId", "issuer_id"),
        text("arn", "issuer_arn"),
        text("accountId", "split_part(issuer_arn, ':', 5)"),
        text("userName", "regexp_extract(issuer_arn, '[^/]+$')"),
    )
    federation = obj(text("federatedProvider", "provider"), constant("attributes", "{}"))
    attributes = obj(
        text("creationDate", moment("session_created")),
        text("mfaAuthenticated", when("coalesce(mfa, false)", "'true'", "'false'")),
    )
    return obj(
        pair("sessionIssuer", when("issuer_arn IS NOT NULL", issuer)),
        pair("webIdFederationData", when("provider IS NOT NULL", federation)),
        pair("attributes", attributes),
        text("sourceIdentity", "source_identity"),
    )


def _user_identity() -> str:
    """`userIdentity`; what does not apply to the caller's type is absent."""
    federated = "identity_type IN ('WebIdentityUser', 'SAMLUser')"
    service = "identity_type = 'AWSService'"
    return obj(
        text("type", "identity_type"),
        text("principalId", when(f"NOT {service}", "principal_id")),
        text("arn", when(f"NOT {service}", "arn")),
        text("accountId", when(f"NOT ({federated} OR {service})", "caller_account")),
        text("accessKeyId", "access_key"),
        text("userName", "user_name"),
        text("identityProvider", when(federated, "provider")),
        pair("sessionContext", when("session_created IS NOT NULL", _session_context())),
        text("invokedBy", "invoked_by"),
    )


def _size(column: str, odd: str) -> str:
    """Sizes come as integers, and now and then as floats."""
    return when(odd, f"{column} || '.0'", f"CAST({column} AS VARCHAR)")


def _additional() -> str:
    s3 = obj(
        constant("SignatureVersion", '"SigV4"'),
        constant("CipherSuite", '"TLS_AES_128_GCM_SHA256"'),
        pair("bytesTransferredIn", _size("bytes_out", "bytes_out % 7 = 3")),
        constant("AuthenticationMethod", '"AuthHeader"'),
        pair("x-amz-id-2", """('"' || to_base64(unhex(sha256(event))) || '"')"""),
        pair("bytesTransferredOut", _size("bytes_in", "bytes_out % 7 = 3")),
    )
    verified = constant("identityProviderConnectionVerificationMethod", '"IAMTrustStore"')
    sts = obj(
        when("operation = 'AssumeRoleWithWebIdentity'", verified),
        pair("RequestDetails", obj(text("awsServingRegion", "region"), constant("endpointType", '"regional"'))),
    )
    return f"CASE service WHEN 's3' THEN {when('bytes_in IS NOT NULL', s3)} WHEN 'sts' THEN {sts} END"


def _resources() -> str:
    bucket = r"regexp_extract(resource, '^arn:aws:s3:::[^/]+')"
    of_bucket = obj(text("accountId", "account"), constant("type", '"AWS::S3::Bucket"'), text("ARN", bucket))
    of_object = obj(constant("type", '"AWS::S3::Object"'), text("ARN", "resource"))
    below = obj(constant("type", '"AWS::S3::Object"'), text("ARNPrefix", "resource || '/'"))
    s3 = array(when("contains(resource, '/')", of_object, when("is_data", below)), of_bucket)
    owner = "coalesce(nullif(split_part(resource, ':', 5), ''), account)"
    other = array(obj(text("accountId", owner), text("type", _by_service(_LISTED)), text("ARN", "resource")))
    function = array(
        obj(text("accountId", owner), constant("type", '"AWS::Lambda::Function"'), text("ARN", "resource"))
    )
    services = ", ".join(f"'{service}'" for service in _LISTED)
    return f"""CASE WHEN resource IS NULL THEN NULL
        WHEN service = 's3' AND {bucket} <> '' THEN {s3}
        WHEN service = 'lambda' AND is_data THEN {function}
        WHEN service IN ({services}) THEN {other} END"""


def _request_id() -> str:
    """S3 names requests by 16 capitals and digits, other services by UUIDs."""
    digest = "md5(event)"
    parts = " || '-' || ".join(f"substr({digest}, {start}, {size})" for start, size in
                               ((1, 8), (9, 4), (13, 4), (17, 4), (21, 12)))  # fmt: skip
    return when("service = 's3'", f"upper(substr({digest}, 1, 16))", parts)


_SOURCE = f"({_by_service(_EVENT_SOURCES, 'service')} || '.amazonaws.com')"

TEXT = obj(
    constant("eventVersion", '"1.11"'),
    pair("userIdentity", _user_identity()),
    text("eventTime", moment("logged_at")),
    text("eventSource", _SOURCE),
    text("eventName", "operation"),
    text("awsRegion", "region"),
    text("sourceIPAddress", "address"),
    text("userAgent", when("service = 's3'", "'[' || agent || ']'", "agent")),
    text("errorCode", "error_code"),
    text("errorMessage", "error_message"),
    pair("requestParameters", "coalesce(request, 'null')"),
    pair("responseElements", "coalesce(response, 'null')"),
    pair("additionalEventData", _additional()),
    text("requestID", _request_id()),
    text("eventID", "event"),
    pair("readOnly", "CAST(read_only AS VARCHAR)"),
    pair("resources", _resources()),
    text("eventType", when("service = 'signin'", "'AwsConsoleSignIn'", "'AwsApiCall'")),
    text("apiVersion", _by_service(_VERSIONS)),
    pair("managementEvent", "CAST(NOT is_data AS VARCHAR)"),
    text("recipientAccountId", "account"),
    text("sharedEventID", "shared_id"),
    text("eventCategory", when("is_data", "'Data'", "'Management'")),
    pair("addendum", when("late", obj(constant("reason", '"DELIVERY_DELAY"')))),
    pair(
        "tlsDetails",
        when(
            "invoked_by IS NULL AND address <> 'AWS Internal'",
            obj(*(f"'{part}'" for part in _TLS), text("clientProvidedHostHeader", _host())),
        ),
    ),
    when("coalesce(console, false)", constant("sessionCredentialFromConsole", '"true"')),
)

# The times of credentials are those of the records that issue them, to the second.
_CLOCK = (
    pl.when((pl.col("service") == "sts") & pl.col("operation").str.starts_with("Assume"))
    .then("at")
    .otherwise(pl.col("at") + pl.duration(milliseconds=pl.col("duration_ms").fill_null(0)))
    .dt.truncate("1s")
)

_FOLDERS = (
    pl.when(pl.col("shard") == MAIN).then(pl.lit("")).otherwise(pl.concat_str(pl.lit("trail-"), "shard", pl.lit("/")))
)


def _entry(_: Estate) -> Mapping[str, object]:
    return {"from": "logs/cloudtrail/**/*.json.gz"}


EMITTER = Emitter(
    format="cloudtrail",
    reads="calls",
    system="cloud",
    folder="logs/cloudtrail",
    layout="objects",
    clock=_CLOCK,
    text=TEXT,
    native_id="event",
    file=pl.concat_str(
        _FOLDERS,
        pl.lit("AWSLogs/"),
        "account",
        pl.lit("/CloudTrail/"),
        "region",
        pl.col("delivered_at").dt.strftime("/%Y/%m/%d/"),
        "account",
        pl.lit("_CloudTrail_"),
        "region",
        pl.col("delivered_at").dt.truncate("5m").dt.strftime("_%Y%m%dT%H%MZ_"),
        "token",
        pl.lit(".json.gz"),
    ),
    entry=_entry,
    shards=(MAIN, SECOND),
    head=b'{"Records":[',
    tail=b"]}",
    parts=("shard", "account", "region"),
    repeats=True,
)

"""AWS operations as their callers know them: what each is, where it is called and what a request to it carries.

Sources: the Service Authorization Reference (forms of ARNs, read or write), the services' API references (names of
parameters) and "Logging data events" of the CloudTrail guide (which operations are data events).
"""

from __future__ import annotations

import json
from functools import cache

import polars as pl

GLOBAL_REGION = "us-east-1"
_GLOBAL = ("iam", "organizations", "signin", "cloudfront")
HIDDEN = "HIDDEN_DUE_TO_SECURITY_REASONS"

_DATA = {
    "s3": ("GetObject", "PutObject", "HeadObject", "ListObjects", "DeleteObject", "DeleteObjects", "CopyObject",
           "GetObjectAcl", "PutObjectAcl", "UploadPart", "CreateMultipartUpload", "CompleteMultipartUpload",
           "GetObjectTagging", "PutObjectTagging"),
    "dynamodb": ("GetItem", "PutItem", "UpdateItem", "DeleteItem", "Query", "Scan", "BatchGetItem", "BatchWriteItem"),
    "sqs": ("SendMessage", "ReceiveMessage", "DeleteMessage", "SendMessageBatch"),
    "sns": ("Publish",),
    "lambda": ("Invoke",),
    "kinesis": ("PutRecord", "PutRecords", "GetRecords"),
}  # fmt: skip
_READING = ("Get", "List", "Describe", "Head", "Query", "Scan", "BatchGet", "BatchCheck", "Lookup", "Receive",
            "Select", "Filter", "Decrypt", "Assume", "Simulate", "Search", "Invoke", "Converse")  # fmt: skip
_WRITING = ("InvokeFunction", "ReceiveMessage")
_HOSTS = {"ecr": "api.ecr", "signin": "signin"}


def is_data(service: str, operation: str) -> bool:
    """Whether CloudTrail logs it as a data event."""
    return operation in _DATA.get(service, ())


def is_read_only(service: str, operation: str) -> bool:
    """Whether it only reads."""
    return operation.startswith(_READING) and operation not in _WRITING and (service, operation) != ("lambda", "Invoke")


def region_of(service: str, region: str) -> str:
    """The region of the record: global services are recorded in one region, wherever they are called from."""
    return GLOBAL_REGION if service in _GLOBAL else region


def endpoint(service: str, operation: str, resource: str | None, region: str) -> str:
    """The host that a client connects to; S3 has one a bucket, IAM one in the world."""
    if service == "s3" and resource:
        return f"{bucket_of(resource)}.s3.{region}.amazonaws.com"
    if service in ("iam", "cloudfront"):
        return f"{service}.amazonaws.com"
    if service == "bedrock" and operation.startswith(("Invoke", "Converse")):
        return f"bedrock-runtime.{region}.amazonaws.com"
    return f"{_HOSTS.get(service, service)}.{region}.amazonaws.com"


def endpoints() -> pl.Expr:
    """`endpoint` by the column, over the columns of CALLS."""
    service, region = pl.col("service"), pl.col("region")
    bucket = pl.col("resource").str.extract(r"^arn:aws:s3:::([^/]+)")
    return (
        pl.when((service == "s3") & bucket.is_not_null())
        .then(pl.concat_str(bucket, pl.lit(".s3."), region, pl.lit(".amazonaws.com")))
        .when(service.is_in(["iam", "cloudfront"]))
        .then(pl.concat_str(service, pl.lit(".amazonaws.com")))
        .when((service == "bedrock") & pl.col("operation").str.contains("^(?:Invoke|Converse)"))
        .then(pl.concat_str(pl.lit("bedrock-runtime."), region, pl.lit(".amazonaws.com")))
        .when(service == "ecr")
        .then(pl.concat_str(pl.lit("api.ecr."), region, pl.lit(".amazonaws.com")))
        .otherwise(pl.concat_str(service, pl.lit("."), region, pl.lit(".amazonaws.com")))
    )


def bucket_of(arn: str) -> str:
    """The bucket of an object's or a bucket's ARN."""
    return arn.removeprefix("arn:aws:s3:::").partition("/")[0]


def _s3(operation: str, arn: str, region: str) -> dict[str, object]:
    bucket, _, key = arn.removeprefix("arn:aws:s3:::").partition("/")
    request: dict[str, object] = {"bucketName": bucket, "Host": f"{bucket}.s3.{region}.amazonaws.com"}
    if operation == "ListObjects":
        return request | {"list-type": "2", "prefix": key, "encoding-type": "url"}
    if operation == "CopyObject":
        return request | {"key": key, "x-amz-copy-source": f"{bucket}/{key}"}
    return request | ({"key": key} if key else {})


def _dynamodb(operation: str, arn: str, _region: str) -> dict[str, object]:
    table = arn.partition(":table/")[2]
    if operation in ("Query", "Scan"):
        return {"tableName": table, "limit": 100, "consistentRead": False}
    return {"tableName": table, "items" if operation == "PutItem" else "key": {"pk": "item-{n}"}}


def _sqs(operation: str, arn: str, region: str) -> dict[str, object]:
    account, queue = arn.split(":")[4:6]
    request: dict[str, object] = {"queueUrl": f"https://sqs.{region}.amazonaws.com/{account}/{queue}"}
    if operation == "SendMessage":
        return request | {"messageBody": HIDDEN}
    if operation == "ReceiveMessage":
        return request | {"maxNumberOfMessages": 10, "waitTimeSeconds": 0}
    return request | {"receiptHandle": HIDDEN}


def _iam(_operation: str, arn: str, _region: str) -> dict[str, object]:
    what, _, name = arn.split(":", 5)[5].partition("/")
    name = name.rpartition("/")[2]
    if what == "policy":
        return {"policyArn": arn}
    kinds = {"user": "userName", "role": "roleName", "group": "groupName"}
    return {kinds.get(what, "name"): name} if what in kinds else {"name": arn}


def _ec2(_operation: str, arn: str, _region: str) -> dict[str, object]:
    name = arn.rpartition("/")[2]
    if ":instance/" in arn:
        return {"instancesSet": {"items": [{"instanceId": name}]}, "filterSet": {}}
    if ":security-group/" in arn:
        return {"groupId": name}
    if ":snapshot/" in arn:
        return {"snapshotId": name}
    return {"volumeId": name} if ":volume/" in arn else {"imageId": name}


def _named(resource: str, separator: str) -> str:
    return resource.rpartition(separator)[2]


def _others(service: str, arn: str) -> dict[str, object] | None:
    last, tail = _named(arn, "/"), _named(arn, ":")
    by_service: dict[str, dict[str, object]] = {
        "ecr": {"repositoryName": arn.partition(":repository/")[2], "registryId": arn.split(":")[4]},
        "ecs": {"cluster": arn.partition("/")[2].partition("/")[0], "service": last},
        "cloudformation": {"stackName": last},
        "lambda": {"functionName": tail},
        "kms": {"keyId": arn, "encryptionAlgorithm": "SYMMETRIC_DEFAULT"},
        "sns": {"topicArn": arn},
        "logs": {"logGroupName": arn.partition(":log-group:")[2]},
        "ssm": {"name": "/" + arn.partition(":parameter/")[2], "withDecryption": True},
        "sts": {"roleArn": arn},
        "states": {"stateMachineArn": arn},
        "athena": {"workGroup": last, "queryString": HIDDEN},
        "glue": {"databaseName": "lake", "name": last},
        "bedrock": {"modelId": last},
        "rds": {"dBInstanceIdentifier": tail} if ":db:" in arn else {"dBSnapshotIdentifier": tail},
        "events": {"rule": last},
        "kinesis": {"streamName": last},
        "cloudtrail": {"name": arn},
        "secretsmanager": {"secretId": arn},
    }
    return by_service.get(service)


@cache
def request_of(service: str, operation: str, resource: str | None, region: str) -> str | None:
    """JSON of the `requestParameters` of a call to one resource, named by its ARN.

    `{n}` in it stands for a number that varies, as in `Use.resource`.
    """
    if resource is None:
        return None
    shapes = {"s3": _s3, "dynamodb": _dynamodb, "sqs": _sqs, "iam": _iam, "ec2": _ec2}
    shape = shapes.get(service)
    request = shape(operation, resource, region) if shape else _others(service, resource)
    return None if request is None else json.dumps(request, separators=(",", ":"))

"""The API calls of the demo world: what AWS documents about each, and what a request to it carries.

Source: the CloudTrail record contents page of the AWS documentation, and the services' own pages on
which of their operations are data events and what `resources` they name.
"""

from __future__ import annotations

from dataclasses import dataclass

from pipelines.worlds.demo.events import Json

REGION = "eu-west-1"
GLOBAL_REGION = "us-east-1"
HIDDEN = "HIDDEN_DUE_TO_SECURITY_REASONS"


@dataclass(frozen=True)
class Api:
    """One operation; `names` is the type under which its records list their resource, if they do."""

    read_only: bool
    data: bool = False
    names: str | None = None
    version: str | None = None


_TABLE = "AWS::DynamoDB::Table"
_DDB = "2012-08-10"

APIS: dict[str, Api] = {
    "s3:GetObject": Api(True, True, "AWS::S3::Object"),
    "s3:PutObject": Api(False, True, "AWS::S3::Object"),
    "s3:ListObjects": Api(True, True, "AWS::S3::Bucket"),
    "s3:ListBuckets": Api(True),
    "s3:GetBucketLocation": Api(True, False, "AWS::S3::Bucket"),
    "dynamodb:GetItem": Api(True, True, _TABLE, _DDB),
    "dynamodb:Query": Api(True, True, _TABLE, _DDB),
    "dynamodb:PutItem": Api(False, True, _TABLE, _DDB),
    "dynamodb:UpdateItem": Api(False, True, _TABLE, _DDB),
    "sqs:SendMessage": Api(False, True, "AWS::SQS::Queue"),
    "sqs:ReceiveMessage": Api(False, True, "AWS::SQS::Queue"),
    "sqs:DeleteMessage": Api(False, True, "AWS::SQS::Queue"),
    "secretsmanager:GetSecretValue": Api(True),
    "kms:Decrypt": Api(True, False, "AWS::KMS::Key"),
    "sts:AssumeRole": Api(True, version="2011-06-15"),
    "sts:AssumeRoleWithWebIdentity": Api(True, version="2011-06-15"),
    "sts:AssumeRoleWithSAML": Api(True, version="2011-06-15"),
    "sts:GetCallerIdentity": Api(True, version="2011-06-15"),
    "iam:CreateAccessKey": Api(False),
    "iam:UpdateAccessKey": Api(False),
    "iam:DeleteAccessKey": Api(False),
    "iam:ListAccessKeys": Api(True),
    "iam:ListUsers": Api(True),
    "ecr:GetAuthorizationToken": Api(True),
    "ecr:BatchCheckLayerAvailability": Api(True, False, "AWS::ECR::Repository"),
    "ecr:InitiateLayerUpload": Api(False, False, "AWS::ECR::Repository"),
    "ecr:PutImage": Api(False, False, "AWS::ECR::Repository"),
    "ecs:RegisterTaskDefinition": Api(False),
    "ecs:UpdateService": Api(False),
    "ecs:DescribeServices": Api(True),
    "cloudformation:DescribeStacks": Api(True, version="2010-05-15"),
    "lambda:UpdateFunctionCode20150331v2": Api(False, version="2015-03-31"),
    "ec2:DescribeInstances": Api(True),
    "ssm:UpdateInstanceInformation": Api(False),
    "logs:CreateLogStream": Api(False, version="20140328"),
    "cloudwatch:DescribeAlarms": Api(True),
    "cloudtrail:DescribeTrails": Api(True),
    "cloudtrail:GetTrailStatus": Api(True),
    "cloudtrail:StopLogging": Api(False),
    "cloudtrail:PutEventSelectors": Api(False),
    "cloudtrail:DeleteTrail": Api(False),
    "signin:ConsoleLogin": Api(False),
}

_HOSTS = {"ecr": "api.ecr", "cloudwatch": "monitoring", "iam": "iam", "signin": "signin"}


def service_host(service: str) -> str:
    """The `eventSource`: `s3` is `s3.amazonaws.com`, `cloudwatch` is `monitoring.amazonaws.com`."""
    return f"{'monitoring' if service == 'cloudwatch' else service}.amazonaws.com"


def endpoint(api: str, resource: str | None, region: str = REGION) -> str:
    """The host that a client connects to; S3 has one a bucket, IAM one in the world."""
    service = api.partition(":")[0]
    if service == "s3" and resource:
        return f"{bucket_of(resource)}.s3.{region}.amazonaws.com"
    if service == "iam":
        return "iam.amazonaws.com"
    return f"{_HOSTS.get(service, service)}.{region}.amazonaws.com"


def region_of(api: str) -> str:
    """IAM is recorded in us-east-1 alone, whoever calls it from wherever."""
    return GLOBAL_REGION if api.startswith(("iam:", "signin:")) else REGION


def bucket_of(arn: str) -> str:
    """The bucket of an object's or a bucket's ARN."""
    return arn.removeprefix("arn:aws:s3:::").partition("/")[0]


def _s3(operation: str, arn: str, page: str | None) -> Json:
    bucket, _, key = arn.removeprefix("arn:aws:s3:::").partition("/")
    request: Json = {"bucketName": bucket, "Host": f"{bucket}.s3.{REGION}.amazonaws.com"}
    if operation == "ListObjects":
        request |= {"list-type": "2", "prefix": key, "encoding-type": "url"}
        return request | ({"continuation-token": page} if page else {})
    return request | ({"key": key} if key else {})


def _dynamodb(operation: str, arn: str, page: str | None) -> Json:
    table, _, key = arn.partition(":table/")[2].partition("#")
    if operation == "Query":
        request: Json = {"tableName": table, "keyConditionExpression": "#pk = :pk", "limit": 100}
        return request | ({"exclusiveStartKey": {"pk": page}} if page else {})
    return {"tableName": table, "key" if operation != "PutItem" else "items": {"pk": key or "item"}}


def _sqs(operation: str, arn: str, _page: str | None) -> Json:
    account, queue = arn.split(":")[4:6]
    request: Json = {"queueUrl": f"https://sqs.{REGION}.amazonaws.com/{account}/{queue}"}
    if operation == "SendMessage":
        return request | {"messageBody": HIDDEN}
    if operation == "ReceiveMessage":
        return request | {"maxNumberOfMessages": 10, "waitTimeSeconds": 0}
    return request | {"receiptHandle": HIDDEN}


def request_of(api: str, resource: str | None, page: str | None = None) -> Json | None:
    """`requestParameters` of a call to one resource, named by its ARN (`table/T#KEY` for one item)."""
    service, _, operation = api.partition(":")
    if resource is None:
        return None
    if service == "s3":
        return _s3(operation, resource, page)
    if service == "dynamodb":
        return _dynamodb(operation, resource, page)
    if service == "sqs":
        return _sqs(operation, resource, page)
    if service == "secretsmanager":
        return {"secretId": resource}
    name = resource.rpartition("/")[2]
    others: dict[str, Json] = {
        "ecr": {"repositoryName": name, "registryId": resource.split(":")[4]},
        "ecs": {"cluster": "prod", "service": name},
        "cloudformation": {"stackName": name},
        "lambda": {"functionName": name, "publish": True, "dryRun": False},
    }
    return others.get(service)


def resources_of(api: str, resource: str | None, account: str) -> list[Json] | None:
    """`resources` of the record; an S3 object is listed with the bucket that holds it."""
    kind = APIS[api].names
    if resource is None or kind is None:
        return None
    if kind.startswith("AWS::S3::"):
        bucket = {"accountId": account, "type": "AWS::S3::Bucket", "ARN": f"arn:aws:s3:::{bucket_of(resource)}"}
        if kind == "AWS::S3::Object":
            return [{"type": kind, "ARN": resource}, bucket]
        listed = [{"type": "AWS::S3::Object", "ARNPrefix": resource}] if APIS[api].data else []
        return [*listed, bucket]
    return [{"accountId": account, "type": kind, "ARN": resource.partition("#")[0]}]

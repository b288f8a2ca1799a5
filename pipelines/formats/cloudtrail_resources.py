"""Which AWS resources a call was about, as ARNs.

A record's `resources` list is taken where it has one. Most management events have none; there the ARN is
built from the request, service by service, by the forms of the "Service Authorization Reference". What a
request names by its bare name lies in the account and region of the record; an IAM role or user named by
its bare name is written without a path, because only responses tell paths.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Named:
    """A parameter that names a resource of `kind`, by its ARN or by its bare name.

    `name` is a SQL expression over an event: a text, or a list of texts where `many`. `head` is what
    stands between `arn:PARTITION:` and a bare name.
    """

    kind: str
    head: str
    name: str
    many: bool = False


_BUCKET = "known(request.bucketName)"
_OBJECT = f"{_BUCKET} || CASE WHEN starts_with({_BUCKET}, 'arn:') THEN '/object/' ELSE '/' END || object_key"
_FUNCTION = "regexp_replace(request.functionName, '^([0-9]{12}:)?function:', '')"
_SECRET = (
    "CASE WHEN starts_with(response.arn, 'arn:') THEN response.arn ELSE coalesce(request.secretId, request.name) END"
)
_KEY = "CASE WHEN regexp_matches(request.keyId, '^(arn:|alias/)') THEN '' ELSE 'key/' END || known(request.keyId)"
_QUEUE = (
    "coalesce(regexp_extract(request.queueUrl, '^https?://[^/]+/[0-9]{12}/([A-Za-z0-9_.-]+)$', 1), request.queueName)"
)
_TOPIC = "coalesce(request.topicArn, request.targetArn, response.topicArn, request.name)"
_TRAIL = "coalesce(response.trailARN, request.name, request.trailName)"
_PARAMETER = "CASE WHEN contains(event_name, 'Parameter') THEN ltrim(request.name, '/') END"
_PARAMETERS = "list_transform(request.names, lambda one: ltrim(one, '/'))"
_ASKED = "list_transform(request.instancesSet.items, lambda one: one.instanceId)"
_STARTED = "list_transform(response.instancesSet.items, lambda one: one.instanceId)"

_INSTANCE = ("AWS::EC2::Instance", "ec2:{region}:{account}:instance/")
_SSM_PARAMETER = ("AWS::SSM::Parameter", "ssm:{region}:{account}:parameter/")
_CLOUDTRAIL = ("AWS::CloudTrail::Trail", "cloudtrail:{region}:{account}:trail/")

NAMED: dict[str, tuple[Named, ...]] = {
    "s3": (
        Named("AWS::S3::Object", "s3:::", _OBJECT),
        Named("AWS::S3::Bucket", "s3:::", "request.bucketName"),
    ),
    "sts": (Named("AWS::IAM::Role", "iam::{account}:role/", "request.roleArn"),),
    "iam": (
        Named("AWS::IAM::Role", "iam::{account}:role/", "coalesce(made_role_arn, request.roleName)"),
        Named("AWS::IAM::User", "iam::{account}:user/", "target_user_arn"),
        Named("AWS::IAM::Group", "iam::{account}:group/", "request.groupName"),
        Named("AWS::IAM::InstanceProfile", "iam::{account}:instance-profile/", "request.instanceProfileName"),
        Named("AWS::IAM::Policy", "iam::{account}:policy/", "coalesce(made_policy_arn, request.policyArn)"),
        Named("AWS::IAM::SAMLProvider", "iam::{account}:saml-provider/", "request.sAMLProviderArn"),
        Named("AWS::IAM::OIDCProvider", "iam::{account}:oidc-provider/", "request.openIDConnectProviderArn"),
    ),
    "dynamodb": (Named("AWS::DynamoDB::Table", "dynamodb:{region}:{account}:table/", "request.tableName"),),
    "lambda": (Named("AWS::Lambda::Function", "lambda:{region}:{account}:function:", _FUNCTION),),
    "secretsmanager": (Named("AWS::SecretsManager::Secret", "secretsmanager:{region}:{account}:secret:", _SECRET),),
    "kms": (Named("AWS::KMS::Key", "kms:{region}:{account}:", _KEY),),
    "sqs": (Named("AWS::SQS::Queue", "sqs:{region}:{account}:", _QUEUE),),
    "sns": (Named("AWS::SNS::Topic", "sns:{region}:{account}:", _TOPIC),),
    "ec2": (
        Named(*_INSTANCE, "request.instanceId"),
        Named(*_INSTANCE, _ASKED, many=True),
        Named(*_INSTANCE, f"CASE WHEN request.instancesSet.items[1].instanceId IS NULL THEN {_STARTED} END", many=True),
        Named("AWS::EC2::Volume", "ec2:{region}:{account}:volume/", "request.volumeId"),
        Named("AWS::EC2::Snapshot", "ec2:{region}:{account}:snapshot/", "request.snapshotId"),
        Named("AWS::EC2::SecurityGroup", "ec2:{region}:{account}:security-group/", "request.groupId"),
        Named("AWS::EC2::Image", "ec2:{region}::image/", "request.imageId"),
    ),
    "ssm": (
        Named(*_SSM_PARAMETER, _PARAMETER),
        Named(*_SSM_PARAMETER, _PARAMETERS, many=True),
        Named(*_INSTANCE, "coalesce(request.target, request.instanceId)"),
        Named(*_INSTANCE, "request.instanceIds", many=True),
        Named("AWS::SSM::Document", "ssm:{region}:{account}:document/", "request.documentName"),
    ),
    "cloudtrail": (Named(*_CLOUDTRAIL, _TRAIL), Named(*_CLOUDTRAIL, "request.trailNameList", many=True)),
    "logs": (Named("AWS::Logs::LogGroup", "logs:{region}:{account}:log-group:", "request.logGroupName"),),
    "rds": (
        Named("AWS::RDS::DBSnapshot", "rds:{region}:{account}:snapshot:", "request.dBSnapshotIdentifier"),
        Named("AWS::RDS::DBInstance", "rds:{region}:{account}:db:", "request.dBInstanceIdentifier"),
        Named("AWS::RDS::DBCluster", "rds:{region}:{account}:cluster:", "request.dBClusterIdentifier"),
    ),
    "ecr": (Named("AWS::ECR::Repository", "ecr:{region}:{account}:repository/", "request.repositoryName"),),
    "ecs": (Named("AWS::ECS::Cluster", "ecs:{region}:{account}:cluster/", "request.cluster"),),
    "eks": (
        Named("AWS::EKS::Cluster", "eks:{region}:{account}:cluster/", "coalesce(request.clusterName, request.name)"),
    ),
    "kinesis": (Named("AWS::Kinesis::Stream", "kinesis:{region}:{account}:stream/", "request.streamName"),),
    "states": (
        Named("AWS::StepFunctions::StateMachine", "states:{region}:{account}:stateMachine:", "request.stateMachineArn"),
    ),
    "bedrock": (Named("AWS::Bedrock::Model", "bedrock:{region}::foundation-model/", "request.modelId"),),
}
"""What each service's requests name, the thing acted on first; the key is the head of `eventSource`."""

_KINDS = {
    ":iam::[0-9]*:role/": "AWS::IAM::Role",
    ":iam::[0-9]*:user/": "AWS::IAM::User",
    ":iam::[0-9]*:policy/": "AWS::IAM::Policy",
    ":s3:::[^/]+/": "AWS::S3::Object",
    ":s3:::[^/]+$": "AWS::S3::Bucket",
    ":dynamodb:.*:table/": "AWS::DynamoDB::Table",
    ":lambda:.*:function:": "AWS::Lambda::Function",
    ":secretsmanager:.*:secret:": "AWS::SecretsManager::Secret",
    ":kms:.*:key/": "AWS::KMS::Key",
    ":ec2:.*:instance/": "AWS::EC2::Instance",
    ":ssm:.*:parameter/": "AWS::SSM::Parameter",
    ":cloudtrail:.*:trail/": "AWS::CloudTrail::Trail",
    ":logs:.*:log-group:": "AWS::Logs::LogGroup",
}
"""What an ARN names, where only an error message has it."""


def _mention(rule: Named, name: str) -> str:
    return f"{{'kind': '{rule.kind}', 'head': '{rule.head}', 'name': {name}}}"


def _mentions(rules: tuple[Named, ...]) -> str:
    """SQL for the list of (kind, head, name) that a request of one service makes mention of."""
    single = [_mention(rule, rule.name) for rule in rules if not rule.many]
    found = f"[{', '.join(single)}]"
    for rule in rules:
        if rule.many:
            each = f"list_transform({rule.name}, lambda each: {_mention(rule, 'each')})"
            found = f"list_concat({found}, coalesce({each}, []))"
    return found


def _kind_of_arn(arn: str) -> str:
    """SQL for the type of the resource that `arn` names, null where the form is not an everyday one."""
    tests = " ".join(f"WHEN regexp_matches({arn}, '{form}') THEN '{kind}'" for form, kind in _KINDS.items())
    return f"CASE {tests} END"


_REFUSED_ARN = "nullif(regexp_extract(error_message, 'on resource: (arn:[^ ,]+)', 1), '')"
_REFUSED_NAME = "nullif(regexp_extract(error_message, 'on resource: ((?:user|role|group) [^ ]+)', 1), '')"

_LISTED = """
SELECT *,
    CASE WHEN regexp_full_match(account, '[0-9]{12}') THEN account END AS owner,
    list_transform(list_filter(listed, lambda one: starts_with(one.ARN, 'arn:')),
                   lambda one: {'kind': known(one.type), 'arn': one.ARN}) AS listed_arns
FROM events
"""
"""One row an event: the ARNs of its own list, and the account that bare names lie in."""

_BY_SERVICE = " ".join(f"WHEN '{service}' THEN {_mentions(rules)}" for service, rules in NAMED.items())
_MENTIONED = f"""
SELECT *,
    CASE WHEN coalesce(len(listed_arns), 0) = 0
         THEN CASE split_part(event_source, '.', 1) {_BY_SERVICE} END END AS mentions,
    CASE WHEN status = 'denied'
         THEN coalesce({_REFUSED_ARN},
                       'arn:' || partition || ':iam::' || account || ':' || replace({_REFUSED_NAME}, ' ', '/'))
         END AS refused,
    'arn:' || partition || ':s3:::' || request.bucketName || '/' || object_key AS s3_object
FROM listing
"""
"""One row an event: what its request mentions, and what AWS says it refused (the request is then null)."""

_BUILT = """
SELECT *, list_filter(list_transform(list_filter(mentions, lambda one: known(one.name) IS NOT NULL),
    lambda one: {'kind': one.kind, 'arn': CASE WHEN starts_with(one.name, 'arn:') THEN one.name
        ELSE 'arn:' || partition || ':' || CASE WHEN contains(one.head, '{region}')
             THEN replace(replace(one.head, '{region}', region), '{account}', owner)
             WHEN contains(one.head, '{account}') THEN replace(one.head, '{account}', owner)
             ELSE one.head END || one.name END}),
    lambda one: one.arn IS NOT NULL) AS built_arns
FROM mentioned
"""
"""One row an event: the ARNs of what its request mentions, where account and region are known."""

_TOUCHED = f"""
SELECT *,
    CASE WHEN len(listed_arns) > 0 THEN listed_arns
         WHEN len(built_arns) > 0 THEN built_arns
         WHEN refused IS NOT NULL THEN [{{'kind': {_kind_of_arn("refused")}, 'arn': refused}}] END AS touched
FROM built
"""
"""One row an event: its resources as (kind, arn), from the best of these that says anything."""

_TOUCHING = """
SELECT *, list_transform(touched, lambda one: one.arn) AS resources,
    coalesce(list_filter(touched, lambda one: one.arn = s3_object)[1],
             list_filter(touched, lambda one: one.kind = 'AWS::S3::Object')[1],
             touched[1]) AS main
FROM touched
"""
"""One row an event: all its resources, and the main one as (kind, arn): of a bucket and its object the object."""

RESOURCES = {"listing": _LISTED, "mentioned": _MENTIONED, "built": _BUILT, "touched": _TOUCHED, "touching": _TOUCHING}
"""The steps from `events` to `touching`."""

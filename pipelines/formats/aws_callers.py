"""Who an ARN says is calling, for AWS logs that write the caller as one text (S3 server access log, Bedrock).

An assumed role's ARN has lost the role's path. Names of roles are unique in an account whatever their paths, so the
role named here is never another one; but a role that has a path is written without it, so a manifest must declare the
ARN without its path as well. Neither log names the access key: a request id leads to CloudTrail, which does.
"""

from __future__ import annotations

_ACCOUNT = "[0-9]{5,12}"
_ROLE_SESSION = f"^arn:([a-z-]+):sts::({_ACCOUNT}):assumed-role/([^/]+)/(.+)$"


def principal(caller: str) -> str:
    """SQL: the principal; a canonical user id or any other text is a principal by that id."""
    role = rf"regexp_replace({caller}, '{_ROLE_SESSION}', 'aws:role/arn:\1:iam::\2:role/\3')"
    return f"""CASE
        WHEN regexp_matches({caller}, '{_ROLE_SESSION}') THEN {role}
        WHEN regexp_matches({caller}, '^arn:[a-z-]+:iam::{_ACCOUNT}:(user/.|root$)') THEN 'aws:user/' || {caller}
        WHEN regexp_matches({caller}, '^arn:[a-z-]+:iam::{_ACCOUNT}:role/.') THEN 'aws:role/' || {caller}
        WHEN {caller} = 'AmazonS3' THEN 'aws:service/s3.amazonaws.com'
        WHEN regexp_matches({caller}, '^svc:.') THEN 'aws:service/' || substr({caller}, 5)
        ELSE 'aws:principal/' || {caller} END"""


def principal_type(caller: str) -> str:
    """SQL: the kind of caller, in CloudTrail's words."""
    return f"""CASE
        WHEN regexp_matches({caller}, ':sts::[0-9]+:assumed-role/') THEN 'AssumedRole'
        WHEN regexp_matches({caller}, ':iam::[0-9]+:role/') THEN 'Role'
        WHEN regexp_matches({caller}, ':iam::[0-9]+:user/') THEN 'IAMUser'
        WHEN regexp_matches({caller}, ':iam::[0-9]+:root$') THEN 'Root'
        WHEN regexp_matches({caller}, ':sts::[0-9]+:federated-user/') THEN 'FederatedUser'
        WHEN {caller} = 'AmazonS3' OR starts_with({caller}, 'svc:') THEN 'AWSService'
        WHEN {caller} IS NOT NULL THEN 'AWSAccount' END"""


def session_name(caller: str) -> str:
    """SQL: the name that the caller gave its role session."""
    return f"nullif(regexp_extract({caller}, '{_ROLE_SESSION}', 4), '')"

"""Which service a host is the endpoint of: the table by which an allowed service allows its hosts.

Sources: AWS General Reference, "Service endpoints and quotas" (regional, FIPS, dual-stack and legacy dash-region
forms, Amazon S3's path and virtual-hosted styles, interface endpoints, China); Google's "Global, regional and mTLS
API endpoints"; Microsoft's Azure endpoint suffixes; Okta's and Auth0's tenant domains; GitHub's documented hosts.
Services are written as logs name them: a CloudTrail eventSource, a Google serviceName, an Azure provider.

No wildcard here may swallow a label that anybody can register: `s3-12.eu-west-1.elb.amazonaws.com` is a customer's
load balancer. So a host is first brought to its *form*, the region replaced by `{region}`, and forms are compared.
"""

from __future__ import annotations

from functools import cache

import duckdb
import pyarrow as pa

from detectors.glob import like, matches_sql

_COLUMNS: dict[str, pa.DataType] = {
    "host": pa.string(),
    "service": pa.string(),
    "region": pa.string(),
    "bucket": pa.string(),
    "point": pa.string(),
    "by_path": pa.bool_(),
}
HOST_SERVICES = pa.schema(_COLUMNS)
"""`region`, and of Amazon S3 `bucket` (virtual-hosted style) and access `point` (`REGION:ACCOUNT:accesspoint/NAME`, as
in its ARN), where the host's name tells them, else empty. `by_path`: a request's path begins with the bucket there."""

AWS_REGION = (
    "[a-z]{2,3}(?:-gov|-iso[a-z]?)?-"
    "(?:north|south|east|west|central|northeast|northwest|southeast|southwest)-[0-9]{1,2}"
)
GOOGLE_REGION = "[a-z]+-[a-z]+[0-9]{1,2}"

AWS_NAMES: dict[str, str] = {
    "api.ecr": "ecr", "api.pricing": "pricing", "api.sagemaker": "sagemaker", "runtime.sagemaker": "sagemaker",
    "streams.dynamodb": "dynamodb", "email": "ses", "email-smtp": "ses", "portal.sso": "sso",
    "bedrock-runtime": "bedrock", "bedrock-agent": "bedrock", "bedrock-agent-runtime": "bedrock",
    "streaming-logs": "logs", "sync-states": "states", "transcribestreaming": "transcribe", "rds-data": "rdsdata",
    "queue": "sqs", "s3-accesspoint": "s3", "s3-control": "s3", "s3-external-1": "s3",
}  # fmt: skip
"""An AWS endpoint's labels before the region, where they are not the first label of the eventSource."""

HOST_IS_ACCOUNT = frozenset({"okta", "auth0"})
"""Services whose account is the tenant's own host: a line that states accounts allows those hosts and no others."""


def _s3_styles() -> list[str]:
    """Hosts in front of which, or in whose path, a bucket, access point or account is named."""
    names = [f"s3{part}{fips}{dual}" for part in ("", "-accesspoint", "-control") for fips in ("", "-fips")
             for dual in ("", ".dualstack")]  # fmt: skip
    regional = [f"{name}.{{region}}.amazonaws.com{china}" for name in names for china in ("", ".cn")]
    legacy = ["s3.amazonaws.com", "s3-{region}.amazonaws.com", "s3-external-1.amazonaws.com"]
    accelerate = ["s3-accelerate.amazonaws.com", "s3-accelerate.dualstack.amazonaws.com"]
    return [*regional, *legacy, *accelerate]


FORMS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("s3.amazonaws.com", tuple(form for host in _s3_styles() for form in (host, f"*.{host}"))),
    (
        "s3.amazonaws.com",
        ("*.bucket.vpce-*.s3.{region}.vpce.amazonaws.com", "bucket.vpce-*.s3.{region}.vpce.amazonaws.com"),
    ),
    ("ecr.amazonaws.com", ("*.dkr.ecr.{region}.amazonaws.com", "*.dkr.ecr-fips.{region}.amazonaws.com")),
    ("sqs.amazonaws.com", ("{region}.queue.amazonaws.com",)),
    ("storage.googleapis.com", ("*.storage.googleapis.com", "storage.cloud.google.com", "www.googleapis.com")),
    ("bigquery.googleapis.com", ("bigquerystorage.googleapis.com", "www.googleapis.com")),
    ("compute.googleapis.com", ("www.googleapis.com",)),
    ("graph.microsoft.com", ("graph.microsoft.com", "graph.microsoft.us", "microsoftgraph.chinacloudapi.cn")),
    ("Microsoft.Storage", tuple(f"*.{part}.core.windows.net" for part in ("blob", "dfs", "file", "queue", "table"))),
    ("Microsoft.KeyVault", ("*.vault.azure.net", "*.managedhsm.azure.net")),
    ("Microsoft.Sql", ("*.database.windows.net",)),
    ("Microsoft.DocumentDB", ("*.documents.azure.com",)),
    ("Microsoft.ContainerRegistry", ("*.azurecr.io",)),
    ("Microsoft.ServiceBus", ("*.servicebus.windows.net",)),
    ("Microsoft.CognitiveServices", ("*.openai.azure.com", "*.cognitiveservices.azure.com")),
    ("github", ("github.com", "api.github.com", "uploads.github.com", "codeload.github.com", "ghcr.io")),
    ("github", ("raw.githubusercontent.com", "objects.githubusercontent.com", "*.actions.githubusercontent.com")),
    ("gitlab", ("gitlab.com", "registry.gitlab.com")),
    ("entra", ("login.microsoftonline.com", "login.microsoftonline.us", "login.partner.microsoftonline.cn")),
    ("okta", ("*.okta.com", "*.oktapreview.com", "*.okta-emea.com", "*.okta-gov.com")),
    ("auth0", ("*.auth0.com",)),
)
"""Forms of hosts by service; `*` stands for what a customer names: a bucket, an account, a tenant."""

AZURE_PROVIDERS = (
    "Microsoft.Authorization", "Microsoft.CognitiveServices", "Microsoft.Compute", "Microsoft.ContainerRegistry",
    "Microsoft.ContainerService", "Microsoft.DocumentDB", "Microsoft.Insights", "Microsoft.KeyVault",
    "Microsoft.ManagedIdentity", "Microsoft.Network", "Microsoft.OperationalInsights", "Microsoft.Resources",
    "Microsoft.ServiceBus", "Microsoft.Sql", "Microsoft.Storage", "Microsoft.Web",
)  # fmt: skip
"""Providers that are all managed through `management.azure.com`."""

COMMON_SERVICES = (
    "kubernetes", "okta", "auth0", "keycloak", "entra", "vault", "github", "gitlab", "spire", "caep",
    *(f"{name}.amazonaws.com" for name in (
        "athena", "autoscaling", "bedrock", "cloudformation", "cloudtrail", "cognito-idp", "dynamodb", "ec2", "ecr",
        "ecs", "eks", "events", "firehose", "glue", "iam", "kinesis", "kms", "lambda", "logs", "monitoring",
        "organizations", "rds", "redshift", "route53", "s3", "sagemaker", "secretsmanager", "ses", "signin", "sns",
        "sqs", "ssm", "sso", "states", "sts", "textract",
    )),
    *(f"{name}.googleapis.com" for name in (
        "aiplatform", "bigquery", "cloudkms", "cloudresourcemanager", "compute", "iam", "iamcredentials", "pubsub",
        "secretmanager", "storage",
    )),
    *AZURE_PROVIDERS,
    "graph.microsoft.com",
)  # fmt: skip
"""Services worth proposing to somebody who wrote a name that no log has."""


def is_known_service(service: str) -> bool:
    """Whether some format could log this name as a service."""
    return (
        service in COMMON_SERVICES
        or service.endswith((".amazonaws.com", ".googleapis.com"))
        or (service.lower().startswith("microsoft."))
    )


def services(hosts: pa.Table) -> pa.Table:
    """Of each `host` (lower case) the services whose endpoint it is, one row (HOST_SERVICES) a pair.

    An AWS host is `LABEL[-fips][.dualstack].REGION.amazonaws.com` (or without a region, or `.api.aws`, or behind
    an interface endpoint's name); a Google one `[REGION-]NAME[.mtls].googleapis.com` or `NAME.REGION.rep...`.
    """
    with duckdb.connect() as connection:
        connection.register("hosts", hosts)
        connection.register("forms", _forms())
        connection.register("aws_names", _aws_names())
        return connection.execute(_SERVICES).to_arrow_table().cast(HOST_SERVICES)


_AWS_SUFFIX = r"(?:amazonaws\.com|amazonaws\.com\.cn|api\.aws)"
_LABELS = r"([a-z0-9-]+(?:\.[a-z0-9-]+)?)"
_BUCKET_STYLES = (
    r"(?:s3(?:-fips)?(?:\.dualstack)?(?:[.-]\{region\})?|s3-external-1|s3-accelerate(?:\.dualstack)?)\.amazonaws"
    r"|bucket\.vpce-[a-z0-9-]+\.s3\.\{region\}\.vpce\.amazonaws"
)
_POINT = r"^([a-z0-9-]+)-([0-9]{12})\.s3-accesspoint(?:-fips)?(?:\.dualstack)?\."
_SERVICES = rf"""
WITH forms_of_hosts AS (
    SELECT DISTINCT host,
        regexp_replace(host, '(^|[.-])({AWS_REGION})(\.vpce|\.queue)?\.({_AWS_SUFFIX})$',
            '\1{{region}}\3.\4') AS form,
        regexp_extract(host, '(?:^|[.-])({AWS_REGION})(?:\.vpce|\.queue)?\.{_AWS_SUFFIX}$', 1) AS aws_region
    FROM hosts
    WHERE host <> ''
),
labels AS (
    SELECT host, form, aws_region,
        regexp_extract(form, '^(.+)\.(?:{_BUCKET_STYLES})\.com(?:\.cn)?$', 1) AS bucket,
        CASE WHEN regexp_matches(host, '{_POINT}')
            THEN aws_region || regexp_replace(regexp_extract(host, '{_POINT}', 0), '{_POINT}', ':\2:accesspoint/\1')
            ELSE '' END AS point,
        NOT regexp_matches(host, '(^|\.)s3-(accesspoint|control)') AS is_for_buckets,
        regexp_extract(host, '^({GOOGLE_REGION})-[a-z0-9]+\.googleapis\.com$|\.({GOOGLE_REGION})\.rep\.googleapis', 0)
            AS google_place,
        regexp_replace(coalesce(
            nullif(regexp_extract(form, '^{_LABELS}\.\{{region\}}\.{_AWS_SUFFIX}$', 1), ''),
            nullif(regexp_extract(form, '^vpce-[a-z0-9-]+\.{_LABELS}\.\{{region\}}\.vpce\.amazonaws\.com$', 1), ''),
            regexp_extract(form, '^([a-z0-9-]+)\.amazonaws\.com$', 1)
        ), '(-fips)?(\.dualstack)?$', '') AS aws,
        coalesce(
            nullif(regexp_extract(host, '^(?:{GOOGLE_REGION}-)?([a-z0-9]+)(?:\.mtls)?\.googleapis\.com$', 1), ''),
            regexp_extract(host, '^([a-z0-9]+)\.{GOOGLE_REGION}\.rep\.googleapis\.com$', 1)
        ) AS google
    FROM forms_of_hosts
),
found AS (
    SELECT host, service, aws_region AS region, bucket, point, is_for_buckets
    FROM labels JOIN forms ON {matches_sql("form", "pattern")}
    UNION
    SELECT host, coalesce(name, aws) || '.amazonaws.com', aws_region, bucket, point, is_for_buckets
    FROM labels LEFT JOIN aws_names ON label = aws
    WHERE aws <> '' AND (name IS NOT NULL OR NOT contains(aws, '.')) AND NOT starts_with(aws, 'vpce-')
    UNION
    SELECT host, google || '.googleapis.com', regexp_extract(google_place, '({GOOGLE_REGION})', 1), '', '', false
    FROM labels WHERE google <> ''
)
SELECT host, service, region,
    CASE WHEN service = 's3.amazonaws.com' THEN bucket ELSE '' END AS bucket,
    CASE WHEN service = 's3.amazonaws.com' THEN point ELSE '' END AS point,
    service = 's3.amazonaws.com' AND is_for_buckets AND bucket = '' AND point = '' AS by_path
FROM found
"""


@cache
def _forms() -> pa.Table:
    pairs = [(like(form), service) for service, forms in FORMS for form in forms]
    pairs += [("management.azure.com", provider) for provider in AZURE_PROVIDERS]
    return _columns(("pattern", "service"), pairs)


@cache
def _aws_names() -> pa.Table:
    return _columns(("label", "name"), list(AWS_NAMES.items()))


def _columns(names: tuple[str, str], pairs: list[tuple[str, str]]) -> pa.Table:
    return pa.table({name: pa.array([pair[at] for pair in pairs], pa.string()) for at, name in enumerate(names)})

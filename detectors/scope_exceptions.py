"""What is allowed though no line of its kind says so: own roles, declared secrets, endpoints of allowed services."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa

from detectors.endpoints import HOST_IS_ACCOUNT, HOST_SERVICES, services
from detectors.engine import Engine
from detectors.scope_patterns import matches


@dataclass(frozen=True)
class SecretRead:
    """An operation that hands out the value of a secret, and how the secret's name stands in the resource."""

    service: str
    operation: str
    name: str
    """A regular expression (RE2 and Java alike) whose first group is the name."""


_SECRETS_MANAGER = ":secret:(.+)-[A-Za-z0-9]{6}$"
"""Secrets Manager appends a dash and six characters to the name in an ARN."""
_PARAMETER = ":parameter(/.+)$"

SECRET_READS = (
    SecretRead("secretsmanager.amazonaws.com", "GetSecretValue", _SECRETS_MANAGER),
    SecretRead("secretsmanager.amazonaws.com", "BatchGetSecretValue", _SECRETS_MANAGER),
    SecretRead("ssm.amazonaws.com", "GetParameter", _PARAMETER),
    SecretRead("ssm.amazonaws.com", "GetParameters", _PARAMETER),
    SecretRead("ssm.amazonaws.com", "GetParametersByPath", _PARAMETER),
    SecretRead("ssm.amazonaws.com", "GetParameterHistory", _PARAMETER),
    SecretRead("vault", "read", "^(.+)$"),
    SecretRead(
        "secretmanager.googleapis.com",
        "google.cloud.secretmanager.v1.SecretManagerService.AccessSecretVersion",
        "/secrets/([^/]+)/versions/[^/]+$",
    ),
)


def let_exceptions(engine: Engine) -> None:
    """Make `scope_own_roles`, `scope_secrets` and `scope_endpoints` from what `detectors.scope` has made so far."""
    engine.let("scope_own_roles", own_roles_sql())
    engine.let("scope_secret_reads", _secret_reads())
    engine.let("scope_secret_names", secret_names_sql())
    engine.let("scope_secrets", secrets_sql())
    engine.let("scope_hosts", hosts_sql())
    engine.each("scope_host_services", "scope_hosts", services, HOST_SERVICES)
    engine.let("scope_visits", visits_sql())
    engine.let("scope_account_hosts", account_hosts_sql())
    engine.let("scope_service_hosts", service_hosts_sql())
    engine.let("scope_endpoints", endpoints_sql())


def own_roles_sql() -> str:
    """Roles taken on that one of the worker's identities names."""
    role = "'aws:role/' || tries.item"
    return f"""
    SELECT DISTINCT tries.head, tries.item
    FROM scope_tries AS tries
    JOIN scope_heads AS heads ON tries.head = heads.head
    JOIN identities ON tries.manifest_sha = identities.manifest_sha AND {matches(role, "identities.uid_like")}
    WHERE heads.manner = 'role'
    """


def _secret_reads() -> pa.Table:
    return pa.table(
        {
            "service": pa.array([read.service for read in SECRET_READS], pa.string()),
            "operation": pa.array([read.operation for read in SECRET_READS], pa.string()),
            "name": pa.array([read.name for read in SECRET_READS], pa.string()),
        }
    )


def secret_names_sql() -> str:
    """Secrets whose value is read, by each of their names: the resource as logged, and the name within it.

    A parameter's ARN does not tell `/a` from `a` at the top level, so both are its names.
    """
    inner = "regexp_extract(read.item, read.name, 1)"
    return f"""
    WITH read AS (
        SELECT tries.ask, tries.item, tries.manifest_sha, reads.name
        FROM scope_tries AS tries
        JOIN scope_heads AS heads ON tries.head = heads.head
        JOIN scope_secret_reads AS reads ON heads.d1 = reads.service AND heads.d2 = reads.operation
        WHERE heads.kind = 'api' AND heads.manner = 'plain' AND tries.item <> ''
    )
    SELECT ask, item, manifest_sha, item AS name FROM read
    UNION
    SELECT ask, item, manifest_sha, {inner} FROM read WHERE {inner} <> ''
    UNION
    SELECT ask, item, manifest_sha, substr({inner}, 2) FROM read WHERE starts_with({inner}, '/')
    UNION
    SELECT ask, item, manifest_sha, split_part(item, ':secret:', 2) FROM read WHERE strpos(item, ':secret:') > 0
    """


def secrets_sql() -> str:
    """Secrets that the manifest's `secrets` names, with the first pattern that does."""
    return f"""
    SELECT names.ask, names.item, patterns.file, patterns.line
    FROM scope_secret_names AS names
    JOIN secret_patterns AS patterns ON names.manifest_sha = patterns.manifest_sha
        AND {matches("names.name", "patterns.pattern")}
    QUALIFY row_number() OVER (PARTITION BY names.ask, names.item ORDER BY patterns.ordinal, names.name) = 1
    """


def hosts_sql() -> str:
    """Hosts that were called."""
    return "SELECT DISTINCT d1 AS host FROM scope_heads WHERE kind = 'net' AND d1 <> ''"


def visits_sql() -> str:
    """Network asks by the host they went to, and by the bucket where it is the path's beginning and the path is seen.

    `by_path` says so; `bucket` is then empty where the path names none. A path that can be read in two ways
    (detectors.scope_paths) is a visit to the bucket of each. What cannot be seen, as in a tunnel, is no visit by path.
    """
    ways = " UNION ".join(
        f"""
        SELECT tries.ask, tries.item, heads.head, heads.manifest_sha, heads.d1 AS host,
            coalesce(s3.by_path, false) AS by_path,
            CASE WHEN s3.by_path THEN split_part({path}, '/', 2) ELSE '' END AS bucket
        FROM scope_tries AS tries
        JOIN scope_heads AS heads ON tries.head = heads.head
        LEFT JOIN (SELECT host, true AS by_path FROM scope_host_services WHERE by_path) AS s3
            ON heads.d1 = s3.host AND heads.sees5
        WHERE heads.kind = 'net' AND heads.d1 <> '' AND {path_is}
        """
        for path, path_is in (("tries.item", "true"), ("tries.other", "tries.other <> ''"))
    )
    return f"SELECT ask, item, head, manifest_sha, host, by_path, bucket FROM ({ways}) AS ways"


_VISITED = "(SELECT DISTINCT manifest_sha, host, by_path, bucket FROM scope_visits) AS called"
_CALLED = "(SELECT DISTINCT manifest_sha, d1 AS host FROM scope_heads WHERE kind = 'net' AND d1 <> '') AS called"
_SERVICE_GLOBS = """scope_globs AS globs
        ON called.manifest_sha = globs.manifest_sha AND globs.kind = 'api' AND globs.place = 1"""


def account_hosts_sql() -> str:
    """Which api line names a called host as the account of a service whose accounts are hosts (an Okta org)."""
    of_such_a_service = " OR ".join(matches(f"'{service}'", "globs.pattern") for service in sorted(HOST_IS_ACCOUNT))
    return f"""
    SELECT DISTINCT called.manifest_sha, called.host, globs.ordinal
    FROM {_CALLED} JOIN {_SERVICE_GLOBS} AND ({of_such_a_service})
    JOIN scope_globs AS accounts ON called.manifest_sha = accounts.manifest_sha AND accounts.kind = 'api'
        AND accounts.place = 3 AND accounts.ordinal = globs.ordinal AND {matches("called.host", "accounts.pattern")}
    """


def service_hosts_sql() -> str:
    """Which api line speaks of a service whose endpoint a called host is, by the table or by being its very name.

    Where accounts are hosts, a line that states accounts speaks of those hosts alone. `region_seen`, `store_seen`:
    the call shows its region, or its bucket or access point; `region_fits`, `store_fits`: the line's patterns admit
    them; `store_whole`: one of its patterns names all that is in that store.
    """
    tenants = ", ".join(f"'{service}'" for service in sorted(HOST_IS_ACCOUNT))
    bucket = "CASE WHEN called.by_path THEN called.bucket ELSE known.bucket END"
    partitions = ("aws", "aws-cn", "aws-us-gov")
    named = [f"'arn:{partition}:s3:::' || {bucket}" for partition in partitions]
    points = [f"'arn:{partition}:s3:' || known.point" for partition in partitions]
    point_of = "concat(split_part(items.pattern, '/', 1), '/', split_part(items.pattern, '/', 2))"
    bucket_fits = " OR ".join(matches(one, "split_part(items.pattern, '/', 1)") for one in named)
    bucket_whole = " OR ".join(matches(f"{one} || '/'", "items.pattern") for one in named)
    point_whole = " OR ".join(matches(f"{one} || '/object/'", "items.pattern") for one in points)
    point_fits = " OR ".join([*(matches(one, point_of) for one in points), point_whole])
    of_the_line = "{0}.manifest_sha = globs.manifest_sha AND {0}.kind = 'api' AND {0}.ordinal = globs.ordinal"
    place = "called.manifest_sha, called.host, called.by_path, called.bucket"
    open_ended = ", ".join(["CAST(false AS BOOLEAN)"] * 5)
    return f"""
    SELECT {place}, globs.ordinal, bool_or(known.region <> '') AS region_seen,
        bool_or(coalesce(known.region <> '' AND {matches("known.region", "regions.pattern")}, false)) AS region_fits,
        bool_or(called.by_path OR known.bucket <> '' OR known.point <> '') AS store_seen,
        bool_or(coalesce({bucket} <> '' AND ({bucket_fits}) OR known.point <> '' AND ({point_fits}), false))
            AS store_fits,
        bool_or(coalesce(ends_with(items.pattern, '%')
            AND ({bucket} <> '' AND ({bucket_whole}) OR known.point <> '' AND ({point_whole})), false)) AS store_whole
    FROM {_VISITED} JOIN scope_host_services AS known ON called.host = known.host
    JOIN {_SERVICE_GLOBS} AND {matches("known.service", "globs.pattern")}
    JOIN scope_rules AS rules ON globs.manifest_sha = rules.manifest_sha AND globs.ordinal = rules.ordinal
    LEFT JOIN scope_globs AS regions ON {of_the_line.format("regions")} AND regions.place = 4
    LEFT JOIN scope_globs AS items ON {of_the_line.format("items")} AND items.place = 5
    WHERE NOT (known.service IN ({tenants}) AND rules.states3 IS NOT NULL)
    GROUP BY {place}, globs.ordinal
    UNION ALL
    SELECT DISTINCT {place}, globs.ordinal, {open_ended}
    FROM {_VISITED} JOIN {_SERVICE_GLOBS} AND called.host = globs.pattern
    LEFT JOIN scope_host_services AS known ON called.host = known.host
    WHERE strpos(globs.pattern, '%') = 0 AND strpos(globs.pattern, '.') > 0 AND known.host IS NULL
    UNION ALL
    SELECT {place}, tenants.ordinal, {open_ended}
    FROM {_VISITED} JOIN scope_account_hosts AS tenants
        ON called.manifest_sha = tenants.manifest_sha AND called.host = tenants.host
    """


def endpoints_sql() -> str:
    """Asks whose host is an endpoint of an allowed service, with the api line that decides so.

    The first line that speaks of the service decides. An allow line does so unless the call shows a region, a bucket
    or an access point that it does not admit; a deny line only where it denies the whole service, the region that is
    shown or the bucket or access point that is shown. What else an allow line states cannot be seen from the network,
    but for the account that is the host. A path that can be read in two ways must be allowed in both.
    """
    place = "hosts.manifest_sha, hosts.host, hosts.by_path, hosts.bucket"
    same = " AND ".join(f"visits.{name} = deciding.{name}" for name in ("manifest_sha", "host", "by_path", "bucket"))
    return f"""
    WITH deciding AS (
        SELECT {place}, rules.ordinal, rules.effect, rules.file, rules.line,
            concat_ws(',', rules.states2, CASE WHEN rules.states3 IS NOT NULL AND accounts.ordinal IS NULL
                THEN rules.states3 END, CASE WHEN NOT hosts.region_seen THEN rules.states4 END, rules.states5) AS unseen
        FROM scope_service_hosts AS hosts
        JOIN scope_rules AS rules ON hosts.manifest_sha = rules.manifest_sha AND hosts.ordinal = rules.ordinal
        LEFT JOIN scope_account_hosts AS accounts ON hosts.manifest_sha = accounts.manifest_sha
            AND hosts.host = accounts.host AND hosts.ordinal = accounts.ordinal
        WHERE (rules.states4 IS NULL OR hosts.region_fits OR (rules.effect = 'allow' AND NOT hosts.region_seen))
            AND (rules.states5 IS NULL OR hosts.store_whole
                OR (rules.effect = 'allow' AND (hosts.store_fits OR NOT hosts.store_seen)))
            AND (rules.effect = 'allow' OR (rules.states2 IS NULL AND rules.states3 IS NULL))
        QUALIFY row_number() OVER (PARTITION BY {place} ORDER BY rules.ordinal) = 1
    ),
    ways AS (
        SELECT visits.ask, visits.item, deciding.ordinal, deciding.file, deciding.line,
            concat_ws(',', CASE WHEN heads.manner = 'tunnel' AND NOT heads.sees2 THEN 'ports' END,
                nullif(deciding.unseen, '')) AS unseen,
            min(CASE WHEN deciding.effect = 'allow' THEN 1 ELSE 0 END) OVER one_ask AS allowed,
            row_number() OVER (PARTITION BY visits.ask, visits.item ORDER BY deciding.ordinal, visits.bucket) AS nth
        FROM scope_visits AS visits
        JOIN scope_heads AS heads ON visits.head = heads.head
        LEFT JOIN deciding ON {same}
        WHERE heads.manner <> 'tunnel' OR heads.d2 = '443' OR NOT heads.sees2
        WINDOW one_ask AS (PARTITION BY visits.ask, visits.item)
    )
    SELECT ask, item, ordinal, file, line, unseen FROM ways WHERE allowed = 1 AND nth = 1
    """

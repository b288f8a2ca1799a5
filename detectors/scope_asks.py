"""Actions as questions to a scope: which action is judged, by what, and which of its resources count."""

from __future__ import annotations

from dataclasses import dataclass

from detectors.scope_paths import crooked_sql

NO_TEXTS = "CAST([] AS VARCHAR[])"
KEYS = ("manifest_sha", "kind", "manner", "format", "d1", "d2", "d3", "d4", "item", "listed")
"""What makes two actions ask the same: `d1` to `d4` and `item` are the places of `scope_patterns.PLACES`."""
HEAD = KEYS[:8]


@dataclass(frozen=True)
class Container:
    """A resource that is listed only because another one is in it: group 1 of `inside` (RE2 and Java alike)."""

    inside: str
    reason: str


_ARN = "^(arn:[^:]+:{}:[^:]*:[^:]*:"
CONTAINERS = (
    Container("^(arn:[^:]+:s3:::[^/]+)/.", "the bucket of an object; keys are flat, so no object contains another"),
    Container(_ARN.format("s3") + "accesspoint/[^/]+)/object/.", "the access point of an object"),
    Container(_ARN.format("dynamodb") + "table/[^/]+)/(?:index|stream)/.", "the table of an index or a stream"),
    Container(_ARN.format("lambda") + "function:[^:/]+):[^:]+$", "the function of a version or an alias"),
    Container(_ARN.format("logs") + "log-group:[^:]+):log-stream:.", "the group of a log stream"),
    Container(_ARN.format("kinesis") + "stream/[^/]+)/consumer/.", "the stream of a consumer"),
)
"""Where containment is real (Service Authorization Reference, the services' resource types). Elsewhere a name that
begins as another does is a thing of its own: parameters, secrets, queues, images, roles and their like are flat, so
who names a child must not take the parent out of judgement."""


def _text(column: str) -> str:
    return f"coalesce({column}, '')"


def judged_sql() -> str:
    """Actions that scope judges, by the places of their kind.

    `manner`: `tunnel` is a CONNECT, `role` taking one on, `cut` a call whose record leaves out what was asked for.
    """
    common = "action_uid, manifest_sha, format, coalesce(status IN ('denied', 'failure'), false) AS tried"
    host = "coalesce(spelled.host, lower(rtrim(dst_host, '.')))"
    connect = "upper(http_method) = 'CONNECT'"
    path = "split_part(split_part(url_path, '?', 1), '#', 1)"
    known = "manifest_sha IS NOT NULL AND worker IS NOT NULL"
    return f"""
    SELECT {common}, 'api' AS kind, CASE WHEN obtains = 'self' THEN 'role'
            WHEN request_cut AND resource_uid IS NULL THEN 'cut' ELSE 'plain' END AS manner,
        {_text("api_service")} AS d1, {_text("api_operation")} AS d2, {_text("account")} AS d3,
        {_text("region")} AS d4, {_text("resource_uid")} AS item,
        CASE WHEN obtains = 'self' OR resources IS NULL THEN {NO_TEXTS} ELSE resources END AS listed
    FROM attributed
    WHERE {known} AND category IN ('cloud', 'token')
        AND (coalesce(obtains, '') <> 'self' OR (resource_type = 'AWS::IAM::Role' AND resource_uid <> ''))
    UNION ALL
    SELECT {common}, 'net', CASE WHEN {connect} THEN 'tunnel' ELSE 'plain' END,
        {_text(host)}, {_text("CAST(dst_port AS VARCHAR)")}, {_text("http_method")}, '',
        CASE WHEN url_path IS NULL OR coalesce({connect}, false) THEN '' WHEN {path} = '' THEN '/' ELSE {path} END,
        {NO_TEXTS}
    FROM attributed LEFT JOIN scope_spelled AS spelled ON attributed.dst_host = spelled.written
    WHERE {known} AND category = 'proxy'
    UNION ALL
    SELECT {common}, 'model', 'plain', {_text("model")}, {_text("api_service")}, '', '', '', {NO_TEXTS}
    FROM attributed
    WHERE {known} AND category = 'model'
    UNION ALL
    SELECT {common}, 'tool', 'plain', {_text("account")}, {_text("tool")}, '', '', '', {NO_TEXTS}
    FROM attributed
    -- Opening a session, listing tools and starting an agent use no tool; a call that names none is judged.
    WHERE {known} AND category = 'tool' AND (tool IS NOT NULL OR coalesce(api_operation, 'tools/call') = 'tools/call')
    """


def asks_sql() -> str:
    """Distinct questions: what is judged, without who did it when."""
    keys = ", ".join(KEYS)
    return f"SELECT row_number() OVER (ORDER BY {keys}) AS ask, {keys} FROM (SELECT DISTINCT {keys} FROM scope_judged)"


def crooked_paths_sql() -> str:
    """Paths that may have another form than the one they are written in."""
    return f"SELECT DISTINCT item AS crooked FROM scope_asks WHERE kind = 'net' AND {crooked_sql('item')}"


def listed_sql() -> str:
    """Resources of api asks: all that the record lists."""
    return """
    SELECT ask, item FROM scope_asks WHERE kind = 'api' AND item <> ''
    UNION
    SELECT ask, item FROM (SELECT ask, unnest(listed) AS item FROM scope_asks WHERE kind = 'api') WHERE item <> ''
    """


def containers_sql() -> str:
    """Listed resources that contain another listed one of the same ask, by CONTAINERS: ask, item.

    An item lies in one container at most, so it is cut down to that and compared by equality.
    """
    cuts = ", ".join(f"nullif(regexp_extract(item, '{one.inside}', 1), '')" for one in CONTAINERS)
    return f"""
    SELECT DISTINCT ask, container AS item
    FROM (SELECT ask, coalesce({cuts}) AS container FROM scope_listed WHERE starts_with(item, 'arn:')) AS cut
    WHERE container IS NOT NULL
    """


def items_sql() -> str:
    """What is judged within an ask: each resource that contains no other listed one, the path, or nothing ('').

    Of a path `item` is the plain form, `loose` the other one (detectors.scope_paths).
    """
    return f"""
    WITH containers AS ({containers_sql()}),
    judged AS (
        SELECT listed.ask, listed.item
        FROM scope_listed AS listed LEFT JOIN containers
            ON listed.ask = containers.ask AND listed.item = containers.item
        WHERE containers.ask IS NULL
    )
    SELECT ask, item, '' AS loose, false AS climbs FROM judged
    UNION ALL
    SELECT asks.ask, CASE WHEN asks.kind = 'net' THEN coalesce(straight.path, asks.item) ELSE '' END,
        coalesce(straight.loose, ''), coalesce(straight.climbs, false)
    FROM scope_asks AS asks
    LEFT JOIN (SELECT DISTINCT ask FROM judged) AS named ON asks.ask = named.ask
    LEFT JOIN scope_straight AS straight ON asks.item = straight.crooked
    WHERE named.ask IS NULL
    """

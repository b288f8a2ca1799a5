"""Which lines match which questions: the same for the lines of a scope and for what needs an approval.

Many actions ask the same question, so each distinct question (an *ask*) is compared once. Within asks, what differs
in most of them (resource, path) is compared last, and only with lines that everything else already fits: the *head*
of an ask is what remains without it.
"""

from __future__ import annotations

from detectors.engine import Engine
from detectors.glob import prepared_matches_sql as matches
from detectors.scope_asks import HEAD
from detectors.scope_patterns import Lines, globs_sql, lines_sql

LISTINGS = (
    "ListBucket", "ListObjects", "ListObjectsV2", "ListBucketVersions", "ListObjectVersions",
    "ListBucketMultipartUploads", "ListMultipartUploads", "HeadBucket",
)  # fmt: skip
"""Operations of S3 that show what is inside a bucket."""


def let_firsts(engine: Engine, lines: Lines) -> None:
    """From `scope_heads`, `scope_tries` and a table of lines make `PREFIX_firsts`, and on the way what it rests on."""
    prefix = lines.prefix
    engine.let(f"{prefix}_globs", globs_sql(lines))
    engine.let(f"{prefix}_rules", lines_sql(lines))
    engine.let(f"{prefix}_hits", hits_sql(prefix))
    engine.let(f"{prefix}_head_rules", head_rules_sql(prefix))
    engine.let(f"{prefix}_item_hits", item_hits_sql(prefix))
    engine.let(f"{prefix}_fits", fits_sql(prefix))
    engine.let(f"{prefix}_firsts", firsts_sql(prefix))


def heads_sql() -> str:
    """Distinct asks without their items; `sees1` to `sees5` say what the format can show of each place.

    Of a tunnel neither method nor path can be seen, of a cut record no resource.
    A format that declares nothing is taken to see everything.
    """
    keys = ", ".join(f"heads.{name}" for name in HEAD)
    sees = ", ".join(f"coalesce(sight.sees{at}, true) AS sees{at}" for at in (1, 2, 4))
    hidden = (
        "coalesce(sight.sees3, true) AND heads.manner <> 'tunnel' AS sees3, "
        "coalesce(sight.sees5, true) AND heads.manner <> 'tunnel' AND heads.manner <> 'cut' AS sees5"
    )
    return f"""
    SELECT row_number() OVER (ORDER BY {keys}) AS head, {keys}, {sees}, {hidden}
    FROM (SELECT DISTINCT {", ".join(HEAD)} FROM scope_asks) AS heads
    LEFT JOIN scope_sight AS sight ON heads.format = sight.format AND heads.kind = sight.kind
    """


def hits_sql(prefix: str) -> str:
    """Which line of which manifest has a glob that matches this value at places 1 to 4.

    Methods are upper case; an eager line matches `post` as well, which many servers take for POST.
    """
    values = " UNION ".join(
        f"SELECT manifest_sha, kind, {at} AS place, d{at} AS value FROM scope_heads WHERE d{at} <> ''"
        for at in range(1, 5)
    )
    upper = matches("upper(had.value)", "globs")
    return f"""
    SELECT DISTINCT had.manifest_sha, had.kind, had.place, had.value, globs.ordinal
    FROM ({values}) AS had
    JOIN {prefix}_globs AS globs ON had.manifest_sha = globs.manifest_sha AND had.kind = globs.kind
        AND had.place = globs.place
        AND ({matches("had.value", "globs")}
             OR (globs.eager AND had.kind = 'net' AND had.place = 3 AND {upper}))
    """


def head_rules_sql(prefix: str) -> str:
    """Lines that may decide an ask of this head: all that they state at places 1 to 4 fits.

    `unseen` names, comma-separated, what an allow line states and the format cannot show. A CONNECT needs port
    443 where an allow line states no ports. A role is allowed only by a line that states resources.
    """
    hits = "\n".join(
        f"LEFT JOIN {prefix}_hits AS hit{at} ON hit{at}.place = {at} AND hit{at}.ordinal = rules.ordinal"
        f" AND hit{at}.manifest_sha = heads.manifest_sha AND hit{at}.kind = heads.kind AND hit{at}.value = heads.d{at}"
        for at in range(1, 5)
    )
    fits = " AND ".join(
        f"(rules.states{at} IS NULL OR hit{at}.ordinal IS NOT NULL OR (rules.effect = 'allow' AND NOT heads.sees{at}))"
        for at in range(1, 5)
    )
    unseen = ", ".join(
        f"CASE WHEN hit{at}.ordinal IS NULL AND NOT heads.sees{at} THEN rules.states{at} END" for at in range(1, 5)
    )
    by_default = "heads.manner = 'tunnel' AND rules.effect = 'allow' AND rules.states2 IS NULL"
    return f"""
    SELECT heads.head, rules.ordinal, rules.effect, rules.file, rules.line, rules.states5, heads.sees5,
        concat_ws(',', CASE WHEN {by_default} AND NOT heads.sees2 THEN 'ports' END, {unseen}) AS unseen
    FROM scope_heads AS heads
    JOIN {prefix}_rules AS rules ON heads.manifest_sha = rules.manifest_sha AND heads.kind = rules.kind
    {hits}
    WHERE {fits}
        AND NOT ({by_default} AND heads.sees2 AND heads.d2 <> '443')
        AND NOT (heads.manner = 'role' AND rules.effect = 'allow' AND rules.states5 IS NULL)
    """


def tries_sql() -> str:
    """Items of asks with the manifest and the head that they belong to, and the `other` form in which each counts.

    Who lists a bucket asks for the names inside it as well as for the bucket: `bucket/*` covers it too. A path has
    its loose form (detectors.scope_paths).
    """
    listing = " OR ".join(f"asks.d2 = '{operation}'" for operation in LISTINGS)
    on = " AND ".join(f"asks.{name} = heads.{name}" for name in HEAD)
    return f"""
    SELECT items.ask, items.item, heads.head, heads.manifest_sha, heads.kind, items.climbs,
        CASE WHEN asks.d1 = 's3.amazonaws.com' AND ({listing}) AND items.item LIKE 'arn:%:s3:::%'
                AND items.item NOT LIKE 'arn:%:s3:::%/%'
            THEN items.item || '/' ELSE items.loose END AS other
    FROM scope_items AS items
    JOIN scope_asks AS asks ON items.ask = asks.ask
    JOIN scope_heads AS heads ON {on}
    """


SAME_ITEM = " AND ".join(f"tries.{name} = hits.{name}" for name in ("manifest_sha", "kind", "item", "other", "climbs"))


def item_hits_sql(prefix: str) -> str:
    """Which lines, of those that may decide, have a glob that matches this item."""
    item, other, without_slash = (
        matches(value, "globs") for value in ("tries.item", "tries.other", "rtrim(tries.other, '/')")
    )
    columns = "tries.manifest_sha, tries.kind, tries.item, tries.other, tries.climbs"
    return f"""
    SELECT DISTINCT {columns}, globs.ordinal
    FROM (
        SELECT DISTINCT {columns}, rules.ordinal
        FROM scope_tries AS tries JOIN {prefix}_head_rules AS rules ON tries.head = rules.head
        WHERE rules.states5 IS NOT NULL AND tries.item <> ''
    ) AS tries
    JOIN {prefix}_globs AS globs ON tries.manifest_sha = globs.manifest_sha AND tries.kind = globs.kind
        AND tries.ordinal = globs.ordinal AND globs.place = 5
        AND CASE WHEN tries.other = '' THEN {item}
                 WHEN globs.eager THEN {item} OR {other} OR {without_slash}
                 WHEN tries.kind = 'net' THEN {item} AND (NOT tries.climbs OR {other})
                 ELSE {item} OR {other} END
    """


def fits_sql(prefix: str) -> str:
    """All lines that match an item of an ask: ask, item, ordinal, and the places that are `unseen`."""
    return f"""
    SELECT tries.ask, tries.item, rules.ordinal, rules.effect, rules.file, rules.line,
        CASE WHEN rules.effect = 'deny' THEN '' ELSE concat_ws(',', nullif(rules.unseen, ''),
            CASE WHEN NOT rules.sees5 AND hits.ordinal IS NULL THEN rules.states5 END) END AS unseen
    FROM scope_tries AS tries
    JOIN {prefix}_head_rules AS rules ON tries.head = rules.head
    LEFT JOIN {prefix}_item_hits AS hits ON {SAME_ITEM} AND rules.ordinal = hits.ordinal
    WHERE rules.states5 IS NULL OR hits.ordinal IS NOT NULL OR (rules.effect = 'allow' AND NOT rules.sees5)
    """


def firsts_sql(prefix: str) -> str:
    """The first line that matches each item of each ask: first match wins."""
    return f"""
    SELECT ask, item, ordinal, effect, file, line, unseen FROM {prefix}_fits
    QUALIFY row_number() OVER (PARTITION BY ask, item ORDER BY ordinal) = 1
    """

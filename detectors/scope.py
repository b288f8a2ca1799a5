"""Verdicts: every action of a worker held against the scope lines of the manifest in force (design, section 5).

Many actions ask the same question, so each distinct question (an *ask*) is judged once and the answer joined
back. Within asks, what differs in most of them (resource, path) is compared last, and only with lines that
everything else already fits: the *head* of an ask is what remains without it.

Reads `attributed`, `observes(format, column)` and the tables of `detectors.manifest_tables`; makes `verdicts`
(VERDICTS). Intermediate results are named `scope_*`.
"""

from __future__ import annotations

import pyarrow as pa

from detectors.engine import Engine
from detectors.scope_asks import HEAD, KEYS, NO_TEXTS, asks_sql, crooked_sql, items_sql, judged_sql, listed_sql
from detectors.scope_exceptions import let_exceptions
from detectors.scope_patterns import STRAIGHT, globs_sql, lines_sql, matches, sight_sql, straighten

_COLUMNS: dict[str, pa.DataType] = {
    "action_uid": pa.string(),
    "verdict": pa.string(),
    "tried": pa.bool_(),
    "resource": pa.string(),
    "file": pa.string(),
    "line": pa.int64(),
    "unseen": pa.list_(pa.string()),
    "kind": pa.string(),
    "basis": pa.string(),
}
VERDICTS = pa.schema(_COLUMNS)
"""One row an action that scope judges: its `verdict` is `allow`, `deny` or `out` (nothing allows it).

`tried`: the call was denied or failed. `resource`: what decided (api: the resource; net: the host; model: the
model; tool: the tool). `file` and `line`: of the deciding line, null where none decided. `unseen`: dimensions
that the deciding line states and the format cannot show, counted as matched. `basis`: `line`, `secrets` (a
pattern of secrets that it may read), `endpoint` (the host of a service that an api line allows), `identity` (a
role that the worker is), `none`.
"""


LISTINGS = (
    "ListBucket", "ListObjects", "ListObjectsV2", "ListBucketVersions", "ListObjectVersions",
    "ListBucketMultipartUploads", "ListMultipartUploads", "HeadBucket",
)  # fmt: skip
"""Operations of S3 that show what is inside a bucket."""


def judge(engine: Engine) -> None:
    """Make the table `verdicts` (VERDICTS)."""
    engine.let("scope_judged", judged_sql())
    engine.let("scope_asks", asks_sql())
    engine.let("scope_crooked", crooked_sql())
    engine.each("scope_straight", "scope_crooked", straighten, STRAIGHT)
    engine.let("scope_listed", listed_sql())
    engine.let("scope_items", items_sql())
    engine.let("scope_globs", globs_sql())
    engine.let("scope_rules", lines_sql())
    engine.let("scope_sight", sight_sql())
    engine.let("scope_heads", heads_sql())
    engine.let("scope_hits", hits_sql())
    engine.let("scope_head_rules", head_rules_sql())
    engine.let("scope_tries", tries_sql())
    engine.let("scope_item_hits", item_hits_sql())
    engine.let("scope_firsts", firsts_sql())
    let_exceptions(engine)
    engine.let("scope_decided", decided_sql())
    engine.let("scope_answers", answers_sql())
    engine.let("verdicts", verdicts_sql())


def heads_sql() -> str:
    """Distinct asks without their items; `sees1` to `sees5` say what the format can show of each place.

    Of a tunnel neither method nor path can be seen. A format that declares nothing is taken to see everything.
    """
    keys = ", ".join(f"heads.{name}" for name in HEAD)
    sees = ", ".join(f"coalesce(sight.sees{at}, true) AS sees{at}" for at in (1, 2, 4))
    hidden = ", ".join(f"coalesce(sight.sees{at}, true) AND heads.manner <> 'tunnel' AS sees{at}" for at in (3, 5))
    return f"""
    SELECT row_number() OVER (ORDER BY {keys}) AS head, {keys}, {sees}, {hidden}
    FROM (SELECT DISTINCT {", ".join(HEAD)} FROM scope_asks) AS heads
    LEFT JOIN scope_sight AS sight ON heads.format = sight.format AND heads.kind = sight.kind
    """


def hits_sql() -> str:
    """Which line of which manifest has a glob that matches this value at places 1 to 4."""
    values = " UNION ".join(
        f"SELECT manifest_sha, kind, {at} AS place, d{at} AS value FROM scope_heads WHERE d{at} <> ''"
        for at in range(1, 5)
    )
    return f"""
    SELECT DISTINCT had.manifest_sha, had.kind, had.place, had.value, globs.ordinal
    FROM ({values}) AS had
    JOIN scope_globs AS globs ON had.manifest_sha = globs.manifest_sha AND had.kind = globs.kind
        AND had.place = globs.place AND {matches("had.value", "globs.pattern")}
    """


def head_rules_sql() -> str:
    """Lines that may decide an ask of this head: all that they state at places 1 to 4 fits.

    `unseen` names, comma-separated, what an allow line states and the format cannot show. A CONNECT needs port
    443 where an allow line states no ports. A role is allowed only by a line that states resources.
    """
    hits = "\n".join(
        f"LEFT JOIN scope_hits AS hit{at} ON hit{at}.place = {at} AND hit{at}.ordinal = rules.ordinal"
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
    JOIN scope_rules AS rules ON heads.manifest_sha = rules.manifest_sha AND heads.kind = rules.kind
    {hits}
    WHERE {fits}
        AND NOT ({by_default} AND heads.sees2 AND heads.d2 <> '443')
        AND NOT (heads.manner = 'role' AND rules.effect = 'allow' AND rules.states5 IS NULL)
    """


def tries_sql() -> str:
    """Items of asks with the manifest and the head that they belong to.

    Who lists a bucket asks for the names `inside` it as well as for the bucket: `bucket/*` covers it too.
    """
    listing = " OR ".join(f"asks.d2 = '{operation}'" for operation in LISTINGS)
    on = " AND ".join(f"asks.{name} = heads.{name}" for name in HEAD)
    return f"""
    SELECT items.ask, items.item, heads.head, heads.manifest_sha, heads.kind,
        CASE WHEN asks.d1 = 's3.amazonaws.com' AND ({listing}) AND items.item LIKE 'arn:%:s3:::%'
                AND items.item NOT LIKE 'arn:%:s3:::%/%'
            THEN items.item || '/' ELSE '' END AS inside
    FROM scope_items AS items
    JOIN scope_asks AS asks ON items.ask = asks.ask
    JOIN scope_heads AS heads ON {on}
    """


def item_hits_sql() -> str:
    """Which lines, of those that may decide, have a glob that matches this item."""
    return f"""
    SELECT DISTINCT tries.manifest_sha, tries.kind, tries.item, tries.inside, globs.ordinal
    FROM (
        SELECT DISTINCT tries.manifest_sha, tries.kind, tries.item, tries.inside, rules.ordinal
        FROM scope_tries AS tries JOIN scope_head_rules AS rules ON tries.head = rules.head
        WHERE rules.states5 IS NOT NULL AND tries.item <> ''
    ) AS tries
    JOIN scope_globs AS globs ON tries.manifest_sha = globs.manifest_sha AND tries.kind = globs.kind
        AND tries.ordinal = globs.ordinal AND globs.place = 5
        AND ({matches("tries.item", "globs.pattern")}
             OR (tries.inside <> '' AND {matches("tries.inside", "globs.pattern")}))
    """


def firsts_sql() -> str:
    """The first line that matches each item of each ask."""
    return """
    SELECT tries.ask, tries.item, min(rules.ordinal) AS ordinal
    FROM scope_tries AS tries
    JOIN scope_head_rules AS rules ON tries.head = rules.head
    LEFT JOIN scope_item_hits AS hits ON tries.manifest_sha = hits.manifest_sha AND tries.kind = hits.kind
        AND tries.item = hits.item AND tries.inside = hits.inside AND rules.ordinal = hits.ordinal
    WHERE rules.states5 IS NULL OR hits.ordinal IS NOT NULL OR (rules.effect = 'allow' AND NOT rules.sees5)
    GROUP BY tries.ask, tries.item
    """


def decided_sql() -> str:
    """The verdict on each item: by its first line, unless one of the exceptions (scope_exceptions) allows it."""
    return """
    SELECT tries.ask, tries.item,
        CASE WHEN roles.head IS NOT NULL THEN 'identity' WHEN rules.effect IS NOT NULL THEN 'line'
            WHEN secrets.ask IS NOT NULL THEN 'secrets' WHEN endpoints.head IS NOT NULL THEN 'endpoint'
            ELSE 'none' END AS basis,
        CASE WHEN roles.head IS NOT NULL THEN 'allow' WHEN rules.effect IS NOT NULL THEN rules.effect
            WHEN secrets.ask IS NOT NULL OR endpoints.head IS NOT NULL THEN 'allow' ELSE 'out' END AS verdict,
        CASE WHEN roles.head IS NULL THEN coalesce(rules.ordinal, endpoints.ordinal) END AS ordinal,
        CASE WHEN roles.head IS NULL THEN coalesce(rules.file, secrets.file, endpoints.file) END AS file,
        CASE WHEN roles.head IS NULL THEN coalesce(rules.line, secrets.line, endpoints.line) END AS line,
        CASE WHEN roles.head IS NOT NULL OR rules.effect = 'deny' THEN ''
            WHEN rules.effect = 'allow' THEN concat_ws(',', nullif(rules.unseen, ''),
                CASE WHEN NOT rules.sees5 AND hits.ordinal IS NULL THEN rules.states5 END)
            WHEN secrets.ask IS NULL THEN coalesce(endpoints.unseen, '') ELSE '' END AS unseen
    FROM scope_tries AS tries
    LEFT JOIN scope_firsts AS firsts ON tries.ask = firsts.ask AND tries.item = firsts.item
    LEFT JOIN scope_head_rules AS rules ON tries.head = rules.head AND firsts.ordinal = rules.ordinal
    LEFT JOIN scope_item_hits AS hits ON tries.manifest_sha = hits.manifest_sha AND tries.kind = hits.kind
        AND tries.item = hits.item AND tries.inside = hits.inside AND rules.ordinal = hits.ordinal
    LEFT JOIN scope_own_roles AS roles ON tries.head = roles.head AND tries.item = roles.item
    LEFT JOIN scope_secrets AS secrets ON tries.ask = secrets.ask AND tries.item = secrets.item
    LEFT JOIN scope_endpoints AS endpoints ON tries.head = endpoints.head
    """


def answers_sql() -> str:
    """The verdict on each ask: the worst of its items, of equals the one of the first line and the least name."""
    return """
    SELECT ask, item, verdict, basis, file, line, unseen
    FROM scope_decided
    QUALIFY row_number() OVER (
        PARTITION BY ask
        ORDER BY CASE verdict WHEN 'deny' THEN 1 WHEN 'out' THEN 2 ELSE 3 END, coalesce(ordinal, -1), item
    ) = 1
    """


def verdicts_sql() -> str:
    """One row an action that is judged: see VERDICTS."""
    on = " AND ".join(f"judged.{name} = asks.{name}" for name in KEYS)
    return f"""
    SELECT judged.action_uid, answers.verdict, judged.tried,
        nullif(CASE asks.kind WHEN 'api' THEN answers.item WHEN 'tool' THEN asks.d2 ELSE asks.d1 END, '') AS resource,
        answers.file, answers.line,
        CASE WHEN answers.unseen = '' THEN {NO_TEXTS} ELSE string_split(answers.unseen, ',') END AS unseen,
        asks.kind, answers.basis
    FROM scope_judged AS judged
    JOIN scope_asks AS asks ON {on}
    JOIN scope_answers AS answers ON asks.ask = answers.ask
    """


def sentence_sql(verdict: str = "verdicts") -> str:
    """SQL text: a row of `verdicts`, under this table name, in one sentence that also says what could not be seen."""
    place = f"({verdict}.file || ':' || CAST({verdict}.line AS VARCHAR))"
    named = f"coalesce({verdict}.resource, 'what it named')"
    return f"""(CASE
        WHEN {verdict}.verdict = 'deny' THEN {named} || ' is denied by ' || coalesce({place}, 'a line of the manifest')
        WHEN {verdict}.verdict = 'out'
            THEN {named} || ' is out of scope: no ' || {verdict}.kind || ' line of the manifest allows it'
        WHEN {verdict}.basis = 'identity' THEN {named} || ' is a role that the worker is'
        WHEN {verdict}.basis = 'endpoint'
            THEN {named} || ' is an endpoint of a service that is allowed by ' || coalesce({place}, 'the manifest')
        ELSE {named} || ' is allowed by ' || coalesce({place}, 'a line of the manifest') END
        || CASE WHEN array_to_string({verdict}.unseen, ', ') <> ''
            THEN ' (this log does not show ' || array_to_string({verdict}.unseen, ', ') || ')' ELSE '' END
        || CASE WHEN {verdict}.tried THEN '; the call did not succeed' ELSE '' END)"""

"""Approvals: which actions need one, and whether one covers them: in time, by somebody who may, not yet used.

**What a format of category `approval` fills.** One action a decision:

- `principal`: who decided; `identity_strength` is `asserted` where the log only repeats a name (it does not count).
- `time`: when it was decided. `status`: `success` is granted; anything else (`denied`) approves nothing.
- `session_name`: whose act is approved: the worker's name, or one of its identities.
- `api_service` and `api_operation`: what is approved, spelled as the act's own log spells it. For a request through a
  proxy the operation is the method and the service null; for a tool the operation is the tool's name; for a model both
  are null.
- `resource_uid` and `resources`: on what; a host for a request through a proxy, a server for a tool, the model for a
  model. Without any it approves only an act that names no resource.
- `request_uid`: a digest of the content, or the id of the one request that is approved, where the approval is bound to
  it: the act's `request_uid` must be the same. Null binds to no content.

**What needs one.** The lines of `approvals` are matched as allow lines are (detectors.scope_match); the first that
matches decides for each resource. A line that states paths or methods is not got around by another spelling.

**What counts.** An approval for the worker, the operation and the resource, decided before the act and no longer ago
than `within`, by somebody whom `from` names and who is not the worker, its delegator or its owner (also not under
another account with the same mail address). It is used once for each resource: acts take approvals in order of time,
each the earliest that still counts for it.

Reads what `detectors.scope.judge` has made, `attributed`, `observes` and the manifest tables.
"""

from __future__ import annotations

import pyarrow as pa

from detectors.engine import Engine
from detectors.scope_asks import KEYS, NO_TEXTS
from detectors.scope_match import let_firsts
from detectors.scope_patterns import APPROVALS, matches

_COLUMNS: dict[str, pa.DataType] = {
    "action_uid": pa.string(),
    "ordinal": pa.int64(),
    "kind": pa.string(),
    "service": pa.string(),
    "operation": pa.string(),
    "resource": pa.string(),
    "approvers": pa.list_(pa.string()),
    "within_seconds": pa.int64(),
    "file": pa.string(),
    "line": pa.int64(),
    "unseen": pa.list_(pa.string()),
    "tried": pa.bool_(),
    "approval_uid": pa.string(),
    "closest": pa.string(),
}
APPROVAL_NEEDS = pa.schema(_COLUMNS)
"""One row an action and resource that needs an approval.

`service`, `operation` and `resource` are what an approval has to name; empty is nothing in particular. `approvers` are
LIKE patterns over principals; `ordinal`, `file` and `line` are of the line that asks. `unseen`: what that line states
and the format cannot show. `tried`: the call did not succeed. `approval_uid`: the approval that covers it, null where
none does; then `closest` says in words why the approval that comes closest does not count, null where there is none.
"""


def judge(engine: Engine) -> None:
    """Make the table `approval_needs` (APPROVAL_NEEDS)."""
    let_firsts(engine, APPROVALS)
    engine.let("approval_acts", acts_sql())
    engine.let("approval_given", given_sql())
    engine.let("approval_named", named_sql())
    engine.let("approval_own", own_sql())
    engine.let("approval_pairs", pairs_sql())
    _pair(engine)
    engine.let("approval_closest", closest_sql())
    engine.let("approval_needs", needs_sql())


def acts_sql() -> str:
    """Actions that need an approval, a row a resource, with what an approval has to name."""
    on = " AND ".join(f"judged.{name} = asks.{name}" for name in KEYS)
    tunnel = "asks.manner = 'tunnel'"
    return f"""
    WITH asked AS (
        SELECT asks.*, firsts.item AS on_item, firsts.ordinal, firsts.file, firsts.line, firsts.unseen
        FROM approval_firsts AS firsts JOIN scope_asks AS asks ON firsts.ask = asks.ask
    )
    SELECT judged.action_uid, judged.manifest_sha, judged.tried, asks.kind, asks.ordinal, asks.file, asks.line,
        asks.unseen,
        CASE asks.kind WHEN 'api' THEN asks.d1 WHEN 'model' THEN asks.d2 ELSE '' END AS service,
        CASE asks.kind WHEN 'model' THEN '' WHEN 'net' THEN CASE WHEN {tunnel} THEN '' ELSE upper(asks.d3) END
            ELSE asks.d2 END AS operation,
        CASE asks.kind WHEN 'api' THEN asks.on_item ELSE asks.d1 END AS resource,
        acts.worker, acts.time, acts.delegator, acts.request_uid, versions.owner,
        coalesce(sight.sees_request, true) AS sees_request
    FROM scope_judged AS judged
    JOIN asked AS asks ON {on}
    JOIN attributed AS acts ON acts.action_uid = judged.action_uid
    LEFT JOIN manifest_versions AS versions ON versions.worker = acts.worker
        AND versions.manifest_sha = judged.manifest_sha
        AND acts.time >= versions.valid_from AND acts.time < versions.valid_to
    LEFT JOIN (SELECT format, bool_or("column" = 'request_uid') AS sees_request FROM observes GROUP BY format) AS sight
        ON sight.format = judged.format
    """


def given_sql() -> str:
    """Approvals that were granted, a row a resource and worker that they are for."""
    resource = "coalesce(resource_uid, '')"
    return f"""
    WITH granted AS (
        SELECT action_uid, time, principal, worker AS given_by, session_name, identity_strength, request_uid,
            coalesce(api_service, '') AS service, coalesce(api_operation, '') AS operation, {resource} AS resource,
            CASE WHEN resources IS NULL THEN {NO_TEXTS} ELSE resources END AS resources
        FROM attributed
        WHERE category = 'approval' AND status = 'success' AND session_name IS NOT NULL AND principal IS NOT NULL
    ),
    listed AS (
        SELECT action_uid, resource FROM granted WHERE resource <> ''
        UNION
        SELECT action_uid, resource FROM (SELECT action_uid, unnest(resources) AS resource FROM granted) AS each_one
        WHERE resource <> ''
    ),
    names AS (
        SELECT DISTINCT session_name FROM granted
    ),
    meant AS (
        SELECT names.session_name, versions.worker
        FROM names JOIN (SELECT DISTINCT worker FROM manifest_versions) AS versions
            ON versions.worker = names.session_name
        UNION
        SELECT names.session_name, identities.worker
        FROM names JOIN identities ON {matches("names.session_name", "identities.uid_like")}
    )
    SELECT granted.action_uid AS approval_uid, granted.time, granted.principal, granted.given_by,
        granted.identity_strength, granted.request_uid, granted.service, granted.operation, meant.worker,
        coalesce(listed.resource, '') AS resource
    FROM granted
    JOIN meant ON meant.session_name = granted.session_name
    LEFT JOIN listed ON listed.action_uid = granted.action_uid
    """


def named_sql() -> str:
    """Who of those that decided may do so, by the line that says so."""
    return f"""
    SELECT DISTINCT patterns.manifest_sha, patterns.ordinal, who.principal
    FROM (SELECT DISTINCT manifest_sha, ordinal, unnest(approvers) AS pattern FROM approval_lines) AS patterns
    JOIN (SELECT DISTINCT principal FROM approval_given) AS who ON {matches("who.principal", "patterns.pattern")}
    """


def own_sql() -> str:
    """Who of those that decided is a worker's own identity."""
    return f"""
    SELECT DISTINCT identities.worker, who.principal
    FROM identities JOIN (SELECT DISTINCT principal FROM approval_given) AS who
        ON {matches("who.principal", "identities.uid_like")}
    """


def _same_person(one: str, other: str) -> str:
    """SQL: whether two principals are one, or two accounts of one mail address."""

    def mail(of: str) -> str:
        return f"CASE WHEN strpos({of}, '@') > 0 THEN lower(regexp_extract({of}, '([^/]*)$', 1)) END"

    return f"(coalesce({one} = {other}, false) OR coalesce({mail(one)} = {mail(other)}, false))"


def pairs_sql() -> str:
    """Acts with approvals of the same worker, operation and resource; `lacks` says why one does not count, else ''.

    Of several reasons it is the one that is furthest from counting.
    """
    itself = " OR ".join(
        ("coalesce(given.given_by = acts.worker, false)", "own.principal IS NOT NULL",
         _same_person("given.principal", "acts.delegator"), _same_person("given.principal", "acts.owner"))
    )  # fmt: skip
    return f"""
    SELECT acts.action_uid, acts.resource, acts.time, given.approval_uid, given.time AS given_at, given.principal,
        CASE WHEN {itself} THEN 'self'
            WHEN named.principal IS NULL THEN 'not named'
            WHEN given.identity_strength = 'asserted' THEN 'claimed'
            WHEN given.request_uid IS NOT NULL AND acts.sees_request
                AND given.request_uid IS DISTINCT FROM acts.request_uid THEN 'other content'
            WHEN given.time > acts.time THEN 'afterwards'
            WHEN date_diff('microsecond', given.time, acts.time) > lines.within_seconds * 1000000 THEN 'too old'
            ELSE '' END AS lacks
    FROM approval_acts AS acts
    JOIN approval_lines AS lines ON lines.manifest_sha = acts.manifest_sha AND lines.ordinal = acts.ordinal
    JOIN approval_given AS given ON given.worker = acts.worker AND given.resource = acts.resource
        AND (acts.operation = '' OR given.operation = acts.operation)
        AND (acts.service = '' OR given.service = acts.service)
    LEFT JOIN approval_named AS named ON named.manifest_sha = acts.manifest_sha AND named.ordinal = acts.ordinal
        AND named.principal = given.principal
    LEFT JOIN approval_own AS own ON own.worker = acts.worker AND own.principal = given.principal
    """


def _pair(engine: Engine) -> None:
    """Make `approval_uses` (action_uid, resource, approval_uid): each act with the approval that it uses up.

    Acts are served in order of time, each with the earliest approval that is left. In rounds (deferred acceptance,
    D. Gale and L. S. Shapley, 1962): every act asks for its next approval, of those that ask for the same one the
    earliest act has it, the others go on to their next. There are about as many rounds as approvals that acts vie for.
    """
    act = "PARTITION BY action_uid, resource"
    engine.let(
        "approval_ranked",
        f"""
        SELECT action_uid, resource, time, approval_uid,
            row_number() OVER ({act} ORDER BY given_at, approval_uid) AS nth, count(*) OVER ({act}) AS offers
        FROM approval_pairs WHERE lacks = ''
        """,
    )
    engine.let("approval_asking", "SELECT action_uid, resource, nth FROM approval_ranked WHERE nth = 1")
    while True:
        engine.let(
            "approval_asked",
            """
            SELECT ranked.*, row_number() OVER (
                PARTITION BY ranked.approval_uid, ranked.resource ORDER BY ranked.time, ranked.action_uid) = 1 AS has_it
            FROM approval_asking AS asking
            JOIN approval_ranked AS ranked ON ranked.action_uid = asking.action_uid
                AND ranked.resource = asking.resource AND ranked.nth = asking.nth
            """,
        )
        if not engine.query("SELECT count(*) AS n FROM approval_asked WHERE NOT has_it")["n"][0].as_py():
            break
        engine.let(
            "approval_asking",
            """
            SELECT action_uid, resource, CASE WHEN has_it THEN nth ELSE nth + 1 END AS nth
            FROM approval_asked WHERE has_it OR nth < offers
            """,
        )
    engine.let("approval_uses", "SELECT action_uid, resource, approval_uid FROM approval_asked WHERE has_it")


_REASONS = {
    "": "was used already",
    "too old": "is older than allowed",
    "afterwards": "came only afterwards",
    "other content": "is for other content",
    "self": "is by the worker itself, its delegator or its owner",
    "not named": "is by somebody who may not approve this",
    "claimed": "is by a name that nobody checked",
}
"""Why an approval does not count, the closest first."""


def closest_sql() -> str:
    """For each act the approval that comes closest to covering it, in words."""
    order = " ".join(f"WHEN '{lacks}' THEN {place}" for place, lacks in enumerate(_REASONS))
    words = " ".join(f"WHEN '{lacks}' THEN '{said}'" for lacks, said in _REASONS.items())
    return f"""
    SELECT action_uid, resource, 'the approval ' || approval_uid || ' of ' || principal || ' at '
        || strftime(given_at, '%Y-%m-%d') || 'T' || strftime(given_at, '%H:%M:%S') || 'Z '
        || CASE lacks {words} END AS closest
    FROM approval_pairs
    QUALIFY row_number() OVER (
        PARTITION BY action_uid, resource ORDER BY CASE lacks {order} END, given_at DESC, approval_uid) = 1
    """


def needs_sql() -> str:
    """One row an act and resource: see APPROVAL_NEEDS."""
    return f"""
    SELECT acts.action_uid, acts.ordinal, acts.kind, acts.service, acts.operation, acts.resource, lines.approvers,
        lines.within_seconds, acts.file, acts.line,
        CASE WHEN acts.unseen = '' THEN {NO_TEXTS} ELSE string_split(acts.unseen, ',') END AS unseen, acts.tried,
        uses.approval_uid, CASE WHEN uses.approval_uid IS NULL THEN closest.closest END AS closest
    FROM approval_acts AS acts
    JOIN approval_lines AS lines ON lines.manifest_sha = acts.manifest_sha AND lines.ordinal = acts.ordinal
    LEFT JOIN approval_uses AS uses ON uses.action_uid = acts.action_uid AND uses.resource = acts.resource
    LEFT JOIN approval_closest AS closest
        ON closest.action_uid = acts.action_uid AND closest.resource = acts.resource
    """

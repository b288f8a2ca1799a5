"""Verdicts: every action of a worker held against the scope lines of the manifest in force (design, section 5).

Many actions ask the same question, so each distinct question is judged once (detectors.scope_match) and the answer
joined back.

Reads `attributed`, `observes(format, column)` and the tables of `detectors.manifest_tables`; makes `verdicts`
(VERDICTS). Intermediate results are named `scope_*`.
"""

from __future__ import annotations

import pyarrow as pa

from detectors.engine import Engine
from detectors.scope_asks import KEYS, NO_TEXTS, asks_sql, crooked_paths_sql, items_sql, judged_sql, listed_sql
from detectors.scope_exceptions import let_exceptions
from detectors.scope_hosts import SPELLED, odd_hosts_sql, spelled
from detectors.scope_match import heads_sql, let_firsts, tries_sql
from detectors.scope_paths import STRAIGHT, straighten
from detectors.scope_patterns import SCOPE, sight_sql

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


def judge(engine: Engine) -> None:
    """Make the table `verdicts` (VERDICTS)."""
    engine.let("scope_odd_hosts", odd_hosts_sql())
    engine.each("scope_spelled", "scope_odd_hosts", spelled, SPELLED)
    engine.let("scope_judged", judged_sql())
    engine.let("scope_asks", asks_sql())
    engine.let("scope_crooked", crooked_paths_sql())
    engine.each("scope_straight", "scope_crooked", straighten, STRAIGHT)
    engine.let("scope_listed", listed_sql())
    engine.let("scope_items", items_sql())
    engine.let("scope_sight", sight_sql())
    engine.let("scope_heads", heads_sql())
    engine.let("scope_tries", tries_sql())
    let_firsts(engine, SCOPE)
    let_exceptions(engine)
    engine.let("scope_decided", decided_sql())
    engine.let("scope_answers", answers_sql())
    engine.let("verdicts", verdicts_sql())


def decided_sql() -> str:
    """The verdict on each item: by its first line, unless one of the exceptions (scope_exceptions) allows it."""
    return """
    SELECT tries.ask, tries.item,
        CASE WHEN roles.head IS NOT NULL THEN 'identity' WHEN firsts.effect IS NOT NULL THEN 'line'
            WHEN secrets.ask IS NOT NULL THEN 'secrets' WHEN endpoints.ask IS NOT NULL THEN 'endpoint'
            ELSE 'none' END AS basis,
        CASE WHEN roles.head IS NOT NULL THEN 'allow' WHEN firsts.effect IS NOT NULL THEN firsts.effect
            WHEN secrets.ask IS NOT NULL OR endpoints.ask IS NOT NULL THEN 'allow' ELSE 'out' END AS verdict,
        CASE WHEN roles.head IS NULL THEN coalesce(firsts.ordinal, endpoints.ordinal) END AS ordinal,
        CASE WHEN roles.head IS NULL THEN coalesce(firsts.file, secrets.file, endpoints.file) END AS file,
        CASE WHEN roles.head IS NULL THEN coalesce(firsts.line, secrets.line, endpoints.line) END AS line,
        CASE WHEN roles.head IS NOT NULL THEN '' WHEN firsts.effect IS NOT NULL THEN firsts.unseen
            WHEN secrets.ask IS NULL THEN coalesce(endpoints.unseen, '') ELSE '' END AS unseen
    FROM scope_tries AS tries
    LEFT JOIN scope_firsts AS firsts ON tries.ask = firsts.ask AND tries.item = firsts.item
    LEFT JOIN scope_own_roles AS roles ON tries.head = roles.head AND tries.item = roles.item
    LEFT JOIN scope_secrets AS secrets ON tries.ask = secrets.ask AND tries.item = secrets.item
    LEFT JOIN scope_endpoints AS endpoints ON tries.ask = endpoints.ask AND tries.item = endpoints.item
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

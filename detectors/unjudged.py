"""What a manifest says and no log lets anybody judge: rows for `coverage`, since silence would look like obedience.

The versions that are in force last count. Limits and networks are in `detectors.unmeasurable`.
"""

from __future__ import annotations

import pyarrow as pa

from detectors.engine import Engine
from detectors.glob import matches_sql
from detectors.manifest_tables import END

_TEXT: pa.DataType = pa.string()
UNJUDGED = pa.schema([("worker", _TEXT), ("missing", _TEXT)])
"""A worker and, in words with file and line, what of its manifest cannot be judged, and what is missing for it."""

_LAST = f"valid_to = TIMESTAMP '{END.isoformat(sep=' ')}'"


def _place(entry: str) -> str:
    """SQL: where an entry stands, in brackets."""
    return f"'(' || coalesce({entry}.file, 'manifest') || coalesce(':' || CAST({entry}.line AS VARCHAR), '') || ')'"


def _first(table: str) -> str:
    """SQL: the first entry of a list in each last version of a manifest, by worker: its file and line."""
    return f"""(
        SELECT entries.worker, min(entries.file) AS file, min(entries.line) AS line
        FROM {table} AS entries JOIN unjudged_last AS last ON last.manifest_sha = entries.manifest_sha
            AND last.worker = entries.worker
        GROUP BY entries.worker)"""


def unjudged(engine: Engine) -> pa.Table:
    """UNJUDGED rows, by worker.

    Reads `attributed`, `bindings`, `chains`, `sources`, `current_manifests` and the tables of manifests.
    """
    engine.let("unjudged_last", f"SELECT worker, manifest_sha, mode, file FROM manifest_versions WHERE {_LAST}")
    engine.let("unjudged_ways", _WAYS)
    parts = (_removed(), _approvals(), _provenance("repo"), _provenance("workflow"), _instantiators(), _delegators(),
             _may_start())  # fmt: skip
    rows = engine.query(" UNION ".join(parts)).select(UNJUDGED.names).cast(UNJUDGED)
    return rows.sort_by([("worker", "ascending"), ("missing", "ascending")])


_WAYS = """
    WITH hops AS (
        SELECT worker, since, hop."from" AS child, hop."to" AS parent, hop.mechanism AS mechanism
        FROM (
            SELECT worker, coalesce(valid_from, TIMESTAMP '0001-01-01') AS since, unnest(path) AS hop
            FROM bindings WHERE worker IS NOT NULL
        ) AS unnested
    )
    SELECT DISTINCT worker, since, name, is_issuer FROM (
        SELECT worker, coalesce(valid_from, TIMESTAMP '0001-01-01') AS since, uid AS name, false AS is_issuer
        FROM bindings WHERE worker IS NOT NULL
        UNION ALL SELECT worker, since, child, false FROM hops
        UNION ALL SELECT worker, since, parent, mechanism NOT IN ('acts as', 'acts in') FROM hops
    ) AS names
"""
"""Names on the ways from a worker's credentials up to their roots, each way `since` when it holds; `is_issuer` of what
issued something."""


def _removed() -> str:
    return """
    SELECT last.worker, 'the manifest (' || coalesce(last.file, 'unknown file') || ') is no longer in the folder of'
        || ' manifests: its last version stays in force; put it back, and retire a worker with valid: {until: ...} or'
        || ' revoked_at' AS missing
    FROM unjudged_last AS last
    LEFT JOIN current_manifests AS kept ON kept.manifest_sha = last.manifest_sha
    LEFT JOIN (
        SELECT versions.worker FROM manifest_versions AS versions
        JOIN current_manifests AS kept ON kept.manifest_sha = versions.manifest_sha
    ) AS known ON known.worker = last.worker
    WHERE kept.manifest_sha IS NULL AND known.worker IS NULL
    """


def _approvals() -> str:
    return f"""
    SELECT lines.worker, 'approvals ' || {_place("lines")}
        || ' cannot be judged: no source of approvals is configured' AS missing
    FROM approval_lines AS lines
    JOIN unjudged_last AS last ON last.worker = lines.worker AND last.manifest_sha = lines.manifest_sha
    LEFT JOIN (SELECT DISTINCT category FROM sources WHERE category = 'approval') AS logs ON logs.category = 'approval'
    WHERE logs.category IS NULL
    """


def _provenance(key: str) -> str:
    """A subject (of an OIDC token) or a run names the repository; the workflow only where the subject is told to."""
    subjects = {
        "repo": (("oidc:subject/%#repo:%", "oidc:subject/%#project_path:%", "github:run/%"), "a repository"),
        "workflow": (("oidc:subject/%workflow_ref:%",), "a workflow"),
    }
    patterns, what = subjects[key]
    shown = " OR ".join(f"name LIKE '{pattern}'" for pattern in patterns)
    return f"""
    SELECT said.worker, 'provenance.{key} ' || {_place("said")}
        || ' cannot be judged: no credential of the worker goes back to a subject that names {what}' AS missing
    FROM provenance AS said
    JOIN unjudged_last AS last ON last.worker = said.worker AND last.manifest_sha = said.manifest_sha
    LEFT JOIN (SELECT DISTINCT worker FROM unjudged_ways WHERE {shown}) AS shown ON shown.worker = said.worker
    WHERE said.{key} IS NOT NULL AND shown.worker IS NULL
    """


def _instantiators() -> str:
    return f"""
    SELECT said.worker, 'instantiators ' || {_place("said")}
        || ' cannot be judged: no record shows who issued a credential to the worker' AS missing
    FROM {_first("instantiators")} AS said
    LEFT JOIN (
        SELECT DISTINCT ways.worker
        FROM unjudged_ways AS ways
        LEFT JOIN bindings AS own
            ON own.uid = ways.name AND own.worker = ways.worker
            AND ways.since >= coalesce(own.valid_from, TIMESTAMP '0001-01-01')
            AND ways.since < coalesce(own.valid_to, TIMESTAMP '9999-12-31')
        WHERE ways.is_issuer AND own.uid IS NULL
    ) AS shown ON shown.worker = said.worker
    WHERE shown.worker IS NULL
    """


def _delegators() -> str:
    """A delegator can be judged where its name is of a kind that some pattern speaks of.

    A worker of mode `delegated` is judged, too, where it takes out tokens: for nobody is what those logs would show.
    """
    kind = "split_part({0}, '/', 1)"
    return f"""
    SELECT said.worker, said.key || ' ' || {_place("said")} || ' cannot be judged: '
        || CASE WHEN seen.kinds IS NULL THEN 'no log shows on whose behalf the worker acts'
                ELSE 'the logs name those on whose behalf it acts in another way (' || seen.kinds || ')' END AS missing
    FROM (
        SELECT worker, file, line, 'delegators' AS key FROM {_first("delegators")} AS listed
        UNION ALL
        SELECT worker, file, CAST(NULL AS BIGINT), 'mode: delegated' FROM unjudged_last WHERE mode = 'delegated'
    ) AS said
    LEFT JOIN (
        SELECT worker, array_to_string(array_sort(list(DISTINCT {kind.format("delegator")})), ', ') AS kinds
        FROM attributed WHERE worker IS NOT NULL AND delegator IS NOT NULL GROUP BY worker
    ) AS seen ON seen.worker = said.worker
    LEFT JOIN (
        SELECT DISTINCT acts.worker
        FROM (SELECT DISTINCT worker, delegator FROM attributed
              WHERE worker IS NOT NULL AND delegator IS NOT NULL) AS acts
        JOIN delegators AS patterns ON patterns.worker = acts.worker
        JOIN unjudged_last AS last
            ON last.worker = patterns.worker AND last.manifest_sha = patterns.manifest_sha
        WHERE {matches_sql(kind.format("acts.delegator"), kind.format("patterns.pattern"))}
    ) AS comparable ON comparable.worker = said.worker
    LEFT JOIN (
        SELECT DISTINCT worker FROM attributed
        WHERE worker IS NOT NULL AND category = 'token' AND obtains = 'self' AND principal LIKE 'oauth:client/%'
    ) AS tokens ON tokens.worker = said.worker
    WHERE CASE WHEN said.key = 'delegators' THEN comparable.worker IS NULL
               ELSE seen.worker IS NULL AND tokens.worker IS NULL END
    """


def _may_start() -> str:
    return f"""
    SELECT said.worker, 'may_start ' || {_place("said")}
        || ' cannot be judged: no chain of the worker is known, so none could lead on from it' AS missing
    FROM {_first("may_start")} AS said
    LEFT JOIN (SELECT DISTINCT worker FROM chains WHERE worker IS NOT NULL) AS run ON run.worker = said.worker
    WHERE run.worker IS NULL
    """

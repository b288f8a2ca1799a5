"""Coverage: how strongly the actions of each source are attributed, and what would attribute more of them.

Every action that is nobody's says why (`attributions.reason`). Reasons that one thing would answer are one gap:
the log that shows who issued a credential, a line in a manifest, a name of its own for each worker.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from pipelines.lake.duckdb_engine import DuckDBEngine
from pipelines.lake.store import Lake

Row = dict[str, Any]

ISSUERS: Mapping[str, str] = {
    "aws:key": "CloudTrail management events (STS and IAM, every region) of the account that issued it",
    "aws:session": "CloudTrail management events (STS, every region) of the account that issued it",
    "azure:token": "the Entra sign-in logs of its tenant",
    "gcp:key": "the Cloud Audit Logs (admin activity) of its project",
    "github:token": "the GitHub audit log of its organisation, with token data",
    "k8s:token": "the Kubernetes audit log of its cluster",
    "oauth:token": "the token log of its issuer (Okta System Log, say)",
    "okta:session": "the Okta System Log of its org",
    "okta:token": "the Okta System Log of its org",
    "saml:assertion": "the log of the identity provider that signed it",
    "vault:accessor": "the Vault audit log of its cluster",
    "vault:lease": "the Vault audit log of its cluster",
    "x509:cert": "the log of the authority that issued it",
}
"""The log that tells who issued a credential, by its `system:kind`."""

OF_PEOPLE = frozenset({"okta:user", "gcp:user", "azure:user", "github:user", "mail:addr"})
"""Kinds of principals that are mostly people, who are no worker's and need no log."""

OF_THE_CLOUD = frozenset({"aws:service"})
"""Kinds of principals that are a cloud's own services."""

EXAMPLES = 5
"""How many names of a gap are told."""


@dataclass(frozen=True)
class Gap:
    """Actions that are nobody's, or several workers', for one cause.

    `kind`: `issuer` (who issued the credential is unknown), `undeclared`, `shared` (several workers fit), `unnamed`
    (the records name nobody), `unbound` (stage b has not run since), `other`; and `people` and `service`, which need
    nothing. `advice` says what would attribute them; `of_names` is how many names there are, `examples` the busiest.
    """

    kind: str
    about: str
    advice: str
    actions: int
    sources: tuple[str, ...]
    of_names: int
    examples: tuple[str, ...]

    @property
    def can_be_closed(self) -> bool:
        return self.kind not in {"people", "service"}


@dataclass(frozen=True)
class Coverage:
    """Primary actions by source and strength; the gaps, those that can be closed first and the largest first; what
    could not be measured (rows of `coverage`)."""

    sources: tuple[Row, ...]
    gaps: tuple[Gap, ...]
    missing: tuple[Row, ...]


def coverage(lake: Lake, *, worker: str | None = None, days: int | None = None) -> Coverage:
    """Coverage of the whole lake, or of one worker's actions and of those that could be its.

    `days` leaves out what is older than so many days before the lake's latest action.
    """
    with lake.reading() as connection:
        connection.execute("BEGIN")
        connection.execute("CREATE OR REPLACE TEMP TABLE asked AS SELECT CAST(? AS VARCHAR) AS worker", [worker])
        engine = DuckDBEngine(connection)
        engine.let("nobodys", _grouped_sql(_since(engine, days), worker is not None))
        sources = engine.query(_SOURCES).to_pylist()
        causes = engine.query(_CAUSES).to_pylist()
        missing = engine.query(_MISSING).to_pylist()
    gaps = [_gap(row) for row in causes]
    gaps.sort(key=lambda gap: (not gap.can_be_closed, -gap.actions, gap.about))
    return Coverage(tuple(_by_source(sources)), tuple(gaps), tuple(missing))


def _since(engine: DuckDBEngine, days: int | None) -> str:
    if days is None:
        return "TRUE"
    last = engine.query("SELECT max(time) AS last FROM actions").to_pylist()[0]["last"]
    return "TRUE" if last is None else f"a.time > TIMESTAMP '{(last - timedelta(days=days)).isoformat()}'"


def _grouped_sql(since: str, of_one_worker: bool) -> str:
    """Primary actions by source, strength and, where they are nobody's, by cause and name."""
    own = "TRUE"
    if of_one_worker:
        own = """(t.worker IN (SELECT worker FROM asked)
            OR list_has_any(list_transform(t.candidates, c -> c.worker), (SELECT list(worker) FROM asked)))"""
    return f"""
    WITH seen AS (
        SELECT a.source, a.category, a.account, t.worker, t.strength, t.reason,
               coalesce(a.credential_uid, a.session_uid, a.principal) IS NULL AS is_unnamed,
               CASE WHEN starts_with(t.reason, 'no record tells who issued ') THEN 'issuer'
                    WHEN starts_with(t.reason, 'no manifest declares ') THEN 'undeclared'
                    WHEN starts_with(t.reason, 'a shared identity') THEN 'shared' ELSE 'other' END AS cause,
               coalesce(regexp_extract(t.reason, '^(?:no record tells who issued|no manifest declares) (.*)$', 1), '')
                   AS told,
               coalesce(regexp_extract(t.reason, '^no manifest declares (aws:principal/AROA[^:]*):', 1), '') AS one_off,
               t.bound_uid
        FROM attributions AS t JOIN actions AS a ON a.action_uid = t.action_uid
        WHERE a.is_primary AND {since} AND {own}
    )
    SELECT source, category, account, strength, worker IS NULL AS is_open,
           CASE WHEN worker IS NOT NULL THEN NULL WHEN is_unnamed THEN 'unnamed'
                WHEN reason = 'not yet bound' THEN 'unbound' ELSE cause END AS kind,
           CASE WHEN worker IS NOT NULL THEN NULL
                -- a session of a role is one-off; what can be declared is the role's id with any session's name
                WHEN one_off <> '' THEN one_off || ':*'
                WHEN told <> '' THEN told
                WHEN cause = 'shared' THEN bound_uid WHEN cause = 'other' THEN reason END AS name,
           count(*) AS actions
    FROM seen GROUP BY ALL
    """


_SOURCES = """
    SELECT source, strength, CAST(sum(actions) AS BIGINT) AS actions FROM nobodys GROUP BY ALL ORDER BY source, strength
"""

_CAUSES = f"""
    WITH named AS (
        SELECT kind, source, category, account, name, actions,
               -- one log answers for all credentials of a kind and account, one manifest for one name
               CASE kind WHEN 'issuer' THEN split_part(name, '/', 1) || coalesce(' in account ' || account, '')
                         WHEN 'undeclared' THEN split_part(name, '/', 1) WHEN 'unnamed' THEN source
                         WHEN 'unbound' THEN '' ELSE name END AS about
        FROM nobodys WHERE is_open
    ),
    busiest AS (SELECT kind, about, name, sum(actions) AS actions FROM named WHERE name IS NOT NULL GROUP BY ALL),
    told AS (
        SELECT kind, about, count(*) AS of_names FROM busiest GROUP BY ALL
    ),
    few AS (
        SELECT kind, about, name, CAST(actions AS BIGINT) AS actions FROM busiest
        QUALIFY row_number() OVER (PARTITION BY kind, about ORDER BY actions DESC, name) <= {EXAMPLES}
    )
    SELECT n.kind, n.about, min(n.category) AS category, CAST(sum(n.actions) AS BIGINT) AS actions,
           list_sort(list(DISTINCT n.source)) AS sources, coalesce(any_value(t.of_names), 0) AS of_names,
           any_value(f.listed) AS examples
    FROM named AS n
    LEFT JOIN told AS t ON t.kind = n.kind AND t.about = n.about
    LEFT JOIN (
        SELECT kind, about, list({{'name': name, 'actions': actions}} ORDER BY actions DESC, name) AS listed
        FROM few GROUP BY kind, about
    ) AS f ON f.kind = n.kind AND f.about = n.about
    GROUP BY n.kind, n.about
"""

_MISSING = """
    SELECT worker, source, missing FROM coverage
    WHERE missing IS NOT NULL AND (
        (SELECT worker FROM asked) IS NULL OR worker IS NULL OR worker IN (SELECT worker FROM asked))
    ORDER BY missing, worker
"""


def _by_source(rows: Sequence[Row]) -> list[Row]:
    """One row a source: its actions in all and by strength."""
    found: dict[str, Row] = {}
    for row in rows:
        entry = found.setdefault(row["source"], {"source": row["source"], "actions": 0, "strengths": {}})
        entry["actions"] += row["actions"]
        entry["strengths"][row["strength"]] = row["actions"]
    return list(found.values())


def _gap(row: Row) -> Gap:
    kind, of_what = row["kind"], row["about"].split(" ", 1)[0]
    if kind == "undeclared" and of_what in OF_THE_CLOUD:
        kind = "service"
    elif kind == "undeclared" and of_what in OF_PEOPLE:
        kind = "people"
    examples = [f"{one['name']} ({one['actions']:,})" for one in row["examples"] or []]
    return Gap(
        kind=kind,
        about=row["about"],
        advice=_advice(kind, row),
        actions=row["actions"],
        sources=tuple(row["sources"]),
        of_names=row["of_names"],
        examples=tuple(examples),
    )


def _advice(kind: str, row: Row) -> str:
    """What would attribute the actions of a gap."""
    about = row["about"]
    if kind == "issuer":
        system, _, used = about.partition(" ")
        log = ISSUERS.get(system, f"the log of the system that issues {system}")
        return f"add as a source {log}; {system} was used {used}".removesuffix(" ")
    if kind == "unnamed" and row["category"] == "proxy":
        return f"let the proxy of {about} ask its users who they are, and write the name into its log"
    return _ADVICE[kind].format(about=about)


_ADVICE: Mapping[str, str] = {
    "undeclared": "declare in the manifest of their worker those names of {about} that are a worker's",
    "shared": "give each worker a name of its own in the place of {about}",
    "unnamed": "nothing in these records of {about} names anybody; a source that does is needed",
    "unbound": "run `workertrail run`: they came in after the last one",
    "other": "{about}",
    "people": "nothing: {about} are mostly people; declare those that are workers",
    "service": "nothing: these are the cloud's own services",
}

"""What a worker did in an hour, as numbers: one row a worker and hour, counted by the engine.

Every aggregate is an integer, so no sum depends on the order in which rows arrive. Novelty is in
event time: a thing is new in the hour in which the worker (or anybody of its role) first touched it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, cast

import polars as pl

from detectors.engine import Engine

Scale = Literal["count", "bytes", "share", "hour"]
Points = Literal["destination", "resource", "credential"]


@dataclass(frozen=True)
class Feature:
    """One column of a worker-hour, read upwards: more is odder (doing less oversteps nothing)."""

    name: str
    label: str
    """What the number counts; `|s` is the plural's ending."""
    scale: Scale
    carried_by: str
    """The flag of `behaviour_evidence` that is set on the actions which make up the number."""
    points_to: Points = "credential"
    """What kind of entity an analyst would look at first."""
    slow: bool = False
    """Whether a slow rise is summed up over hours as well: volume, destinations and secrets."""


FEATURES: tuple[Feature, ...] = (
    Feature("calls", "call|s", "count", "acts"),
    Feature("errors", "failed call|s", "count", "failed"),
    Feature("denied", "denied call|s", "count", "denied"),
    Feature("bytes_out", "bytes_out", "bytes", "sends", "destination", slow=True),
    Feature("bytes_in", "bytes_in", "bytes", "receives", "destination", slow=True),
    Feature("operations", "different operation|s", "count", "acts"),
    Feature("services", "different service|s", "count", "acts"),
    Feature("resources", "different resource|s", "count", "acts", "resource"),
    Feature("accounts", "account|s", "count", "acts"),
    Feature("regions", "region|s", "count", "acts"),
    Feature("destinations", "destination|s", "count", "acts", "destination", slow=True),
    Feature("secret_reads", "secret read|s", "count", "secret_read", "resource", slow=True),
    Feature("writes", "write|s", "count", "writes"),
    Feature("admin_writes", "change|s to identities or guards", "count", "admin_write", "resource"),
    Feature("chains", "chain|s", "count", "acts"),
    Feature("write_share", "of its calls are writes", "share", "writes"),
    Feature("denied_share", "of its calls denied", "share", "denied"),
    Feature("new_destinations", "new destination|s", "count", "new_destination", "destination", slow=True),
    Feature("new_services", "new service|s", "count", "new_service"),
    Feature("new_operations", "new operation|s", "count", "new_operation"),
    Feature("new_resources", "new resource|s", "count", "new_resource", "resource"),
    Feature("role_new_destinations", "destination|s new to its role", "count", "role_new_destination", "destination"),
    Feature("role_new_operations", "operation|s new to its role", "count", "role_new_operation"),
    Feature("hour_rarity", "active at an hour it rarely works", "hour", "acts"),
)
NAMES: tuple[str, ...] = tuple(feature.name for feature in FEATURES)
BY_NAME: dict[str, Feature] = {feature.name: feature for feature in FEATURES}

_KINDS = {
    "operation": "api_operation",
    "service": "api_service",
    "resource": "resource_uid",
    "account": "account",
    "region": "region",
    "destination": "dst_host",
}

_WRITES = (
    "^(put|create|update|delete|attach|detach|add|remove|set|modify|associate|disassociate|stop|start|terminate"
    "|disable|enable|tag|untag|upload|copy|import|invite|accept|cancel|deregister|register|publish|restore|reset"
    "|revoke|replace|run|send|write|insert|patch|activate|deactivate|suspend|schedule|rotate|merge|push)"
)
_GUARDS = (
    "(^|[^a-z])(iam|sts|kms|organizations|sso|sso-directory|identitystore|cloudtrail|config|guardduty|securityhub"
    "|access-analyzer|logging|okta|auth0|keycloak|entra)([^a-z]|$)"
)
_SECRET_READS = "(getsecretvalue|batchgetsecretvalue|accesssecretversion|getparameter|get secrets|getpassword|getkeys)"

_MOST_BYTES = 10**12
"""Bytes counted for one action at most, so that an absurd figure in a log cannot overflow a sum."""


def _clamped(column: str) -> str:
    """A plausible number of bytes, null where unknown (least and greatest alone would make it 0)."""
    return f"CASE WHEN {column} IS NOT NULL THEN least(greatest({column}, 0), {_MOST_BYTES}) END"


def actions_sql() -> str:
    """One row an attributed primary action: its worker, role, hour, and what kind of act it is."""
    last_word = "lower(regexp_replace(a.api_operation, '^.*[.:/]', ''))"
    wrote = (
        f"coalesce(regexp_matches(lower(a.api_operation), '{_WRITES}'), false)"
        f" OR coalesce(regexp_matches({last_word}, '{_WRITES}'), false)"
        " OR coalesce(upper(a.http_method) IN ('POST', 'PUT', 'PATCH', 'DELETE'), false)"
    )
    secret = (
        f"coalesce(regexp_matches(lower(a.api_operation), '{_SECRET_READS}'), false)"
        " OR coalesce(a.api_service = 'vault' AND lower(a.api_operation) = 'read', false)"
    )
    return f"""
        SELECT a.action_uid, a.worker, coalesce(r.role, '') AS role, a.time,
               CAST(date_trunc('hour', a.time) AS TIMESTAMP) AS hour,
               coalesce(a.category, '') = 'proxy' AS by_proxy,
               a.chain_id, a.confidence, a.credential_uid, a.api_operation, a.api_service, a.resource_uid,
               a.account, a.region, a.dst_host,
               {_clamped("a.bytes_out")} AS bytes_out, {_clamped("a.bytes_in")} AS bytes_in,
               coalesce(a.status = 'failure', false) AS failed,
               coalesce(a.status = 'denied', false) AS denied,
               ({wrote}) AS writes,
               ({wrote}) AND coalesce(regexp_matches(lower(a.api_service), '{_GUARDS}'), false) AS admin_write,
               ({secret}) AS secret_read
        FROM attributed a
        LEFT JOIN (SELECT worker, min(role) AS role FROM roles GROUP BY worker) r ON r.worker = a.worker
        WHERE a.worker IS NOT NULL AND a.time IS NOT NULL AND coalesce(a.is_primary, true)
    """


def items_sql() -> str:
    """One row a worker, hour and thing touched: an operation, service, resource, account, region or host."""
    return " UNION ALL ".join(
        f"SELECT DISTINCT worker, role, hour, '{kind}' AS kind, {column} AS item"
        f" FROM behaviour_actions WHERE {column} IS NOT NULL"
        for kind, column in _KINDS.items()
    )


def firsts_sql() -> str:
    """The items again, each with the hour in which its worker, and its worker's role, first touched it."""
    return """
        SELECT worker, role, hour, kind, item,
               min(hour) OVER (PARTITION BY worker, kind, item) AS own_first,
               min(hour) OVER (PARTITION BY role, kind, item) AS role_first
        FROM behaviour_items
    """


def distinct_sql() -> str:
    """One row a worker-hour: how many different things of each kind, and how many of them were new."""

    def count(name: str, condition: str) -> str:
        return f"sum(CASE WHEN {condition} THEN 1 ELSE 0 END) AS {name}"

    columns = [count(f"{kind}s", f"kind = '{kind}'") for kind in _KINDS]
    columns += [
        count(f"new_{kind}s", f"kind = '{kind}' AND hour = own_first")
        for kind in ("destination", "service", "operation", "resource")
    ]
    columns += [
        count(f"role_new_{kind}s", f"kind = '{kind}' AND hour = role_first") for kind in ("destination", "operation")
    ]
    return f"SELECT worker, hour, {', '.join(columns)} FROM behaviour_firsts GROUP BY worker, hour"


def tallies_sql() -> str:
    """One row a worker-hour: its actions counted and their known bytes summed (null where none is known).

    A proxy and the store behind it may tell of the same upload: the larger of the two sums counts, never both.
    """

    def larger(column: str) -> str:
        seen = (f"sum({column}) FILTER (WHERE {side})" for side in ("by_proxy", "NOT by_proxy"))
        return f"CAST(greatest({', '.join(seen)}) AS BIGINT) AS {column}"

    flags = {"errors": "failed", "denied": "denied", "secret_reads": "secret_read", "writes": "writes"}
    flags["admin_writes"] = "admin_write"
    counts = ", ".join(f"sum(CASE WHEN {flag} THEN 1 ELSE 0 END) AS {name}" for name, flag in flags.items())
    return f"""
        SELECT worker, role, hour, count(*) AS calls, {counts},
               {larger("bytes_out")}, count(bytes_out) AS bytes_out_known,
               {larger("bytes_in")}, count(bytes_in) AS bytes_in_known,
               count(DISTINCT chain_id) AS chains
        FROM behaviour_actions GROUP BY worker, role, hour
    """


def hours_sql() -> str:
    """One row a worker-hour: tallies and distinct things side by side."""
    counted = [*(f"{kind}s" for kind in _KINDS), *(name for name in NAMES if "new_" in name)]
    columns = ", ".join(f"coalesce(d.{name}, 0) AS {name}" for name in counted)
    return f"""
        SELECT t.worker, t.role, t.hour, t.calls, t.errors, t.denied, t.secret_reads, t.writes, t.admin_writes,
               t.bytes_out, t.bytes_out_known, t.bytes_in, t.bytes_in_known, t.chains, {columns}
        FROM behaviour_tallies t LEFT JOIN behaviour_distinct d ON d.worker = t.worker AND d.hour = t.hour
    """


def evidence_sql() -> str:
    """One row an action of a flagged worker-hour (`behaviour_flagged`), with the flags that features name."""

    def first(kind: str) -> str:
        return (
            f" LEFT JOIN behaviour_firsts f_{kind} ON f_{kind}.worker = a.worker AND f_{kind}.hour = a.hour"
            f" AND f_{kind}.kind = '{kind}' AND f_{kind}.item = a.{_KINDS[kind]}"
        )

    news = ["destination", "service", "operation", "resource"]
    flags = [f"coalesce(f_{kind}.own_first = a.hour, false) AS new_{kind}" for kind in news]
    flags += [
        f"coalesce(f_{kind}.role_first = a.hour, false) AS role_new_{kind}" for kind in ("destination", "operation")
    ]
    return f"""
        SELECT a.action_uid, a.worker, a.hour, a.time, a.chain_id, a.confidence, a.credential_uid, a.dst_host,
               a.bytes_out,
               CASE WHEN a.resource_uid LIKE 'arn:%:s3:::%' THEN split_part(a.resource_uid, '/', 1)
                    ELSE a.resource_uid END AS container,
               true AS acts, a.failed, a.denied, a.writes, a.admin_write, a.secret_read,
               coalesce(a.bytes_out > 0, false) AS sends, coalesce(a.bytes_in > 0, false) AS receives,
               {", ".join(flags)}
        FROM behaviour_actions a
        JOIN behaviour_flagged w ON w.worker = a.worker AND w.hour = a.hour
        {" ".join(first(kind) for kind in news)}
    """


def worker_hours(engine: Engine) -> pl.DataFrame:
    """Features of every worker-hour with an action, sorted by worker and hour.

    Columns: worker, role ('' where none is known), hour (UTC), day, the whole-number columns of
    `FEATURES`, and bytes_out_known, bytes_in_known (how many of the calls say their bytes). Reads the
    tables `attributed` and `roles`; leaves `behaviour_actions` and `behaviour_firsts` for evidence.
    """
    engine.let("behaviour_actions", actions_sql())
    engine.let("behaviour_items", items_sql())
    engine.let("behaviour_firsts", firsts_sql())
    engine.let("behaviour_distinct", distinct_sql())
    engine.let("behaviour_tallies", tallies_sql())
    rows = cast(pl.DataFrame, pl.from_arrow(engine.query(hours_sql())))
    whole = [name for name in rows.columns if name not in {"worker", "role", "hour"}]
    return (
        rows.with_columns(pl.col("hour").cast(pl.Datetime("us")), pl.col(whole).cast(pl.Int64))
        .with_columns(day=pl.col("hour").dt.truncate("1d"))
        .sort("worker", "hour")
    )

"""What notebooks read: findings, one finding down to its raw records, and a worker's days. All READ_ONLY.

Text in the frames is log text, control characters replaced; whoever shows it must not take it for markup.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import duckdb
import polars as pl

from detectors import scope
from detectors.findings import printable
from detectors.located import Problems
from pipelines.cli import drawing
from pipelines.detect import manifests, provide
from pipelines.lake.duckdb_engine import DuckDBEngine
from pipelines.lake.select import read_only
from pipelines.lake.store import LakeError
from pipelines.settings import CONFIG_VARIABLE, Settings, load

SEVERITIES = ("critical", "high", "medium", "low", "info")
MOST_DESTINATIONS = 25
"""Bars of a figure of destinations: more are not read."""


class NotReadyError(Exception):
    """There is nothing to read; the text says why and what to do."""


class RefusedError(Exception):
    """A query was refused; the text is the database's."""


def settings() -> Settings:
    """The configuration that WORKERTRAIL_CONFIG names, ./workertrail.yaml without it, with a lake that is there.

    Raises NotReadyError.
    """
    file = Path(os.environ.get(CONFIG_VARIABLE) or "workertrail.yaml")
    try:
        found = load(file)
    except Problems as error:
        raise NotReadyError("\n".join(str(problem) for problem in error.problems)) from error
    if not found.lake.exists:
        msg = f"There is no lake at {found.lake.catalog} yet: `workertrail --config {file} run` makes it."
        raise NotReadyError(msg)
    return found


def findings(of: Settings) -> pl.DataFrame:
    """Every finding's latest revision, the worst first.

    Columns: severity, worker (`-` where nobody is attributed), title, entity, detector, status, window_start,
    window_end (UTC), finding_uid.
    """
    with of.lake.reading() as connection:
        found = connection.execute(
            f"""
            SELECT severity, coalesce(worker, '-') AS worker, title, coalesce(entity, '-') AS entity, detector, status,
                   window_start, window_end, finding_uid
            FROM findings ORDER BY list_position({list(SEVERITIES)}, severity), window_start, finding_uid
            """
        ).pl()
    return _printable(found)


def chosen(
    found: pl.DataFrame, *, at_least: str = "info", worker: str | None = None, detector: str | None = None,
    resolved: bool = False,
) -> pl.DataFrame:  # fmt: skip
    """The rows of `findings` of a severity or a worse one, of a worker and a detector where given."""
    wanted = pl.col("severity").is_in(list(SEVERITIES[: SEVERITIES.index(at_least) + 1]))
    for name, value in (("worker", worker), ("detector", detector)):
        if value is not None:
            wanted &= pl.col(name) == value
    return found.filter(wanted if resolved else wanted & (pl.col("status") != "resolved"))


@dataclass(frozen=True)
class Followed:
    """A finding with what it rests on. `evidence` has one row an action, in the finding's order, `raw` its record.

    Columns of `evidence`: time (RFC 3339), act (the action in a line), action_uid, object_uri, ordinal,
    object_sha256, raw.
    """

    finding: Mapping[str, Any]
    attribution: Mapping[str, Any] | None
    chain: Mapping[str, Any] | None
    evidence: pl.DataFrame

    def lines(self) -> list[str]:
        """What, why, and who hop by hop: the lines that `workertrail show` prints."""
        return [line.plain for line in drawing.finding(self.finding, self.attribution, self.chain)]


def follow(of: Settings, finding_uid: str) -> Followed:
    """A finding followed down to its raw records. Raises KeyError where there is none of that uid."""
    with of.lake.reading() as connection:
        finding = _first(connection, "SELECT * FROM findings WHERE finding_uid = ?", finding_uid)
        if finding is None:
            raise KeyError(finding_uid)
        worst = finding["evidence"][0] if finding["evidence"] else None
        rows = connection.execute(
            """
            SELECT e.action, e.action_uid, e.object_uri, e.ordinal, e.object_sha256, e.raw
            FROM evidence AS e JOIN findings AS f ON f.finding_uid = e.finding_uid
            WHERE e.finding_uid = ? ORDER BY list_position(f.evidence, e.action_uid), e.action_uid
            """,
            [finding_uid],
        ).pl()
        return Followed(
            finding,
            _first(connection, "SELECT * FROM attributions WHERE action_uid = ?", worst),
            _first(connection, "SELECT * FROM chains WHERE chain_id = ?", finding["chain_id"]),
            _printable(_acts(rows), leaving=("raw",)),
        )


def _acts(rows: pl.DataFrame) -> pl.DataFrame:
    """The frozen actions (JSON) as a time and a line each; there are a thousand at most."""
    actions = [json.loads(text) for text in rows["action"]]
    columns = [
        pl.Series("time", [action["time"] for action in actions], pl.String),
        pl.Series("act", [drawing.act(action) for action in actions], pl.String),
    ]
    return pl.DataFrame(columns).hstack(rows.drop("action"))


def workers(of: Settings) -> list[str]:
    """The workers that are declared or did something, by name."""
    with of.lake.reading() as connection:
        found = connection.execute(
            "SELECT worker FROM manifests UNION SELECT worker FROM chains WHERE worker IS NOT NULL ORDER BY 1"
        ).fetchall()
    return [str(row[0]) for row in found]


def query(of: Settings, sql: str) -> pl.DataFrame:
    """The rows of one SELECT that an analyst typed: see `pipelines.lake.select`. Raises RefusedError."""
    try:
        return cast(pl.DataFrame, pl.from_arrow(read_only(of.lake, sql)))
    except LakeError as error:
        raise RefusedError(str(error)) from error


@dataclass(frozen=True)
class Days:
    """What a worker did, primaries only, hour by hour and by destination, and what of it was declared.

    `hours`: hour (UTC), source, calls, denied, bytes_out, bytes_in (null where no log of the hour says).
    `destinations`: destination (a host with its port, or a service), verdict, calls, bytes_out; the most used.
    `lines`: file, line, declares, verdict, calls, last_at, of every scope line of the latest manifest; calls is 0
    where a line decided nothing.
    `beyond`: kind, what, operation, calls, tried, first_at, last_at, of what no line allows.
    """

    hours: pl.DataFrame
    destinations: pl.DataFrame
    lines: pl.DataFrame
    beyond: pl.DataFrame


def days(of: Settings, worker: str) -> Days:
    """A worker's days, its actions judged by its manifests once more."""
    with of.lake.reading() as connection:
        connection.execute("BEGIN")  # one snapshot for all that follows
        engine = DuckDBEngine(connection)
        manifests.provide(engine, ())
        provide.provide(engine, of.sources)
        scope.judge(engine)
        frames = [_frame(connection, sql, worker) for sql in (_HOURS, _DESTINATIONS, _BEYOND)]
        hours, destinations, beyond = map(_printable, frames)
        latest = _first(
            connection,
            "SELECT file, document, lines FROM manifests WHERE worker = ?"
            " ORDER BY effective_from DESC NULLS LAST, sha256 LIMIT 1",
            worker,
        )
        lines = _lines(latest, _frame(connection, _DECIDED, worker))
    return Days(hours, destinations, lines, beyond)


_HOURS = """
    SELECT date_trunc('hour', time) AS hour, source, count(*) AS calls,
           count(*) FILTER (WHERE status = 'denied') AS denied,
           CAST(sum(bytes_out) AS BIGINT) AS bytes_out, CAST(sum(bytes_in) AS BIGINT) AS bytes_in
    FROM attributed WHERE worker = ? GROUP BY ALL ORDER BY ALL
"""
_DESTINATIONS = f"""
    SELECT CASE WHEN a.dst_host IS NOT NULL THEN a.dst_host || coalesce(':' || CAST(a.dst_port AS VARCHAR), '')
                ELSE coalesce(a.api_service, a.format) END AS destination,
           coalesce(v.verdict, 'not judged') AS verdict, count(*) AS calls,
           CAST(sum(a.bytes_out) AS BIGINT) AS bytes_out
    FROM attributed AS a LEFT JOIN verdicts AS v ON v.action_uid = a.action_uid
    WHERE a.worker = ? GROUP BY ALL ORDER BY calls DESC, destination, verdict LIMIT {MOST_DESTINATIONS}
"""
_BEYOND = """
    SELECT v.kind, coalesce(a.dst_host, a.api_service, a.format) AS what,
           coalesce(a.api_operation, a.http_method) AS operation, count(*) AS calls,
           count(*) FILTER (WHERE v.tried) AS tried, min(a.time) AS first_at, max(a.time) AS last_at
    FROM attributed AS a JOIN verdicts AS v ON v.action_uid = a.action_uid
    WHERE a.worker = ? AND v.verdict <> 'allow' GROUP BY ALL ORDER BY calls DESC, what, operation, v.kind
"""
_DECIDED = """
    SELECT v.line, v.verdict, count(*) AS calls, max(a.time) AS last_at
    FROM attributed AS a JOIN verdicts AS v ON v.action_uid = a.action_uid
    WHERE a.worker = ? AND v.line IS NOT NULL GROUP BY ALL ORDER BY ALL
"""


def _lines(latest: Mapping[str, Any] | None, decided: pl.DataFrame) -> pl.DataFrame:
    """The scope lines of a manifest beside what each decided."""
    entries = json.loads(latest["document"]).get("scope", []) if latest else []
    places = json.loads(latest["lines"] or "{}").get("scope", []) if latest else []
    places += [None] * (len(entries) - len(places))
    declared = pl.DataFrame(
        {
            "file": [latest["file"] if latest else None] * len(entries),
            "line": places[: len(entries)],
            "declares": [json.dumps(entry) for entry in entries],
        },
        schema={"file": pl.String, "line": pl.Int64, "declares": pl.String},
    )
    found = declared.join(decided, on="line", how="left", maintain_order="left")
    return _printable(found.with_columns(pl.col("calls").fill_null(0)))


def _frame(connection: duckdb.DuckDBPyConnection, sql: str, *parameters: object) -> pl.DataFrame:
    return connection.execute(sql, list(parameters)).pl()


def _first(connection: duckdb.DuckDBPyConnection, sql: str, *parameters: object) -> dict[str, Any] | None:
    rows: list[dict[str, Any]] = connection.execute(sql, list(parameters)).to_arrow_table().to_pylist()
    return rows[0] if rows else None


def _printable(frame: pl.DataFrame, leaving: tuple[str, ...] = ()) -> pl.DataFrame:
    """Text columns without control characters; distinct values are cleaned once."""
    names = [name for name, kind in frame.schema.items() if kind == pl.String and name not in leaving]
    return frame.with_columns(
        pl.col(name).replace_strict({text: printable(text) for text in frame[name].drop_nulls().unique()}, default=None)
        if frame[name].null_count() < frame.height
        else pl.col(name)
        for name in names
    )

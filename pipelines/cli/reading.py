"""`workertrail findings`, `show`, `chain` and `query`: what an analyst reads first."""

from __future__ import annotations

import csv
import difflib
import io
import json as json_text
import sys
from typing import Any

import click
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from detectors import behaviour_head
from detectors.findings import printable
from pipelines.cli import drawing
from pipelines.cli.context import Context, as_json, beginnings, console, counted, is_narrow, pass_context, uid_length
from pipelines.detect.commit import detectors
from pipelines.lake.select import read_only

SEVERITIES = ("info", "low", "medium", "high", "critical")
STATUSES = ("open", "acknowledged", "suppressed", "resolved")
MAX_SHOWN_EVIDENCE = 20

TERMINAL_ROWS = 100
"""Findings that are listed on a terminal: a few screens, the worst first."""


@click.command()
@click.option("--min-severity", type=click.Choice(SEVERITIES), default="info", show_default=True)
@click.option("--status", type=click.Choice(STATUSES), help="Only findings of this status (else all but resolved).")
@click.option("--worker", help="Only findings on this worker.")
@click.option("--detector", help="Only findings of this detector.")
@click.option("--limit", type=click.IntRange(min=1), help=f"At most so many ({TERMINAL_ROWS} on a terminal, else all).")
@click.option("--json", "as_json_text", is_flag=True, help="Print JSON, every column.")
@pass_context
def findings(
    context: Context,
    min_severity: str,
    status: str | None,
    worker: str | None,
    detector: str | None,
    limit: int | None,
    as_json_text: bool,
) -> None:
    """List findings, the worst first."""
    wanted = SEVERITIES[SEVERITIES.index(min_severity) :]
    table = context.read(
        """
        SELECT * FROM findings
        WHERE list_contains($wanted, severity)
          AND CASE WHEN $status IS NULL THEN status <> 'resolved' ELSE status = $status END
          AND ($worker IS NULL OR worker = $worker) AND ($detector IS NULL OR detector = $detector)
        ORDER BY list_position(['critical', 'high', 'medium', 'low', 'info'], severity), window_start, finding_uid
        """,
        {"wanted": list(wanted), "status": status, "worker": worker, "detector": detector},
    )
    if detector is not None and not table.num_rows:
        _known_detector(context, detector)
    if limit is None and not as_json_text and sys.stdout.isatty():
        limit = TERMINAL_ROWS
    every, table = table.num_rows, table.slice(0, limit)
    if as_json_text:
        rows = table.to_pylist()
        for row in rows:
            row["explanation"] = json_text.loads(row["explanation"] or "null")
        click.echo(as_json(rows))
    elif not table.num_rows:
        click.echo("no finding is like that" if any((status, worker, detector)) else "there are no findings")
    elif is_narrow():
        _print_narrow(context, table)
    else:
        columns = ["finding_uid", "severity", "status", "worker", "detector", "window_start", "title"]
        context.print_table(table.select(columns), False)
    if every > table.num_rows and not as_json_text:
        click.echo(f"and {counted(every - table.num_rows, 'finding')} more (--limit shows more)")


def _known_detector(context: Context, name: str) -> None:
    """Complain of a detector that is neither loaded nor has ever found anything, with the names that are near."""
    found = context.read("SELECT DISTINCT detector FROM findings")["detector"].to_pylist()
    known: set[str] = {
        *map(str, found),
        behaviour_head.DETECTOR,
        *(one.id for one in detectors(context.settings).detectors),
    }
    if name in known:
        return
    near = difflib.get_close_matches(name, sorted(known), n=3)
    asked = f"; did you mean {' or '.join(near)}?" if near else ""
    raise click.ClickException(f"no detector {printable(name)!r}{asked}")


def _print_narrow(context: Context, table: pa.Table) -> None:
    """What fits on a terminal of 80 columns: as much of the uid as `show` needs, the day, the title (which names
    the worker)."""
    names = ["uid", "severity", "day", "status", "title"]
    if set(table["status"].to_pylist()) <= {"open"}:
        names.remove("status")
    short = {
        "uid": beginnings(table["finding_uid"], uid_length(context, "findings", "finding_uid")),
        "severity": table["severity"],
        "day": pc.strftime(table["window_start"], format="%m-%d"),
        "status": table["status"],
        "title": table["title"],
    }
    context.print_table(pa.table(short).select(names), False, whole=names[:-1])


@click.command()
@click.argument("uid")
@click.option("--json", "as_json_text", is_flag=True, help="Print JSON.")
@pass_context
def show(context: Context, uid: str, as_json_text: bool) -> None:
    """Show a finding: why, who did it hop by hop, and the records that it rests on. UID may be shortened."""
    finding = _one(context, "findings", "finding_uid", uid, "finding")
    evidence = context.read(
        "SELECT * FROM evidence WHERE finding_uid = ? ORDER BY action_uid", [finding["finding_uid"]]
    ).to_pylist()
    listed = {action: place for place, action in enumerate(finding["evidence"] or [])}
    evidence.sort(key=lambda row: (listed.get(row["action_uid"], len(listed)), row["action_uid"]))
    worst = finding["evidence"][0] if finding["evidence"] else None
    who = context.read("SELECT * FROM attributions WHERE action_uid = ?", [worst]).to_pylist()
    reviewed = context.read(
        "SELECT * FROM reviews WHERE subject = ? ORDER BY decided_at", [finding["finding_uid"]]
    ).to_pylist()
    chain_rows = context.read("SELECT * FROM chains WHERE chain_id = ?", [finding["chain_id"]]).to_pylist()
    if as_json_text:
        for row in evidence:
            row["action"] = json_text.loads(row["action"])
        finding["explanation"] = json_text.loads(finding["explanation"] or "null")
        click.echo(
            as_json(
                {
                    "finding": finding,
                    "attribution": who[0] if who else None,
                    "chain": chain_rows[0] if chain_rows else None,
                    "reviews": reviewed,
                    "evidence": evidence,
                }
            )
        )
        return
    out = console(wrap=False)
    drawn = drawing.finding(
        finding,
        who[0] if who else None,
        chain_rows[0] if chain_rows else None,
        _sent_by(context, who[0]) if who else None,
        reviewed[-1] if reviewed else None,
    )
    for line in drawn:
        out.print(line)
    for line in drawing.evidence(evidence[:MAX_SHOWN_EVIDENCE], len(evidence)):
        out.print(line)


def _sent_by(context: Context, who: dict[str, Any]) -> str | None:
    """The evidence that a worker acts for its delegator: the grant on the way up that says so, else the act itself."""
    ways = [hop["evidence"] for hop in who["path"] or []]
    granted = context.read(
        "SELECT mechanism, action_uid FROM grants WHERE delegator = ? AND list_contains(?, action_uid)"
        " ORDER BY issued_at, action_uid LIMIT 1",
        [who["delegator"], ways],
    ).to_pylist()
    if granted:
        return f"{granted[0]['mechanism']}  {granted[0]['action_uid']}"
    action = who["action_uid"]
    said = context.read("SELECT 1 FROM actions WHERE action_uid = ? AND delegator = ?", [action, who["delegator"]])
    return f"the record itself  {action}" if said.num_rows else None


@click.command()
@click.argument("chain_id")
@click.option("--limit", type=click.IntRange(min=1), default=100, show_default=True, help="How many actions to draw.")
@click.option("--json", "as_json_text", is_flag=True, help="Print JSON.")
@pass_context
def chain(context: Context, chain_id: str, limit: int, as_json_text: bool) -> None:
    """Draw a chain: its root credential, each hop with its evidence, and its actions in order of time."""
    row = _one(context, "chains", "chain_id", chain_id, "chain")
    actions = context.read(
        """
        SELECT a.*, t.strength, t.confidence, t.path
        FROM attributions AS t JOIN actions AS a ON a.action_uid = t.action_uid
        WHERE t.chain_id = ? AND a.is_primary ORDER BY a.time, a.action_uid LIMIT ?
        """,
        [row["chain_id"], limit],
    ).to_pylist()
    if as_json_text:
        click.echo(as_json({"chain": row, "actions": actions}))
        return
    out = console(wrap=False)
    for line in drawing.chain(row, actions):
        out.print(line)


def _one(context: Context, table: str, key: str, value: str, what: str) -> dict[str, Any]:
    """The one row whose key is, or begins with, `value`; else an error that says how many there are."""
    rows: list[dict[str, Any]] = context.read(
        f"SELECT * FROM {table} WHERE starts_with({key}, ?) ORDER BY {key} LIMIT 2", [value]
    ).to_pylist()
    if len(rows) == 1 or (rows and rows[0][key] == value):
        return rows[0]
    message = f"more than one {what} begins with {value!r}: write more of it" if rows else f"no {what} {value!r}"
    raise click.ClickException(printable(message))


@click.command()
@click.argument("sql")
@click.option("--snapshot", type=click.IntRange(min=0), help="Read the tables as they were at this snapshot.")
@click.option(
    "--format", "form", type=click.Choice(["table", "json", "csv", "parquet"]), default="table", show_default=True
)
@click.option("--json", "as_json_text", is_flag=True, help="Short for --format json.")
@pass_context
def query(context: Context, sql: str, snapshot: int | None, form: str, as_json_text: bool) -> None:
    """Run a read-only SQL query over the tables, at the latest or a given snapshot."""
    table = read_only(context.settings.lake, sql, snapshot)
    if as_json_text or form == "json":
        context.print_table(table, True)
    elif form == "csv":
        click.echo(_csv(table), nl=False)
    elif form == "parquet":
        if sys.stdout.isatty():
            raise click.ClickException("Parquet is binary: send it to a file with > FILE")
        sink = io.BytesIO()
        with pq.ParquetWriter(sink, table.schema) as writer:
            writer.write_table(table)
        sys.stdout.buffer.write(sink.getvalue())
    else:
        context.print_table(table, False)


def _csv(table: pa.Table) -> str:
    """CSV whose cells no spreadsheet takes for a formula (OWASP, CSV injection)."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(table.column_names)
    for row in table.to_pylist():
        writer.writerow([_cell(value) for value in row.values()])
    return text.getvalue()


def _cell(value: Any) -> Any:
    if isinstance(value, (list, dict)):
        value = as_json(value)
    if isinstance(value, str) and value[:1] in {"=", "+", "-", "@", "\t", "\r"}:
        return "'" + value
    return value

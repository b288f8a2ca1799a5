"""Write the report: `write(lake, out)` reads one snapshot READ_ONLY and leaves one file for its owner alone."""

from __future__ import annotations

import os
import shlex
import tempfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from pipelines.lake.duckdb_engine import DuckDBEngine
from pipelines.lake.store import Lake, current_snapshot
from pipelines.report.selection import Bounds, Selection, period_of
from pipelines.settings import Source

Progress = Callable[[str], None]


def _quiet(_text: str) -> None:
    """The default progress: none."""


@dataclass(frozen=True)
class Written:
    """What was written."""

    file: Path
    bytes: int
    snapshot: int
    since: datetime | None
    until: datetime | None
    findings: int
    findings_told: int
    chains_drawn: int
    workers: int


def write(
    lake: Lake,
    out: Path,
    *,
    sources: Sequence[Source] = (),
    selection: Selection | None = None,
    snapshot: int | None = None,
    now: datetime | None = None,
    config: Path | None = None,
    bounds: Bounds | None = None,
    progress: Progress = _quiet,
) -> Written:
    """Write the report of a selection at a snapshot (the latest unless given); equal inputs give equal bytes.

    `sources` are the configured ones, so that a silent one is seen; `now` (naive UTC) is the time that the
    report names; `config` stands in the command that repeats it. Raises LakeError where the lake or the
    snapshot cannot be read, OSError where `out` cannot be written.
    """
    # Plotly and Jinja take longer to import than most commands take to run.
    from pipelines.report.contents import Origin, gather  # noqa: PLC0415
    from pipelines.report.page import render  # noqa: PLC0415

    if snapshot is None:
        with lake.reading() as connection:
            snapshot = current_snapshot(connection)
    with lake.reading(snapshot) as connection:
        wanted = selection or Selection()
        period = period_of(connection, wanted)
        made_at = (now or datetime.now(UTC).replace(tzinfo=None)).replace(microsecond=0)
        origin = Origin(snapshot, made_at, version("workertrail"), _again(out, wanted, snapshot, made_at, config))
        progress("reading the lake")
        contents = gather(DuckDBEngine(connection), sources, period, bounds or Bounds(), origin)
    progress("writing")
    text = render({"it": contents})
    size = replace(out, text)
    return Written(
        file=out,
        bytes=size,
        snapshot=snapshot,
        since=period.since,
        until=period.until,
        findings=contents.found,
        findings_told=len(contents.findings),
        chains_drawn=len(contents.chains),
        workers=len(contents.workers),
    )


def _again(out: Path, selection: Selection, snapshot: int, now: datetime, config: Path | None) -> str:
    """The command line that makes the same file again."""
    parts = ["workertrail", *(["--config", str(config)] if config else []), "report", "--out", out.name]
    parts += ["--snapshot", str(snapshot), "--now", now.isoformat()]
    for name, value in (("--since", selection.since), ("--until", selection.until)):
        parts += [name, value.isoformat()] if value else []
    parts += ["--worker", selection.worker] if selection.worker else []
    return shlex.join(parts)


def replace(out: Path, text: str) -> int:
    """Write beside `out`, for the owner alone, then take its place; how many bytes."""
    content = text.encode("utf-8", errors="replace")
    handle, name = tempfile.mkstemp(prefix=f".{out.name}.", suffix=".part", dir=out.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        Path(name).replace(out)
    except BaseException:
        with suppress(OSError):
            Path(name).unlink()
        raise
    return len(content)

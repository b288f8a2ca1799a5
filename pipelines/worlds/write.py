"""A world on disk: logs in their formats, manifests, workertrail.yaml and truth, a day at a time.

    logs/FORMAT/...        as the emitters lay them out (with `replay` below held/, to be handed out by `replay`)
    workers/NAME.yaml      the manifests
    workertrail.yaml       the configuration
    truth/                 what really happened (see `truth`)

Equal sizes give equal bytes. Memory is bounded by the busiest day.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from pathlib import Path

import polars as pl

from pipelines.worlds import replay as replaying
from pipelines.worlds.deliver import DELIVERIES, Files, window_of
from pipelines.worlds.draws import draws
from pipelines.worlds.emit import emitters
from pipelines.worlds.emit.emitter import Emitter
from pipelines.worlds.estate import Estate
from pipelines.worlds.happenings import Happenings
from pipelines.worlds.logged import Logging
from pipelines.worlds.plot import Placed
from pipelines.worlds.size import Size
from pipelines.worlds.truth import Truth

CONFIG = "workertrail.yaml"


@dataclass(frozen=True)
class Story:
    """What is to be written: everybody, what happens on each day, and what is played on them."""

    estate: Estate
    day: Callable[[int], Happenings]
    placed: Sequence[Placed]
    manifests: Callable[[Path], object]


@dataclass(frozen=True)
class World:
    """A world as written: `records` by format."""

    out: Path
    config: Path
    records: Mapping[str, int]
    incidents: int


class NotEmpty(Exception):
    """The folder to write to holds something already."""


def write(size: Size, story: Story, out: Path, *, replay: bool = False, told: Callable[[int], object] = id) -> World:
    """Write a world below `out`; `told` is called with each day that is done.

    Raises NotEmpty where `out` has something in it, before anything is written.
    """
    refuse_full(out)
    out.mkdir(parents=True, exist_ok=True)
    workers = out / "workers"
    workers.mkdir()
    story.manifests(workers)
    (out / CONFIG).write_text(config(story.estate, emitters()), encoding="utf-8")
    with ThreadPoolExecutor(2) as pool:
        writing = _Writing(size, story, out, pool, replay=replay)
        for day in range(size.days):
            writing.day(day)
            told(day)
        return writing.finish()


def refuse_full(out: Path) -> None:
    """Raises NotEmpty where there is something at `out`."""
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise NotEmpty(f"{out} is not empty: name a new folder with --out, or empty this one")


def config(estate: Estate, formats: Sequence[Emitter]) -> str:
    """`workertrail.yaml` of a world; paths are relative to it."""
    accounts = json.dumps(list(estate.accounts))
    lines = [
        "# The configuration of a world with known truth, written together with its logs.",
        "lake:",
        "  catalog: sqlite:lake/catalog.sqlite",
        "  data: lake/files",
        "engine: duckdb",
        "workers: workers",
        f"environments: {{prod: {{accounts: {accounts}}}}}",
        "sources:",
    ]
    for emitter in formats:
        lines += [f"  - name: {emitter.format}", f"    format: {emitter.format}"]
        lines += [f"    {key}: {json.dumps(value)}" for key, value in emitter.entry(estate).items()]
    return "\n".join(lines) + "\n"


class _Writing:
    """A world being written, its days in order."""

    def __init__(self, size: Size, story: Story, out: Path, pool: ThreadPoolExecutor, *, replay: bool) -> None:
        self.size, self.story, self.out, self.replay = size, story, out, replay
        self.emitters = emitters()
        self.logging = Logging(story.estate, size, tuple(emitter.format for emitter in self.emitters))
        self.truth = Truth(out / "truth")
        logs = out / replaying.HELD if replay else out
        window = window_of(size.events / size.days, len(story.estate.accounts) * len(story.estate.regions))
        self.files = {one.format: Files(one, logs, window, pool) for one in self.emitters}
        self.waiting: dict[str, pl.DataFrame] = {}
        self.sent = [pl.DataFrame(schema=DELIVERIES)]
        self.records = dict.fromkeys(self.files, 0)
        for emitter in self.emitters:
            for shard in emitter.shards if emitter.layout == "lines" else ("",):
                (out / emitter.folder / shard).mkdir(parents=True)

    def day(self, day: int) -> None:
        """Write what is delivered on a day, and keep what happened on it and comes later."""
        begins = datetime.combine(self.size.first_day + timedelta(days=day), time())
        ends = begins + timedelta(days=1)
        happened = Happenings.all_of(
            [self.story.day(day), *(_part(one.happenings, begins, ends) for one in self.story.placed)]
        )
        for emitter in self.emitters:
            rows = self.logging.rows(emitter, happened, day)
            if emitter.format in self.waiting:
                rows = pl.concat([self.waiting[emitter.format], rows])
            # What an earlier day left over belongs to no file of that day any more.
            rows = rows.with_columns(
                pl.max_horizontal("delivered_at", pl.lit(begins, pl.Datetime("us"))).alias("delivered_at")
            )
            is_last = day == self.size.days - 1
            due = pl.lit(True) if is_last else pl.col("delivered_at") < ends
            self.waiting[emitter.format] = rows.filter(~due)
            self._put(emitter, rows.filter(due), day)

    def _put(self, emitter: Emitter, rows: pl.DataFrame, day: int) -> None:
        written, sent = self.files[emitter.format].write(rows, draws(self.size.seed, "files", emitter.format, day))
        self.truth.add(
            written.with_columns(
                pl.lit(emitter.format).alias("format"),
                pl.lit(emitter.format).alias("source"),
                pl.lit(emitter.system).alias("system"),
            )
        )
        self.sent.append(sent)
        self.records[emitter.format] += written.height

    def finish(self) -> World:
        """Write what is known at the end."""
        for files in self.files.values():
            files.close()
        self.truth.close(self.size, self.story.estate, self.story.placed, self.logging.rates, self.logging.silent)
        if self.replay:
            stream = draws(self.size.seed, "replay")
            schedule = replaying.schedule(pl.concat(self.sent), self.logging.rates, stream)
            schedule.write_parquet(self.out / replaying.SCHEDULE, compression="zstd")
        attacks = sum(one.is_attack for one in self.story.placed)
        return World(self.out, self.out / CONFIG, self.records, attacks)


def _part(happened: Happenings, begins: datetime, ends: datetime) -> Happenings:
    """What of it begins within a day."""
    within = (pl.col("at") >= begins) & (pl.col("at") < ends)
    return Happenings(happened.calls.filter(within), happened.requests.filter(within), happened.issuings.filter(within))

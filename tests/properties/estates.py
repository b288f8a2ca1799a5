"""A world on disk and its lake: files come in by a schedule, runs are made, and tables are read back."""

from __future__ import annotations

import os
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from detectors.manifest import load_manifests
from detectors.rules import Detector
from pipelines import run as work
from pipelines import schema
from pipelines.detect import commit as detect
from pipelines.lake.store import Lake
from pipelines.settings import Settings, load
from tests.properties.memory import MemoryLake, empty_database, quiet
from tests.properties.records import LOGFORMAT
from tests.properties.schedules import Arrival, Schedule

CONFIG = f"""
lake: {{catalog: "sqlite:lake/catalog.sqlite", data: lake/files}}
workers: workers
sources:
  - {{name: trail, format: cloudtrail, from: "logs/trail/*"}}
  - {{name: second, format: cloudtrail, from: "logs/second/*"}}
  - {{name: egress, format: squid, realm: egress, authenticated: true, from: "logs/egress/*", logformat: '{LOGFORMAT}'}}
  - {{name: okta, format: okta, org: corp.okta.example, from: "logs/okta/*"}}
alerts:
  - {{name: siem, type: webhook, url: "https://siem.example.com/hook", secret: "env:SIEM_SECRET", min_severity: info}}
"""
SOURCES = ("trail", "second", "egress", "okta")

AGENT = """
worker: agent
owner: team@corp.example
identities:
  - aws:role/arn:aws:iam::111122223333:role/agent
  - proxy:user/egress/svc-agent
  - oauth:client/corp.okta.example#0oa1agent
  - {id: "proxy:user/egress/svc-pool", shared: true}
instantiators: ["aws:user/arn:aws:iam::111122223333:user/ci"]
networks: ["192.0.2.0/24", "10.40.0.0/16"]
scope:
  - deny:  {service: s3.amazonaws.com, operations: ["*"], resources: ["arn:aws:s3:::payroll*"]}
  - allow: {service: s3.amazonaws.com}
  - allow: {hosts: ["*.example"]}
limits:
  - {measure: bytes_out, at_most: 6MB, per: 1h}
"""
AGENT_LATER = (
    AGENT.replace("hosts:", "hosts: [far.invalid]}\n  - allow: {hosts:") + "effective_from: 2026-03-02T09:10:00Z\n"
)
"""The agent's next manifest: one host more, from ten minutes after the start."""
CLEANER = """
worker: cleaner
owner: team@corp.example
identities:
  - aws:role/arn:aws:iam::111122223333:role/cleaner
  - proxy:user/egress/svc-cleaner
  - {id: "proxy:user/egress/svc-pool", shared: true}
scope:
  - allow: {service: s3.amazonaws.com, operations: ["Delete*"]}
"""
CI = """
worker: ci-bot
owner: team@corp.example
identities: ["aws:user/arn:aws:iam::111122223333:user/ci"]
may_start: [agent]
scope:
  - allow: {service: iam.amazonaws.com, operations: ["*AccessKey"]}
"""
MANIFESTS = {"agent": AGENT, "cleaner": CLEANER, "ci-bot": CI}

OF_CONTENT = (schema.ACTIONS, schema.GRANTS, schema.ACTS_AS, schema.BINDINGS, schema.CHAINS, schema.FINDINGS)
OF_STAGE_A = OF_CONTENT[:3]
_A_KEY = bytes(range(32))

Rows = list[tuple[Any, ...]]


@lru_cache
def _detectors() -> tuple[Detector, ...]:
    """The catalogue: reading and checking it takes longer than a run over a small world."""
    with estate() as one:
        return detect.detectors(one.settings).detectors


@dataclass
class Estate:
    """A folder with a configuration and manifests, and a lake in memory or on disk."""

    root: Path
    settings: Settings

    @property
    def lake(self) -> Lake:
        return self.settings.lake

    def declare(self, **manifests: str) -> None:
        """Write manifests, by worker."""
        for worker, text in manifests.items():
            (self.root / "workers" / f"{worker}.yaml").write_text(text, encoding="utf-8")

    def plan(self) -> work.Plan:
        return work.Plan(self.settings, tuple(load_manifests(self.settings.workers)), _detectors())

    def run(self) -> work.Summary:
        return work.run(self.plan())

    def hearing(self, hear: Callable[[str], None]) -> Estate:
        """The same estate, whose lake in memory tells `hear` every statement."""
        lake = self.lake
        assert isinstance(lake, MemoryLake)
        return Estate(self.root, replace(self.settings, lake=replace(lake, hear=hear)))

    def path(self, source: str, name: str) -> Path:
        return self.root / "logs" / source / name

    def put(self, source: str, name: str, content: bytes, *, age: float = 3600.0) -> Path:
        """Write a file that was last changed `age` seconds ago; a growing file keeps its inode."""
        file = self.path(source, name)
        with file.open("r+b" if file.exists() else "wb") as handle:
            handle.write(content)
            handle.truncate()
        then = time.time() - age
        os.utime(file, (then, then))
        return file

    def arrive(self, arrival: Arrival) -> None:
        """Bring a file to where the schedule says. What still grows was written just now, so its tail can wait."""
        age = 3600.0 - arrival.run if arrival.whole else 0.0
        self.put(arrival.file.source, arrival.file.name, arrival.file.content[: arrival.upto], age=age)

    def before(self, schedule: Schedule, run: int) -> None:
        """All that the schedule lets happen before a run."""
        for arrival in schedule.arrivals:
            if arrival.run == run:
                self.arrive(arrival)
        whole = {(a.file.source, a.file.name): a.file for a in schedule.arrivals if a.whole and a.run <= run}
        for (source, name), file in sorted(whole.items()):
            if run in schedule.copied:
                self.put(source, f"copy-{run}-{name}", file.content)
            if run in schedule.renamed and self.path(source, name).exists():
                self.path(source, name).rename(self.path(source, f"{name}.{run}"))

    def follow(self, schedule: Schedule) -> list[work.Summary]:
        """Make all runs of a schedule."""
        summaries = []
        for run in range(schedule.runs):
            self.before(schedule, run)
            pull_only = run in schedule.only_pulled
            summaries.append(work.ingest_all(self.plan()) if pull_only else self.run())
        return summaries

    def rows(self, sql: str) -> list[dict[str, Any]]:
        with self.lake.reading() as connection:
            found: list[dict[str, Any]] = connection.execute(sql).to_arrow_table().to_pylist()
        return found

    def content(self, table: schema.Table) -> Rows:
        """The rows of a table in its columns of content, sorted; findings that are resolved do not count."""
        columns = ", ".join(f'"{name}"' for name in table.content)
        where = " WHERE status <> 'resolved'" if table is schema.FINDINGS else ""
        with self.lake.reading() as connection:
            rows = connection.execute(f'SELECT {columns} FROM "{table.name}"{where}').fetchall()
        return sorted(rows, key=repr)

    def contents(self, tables: Sequence[schema.Table] = OF_CONTENT) -> dict[str, Rows]:
        return {table.name: self.content(table) for table in tables}


@contextmanager
def estate(*, real: bool = False, snapshots: bool = False) -> Iterator[Estate]:
    """An estate with the three manifests, no logs, and a lake in memory (or, with `real`, on disk)."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for source in SOURCES:
            (root / "logs" / source).mkdir(parents=True)
        (root / "workers").mkdir()
        config = root / "workertrail.yaml"
        config.write_text(CONFIG, encoding="utf-8")
        settings = load(config)
        lake = settings.lake
        # One key for all, since marks of redacted secrets are columns of content.
        lake.catalog.parent.mkdir(mode=0o700)
        lake.key_file.write_bytes(_A_KEY)
        lake.key_file.chmod(0o600)
        if not real:
            lake = MemoryLake(lake.catalog, lake.data, empty_database(), quiet, snapshots)
        made = Estate(root, replace(settings, lake=lake))
        made.declare(**MANIFESTS)
        try:
            yield made
        finally:
            if isinstance(lake, MemoryLake):
                lake.database.close()


def followed(schedule: Schedule, tables: Sequence[schema.Table] = OF_CONTENT) -> dict[str, Rows]:
    """What a schedule ends in."""
    with estate() as one:
        one.follow(schedule)
        return one.contents(tables)


def differences(one: dict[str, Rows], other: dict[str, Rows]) -> dict[str, Any]:
    """By table, the first rows that only one of two lakes has; nothing where they are equal."""
    found = {}
    for name, left in one.items():
        here, there = Counter(map(repr, left)), Counter(map(repr, other[name]))
        if here != there:
            found[name] = {
                "only here": list((here - there).elements())[:3],
                "only there": list((there - here).elements())[:3],
            }
    return found

"""One demo world for all tests of this folder, and its logs read back by nothing but gzip, json and a regex."""

from __future__ import annotations

import gzip
import hashlib
import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from pipelines.worlds.demo import build as demo

WEBHOOK = "http://127.0.0.1:1/x?a=b"
# Written from Squid's manual, not from the emitter: %ts.%03tu %6tr %>a %Ss/%03>Hs %<st %rm %ru %un %Sh/%<a %mt %>st
SQUID_LINE = re.compile(
    r"(?P<time>\d{10}\.\d{3}) (?P<elapsed> {0,5}\d+) (?P<client>\d+(?:\.\d+){3}) (?P<tag>[A-Z_]+)/(?P<status>\d{3})"
    r" (?P<down>\d+) (?P<method>[A-Z]+) (?P<url>\S+) (?P<user>[^/]+?)"
    r" (?P<hierarchy>[A-Z_]+)/(?P<server>-|\d+(?:\.\d+){3}) (?P<mime>\S+) (?P<up>\d+)"
)


@dataclass(frozen=True)
class Read:
    """One record read back: its place, its native id, when it happened and what it says."""

    format: str
    file: str
    ordinal: int
    native_id: str
    at: datetime
    body: dict[str, Any]


class World:
    """The written world and its truth."""

    def __init__(self, made: demo.DemoWorld) -> None:
        self.made = made
        self.out = made.out

    @cached_property
    def cloudtrail(self) -> list[Read]:
        rows = []
        for path in sorted((self.out / "logs/cloudtrail").rglob("*.json.gz")):
            document = json.loads(gzip.decompress(path.read_bytes()))
            assert list(document) == ["Records"]
            for ordinal, body in enumerate(document["Records"]):
                at = datetime.strptime(body["eventTime"], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
                rows.append(Read("cloudtrail", self._name(path), ordinal, body["eventID"], at, body))
        return rows

    @cached_property
    def main_trail(self) -> list[Read]:
        return [row for row in self.cloudtrail if row.file.startswith("logs/cloudtrail/AWSLogs/")]

    @cached_property
    def squid(self) -> list[Read]:
        rows = []
        for path in sorted((self.out / "logs/egress").glob("access-*.log")):
            text = path.read_text("utf-8")
            assert text.endswith("\n")
            for ordinal, line in enumerate(text.removesuffix("\n").split("\n")):
                match = SQUID_LINE.fullmatch(line)
                assert match, line
                at = datetime.fromtimestamp(float(match["time"]), UTC)
                name = hashlib.sha256(line.encode()).hexdigest()
                rows.append(Read("squid", self._name(path), ordinal, name, at, match.groupdict()))
        return rows

    @cached_property
    def okta(self) -> list[Read]:
        rows = []
        for path in sorted((self.out / "logs/okta").glob("*.jsonl")):
            for ordinal, line in enumerate(path.read_text("utf-8").splitlines()):
                body = json.loads(line)
                at = datetime.fromisoformat(body["published"])
                rows.append(Read("okta", self._name(path), ordinal, body["uuid"], at, body))
        return rows

    @cached_property
    def rows(self) -> list[Read]:
        return [*self.cloudtrail, *self.squid, *self.okta]

    @cached_property
    def truth(self) -> dict[tuple[str, int], dict[str, Any]]:
        """By file and position."""
        rows = pq.read_table(self.out / "truth/events.parquet").to_pylist()
        return {(row["file"], row["ordinal"]): row for row in rows}

    @cached_property
    def incidents(self) -> dict[str, dict[str, Any]]:
        return {row["id"]: row for row in json.loads((self.out / "truth/incidents.json").read_text("utf-8"))}

    def of(self, row: Read) -> dict[str, Any]:
        return self.truth[row.file, row.ordinal]

    def part_of(self, incident: str, rows: list[Read]) -> list[Read]:
        return [row for row in rows if self.of(row)["incident"] == incident]

    def _name(self, path: Path) -> str:
        return path.relative_to(self.out).as_posix()


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return World(demo.write(tmp_path_factory.mktemp("demo") / "world", seed=7, webhook_url=WEBHOOK))

"""The samples below data/samples, and what a format makes of one.

A sample of the format NAME is any file below data/samples/NAME but these: `*.expected.json` and `expected.json` (what
comes out), `*.options.json` (the source's options for the sample STEM.*), and `*.yaml` (files that options name).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa

from pipelines.formats import all_formats
from pipelines.formats.format import RECORDS_IN, Format, Options
from tests.machine import ROOT

FOLDER = ROOT / "data" / "samples"
_BESIDE = (".expected.json", ".options.json", ".yaml", ".yml", ".md")


@dataclass(frozen=True)
class Sample:
    """A file of sample records, its format as its options make it, and the options."""

    file: Path
    format: Format
    options: Options

    @property
    def kind(self) -> str:
        """The format's name as sources write it."""
        return self.file.relative_to(FOLDER).parts[0]

    @property
    def id(self) -> str:
        return str(self.file.relative_to(FOLDER))

    @property
    def settings(self) -> dict[str, Any]:
        """The options as a source of workertrail.yaml has them, paths made absolute."""
        found = _options(self.file)
        return {key: str(self.file.parent / text) if key == "mapping" else text for key, text in found.items()}


def _options(file: Path) -> dict[str, Any]:
    beside = file.with_name(f"{file.stem}.options.json")
    found: dict[str, Any] = json.loads(beside.read_text(encoding="utf-8")) if beside.exists() else {}
    return found


def sample(file: Path) -> Sample:
    """A sample by its file."""
    plain = all_formats()[file.relative_to(FOLDER).parts[0]]
    options = plain.options.model_validate(_options(file), context={"folder": file.parent})
    return Sample(file, plain.of(options), options)


def samples() -> list[Sample]:
    """Every sample there is, by name."""
    files = sorted(
        file
        for folder in FOLDER.iterdir()
        if folder.name in all_formats()
        for file in folder.rglob("*")
        if file.is_file() and not file.name.endswith(_BESIDE) and file.name != "expected.json"
    )
    return [sample(file) for file in files]


def table(raws: list[str], realm: str = "corp") -> pa.Table:
    """Records as a format gets them; `record_id` is the position."""
    count = len(raws)
    return pa.table([[str(at) for at in range(count)], ["s"] * count, [realm] * count, raws], schema=RECORDS_IN)


def pieces(one: Sample, stream: BinaryIO) -> list[tuple[bytes, str | None]]:
    """What the format's `split` makes of a stream at rest: each piece with the reason why it is no record."""
    found: list[tuple[bytes, str | None]] = []
    for split in one.format.split(stream, True, one.options):
        found += zip(split.pieces["raw"].to_pylist(), split.pieces["reason"].to_pylist(), strict=True)
    return found


def records(one: Sample) -> list[str]:
    """The records of a sample."""
    with one.file.open("rb") as stream:
        return [raw.decode() for raw, reason in pieces(one, stream) if reason is None]


def plain(rows: pa.Table) -> list[dict[str, Any]]:
    """Rows without their nulls, as the expected files have them."""

    def told(value: Any) -> Any:
        return value.isoformat(sep=" ", timespec="milliseconds") if isinstance(value, datetime) else value

    return [{name: told(value) for name, value in row.items() if value is not None} for row in rows.to_pylist()]


def told(one: Sample, raws: list[str], realm: str = "corp") -> dict[str, list[dict[str, Any]]]:
    """The actions and grants of records, in their order."""
    given = table(raws, realm)
    acts = plain(one.format.actions(given, one.options))
    made = plain(one.format.grants(given, one.options))
    return {
        "actions": sorted(acts, key=lambda row: int(row["record_id"])),
        "grants": sorted(made, key=lambda row: (int(row["record_id"]), row["kind"], row.get("child_uid", ""))),
    }


def expected(one: Sample) -> dict[str, list[dict[str, Any]]]:
    """What is written beside a sample as what comes out of it."""
    found: dict[str, list[dict[str, Any]]] = json.loads(
        one.file.with_name(f"{one.file.stem}.expected.json").read_text(encoding="utf-8")
    )
    return found

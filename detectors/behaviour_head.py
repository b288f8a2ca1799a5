"""The behaviour detector's head (catalogue/behaviour.yaml), its version, and its rows in the shape of findings."""

from __future__ import annotations

import hashlib
import uuid
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pyarrow as pa

from detectors import catalogue
from detectors.findings import FOUND
from detectors.located import load
from detectors.uuid5 import FINDINGS

DETECTOR = "behaviour"

_CODE = ("behaviour", "features", "baseline", "forest", "calibrate", "epoch", "explain")
"""Modules whose text decides what is found: a change of one is a new version."""


@dataclass(frozen=True)
class Head:
    """What the detector says of itself; `version` changes with its head and its code."""

    version: str
    tags: tuple[str, ...]
    document: str


@cache
def head() -> Head:
    """The head, read from the catalogue."""
    file = Path(next(iter(catalogue.__path__))) / f"{DETECTOR}.yaml"
    data = load(file).data
    text = file.read_text(encoding="utf-8")
    digest = hashlib.sha256(text.encode())
    for module in _CODE:
        digest.update(Path(__file__).with_name(f"{module}.py").read_bytes())
    return Head(f"{data['version']}+{digest.hexdigest()[:12]}", tuple(data["tags"]), text)


def found(rows: pa.Table) -> pa.Table:
    """Rows of `behaviour.judge` as FOUND."""
    return pa.Table.from_pylist(
        [
            {
                **{name: row.get(name) for name in FOUND.names},
                "finding_uid": str(
                    uuid.uuid5(FINDINGS, f"{DETECTOR}|{row['worker']}|{row['entity']}|{row['day']:%Y-%m-%d}")
                ),
                "detector_version": head().version,
                "tags": list(head().tags),
            }
            for row in rows.to_pylist()
        ],
        schema=FOUND,
    )

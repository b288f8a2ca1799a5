"""Which objects of a batch the lake does not have, and under which generation of its file each is counted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa

from pipelines.lake.store import Writer
from pipelines.pull.files import PulledObject


@dataclass(frozen=True)
class Place:
    """What an object of the batch is to the lake: new, or a copy of known bytes under a name that is new to it."""

    generation: str
    is_copy: bool


def unknown(writer: Writer, objects: Sequence[PulledObject]) -> dict[int, Place]:
    """By index the objects whose records, or whose name for known bytes, the lake does not have.

    A whole file is known by its bytes, wherever it lies; a later range of a growing file by its place too,
    since equal lines may be appended twice. The generation of a range is the hash of its file's first range,
    by which lines are counted on when the file grows, under whatever name it was first read.
    """
    shas = pa.table({"sha": pa.array([item.object_sha256 for item in objects], pa.string())})
    writer.connection.register("_shas", shas)
    stored = writer.connection.execute(
        "SELECT source, object_sha256, object_uri, byte_start FROM lake.objects"
        " WHERE object_sha256 IN (SELECT sha FROM _shas)"
    ).fetchall()
    writer.connection.unregister("_shas")
    seen = {_key(*row) for row in stored}
    ends: dict[tuple[str, str, int], str] = {}
    fresh: dict[int, Place] = {}
    for index, item in enumerate(objects):
        before, after = ((item.source, item.object_uri, at) for at in (item.byte_start, item.byte_end))
        generation = item.object_sha256
        if item.byte_start > 0:
            generation = ends.get(before) or _generation(writer, *before) or generation
        key = _key(item.source, item.object_sha256, item.object_uri, item.byte_start)
        is_known = key in seen
        seen.add(key)
        if not is_known or (ends.get(after) or _generation(writer, *after)) != generation:
            fresh[index] = Place(generation, is_copy=is_known)
        ends[after] = generation
    return fresh


def _key(source: str, sha: str, uri: str, start: int) -> tuple[str, str, str, int]:
    return (source, sha, uri if start else "", start)


def _generation(writer: Writer, source: str, uri: str, start: int) -> str | None:
    """The generation of the file range that ends where this one starts."""
    row = writer.connection.execute(
        "SELECT generation FROM lake.objects WHERE source = ? AND object_uri = ? AND byte_end = ?"
        " ORDER BY ledger_seq DESC LIMIT 1",
        [source, uri, start],
    ).fetchone()
    return str(row[0]) if row and row[0] is not None else None

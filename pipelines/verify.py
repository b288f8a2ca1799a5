"""The custody ledger recomputed: its chain of hashes, the bytes that still lie where they were pulled from, and
whether every record is accounted for.

A file that is gone proves nothing and breaks nothing: logs are rotated. One whose bytes are others than those that
were pulled is named, unless it was rewritten and pulled again since, which rotation in place does every day.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import unquote_to_bytes

import pyarrow as pa

from pipelines.lake.store import Lake
from pipelines.pull import custody

BLOCK = 1 << 20

State = Literal["holds", "moved", "replaced", "absent", "changed"]
"""`moved`: the same bytes lie in another file that was pulled; `replaced`: the file was rewritten, and pulled again."""

_VERIFIED: dict[State, bool | None] = {
    "holds": True, "moved": True, "replaced": None, "absent": None, "changed": False,
}  # fmt: skip
"""What `objects.verified` says."""

Progress = Callable[[str], None]


@dataclass(frozen=True)
class Checked:
    """What became of one object's bytes."""

    ledger_seq: int
    object_uri: str
    state: State
    why: str = ""


@dataclass(frozen=True)
class Verified:
    """The whole ledger: what is wrong with its chain, each object's bytes, and objects whose records do not add up.

    `head` is the hash of the last entry; who keeps a copy elsewhere can tell that nothing was cut off at the end.
    """

    entries: int
    head: str
    ledger: tuple[str, ...]
    objects: tuple[Checked, ...]
    unaccounted: tuple[str, ...]

    @property
    def problems(self) -> tuple[str, ...]:
        """All that does not hold, in words."""
        changed = [f"object {one.ledger_seq} {one.object_uri}: {one.why}" for one in self.objects if one.why]
        return (*(f"ledger: {one}" for one in self.ledger), *changed, *self.unaccounted)


def verify(lake: Lake, *, noted_head: str | None = None, progress: Progress = lambda _text: None) -> Verified:
    """Check the ledger and everything that it vouches for, and write what came out into `objects.verified`.

    `noted_head` is a head that was noted earlier: it must still be the hash of some entry.
    """
    with lake.reading() as connection:
        table = connection.execute("SELECT * FROM objects ORDER BY ledger_seq").to_arrow_table()
        unaccounted = connection.execute(_UNACCOUNTED).to_arrow_table().to_pylist()
    rows = table.to_pylist()
    ledger = custody.verify(table)
    if noted_head is not None and not _was_head(rows, noted_head):
        ledger.append(f"no entry has the hash {noted_head}: entries were cut off or altered since it was noted")
    checked = _settled(rows, dict(_bytes(rows, progress)))
    _write(lake, checked)
    return Verified(
        entries=table.num_rows,
        head=custody.head(table),
        ledger=tuple(ledger),
        objects=tuple(checked),
        unaccounted=tuple(_told(row) for row in unaccounted),
    )


_UNACCOUNTED = """
    WITH kept AS (SELECT object_uid, count(*) AS stored FROM records GROUP BY object_uid)
    SELECT o.ledger_seq, o.object_uri, o.records, o.actions, o.errors, o.duplicates, o.skipped,
           coalesce(k.stored, 0) AS stored
    FROM objects AS o LEFT JOIN kept AS k ON k.object_uid = o.object_uid
    WHERE o.records <> o.actions + o.errors + o.duplicates + o.skipped OR o.records <> coalesce(k.stored, 0)
    ORDER BY o.ledger_seq
"""
"""Truth 2 of the design, for each object."""


def _told(row: Mapping[str, Any]) -> str:
    return (
        f"object {row['ledger_seq']} {row['object_uri']}: {row['records']:,} records are not {row['actions']:,} actions"
        f" + {row['errors']:,} errors + {row['duplicates']:,} duplicates + {row['skipped']:,} skipped, or not the"
        f" {row['stored']:,} that are stored"
    )


def _was_head(rows: Sequence[Mapping[str, Any]], noted: str) -> bool:
    return noted == custody.FIRST or any(custody.entry_sha256(row, row["prior_sha256"] or "") == noted for row in rows)


def _bytes(rows: Sequence[Mapping[str, Any]], progress: Progress) -> Iterator[tuple[int, str]]:
    """For each place in `rows`: nothing where the bytes are those that were pulled, else what was found instead.

    `gone` where there is no file.
    """
    for place, row in enumerate(rows):
        if place % 100 == 0:
            progress(f"{place:,} of {len(rows):,} objects")
        yield place, _difference(row)


GONE = "gone"


def _difference(row: Mapping[str, Any]) -> str:
    uri = row["object_uri"] or ""
    if not uri.startswith("file://"):
        return GONE
    path = unquote_to_bytes(uri.removeprefix("file://"))
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return GONE
    except (OSError, ValueError) as error:
        return f"the file cannot be read: {getattr(error, 'strerror', None) or error}"
    try:
        return _range_difference(descriptor, row)
    except OSError as error:
        return f"the file cannot be read: {error.strerror or error}"
    finally:
        os.close(descriptor)


def _range_difference(descriptor: int, row: Mapping[str, Any]) -> str:
    digest, at, end = hashlib.sha256(), row["byte_start"], row["byte_end"]
    while at < end:
        block = os.pread(descriptor, min(BLOCK, end - at), at)
        if not block:
            return f"the file ends at byte {at:,}, and bytes up to {end:,} were pulled"
        digest.update(block)
        at += len(block)
    if digest.hexdigest() == row["object_sha256"]:
        return ""
    return f"bytes {row['byte_start']:,} to {end:,} have the SHA-256 {digest.hexdigest()}, not {row['object_sha256']}"


def _settled(rows: Sequence[Mapping[str, Any]], differences: Mapping[int, str]) -> list[Checked]:
    """Each object's state, once all are known: the same bytes may lie elsewhere, or a later object may replace it."""
    holding = {rows[place]["object_sha256"] for place, why in differences.items() if not why}
    latest: dict[str, int] = {}
    for place, why in differences.items():
        if not why:
            latest[rows[place]["object_uri"]] = place
    checked = []
    for place, row in enumerate(rows):
        why = differences[place]
        state: State = "holds"
        if why and row["object_sha256"] in holding:
            state = "moved"
        elif why == GONE:
            state = "absent"
        elif why and _replaces(rows, latest.get(row["object_uri"]), place):
            state = "replaced"
        elif why:
            state = "changed"
        checked.append(Checked(row["ledger_seq"], row["object_uri"], state, why if state == "changed" else ""))
    return checked


def _replaces(rows: Sequence[Mapping[str, Any]], later: int | None, place: int) -> bool:
    """Whether a later object of the same file holds and covers where this one began."""
    return later is not None and later > place and rows[later]["byte_start"] <= rows[place]["byte_start"]


def _write(lake: Lake, checked: Sequence[Checked]) -> None:
    """Note in `objects.verified` what came out, where it differs from what stands there."""
    told = pa.table(
        {
            "ledger_seq": pa.array([one.ledger_seq for one in checked], pa.int64()),
            "verified": pa.array([_VERIFIED[one.state] for one in checked], pa.bool_()),
        }
    )
    differing = "t.ledger_seq = o.ledger_seq AND t.verified IS DISTINCT FROM o.verified"
    with lake.reading() as connection:
        connection.register("told", told)
        if not connection.execute(f"SELECT 1 FROM objects AS o JOIN told AS t ON {differing} LIMIT 1").fetchall():
            return
    with lake.writing() as writer:
        writer.connection.register("told", told)
        writer.connection.execute(
            f"UPDATE lake.objects AS o SET verified = t.verified FROM told AS t WHERE {differing}"
        )
        writer.connection.unregister("told")

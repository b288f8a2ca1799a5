"""Records on their way into the lake: one Arrow file an object, for its owner alone.

It lives no longer than the batch that it belongs to, so nothing is spent on compressing it.
"""

from __future__ import annotations

import hashlib
import os
import secrets as random
from collections.abc import Sequence
from pathlib import Path
from typing import cast

import numpy as np
import pyarrow as pa

from pipelines.formats import secrets, text
from pipelines.formats.format import Secret

_COLUMNS: dict[str, pa.DataType] = {
    "ordinal": pa.int64(),
    "raw": pa.string(),
    "reason": pa.string(),
    "content_sha256": pa.string(),
}
SPOOLED = pa.schema(_COLUMNS)
"""A record: its position in the object from 0, its text (valid UTF-8, secrets replaced), why it is no record
(null where it is one), and the hex SHA-256 of its bytes as the source wrote them."""


class Spool:
    """Writes the pieces of one object, batch by batch; the file comes into being with the first piece.

    Without a `key` secrets are kept.
    """

    def __init__(self, folder: Path, key: bytes | None, patterns: Sequence[Secret], *, spaced: bool = False) -> None:
        self._folder = folder
        self._key = key
        self._patterns = patterns
        self._spaced = spaced
        self._writer: pa.RecordBatchFileWriter | None = None
        self.path: Path | None = None
        self.records = 0
        self.errors = 0

    def add(self, pieces: pa.Table) -> None:
        """Append a table of PIECES."""
        if pieces.num_rows == 0:
            return
        originals = cast(pa.LargeBinaryArray, pieces["raw"].combine_chunks())
        raw = cast(pa.StringArray | pa.LargeStringArray, text.clean(originals)["raw"].combine_chunks())
        if self._key is not None:
            raw = secrets.redact(raw, self._key, self._patterns, spaced=self._spaced)
        ordinals = pa.array(np.arange(self.records, self.records + len(raw)))
        reason = pieces["reason"].combine_chunks()
        rows = pa.table([ordinals, raw, reason, content_sha256(originals)], schema=SPOOLED)
        self._open().write_table(rows)
        self.records += len(raw)
        self.errors += len(raw) - reason.null_count

    def add_error(self, reason: str) -> None:
        """Append an error that belongs to no record."""
        self.add(pa.table([pa.array([b""], pa.large_binary()), pa.array([reason])], names=["raw", "reason"]))

    def close(self) -> Path | None:
        """Finish the file; its path, None where there was nothing to write."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None
        return self.path

    def discard(self) -> None:
        """Remove the file again."""
        self.close()
        if self.path is not None:
            self.path.unlink(missing_ok=True)
            self.path = None

    def _open(self) -> pa.RecordBatchFileWriter:
        if self._writer is None:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._folder.chmod(0o700)
            self.path = self._folder / f"{random.token_hex(16)}.arrow"
            os.close(os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
            self._writer = pa.ipc.new_file(str(self.path), SPOOLED)
        return self._writer


def read(path: Path) -> pa.Table:
    """What a Spool wrote: SPOOLED, mapped into memory and not copied; the file may be removed meanwhile."""
    with pa.memory_map(str(path)) as mapped:
        return pa.ipc.open_file(mapped).read_all()


def content_sha256(records: pa.LargeBinaryArray) -> pa.StringArray:
    """The hex SHA-256 of each row.

    One call of OpenSSL a record takes a fifth of the time of DuckDB's sha256, which uses no instructions made for it.
    """
    _, offsets, values = records.buffers()
    bounds = np.frombuffer(memoryview(offsets or b""), np.int64)[records.offset : records.offset + len(records) + 1]
    data = memoryview(values or b"")
    ends = bounds.tolist()
    digests = [hashlib.sha256(data[ends[row] : ends[row + 1]]).hexdigest() for row in range(len(records))]
    return pa.array(digests, pa.string())

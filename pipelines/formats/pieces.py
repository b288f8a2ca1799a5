"""Tables of pieces cut out of a buffer: Arrow copies the stretches, no Python object each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import numpy as np
import pyarrow as pa

from pipelines.formats.format import PIECES
from pipelines.formats.json_salvage import SHOWN, Rows, too_long


def line_ends(text: bytes) -> tuple[Rows, Rows]:
    """Where the lines that are not blank begin and end, without CR and LF."""
    data = np.frombuffer(text, np.uint8)
    ends = np.flatnonzero(data == ord("\n"))
    if len(data) and data[-1] != ord("\n"):
        ends = np.append(ends, len(data))
    starts = np.empty_like(ends)
    starts[:1] = 0
    starts[1:] = ends[:-1] + 1
    last = data[np.maximum(ends - 1, 0)]
    ends = ends - ((last == ord("\r")) & (ends > starts))
    full = ends > starts
    # Lines of nothing but space: only those that begin and end with it can be.
    edge = np.flatnonzero(full)
    edge = edge[(data[starts[edge]] <= 32) & (data[ends[edge] - 1] <= 32)]
    for row in edge:
        full[row] = bool(text[starts[row] : ends[row]].strip())
    return starts[full], ends[full]


def shortened(starts: Rows, ends: Rows, max_record: int) -> tuple[Rows, dict[int, str]]:
    """`ends` with the stretches that are too long cut to what is shown of them, and the reasons of those."""
    long = np.flatnonzero(ends - starts > max_record)
    if len(long) == 0:
        return ends, {}
    ends = ends.copy()
    ends[long] = np.minimum(ends[long], starts[long] + SHOWN)
    return ends, dict.fromkeys(long.tolist(), too_long(max_record))


def cut(text: bytes, starts: Rows, ends: Rows) -> pa.LargeBinaryArray:
    """Stretches of `text` as one column: Arrow copies them, no Python object each."""
    count = len(starts)
    offsets = np.empty(2 * count + 1, np.int64)
    offsets[0:-1:2], offsets[1::2], offsets[-1] = starts, ends, len(text)
    both = pa.Array.from_buffers(pa.large_binary(), 2 * count, [None, pa.py_buffer(offsets.data), pa.py_buffer(text)])
    return cast(pa.LargeBinaryArray, both.take(np.arange(0, 2 * count, 2)))


def joined(raws: Sequence[bytes | memoryview]) -> pa.LargeBinaryArray:
    """Buffers, one a row."""
    offsets = np.zeros(len(raws) + 1, np.int64)
    np.cumsum(np.fromiter(map(len, raws), np.int64, len(raws)), out=offsets[1:])
    buffers = [None, pa.py_buffer(offsets.data), pa.py_buffer(b"".join(raws))]
    return cast(pa.LargeBinaryArray, pa.Array.from_buffers(pa.large_binary(), len(raws), buffers))


def table_of(raw: pa.LargeBinaryArray, reasons: dict[int, str]) -> pa.Table:
    """A table of PIECES; `reasons` by row, the other rows have none."""
    if not reasons:
        return pa.table([raw, pa.nulls(len(raw), pa.string())], schema=PIECES)
    return pa.table([raw, pa.array([reasons.get(row) for row in range(len(raw))], pa.string())], schema=PIECES)


def piece(raw: bytes, reason: str | None) -> pa.Table:
    """A table of PIECES with one row."""
    return pa.table([pa.array([raw], pa.large_binary()), pa.array([reason], pa.string())], schema=PIECES)

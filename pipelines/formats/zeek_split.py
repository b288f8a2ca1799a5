"""Zeek's logs to records: JSON lines as they are, lines of tab-separated values each with the header above it.

A line of values means nothing without the header of its file, and a file may be read in parts. So a record of such a
log is a little Zeek log of its own: the header's lines that say how to read it, as they were written, and the line.
Where a stream goes on in the middle of a file, the header is read from the file's beginning.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

import numpy as np
import polars as pl
import pyarrow as pa

from pipelines.formats.format import PIECES, Split
from pipelines.formats.splitting import lines
from pipelines.formats.text_stream import position

_KEPT = (b"#separator", b"#empty_field", b"#unset_field", b"#path", b"#fields")
"""The lines of a header without which its values cannot be read."""
_HEADER_BYTES = 64 << 10
"""A header is some 1 kB long; as much of a file's beginning is looked at."""


def split(stream: BinaryIO, at_rest: bool) -> Iterator[Split]:
    """One record a line that is no header's."""
    header = _begun(stream)
    for part in lines(stream, at_rest):
        pieces, header = _with_headers(part.pieces, header)
        yield Split(pieces, part.spent)


def _begun(stream: BinaryIO) -> bytes:
    """The header of the file that a stream goes on in, empty at a file's beginning."""
    at = position(stream)
    if at == 0:
        return b""
    stream.seek(0)
    head = stream.read(min(at, _HEADER_BYTES))
    stream.seek(at)
    header = b""
    for line in head.removeprefix(b"\xef\xbb\xbf").splitlines():
        if not line.startswith(b"#"):
            break
        header = _extended(header, line)
    return header


def _extended(header: bytes, line: bytes) -> bytes:
    """A header with one more of its lines; `#separator` begins another."""
    if not line.startswith(_KEPT):
        return header
    kept = b"" if line.startswith(b"#separator") else header
    name = line.replace(b"\t", b" ").split(b" ", 1)[0]
    others = [old for old in kept.split(b"\n") if old and old.replace(b"\t", b" ").split(b" ", 1)[0] != name]
    return b"\n".join([*others, line.rstrip(b"\r")])


def _with_headers(pieces: pa.Table, header: bytes) -> tuple[pa.Table, bytes]:
    """Pieces without the lines of headers, each line of values behind its header; and the header that is in force."""
    raw = pl.Series(pieces["raw"].combine_chunks())
    marks = raw.bin.starts_with(b"#").arg_true().to_numpy()
    if not header and len(marks) == 0:
        return pieces, header
    headers, places = [header], [-1]
    for row in marks.tolist():
        header = _extended(header, raw[row])
        headers.append(header)
        places.append(row)
    rows = np.setdiff1d(np.arange(len(raw)), marks)
    kept = pieces.take(rows)
    lines_of = raw.gather(rows)
    plain = lines_of.bin.starts_with(b"{") | pl.Series(kept["reason"].combine_chunks()).is_not_null()
    above = [b"" if not each else each + b"\n" for each in headers]
    of_row = pl.Series(above, dtype=pl.Binary).gather(np.searchsorted(places, rows, side="left") - 1)
    joined = pl.select(pl.when(plain).then(lines_of).otherwise(of_row + lines_of)).to_series()
    return pa.table([joined.to_arrow(), kept["reason"]], schema=PIECES), header

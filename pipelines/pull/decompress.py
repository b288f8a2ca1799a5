"""Gzip as a stream: bounded in memory and in what it expands to, and never failing on what it reads."""

from __future__ import annotations

import io
import re
import zlib
from typing import BinaryIO

from isal import igzip_lib

MAX_EXPANDED = 4 << 30
"""The most bytes that one gzip file may expand to."""

MAGIC = b"\x1f\x8b"

_FED = 256 << 10
_TAKEN = 4 << 20
_BITE = 16


class Gunzip(io.RawIOBase):
    """The expanded bytes of a gzip file of one or more members.

    Where the file is cut off, corrupt, or expands beyond `max_expanded`, the stream ends with what could
    be read, and `problem` says why. `file` must be seekable and stand at its beginning.
    """

    def __init__(self, file: BinaryIO, max_expanded: int = MAX_EXPANDED) -> None:
        self._file = file
        self._max_expanded = max_expanded
        self._member_start = 0
        self._member_expanded = 0
        self._fed = b""
        self._read_bytes = 0
        self._decompressor = igzip_lib.IgzipDecompressor(igzip_lib.DECOMP_GZIP)
        self._ended = False
        self.expanded = 0
        self.problem: str | None = None
        self.cut_off = False
        """Whether the file ends within a member: it may still be written."""

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1, /) -> bytes:
        """Up to `size` bytes; fewer where it suits; none at the end."""
        most = _TAKEN if size < 0 else min(size, _TAKEN)
        while not self._ended:
            got = self._step(most)
            room = self._max_expanded - self.expanded
            if len(got) > room:
                got = got[:room]
                self._stop(f"gzip expands beyond {self._max_expanded} bytes; the rest was not read")
            self.expanded += len(got)
            self._member_expanded += len(got)
            if got:
                return got
        return b""

    def _step(self, most: int) -> bytes:
        decompressor = self._decompressor
        if decompressor.eof:
            self._next_member(decompressor.unused_data)
            return b""
        if decompressor.needs_input and not self._fed and not self._feed():
            self._stop(f"gzip ends early after {self.expanded} bytes")
            self.cut_off = True
            return b""
        fed, self._fed = self._fed, b""
        try:
            return bytes(decompressor.decompress(fed, most))
        except Exception as error:
            # isal raises a class of its own that mypy does not know for an exception, and ValueError.
            rest = self._recover()
            self._stop("corrupt gzip: " + re.sub(r"^Error -?\d+ ", "", str(error)))
            return rest

    def _feed(self) -> bool:
        self._fed = self._file.read(_FED)
        self._read_bytes += len(self._fed)
        return bool(self._fed)

    def _next_member(self, unused: bytes) -> None:
        """Go on to the member that follows; zeros are padding, anything else is a problem."""
        rest = unused.lstrip(b"\0")
        while len(rest) < len(MAGIC) and self._feed():
            rest = (rest + self._fed).lstrip(b"\0")
        self._fed = b""
        if not rest:
            self._ended = True
        elif not rest.startswith(MAGIC[: len(rest)]):
            self._stop("corrupt gzip: something else follows its end")
        else:
            self._member_start = self._read_bytes - len(rest)
            self._member_expanded = 0
            self._fed = rest
            self._decompressor = igzip_lib.IgzipDecompressor(igzip_lib.DECOMP_GZIP)

    def _recover(self) -> bytes:
        """What the failed step had expanded before it met the fault: the member once more, in small bites."""
        self._file.seek(self._member_start)
        careful_from = self._read_bytes - 2 * _FED
        decompressor = zlib.decompressobj(wbits=31)
        skip, kept = self._member_expanded, bytearray()
        while len(kept) <= 2 * _TAKEN:
            fed = self._file.read(max(_BITE, min(_FED, careful_from - self._file.tell())))
            if not fed:
                break
            try:
                while fed and len(kept) <= 2 * _TAKEN:
                    got = decompressor.decompress(fed, _TAKEN)
                    fed = decompressor.unconsumed_tail
                    kept += got[skip:]
                    skip = max(0, skip - len(got))
            except zlib.error:
                break
        return bytes(kept)

    def _stop(self, problem: str) -> None:
        self._ended, self.problem = True, problem

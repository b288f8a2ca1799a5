"""A stream whose beginning decides how it is split."""

from __future__ import annotations

import io
from typing import BinaryIO, cast

_PROBED = 4096


class _Replayed(io.RawIOBase):
    """A stream whose beginning was read already; it still says where in its file it begins."""

    def __init__(self, head: bytes, rest: BinaryIO, begins: int) -> None:
        super().__init__()
        self._head, self._rest, self._begins = head, rest, begins

    def readable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._begins

    def read(self, size: int = -1) -> bytes:
        if self._head:
            part = self._head if size < 0 else self._head[:size]
            self._head = self._head[len(part) :]
            return part + self._rest.read() if size < 0 else part
        return self._rest.read(size)


def begins_with_json(stream: BinaryIO) -> tuple[BinaryIO, bool]:
    """The stream, whole again, and whether the first thing in it is a JSON object or array."""
    try:
        begins = stream.tell()
    except (AttributeError, OSError):
        begins = 0
    head = stream.read(_PROBED)
    text = head.lstrip(b"\0").removeprefix(b"\xef\xbb\xbf").lstrip()
    return cast(BinaryIO, _Replayed(head, stream, begins)), text[:1] in (b"{", b"[")

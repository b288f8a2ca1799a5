"""A stretch of an open file, read as a stream whose bytes are hashed as they pass."""

from __future__ import annotations

import hashlib
import io
import os
from collections import deque


class Window(io.RawIOBase):
    """The bytes `start` to `end` of a file descriptor; what is appended to the file meanwhile is not seen."""

    def __init__(self, descriptor: int, start: int, end: int) -> None:
        self._descriptor = descriptor
        self._position = start
        self._hash = hashlib.sha256()
        self._reached = start
        self.end = end
        self.shrank = False
        """Whether the file turned out to be shorter than `end`."""

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        if whence != io.SEEK_SET:
            raise io.UnsupportedOperation("only absolute positions")
        self._position = offset
        return offset

    def read(self, size: int = -1, /) -> bytes:
        left = self.end - self._position
        wanted = left if size < 0 else min(size, left)
        if wanted <= 0:
            return b""
        chunk = os.pread(self._descriptor, wanted, self._position)
        self.shrank |= not chunk
        fresh = self._position + len(chunk) - self._reached
        self._position += len(chunk)
        if fresh > 0:
            self._pass(chunk[len(chunk) - fresh :])
            self._reached = self._position
        return chunk

    def _pass(self, chunk: bytes) -> None:
        self._hash.update(chunk)

    def sha256(self) -> str:
        """The hex SHA-256 of the whole window; reads what was not read yet."""
        self.seek(self._reached)
        while self.read(1 << 20):
            pass
        return self._hash.hexdigest()


class Ranges(Window):
    """A window that is cut into ranges, each with a hash of its own. Bytes are held until a cut passes them."""

    def __init__(self, descriptor: int, start: int, end: int) -> None:
        super().__init__(descriptor, start, end)
        self._held: deque[bytes] = deque()
        self._cut = start

    def _pass(self, chunk: bytes) -> None:
        self._held.append(chunk)

    def hash_to(self, offset: int) -> None:
        """Take the bytes up to `offset` into the present range."""
        while self._cut < offset and self._held:
            chunk = self._held.popleft()
            taken = min(len(chunk), offset - self._cut)
            self._hash.update(memoryview(chunk)[:taken])
            if taken < len(chunk):
                self._held.appendleft(chunk[taken:])
            self._cut += taken

    def cut(self, offset: int) -> str:
        """The hex SHA-256 of the present range, which ends at `offset`; the next one begins there."""
        self.hash_to(offset)
        digest = self._hash.hexdigest()
        self._hash = hashlib.sha256()
        return digest

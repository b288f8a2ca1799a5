"""A stream of text read in large blocks: is it text at all, and where are whole lines."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

CHUNK = 16 << 20
"""Bytes read at a time, and about as many are in one batch of pieces."""

_PROBED = 64 << 10
_BOM = b"\xef\xbb\xbf"
_CONTROL = bytes(set(range(32)) - {7, 8, 9, 10, 11, 12, 13, 27})


class Reader:
    """A stream whose beginning has been looked at: a byte order mark and leading NULs are passed over.

    NULs stand at the beginning of a log that was truncated while its writer kept its old offset. A stream that
    goes on in the middle of a file is taken as it is: its file was found to be text, and a few odd lines that
    somebody provoked must not hide what was appended beside them.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self.start = 0
        continues = position(stream) > 0
        self.head = self._fill()
        self.empty = not self.head
        self.problem: str | None = None
        if continues:
            return
        while self.head and not self.head.strip(b"\0"):
            self.start += len(self.head)
            self.head = self._fill()
        text = self.head.lstrip(b"\0").removeprefix(_BOM)
        self.problem = not_text(self.head, self.start)
        if not self.problem:
            self.start += len(self.head) - len(text)
            self.head = text

    def chunks(self) -> Iterator[bytes]:
        """All bytes from `start` on."""
        chunk = self.head
        while chunk:
            yield chunk
            chunk = self._fill()

    def drain(self) -> int:
        """Read on to the end; the stream's length."""
        return self.start + sum(map(len, self.chunks()))

    def _fill(self) -> bytes:
        parts, missing = [], CHUNK
        while missing and (part := self._stream.read(missing)):
            parts.append(part)
            missing -= len(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)


def position(stream: BinaryIO) -> int:
    """Where in its file a stream begins; 0 for one that cannot tell."""
    try:
        return stream.tell()
    except (AttributeError, OSError):
        return 0


def not_text(head: bytes, skipped: int) -> str | None:
    """Why these first bytes of a stream are no text. Single odd bytes are: they must not hide a whole log."""
    if not head:
        return f"not text: {skipped} NUL bytes" if skipped else None
    if head[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return "not text: UTF-16; convert it to UTF-8"
    probed = head.lstrip(b"\0")[:_PROBED]
    control = len(probed) - len(probed.translate(None, _CONTROL))
    if control * 32 > len(probed):
        return f"not text: {control} control bytes in the first {len(probed)}"
    broken = probed.decode(errors="replace").count("\ufffd")
    if broken * 4 > len(probed):
        return f"not text: {broken} bytes of invalid UTF-8 in the first {len(probed)}"
    return None


@dataclass(frozen=True)
class Block:
    """Whole lines of a stream; `open` where the last one has no newline; `end` is the offset behind them."""

    text: bytes
    end: int
    open: bool = False


def blocks(reader: Reader, max_record: int) -> Iterator[Block]:
    """The stream in whole lines. Of a line far longer than `max_record` only that much is held in memory."""
    rest, end, dropped = b"", reader.start, 0
    for chunk in reader.chunks():
        text = rest + chunk if rest else chunk
        cut = text.rfind(b"\n") + 1
        if cut:
            end += cut + dropped
            yield Block(text[:cut], end)
            rest, dropped = text[cut:], 0
        else:
            rest = text
        if len(rest) > max_record:
            dropped += len(rest) - max_record - 1
            rest = rest[: max_record + 1]
    if rest:
        yield Block(rest, end + len(rest) + dropped, open=True)

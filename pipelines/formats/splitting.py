"""Streams to records, for formats whose records are lines or JSON values.

Both splitters yield batches (`Split`) of pieces: the records' bytes as written, and with a reason the
stretches that are no record. Neither ever fails on what it reads.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, BinaryIO

import msgspec
import numpy as np
import pyarrow as pa

from pipelines.formats.format import PIECES, Split
from pipelines.formats.json_salvage import MAX_RECORD, SHOWN, Rows, Walk, size, suspects, too_long, why_bad
from pipelines.formats.pieces import cut, joined, line_ends, piece, shortened, table_of
from pipelines.formats.text_stream import CHUNK, Reader, blocks

MAX_OBJECT = 1 << 30
"""The most bytes of one JSON document that are read into memory."""

Buffer = bytes | memoryview
_LIST: msgspec.json.Decoder[list[msgspec.Raw]] = msgspec.json.Decoder(list[msgspec.Raw])


def lines(stream: BinaryIO, at_rest: bool, max_record: int = MAX_RECORD) -> Iterator[Split]:
    """One record a line. A trailing CR is dropped, blank lines are no records.

    Bytes after the last newline are a record only if `at_rest`, else they stay unspent. A line longer
    than `max_record` is one piece with its first 1,024 bytes and a reason.
    """
    reader = Reader(stream)
    if reader.problem:
        yield _refused(reader)
        return
    yield Split(PIECES.empty_table(), reader.start)
    for block in blocks(reader, max_record):
        if block.open and not at_rest:
            break
        starts, ends = line_ends(block.text)
        ends, reasons = shortened(starts, ends, max_record)
        yield Split(table_of(cut(block.text, starts, ends), reasons), block.end)


def json_values(
    stream: BinaryIO,
    at_rest: bool,
    keys: tuple[str, ...] = (),
    max_record: int = MAX_RECORD,
    max_object: int = MAX_OBJECT,
) -> Iterator[Split]:
    """One record a JSON object, however the objects are packed.

    A top-level array, and an object that has an array under one of `keys`, stand for their elements;
    everything else is one value a line, or values one after the other with any space between. What is
    not a good record is a piece with a reason; the good ones around it are kept. A lone surrogate
    escape is no fault. An unterminated last line that is a complete object is taken even if the stream
    is not `at_rest`. With `keys`, an empty stream is one piece with the reason `empty object`.
    """
    reader = Reader(stream)
    shape = _Shape(keys)
    if reader.problem:
        yield _refused(reader)
        return
    yield Split(PIECES.empty_table(), reader.start)
    if reader.empty:
        if keys and at_rest:
            yield Split(piece(b"", "empty object"), 0)
    elif _is_document(reader.head, shape):
        yield from _document(reader, at_rest, shape, max_record, max_object)
    else:
        yield from _json_lines(reader, at_rest, shape, max_record)


def _refused(reader: Reader) -> Split:
    """The one piece of a stream that is not text."""
    shown = reader.head[:SHOWN]
    return Split(piece(shown, reader.problem), reader.drain())


class _Shape:
    """What stands for its elements: a top-level array, and an object with an array under one of `keys`."""

    def __init__(self, keys: tuple[str, ...]) -> None:
        self.keys = keys
        self.quoted = tuple(b'"' + key.encode() + b'"' for key in keys)
        fields: list[Any] = [(f"key{n}", list[msgspec.Raw] | None, None) for n in range(len(keys))]
        names = {f"key{n}": key for n, key in enumerate(keys)}
        self._decoder: msgspec.json.Decoder[Any] = msgspec.json.Decoder(
            msgspec.defstruct("Container", fields, rename=names)
        )
        named = b"|".join(map(re.escape, self.quoted)) or b"(?!)"
        self.begins = re.compile(rb"\s*(?:\[\s*\{|\{\s*(?:" + named + rb")\s*:\s*\[)")

    def elements(self, value: bytes | memoryview) -> list[Buffer] | None:
        """The elements that one complete JSON value stands for, itself if it is a plain object.

        None where the value is not complete and valid, or where it holds much besides one array (a
        second one under another key, or under the same key again), which only a walk brings to light.
        """
        try:
            if bytes(value[:64]).lstrip()[:1] == b"[":
                return [memoryview(element) for element in _LIST.decode(value)]
            container = self._decoder.decode(value)
        except (msgspec.MsgspecError, RecursionError):
            return None
        arrays = [each for n in range(len(self.keys)) if (each := getattr(container, f"key{n}")) is not None]
        if not arrays:
            return [bytes(value).strip()]
        found: list[Buffer] = [memoryview(element) for element in arrays[0]]
        besides = len(value) - sum(map(len, found)) - len(found)
        plain = besides <= 6 + max(map(len, self.quoted)) or (
            besides <= 4096 + 64 * len(found) and sum(bytes(value).count(key) for key in self.quoted) == 1
        )
        return found if len(arrays) == 1 and plain else None

    def holds(self, text: bytes) -> bool:
        """Whether one of the keys is anywhere in `text`."""
        return any(key in text for key in self.quoted)


def _is_document(head: bytes, shape: _Shape) -> bool:
    """Whether a stream that begins with `head` must be read whole: it is no succession of one-line records."""
    text = head.lstrip()
    if text[:1] not in (b"{", b"["):
        return False
    line, newline, _ = text.partition(b"\n")
    if shape.begins.match(text) or (not newline and len(head) >= CHUNK):
        return True
    elements = shape.elements(line)
    if elements is not None:
        return elements != [line.strip()]
    return shape.holds(line) or Walk(line + newline, ()).runs_out(0)


def _document(reader: Reader, at_rest: bool, shape: _Shape, max_record: int, max_object: int) -> Iterator[Split]:
    """A document in memory: at once where it is one good value, else value by value."""
    chunks: list[bytes] = []
    length = 0
    for chunk in reader.chunks():
        length += len(chunk)
        if length <= max_object:
            chunks.append(chunk)
    if length > max_object:
        yield Split(piece(reader.head[:SHOWN], f"object larger than {size(max_object)}"), reader.start + length)
        return
    document = chunks[0] if len(chunks) == 1 else b"".join(chunks)
    del chunks
    batch = _Batch(max_record)
    elements = shape.elements(document)
    if elements is not None:
        for element in elements:
            batch.add(element)
            if batch.full:
                yield Split(batch.table(), 0)
        yield Split(batch.table(), reader.start + length)
        return
    walk, spent = Walk(document, shape.keys, max_record), 0
    for raw, reason, done in _values(walk, shape, at_rest):
        if raw is not None:
            batch.add(raw, reason)
        spent = reader.start + done if done else spent
        if batch.full:
            yield Split(batch.table(), spent)
    yield Split(batch.table(), spent)


def _values(walk: Walk, shape: _Shape, at_rest: bool) -> Iterator[tuple[Buffer | None, str | None, int]]:
    """The pieces of a document, each with its reason; a row of None after each value tells where it ended.

    A last value that is not finished is left out unless `at_rest`.
    """
    document = walk.document
    position = 0
    while (position := walk.next_value(position)) < len(document):
        line_end = document.find(b"\n", position)
        line_end = line_end if line_end >= 0 else len(document)
        elements = shape.elements(memoryview(document)[position:line_end])
        if elements is not None:
            for element in elements:
                yield element, None, 0
            position = line_end
        else:
            spans = walk.value(position)
            if not at_rest:
                spans = iter(list(spans))
                if walk.unfinished:
                    return
            for span in spans:
                yield document[span.start : span.end], span.reason, 0
            position = walk.position
        yield None, None, position
    yield None, None, len(document)


class _Batch:
    """Pieces on their way into one table; those without a reason are known to be valid JSON."""

    def __init__(self, max_record: int) -> None:
        self._max_record = max_record
        self._clear()

    def _clear(self) -> None:
        self._raws: list[Buffer] = []
        self._reasons: dict[int, str] = {}
        self._bytes = 0

    def add(self, raw: Buffer, reason: str | None = None) -> None:
        if len(raw) > self._max_record:
            raw, reason = raw[:SHOWN], too_long(self._max_record)
        if reason is not None:
            self._reasons[len(self._raws)] = reason
        self._raws.append(raw)
        self._bytes += len(raw)

    @property
    def full(self) -> bool:
        return self._bytes >= CHUNK

    def table(self) -> pa.Table:
        """The pieces so far, judged; the batch is empty again."""
        table = _judged(joined(self._raws), True, self._reasons, self._max_record)
        self._clear()
        return table


def _json_lines(reader: Reader, at_rest: bool, shape: _Shape, max_record: int) -> Iterator[Split]:
    """One value a line."""
    for block in blocks(reader, max_record):
        if block.open and not at_rest and not _complete(block.text, shape):
            break
        starts, ends = line_ends(block.text)
        opening = np.frombuffer(block.text, np.uint8)[starts] == ord("[")
        if shape.holds(block.text) or opening.any():
            table = _opened(block.text, starts, ends, shape, max_record)
        else:
            cut_ends, reasons = shortened(starts, ends, max_record)
            table = _judged(cut(block.text, starts, cut_ends), False, reasons, max_record)
        yield Split(table, block.end)


def _complete(line: bytes, shape: _Shape) -> bool:
    return line.rstrip()[-1:] in (b"}", b"]") and shape.elements(line) is not None


def _opened(text: bytes, starts: Rows, ends: Rows, shape: _Shape, max_record: int) -> pa.Table:
    """Lines some of which stand for their elements."""
    batch = _Batch(max_record)
    for start, end in zip(starts.tolist(), ends.tolist(), strict=True):
        line = text[start:end]
        if shape.begins.match(line):
            for raw, reason, _ in _values(Walk(line, shape.keys, max_record), shape, at_rest=True):
                if raw is not None:
                    batch.add(raw, reason)
        else:
            elements = shape.elements(line)
            for element in elements if elements is not None else [line]:
                batch.add(element, why_bad(line, max_record) if elements is None else None)
    return batch.table()


def _judged(raw: pa.LargeBinaryArray, valid: bool, reasons: dict[int, str], max_record: int) -> pa.Table:
    """A table of PIECES; rows without a reason are looked at (only for what can be wrong in `valid` JSON)."""
    doubtful = suspects(raw, max_record) if valid or _all_json(raw) else np.arange(len(raw))
    for row in doubtful.tolist():
        record = raw[row].as_py() or b""
        if row not in reasons and (reason := why_bad(record, max_record)):
            reasons[row] = reason
    return table_of(raw, reasons)


def _all_json(raw: pa.LargeBinaryArray) -> bool:
    """Whether each row is one valid JSON value: together they are an array of just these elements."""
    records = [record or b"" for record in raw.to_pylist()]
    try:
        values = _LIST.decode(b"[" + b",".join(records) + b"]")
    except (msgspec.MsgspecError, RecursionError):
        return False
    if [len(memoryview(value)) for value in values] == list(map(len, records)):
        return True
    return len(values) == len(records) and all(
        bytes(value) == record.strip() for value, record in zip(values, records, strict=True)
    )

"""Which bytes are a good JSON record, and how to find the good ones in a document that is broken.

A fast decoder loses a whole document to one bad record. Here a document is cut by its structure alone,
without recursion, and each element is judged by itself; after a broken element the walk goes on at the
next place that looks like the beginning of an element of the same kind.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pipelines.formats import text

MAX_RECORD = 4 << 20
MAX_DEPTH = 500
SHOWN = 1024
"""How many bytes of a record that is too long are kept."""

TRUNCATED = "truncated: the object ends inside a record"
UNCLOSED = "truncated: the object ends before it is closed"

_STRING = rb'"(?:[^"\\\x00-\x1f]++|\\.)*+"'
_PLAIN = rb"[\s:,]++|-?[0-9][0-9.eE+\-]*+|true|false|null|NaN|-?Infinity"
"""All that may stand between brackets and strings. Being strict here shows an unbalanced quote early."""
_TO_BRACKET = re.compile(rb"(?:" + _PLAIN + rb"|" + _STRING + rb")*+([{}\[\]])")
_NO_BRACKET = re.compile(rb"(?:" + _PLAIN + rb"|" + _STRING + rb')*+(?:"(?:[^"\\\x00-\x1f]++|\\.)*+\\?)?\Z')
_BETWEEN = re.compile(rb"[\s\x1e,\]}]*+")
"""What may stand between two values: space, the record separator of RFC 7464, leftovers of a broken value."""
_GAP = re.compile(rb"[\s,]*+")
_MEMBER = re.compile(rb"(" + _STRING + rb")\s*+:\s*+")
_FIRST_KEY = re.compile(rb"\{\s*+(" + _STRING + rb")\s*+:")
_SCALAR = re.compile(_STRING + rb"|[^\s,\]}\[{\"]++")
_CLOSER = {ord("{"): ord("}"), ord("["): ord("]")}

Bytes = npt.NDArray[np.uint8]
Flags = npt.NDArray[np.bool_]
Rows = npt.NDArray[np.int64]

_VALUE: msgspec.json.Decoder[msgspec.Raw] = msgspec.json.Decoder(msgspec.Raw)


def size(count: int) -> str:
    """`4 MiB`, or bytes where it is no whole number of anything larger."""
    for unit, name in ((1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")):
        if count % unit == 0:
            return f"{count // unit} {name}"
    return f"{count} bytes"


def too_long(max_record: int) -> str:
    """The reason of a record that is longer than allowed."""
    return f"record longer than {size(max_record)}"


def why_bad(record: bytes, max_record: int = MAX_RECORD) -> str | None:
    """Why these bytes are not one good JSON record, or None. A lone surrogate escape is no fault."""
    if len(record) > max_record:
        return too_long(max_record)
    if reason := text.invalid_utf8(record):
        return reason
    if deeper_than(record, MAX_DEPTH):
        return f"nested deeper than {MAX_DEPTH}"
    if reason := _invalid_json(record):
        return f"invalid JSON: {reason}"
    return None if record.lstrip()[:1] == b"{" else "not a JSON object"


def _invalid_json(record: bytes) -> str | None:
    """The strict decoder's complaint; a lone surrogate, NaN and Infinity are let through, as DuckDB can read them."""
    try:
        _VALUE.decode(record)
    except RecursionError:
        return "nested too deep"
    except msgspec.DecodeError as error:
        try:
            json.loads(text.mend_surrogate(record.decode()), parse_int=str, parse_float=str)
        except (ValueError, RecursionError):
            return str(error).removeprefix("JSON is malformed: ")
    return None


def deeper_than(record: bytes, limit: int) -> bool:
    """Whether brackets outside strings are nested more than `limit` deep."""
    if record.count(b"{") + record.count(b"[") <= limit:
        return False
    depth, position = 0, 0
    while found := _TO_BRACKET.match(record, position):
        depth += 1 if found[1] in b"{[" else -1
        position = found.end()
        if depth > limit:
            return True
    return False


def suspects(records: pa.LargeBinaryArray, max_record: int = MAX_RECORD) -> Rows:
    """Rows that `why_bad` must look at, even where all are known to be valid JSON.

    They are the too long, those whose first byte opens no object, those with many brackets, and those
    with bytes above 127 where the column is not all valid UTF-8.
    """
    if len(records) == 0:
        return np.empty(0, np.int64)
    _, ends, values = records.buffers()
    offsets = np.frombuffer(memoryview(ends or b""), np.int64)[records.offset : records.offset + len(records) + 1]
    data = np.frombuffer(memoryview(values or b"\0"), np.uint8)
    lengths = np.diff(offsets)
    suspect = (lengths == 0) | (lengths > max_record)
    suspect |= data[np.minimum(offsets[:-1], len(data) - 1)] != ord("{")
    used = data[offsets[0] : offsets[-1]]
    opened = positions(used, lambda block: (block | 0x20) == ord("{"))
    suspect |= np.diff(np.searchsorted(opened, offsets - offsets[0])) > MAX_DEPTH
    try:
        records.cast(pa.large_string())
    except pa.ArrowInvalid:
        high = positions(used, lambda block: block >= 0x80)
        suspect |= np.diff(np.searchsorted(high, offsets - offsets[0])) > 0
    return np.flatnonzero(suspect)


def positions(data: Bytes, wanted: Callable[[Bytes], Flags]) -> Rows:
    """Where the bytes are that `wanted` picks; worked on in blocks that stay in the processor's cache."""
    step = 1 << 18
    found = [np.flatnonzero(wanted(data[at : at + step])) + at for at in range(0, len(data), step)]
    return np.concatenate(found) if found else np.empty(0, np.int64)


@dataclass(frozen=True)
class Span:
    """An element of a document, or with a `reason` a stretch of it that is none."""

    start: int
    end: int
    reason: str | None = None


class Walk:
    """A walk over a document of concatenated JSON values, from one to the next.

    A value that is an array, or an object with an array under one of `keys`, stands for its elements.
    """

    def __init__(self, document: bytes, keys: tuple[str, ...], max_record: int = MAX_RECORD) -> None:
        self.document = document
        self.keys = frozenset(b'"' + key.encode() + b'"' for key in keys)
        self.max_record = max_record
        self.position = 0
        self.unfinished = False
        """Whether the last value reached the document's end without being closed."""
        self._sibling: bytes | None = None

    def next_value(self, position: int) -> int:
        """Where the next value begins; the document's length where there is none."""
        found = _BETWEEN.match(self.document, position)
        return found.end() if found else position

    def value(self, position: int) -> Iterator[Span]:
        """The spans of the value that begins at `position`; afterwards `self.position` is behind it."""
        self.unfinished = False
        first = self.document[position : position + 1]
        if first == b"[":
            yield from self._array(position + 1)
        elif first == b"{":
            yield from self._object(position)
        else:
            end = self.document.find(b"\n", position)
            self.position = end if end >= 0 else len(self.document)
            yield self._judged(position, self.position)

    def _object(self, start: int) -> Iterator[Span]:
        position, opened = start + 1, False
        while True:
            position = self._skip_gap(position)
            if self.document[position : position + 1] == b"}":
                self.position = position + 1
                if not opened:
                    yield self._judged(start, self.position)
                return
            member = _MEMBER.match(self.document, position)
            if member and member[1] in self.keys and self.document[member.end() : member.end() + 1] == b"[":
                opened = True
                yield from self._array(member.end() + 1)
                position = self.position
                if self.unfinished:
                    return
                continue
            end = self._end(member.end()) if member else None
            if end is None:
                yield from self._broken_value(position if opened else start)
                return
            position = end

    def _array(self, position: int) -> Iterator[Span]:
        """The elements from `position` up to the closing bracket; a broken one ends at the next plausible one."""
        while True:
            position = self._skip_gap(position)
            if position >= len(self.document):
                self.position, self.unfinished = position, True
                yield Span(position, position, UNCLOSED)
                return
            if self.document[position : position + 1] == b"]":
                self.position = position + 1
                return
            end = self._end(position)
            if end is not None:
                span = self._judged(position, end)
            elif (end := self._next_like(position)) is not None:
                span = self._judged(position, self._without_gap(position, end), broken=True)
            else:
                yield from self._broken_value(position)
                return
            if span.reason is None:
                self._sibling = self._first_key(position)
            yield span
            position = end

    def _broken_value(self, start: int) -> Iterator[Span]:
        """What cannot be cut any further: up to a line that begins a new value, else to the end."""
        line = re.compile(rb"\n(?=[{\[])").search(self.document, start)
        if line:
            self.position = line.end()
            yield self._judged(start, line.start(), broken=True)
            return
        self.position, self.unfinished = len(self.document), True
        if self.runs_out(start):
            yield self._cut(Span(start, len(self.document), TRUNCATED))
        else:
            yield self._judged(start, len(self.document), broken=True)

    def _end(self, start: int) -> int | None:
        """Where the value at `start` ends; None where it is not closed or its brackets do not match."""
        document = self.document
        if document[start : start + 1] not in (b"{", b"["):
            scalar = _SCALAR.match(document, start)
            return scalar.end() if scalar else None
        expected = bytearray()
        position = start
        while found := _TO_BRACKET.match(document, position):
            bracket = found[1][0]
            position = found.end()
            if bracket in _CLOSER:
                expected.append(_CLOSER[bracket])
            elif expected.pop() != bracket:
                return None
            elif not expected:
                return position
        return None

    def runs_out(self, start: int) -> bool:
        """Whether the document ends before anything is wrong with the value at `start`."""
        position = start
        while found := _TO_BRACKET.match(self.document, position):
            position = found.end()
        return _NO_BRACKET.match(self.document, position) is not None

    def _next_like(self, start: int) -> int | None:
        """Where, behind a broken element at `start`, an element begins with the same first key as it or its sibling."""
        keys = {key for key in (self._first_key(start), self._sibling) if key}
        begins = b"|".join(sorted(map(re.escape, keys))) or _STRING
        pattern = rb"(?:\}\s{0,64},|\n)\s{0,64}(?=\{\s{0,64}(?:" + begins + rb")\s{0,64}:)"
        found = re.compile(pattern).search(self.document, start + 1)
        return found.end() if found else None

    def _first_key(self, position: int) -> bytes | None:
        found = _FIRST_KEY.match(self.document, position)
        return found[1] if found else None

    def _skip_gap(self, position: int) -> int:
        found = _GAP.match(self.document, position)
        return found.end() if found else position

    def _without_gap(self, start: int, end: int) -> int:
        """`end` moved back over the space and comma that part two elements."""
        while end > start and self.document[end - 1 : end] in b", \t\r\n":
            end -= 1
        return end

    def _judged(self, start: int, end: int, broken: bool = False) -> Span:
        if end - start > self.max_record:
            return self._cut(Span(start, end, too_long(self.max_record)))
        reason = why_bad(self.document[start:end], self.max_record)
        if broken and reason is None:
            reason = "invalid JSON: not followed by the next element"
        return Span(start, end, reason)

    def _cut(self, span: Span) -> Span:
        """A stretch that is too long to keep, cut to the bytes that are shown."""
        if span.end - span.start <= self.max_record:
            return span
        return Span(span.start, span.start + SHOWN, span.reason)

"""What AWS services wrap records in on their way: each container opened, so that one record has one text.

Sources: "Using CloudWatch Logs subscription filters" (`{"awslogs":{"data":...}}`: base64 of gzip, and within it
`{"messageType","owner","logGroup","logStream","subscriptionFilters","logEvents":[{"id","timestamp","message"}]}`),
"Using Lambda with Kinesis" (`kinesis.data`), Kinesis GetRecords (`Data`), Firehose transformation (`data`),
"AWS service events delivered via CloudTrail" (EventBridge: `detail-type`, `detail`), CloudTrail LookupEvents
(`Events[].CloudTrailEvent`, a JSON string).

A record that came by two of these and by the bucket too is the same text three times, so it is one action. What a
record itself holds is never opened: only an object that has no event of its own (no `eventName`) is a container.
"""

from __future__ import annotations

import binascii
import io
import re
import zlib
from collections.abc import Iterator
from typing import BinaryIO

import msgspec
import polars as pl
import pyarrow as pa

from pipelines.formats.format import PIECES, Split
from pipelines.formats.json_salvage import size, why_bad
from pipelines.formats.pieces import joined, table_of
from pipelines.formats.splitting import json_values
from pipelines.formats.text_stream import CHUNK

MAX_EXPANDED = 64 << 20
"""The most bytes that one packed batch may expand to; CloudWatch Logs packs 1 MB at a time, Kinesis takes 10 MB."""

MAX_TOGETHER = 4 << 30
"""The most bytes that the packed batches of one stream may expand to, as for a gzip file."""

KEPT = 64
"""Bytes kept of a batch that was not unpacked: nobody could find the secrets in more of it."""

KEYS = ("Records", "Events", "logEvents")
"""Arrays that stand for their elements: an S3 object's or queue's, LookupEvents', a subscription's."""

PACKED = b"H4sI"
"""How base64 of anything gzipped begins (RFC 1952: 1F 8B 08)."""

_WORDS = (b'"CloudTrailEvent"', b'"detail-type"', b'"message"', PACKED)
"""One of them is in each container."""

_PACKED_LINE = re.compile(rb"\s*(H4sI[A-Za-z0-9+/]+={0,2})\s*")

Pieces = list[tuple[bytes | memoryview, str | None]]
"""Records, each with the reason why it is none."""


_NONE = msgspec.Raw(b"null")


class _Container(msgspec.Struct):
    """The keys of all containers; `eventName` is that of a record, which is none."""

    event_name: msgspec.Raw = msgspec.field(name="eventName", default=_NONE)
    lookup: msgspec.Raw = msgspec.field(name="CloudTrailEvent", default=_NONE)
    detail_type: msgspec.Raw = msgspec.field(name="detail-type", default=_NONE)
    detail: msgspec.Raw = _NONE
    message: msgspec.Raw = _NONE
    awslogs: msgspec.Raw = _NONE
    kinesis: msgspec.Raw = _NONE
    got: msgspec.Raw = msgspec.field(name="Data", default=_NONE)
    data: msgspec.Raw = _NONE


class _Batch(msgspec.Struct):
    data: str = ""


_CONTAINER = msgspec.json.Decoder(_Container)
_TEXT = msgspec.json.Decoder(str)
_BATCH = msgspec.json.Decoder(_Batch)


def split(stream: BinaryIO, at_rest: bool, plain: bytes) -> Iterator[Split]:
    """The records of a stream of JSON values, each out of its container.

    `plain` is how nearly all records begin; those that do are not looked into.
    """
    opener = _Opener(plain)
    for part in json_values(stream, at_rest, keys=KEYS):
        for table in opener.opened(part.pieces):
            yield Split(table, 0)
        yield Split(PIECES.empty_table(), part.spent)


class _Opener:
    """Opens the containers of one stream, whose packed batches may not expand without bound."""

    def __init__(self, plain: bytes) -> None:
        self._plain = plain
        self._left = MAX_TOGETHER

    def opened(self, pieces: pa.Table) -> Iterator[pa.Table]:
        """Tables of PIECES with each container replaced by the records that it holds, in their order."""
        raw = pl.Series(pieces["raw"])
        odd = ~raw.bin.starts_with(self._plain)
        rows = set((odd & _mentions(raw)).arg_true().to_list()) if odd.any() else set()
        if not rows:
            yield pieces
            return
        together: Pieces = []
        held = 0
        for row, own in enumerate(zip(raw.to_list(), pieces["reason"].to_pylist(), strict=True)):
            inside = self._content(*own) if row in rows else None
            found = [own] if inside is None else inside
            together += found
            held += sum(len(each) for each, _ in found)
            if held >= CHUNK:
                yield _table(together)
                together, held = [], 0
        yield _table(together)

    def _content(self, raw: bytes, reason: str | None) -> Pieces | None:
        """The records in one container; None where it is none that can be opened."""
        if reason is not None:
            line = _PACKED_LINE.fullmatch(raw)
            return self._unpacked(line[1], raw) if line else None
        container = _container(raw)
        if container is None:
            return None
        inside = _record(container)
        packed = b"" if inside is not None else _packed(container)
        return self._unpacked(packed, raw) if packed.startswith(PACKED) else inside

    def _unpacked(self, packed: bytes, raw: bytes) -> Pieces:
        """The records in base64 of gzip; where it is damaged or too large, how its container begins and why."""
        at_most = min(MAX_EXPANDED, self._left)
        try:
            text = _expanded(binascii.a2b_base64(packed, strict_mode=True), at_most)
        except (binascii.Error, zlib.error, EOFError):
            return [(raw[:KEPT], "a packed batch that is no base64 of gzip, or is cut off")]
        if text is None:
            said = size(MAX_EXPANDED) if at_most == MAX_EXPANDED else f"{size(MAX_TOGETHER)} with those before it"
            return [(raw[:KEPT], f"a packed batch that expands beyond {said}")]
        self._left -= len(text)
        found: Pieces = []
        for part in json_values(io.BytesIO(text), True, keys=KEYS):
            pieces = part.pieces
            for own in zip(pl.Series(pieces["raw"]).to_list(), pieces["reason"].to_pylist(), strict=True):
                found += _within(*own)
        return found


def _within(raw: bytes, reason: str | None) -> Pieces:
    """A piece of a packed batch, out of the container that it may be; none holds another batch."""
    container = None if reason is not None else _container(raw)
    if container is None:
        return [(raw, reason)]
    if _packed(container).startswith(PACKED):
        return [(raw[:KEPT], "a packed batch within a packed batch")]
    return _record(container) or [(raw, reason)]


def _table(pieces: Pieces) -> pa.Table:
    told = {row: reason for row, (_, reason) in enumerate(pieces) if reason is not None}
    return table_of(joined([raw for raw, _ in pieces]), told)


def _mentions(raw: pl.Series) -> pl.Series:
    """Which rows hold a word of a container at all."""
    mentions = raw.bin.contains(_WORDS[0])
    for word in _WORDS[1:]:
        mentions |= raw.bin.contains(word)
    return mentions


def _container(raw: bytes) -> _Container | None:
    """The container that these bytes are, None where they are none: a record of their own, or no JSON object."""
    try:
        container = _CONTAINER.decode(raw)
    except (msgspec.MsgspecError, RecursionError):
        return None
    return container if container.event_name == _NONE else None


def _record(container: _Container) -> Pieces | None:
    """The one record that is written out in a container."""
    if _NONE not in (container.detail_type, container.detail):
        return _one(bytes(container.detail))
    text = container.lookup if container.lookup != _NONE else container.message
    return None if text == _NONE else _one(_string(text))


def _one(text: bytes) -> Pieces | None:
    """The record, where the text is a good JSON object."""
    text = text.strip()
    return [(text, None)] if text.startswith(b"{") and why_bad(text) is None else None


def _string(value: msgspec.Raw) -> bytes:
    try:
        return _TEXT.decode(value).encode()
    except (msgspec.MsgspecError, UnicodeEncodeError):
        return b""


def _packed(container: _Container) -> bytes:
    """The base64 in a container, empty where it has none."""
    place = container.awslogs if container.awslogs != _NONE else container.kinesis
    if place == _NONE:
        return _string(container.got if container.got != _NONE else container.data)
    try:
        return _BATCH.decode(place).data.encode(errors="replace")
    except msgspec.MsgspecError:
        return b""


def _expanded(data: bytes, at_most: int) -> bytes | None:
    """All members of a gzip; None where they are larger than `at_most`."""
    parts, left = [], at_most
    while data:
        member = zlib.decompressobj(31)
        part = member.decompress(data, left + 1)
        left -= len(part)
        if left < 0:
            return None
        if not member.eof:
            raise EOFError
        parts.append(part)
        data = member.unused_data.lstrip(b"\0")
    return b"".join(parts)

"""Files of a glob: which of their bytes are new, and those bytes as spooled records.

A plain file that is not at rest (changed within the last minute) may end within a record: such a tail is
held back for a later pull. A gzip file is read whole; one that is cut off gives what it holds and an error, and
is read again when it has changed.
A file that was renamed is read anew under its new name, so that equal lines are counted as before and its
records turn out to be duplicates.
"""

from __future__ import annotations

import glob
import hashlib
import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import BinaryIO, cast
from urllib.parse import quote

from pipelines.pull.checkpoints import Checkpoint, Checkpoints
from pipelines.pull.decompress import MAGIC, MAX_EXPANDED, Gunzip
from pipelines.pull.spool import Spool
from pipelines.pull.window import Ranges, Window
from pipelines.settings import Source

RANGE = 64 << 20
"""A plain file is cut, at ends of lines, into objects of about this many bytes."""

HEAD = 4096
_EPOCH = datetime(1970, 1, 1)
REST = timedelta(seconds=60)
"""A file is at rest when it was last changed longer ago than this."""

_DOCUMENT = re.compile(rb"\s*(?:\[\s*[{\]]|\{\s*[\r\n])")
"""A file that begins so is one JSON document: when it has grown, it was written anew."""


@dataclass(frozen=True)
class FoundFile:
    """A regular file. `object_uri` is its absolute path as a file URL, bytes that are no text percent-encoded."""

    path: Path
    object_uri: str


@dataclass(frozen=True)
class PulledObject:
    """A file, or a byte range of one, whose records are spooled.

    `object_sha256` is of the bytes as stored in the file (compressed bytes of a gzip file). `records`
    counts the rows of `spool_file`, `errors` those with a reason. `checkpoint` is to be stored in the
    transaction that stores the records. `held_back` bytes follow that are left for a later pull.
    With an `error` nothing could be read: there are no bytes, no records and no checkpoint.
    """

    source: str
    object_uri: str
    byte_start: int
    byte_end: int
    bytes: int
    object_sha256: str
    records: int
    errors: int
    spool_file: Path | None
    checkpoint: Checkpoint | None
    held_back: int = 0
    error: str | None = None
    rewritten: bool = False
    """The file had been read before, and did more than grow since."""

    @property
    def uid(self) -> str:
        """Names these bytes at this place of this file: two files may hold equal ranges."""
        place = "|".join((self.source, self.object_uri, str(self.byte_start), self.object_sha256))
        return hashlib.sha256(place.encode()).hexdigest()[:32]


def find(pattern: str, base: Path) -> list[FoundFile]:
    """The regular files that a glob (`*`, `?`, `[..]`, `**`) matches below `base`, sorted by path.

    Symbolic links to files are followed; a file that has several names is listed once, under a name
    that is no link. Pipes, sockets, devices and folders are passed over.
    """
    anchored = pattern if os.path.isabs(pattern) else os.path.join(glob.escape(str(base.absolute())), pattern)
    names = sorted(set(map(os.path.abspath, glob.iglob(anchored, recursive=True))), key=os.fsencode)
    files: dict[tuple[int, int], str] = {}
    for name in sorted(names, key=os.path.islink):
        try:
            status = os.stat(name)
        except OSError:
            continue
        if stat.S_ISREG(status.st_mode):
            files.setdefault((status.st_dev, status.st_ino), name)
    return [
        FoundFile(Path(name), "file://" + quote(os.fsencode(name))) for name in sorted(files.values(), key=os.fsencode)
    ]


def pull(
    source: Source,
    known: Checkpoints,
    spool: Path,
    *,
    key: bytes,
    now: datetime,
    max_expanded: int = MAX_EXPANDED,
    range_bytes: int = RANGE,
) -> Iterator[PulledObject]:
    """What is new in the files of a source since the checkpoints `known`, as objects, file by file.

    `now` is naive UTC; `key` is the lake's; spool files go to the folder `spool`. A file that cannot be
    read becomes an object with an error, and the run goes on.
    """
    puller = _Puller(source, spool, None if source.keep_secrets else key, now, max_expanded, range_bytes)
    for file in find(source.pattern, source.base):
        try:
            yield from puller.file(file, known.get((source.name, file.object_uri)))
        except OSError as error:
            yield _unreadable(source.name, file, error)


@dataclass(frozen=True)
class WaitingFile:
    """A file that a pull would read: its size in bytes, and when it was last changed (naive UTC)."""

    object_uri: str
    bytes: int
    modified_at: datetime


def waiting(source: Source, known: Checkpoints, now: datetime) -> list[WaitingFile]:
    """The files of a source that `pull` would read now; none is opened."""
    found: list[WaitingFile] = []
    for file in find(source.pattern, source.base):
        try:
            state = _state(file.object_uri, -1, os.stat(file.path), now)
        except OSError:
            continue
        if not _nothing_new(state, known.get((source.name, file.object_uri))):
            found.append(WaitingFile(state.object_uri, state.size, state.modified_at))
    return found


def _unreadable(source: str, file: FoundFile, error: OSError) -> PulledObject:
    reason = f"cannot be read: {error.strerror or error}"
    return PulledObject(source, file.object_uri, 0, 0, 0, hashlib.sha256().hexdigest(), 0, 0, None, None, error=reason)


@dataclass(frozen=True)
class _Puller:
    source: Source
    folder: Path
    key: bytes | None
    now: datetime
    max_expanded: int
    range_bytes: int

    def file(self, file: FoundFile, known: Checkpoint | None) -> Iterator[PulledObject]:
        descriptor = os.open(file.path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            status = os.fstat(descriptor)
            state = _state(file.object_uri, descriptor, status, self.now)
            if not stat.S_ISREG(status.st_mode) or _nothing_new(state, known):
                return
            packed = os.pread(descriptor, len(MAGIC), 0) == MAGIC
            start = 0 if packed else _start(state, known)
            rewritten = known is not None and known.spent > 0 and start == 0
            for item in self._gzip(state) if packed else self._plain(state, start):
                yield replace(item, rewritten=rewritten and item.byte_start == 0)
        finally:
            os.close(descriptor)

    def _plain(self, state: _State, start: int) -> Iterator[PulledObject]:
        """The file from `start` on, in ranges that end where the splitter has spent all before."""
        window = Ranges(state.descriptor, start, state.size)
        spool, begun, spent = self._spool(), start, start
        try:
            for split in self.source.format.split(cast(BinaryIO, window), state.at_rest, self.source.options):
                spool.add(split.pieces)
                spent = max(spent, start + split.spent)
                window.hash_to(spent)
                if spent - begun >= self.range_bytes:
                    item = self._object(replace(state, size=spent), window.cut(spent), begun, spent, spool)
                    spool, begun = self._spool(), spent
                    yield item
            if window.shrank:
                spool.add_error("the file shrank while it was read")
            if spent > begun or spool.records:
                item = self._object(state, window.cut(spent), begun, spent, spool)
                spool = self._spool()
                yield item
        finally:
            spool.discard()

    def _gzip(self, state: _State) -> Iterator[PulledObject]:
        """The whole file, expanded."""
        window = Window(state.descriptor, 0, state.size)
        stream = Gunzip(cast(BinaryIO, window), self.max_expanded)
        spool = self._spool()
        try:
            for split in self.source.format.split(cast(BinaryIO, stream), True, self.source.options):
                spool.add(split.pieces)
            while stream.read():
                pass
            if stream.problem:
                spool.add_error(stream.problem)
            item = self._object(state, window.sha256(), 0, state.size, spool)
            spool = self._spool()
            yield item
        finally:
            spool.discard()

    def _spool(self) -> Spool:
        log_format = self.source.format
        return Spool(self.folder, self.key, log_format.secrets, spaced=log_format.spaced)

    def _object(self, state: _State, sha256: str, start: int, end: int, spool: Spool) -> PulledObject:
        return PulledObject(
            source=self.source.name,
            object_uri=state.object_uri,
            byte_start=start,
            byte_end=end,
            bytes=end - start,
            object_sha256=sha256,
            records=spool.records,
            errors=spool.errors,
            spool_file=spool.close(),
            checkpoint=state.checkpoint(self.source.name, end, self.now),
            held_back=state.size - end,
        )


@dataclass(frozen=True)
class _State:
    """An open file as it was when it was opened."""

    object_uri: str
    descriptor: int
    size: int
    modified_at: datetime
    at_rest: bool

    def head_sha256(self, count: int) -> str:
        return hashlib.sha256(os.pread(self.descriptor, count, 0)).hexdigest()

    def checkpoint(self, source: str, spent: int, now: datetime) -> Checkpoint:
        count = min(HEAD, spent)
        head = self.head_sha256(count)
        return Checkpoint(source, self.object_uri, self.size, self.modified_at, spent, count, head, now)


def _state(object_uri: str, descriptor: int, status: os.stat_result, now: datetime) -> _State:
    modified = _EPOCH + timedelta(microseconds=status.st_mtime_ns // 1000)
    at_rest = status.st_size == 0 or now - modified > REST
    return _State(object_uri, descriptor, status.st_size, modified, at_rest)


def _nothing_new(state: _State, known: Checkpoint | None) -> bool:
    """Whether the file is empty, or is as it was and all of it was taken or its tail must still wait."""
    if state.size == 0:
        return True
    if known is None or known.bytes != state.size or known.modified_at != state.modified_at:
        return False
    return known.spent == state.size or not state.at_rest


def _start(state: _State, known: Checkpoint | None) -> int:
    """Where to go on reading a plain file: behind what was spent if the file has only grown, else at 0."""
    if known is None or known.spent > state.size or known.head_bytes == 0:
        return 0
    if state.size == known.bytes and state.modified_at != known.modified_at:
        return 0
    if state.size < known.bytes or state.head_sha256(known.head_bytes) != known.head_sha256:
        return 0
    if known.spent < state.size:
        around = os.pread(state.descriptor, 2, known.spent - 1)
        if b"\n" not in around or _DOCUMENT.match(os.pread(state.descriptor, HEAD, 0)):
            return 0
    return known.spent

"""The writer's lock: one at a time, and whoever waits is told for whom."""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock, Timeout

log = logging.getLogger(__name__)

LOCK_WAIT_SECONDS = 600.0
SILENT_SECONDS = 2.0
"""A commit mostly holds the lock for less than this; only who waits longer says so."""


class LakeError(Exception):
    """The lake cannot be opened or written; the text says why and what to do."""


@contextmanager
def held(file: Path) -> Iterator[None]:
    """Hold the lock of this file. Beside it lies a note that says who does, for whoever waits.

    Waiting is told to the log, as a warning; raises LakeError after ten minutes of it.
    """
    lock = FileLock(file, mode=0o600)
    try:
        lock.acquire(timeout=SILENT_SECONDS)
    except Timeout:
        log.warning("waiting for the lake's lock, which %s holds (at most %.0f s)", holder(file), LOCK_WAIT_SECONDS)
        try:
            lock.acquire(timeout=LOCK_WAIT_SECONDS)
        except Timeout:
            waited = f"{LOCK_WAIT_SECONDS:.0f} s"
            msg = f"{holder(file)} has held {file} for over {waited}; see what it does, then run again"
            raise LakeError(msg) from None
    try:
        _note(file).write_text(json.dumps(_myself()), encoding="utf-8")
        yield
    finally:
        _note(file).unlink(missing_ok=True)
        lock.release()


def holder(file: Path) -> str:
    """Who holds the lock of this file, in words; a note that cannot be read is no reason to fail."""
    try:
        told = json.loads(_note(file).read_text(encoding="utf-8"))
        return f"process {told['pid']} ({told['command']}, since {told['since']})"
    except (OSError, ValueError, KeyError, TypeError):
        return "another process"


def _note(file: Path) -> Path:
    return file.with_suffix(".holder")


def _myself() -> dict[str, str | int]:
    """The command without its values: a query or a reason may hold what others must not read."""
    words = [Path(sys.argv[0]).name, *(word for word in sys.argv[1:] if word.isalpha())]
    since = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {"pid": os.getpid(), "command": " ".join(words[:3]), "since": since}

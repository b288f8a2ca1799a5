"""The custody ledger: a hash chain over the objects that were pulled, in the order in which they were committed.

Each row of `objects` carries the hash of the row before it (`prior_sha256`), so no row can be altered,
left out or put in later without every following row showing it. The last row is covered only by a copy
of its hash (`head`) that is kept elsewhere.

Format of an entry's hash: the SHA-256, in hex, of the UTF-8 bytes of a JSON array without spaces and with
non-ASCII characters escaped: the text "workertrail:custody:1", the prior hash, then the values of FIELDS
in order (null where absent, times as ISO 8601 with six digits of microseconds).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

import pyarrow as pa

FIRST = "0" * 64
"""The prior hash of the first entry."""

FIELDS = (
    "ledger_seq", "object_sha256", "source", "object_uri", "generation", "byte_start", "byte_end", "bytes",
    "pulled_at", "records",
)  # fmt: skip
"""What an entry vouches for: which bytes came from where and when, and how many records they held.

What became of the records (actions, errors, ...) may change when they are read anew, and is not covered.
"""


def entry_sha256(row: Mapping[str, Any], prior: str) -> str:
    """The hash of a row of `objects`, given the hash of the row before it."""
    values = ["workertrail:custody:1", prior, *(_plain(row.get(name)) for name in FIELDS)]
    return hashlib.sha256(json.dumps(values, separators=(",", ":")).encode()).hexdigest()


def _plain(value: Any) -> Any:
    return value.isoformat(timespec="microseconds") if isinstance(value, datetime) else value


def extend(rows: Iterable[Mapping[str, Any]], prior: str, first_seq: int) -> list[dict[str, Any]]:
    """The rows with `ledger_seq` (from `first_seq`) and `prior_sha256` filled in; `prior` is the last entry's hash."""
    entries = []
    for number, row in enumerate(rows, first_seq):
        entry = {**row, "ledger_seq": number, "prior_sha256": prior}
        prior = entry_sha256(entry, prior)
        entries.append(entry)
    return entries


def head(table: pa.Table) -> str:
    """The hash of the last entry of `objects` (FIRST of an empty table): what to note elsewhere."""
    rows = table.sort_by("ledger_seq").slice(max(0, table.num_rows - 1)).to_pylist()
    return entry_sha256(rows[0], rows[0]["prior_sha256"]) if rows else FIRST


def verify(table: pa.Table) -> list[str]:
    """What is wrong with a table of `objects`, in words; nothing where the chain holds from its first entry on."""
    problems: list[str] = []
    prior, expected = FIRST, None
    for row in table.sort_by("ledger_seq").to_pylist():
        number = row["ledger_seq"]
        if number is None:
            problems.append(f"object {row['object_sha256']}: it has no place in the ledger")
            continue
        if expected is not None and number < expected:
            problems.append(f"entry {number}: it is there more than once")
        elif expected is not None and number > expected:
            problems.append(f"entries {expected} to {number - 1} are missing")
        elif row["prior_sha256"] != prior:
            before = "it is not the ledger's first" if expected is None else "that entry or this link was altered"
            problems.append(f"entry {number}: its prior_sha256 is not the hash of what stands before it; {before}")
        prior, expected = entry_sha256(row, row["prior_sha256"] or ""), number + 1
    return problems

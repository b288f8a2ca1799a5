"""What is known of each file that was pulled: how far it was read, and how to tell that it is still the same."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import pyarrow as pa

from pipelines import schema


@dataclass(frozen=True)
class Checkpoint:
    """One row of the table `checkpoints`. Times are naive UTC with microseconds.

    `bytes` and `modified_at` are the file's size and time when it was read, `spent` the offset up to
    which its records were taken. `head_sha256` is the SHA-256 of its first `head_bytes` bytes as stored.
    """

    source: str
    object_uri: str
    bytes: int
    modified_at: datetime
    spent: int
    head_bytes: int
    head_sha256: str
    checked_at: datetime

    def row(self) -> dict[str, Any]:
        return asdict(self)


class Checkpoints(Mapping[tuple[str, str], Checkpoint]):
    """Checkpoints by source and object_uri."""

    def __init__(self, checkpoints: Iterable[Checkpoint] = ()) -> None:
        self._known = {(each.source, each.object_uri): each for each in checkpoints}

    @classmethod
    def of(cls, table: pa.Table) -> Checkpoints:
        """From an Arrow table with the columns of schema.CHECKPOINTS; of several rows for a file the last counts."""
        return cls(Checkpoint(**row) for row in table.select(schema.CHECKPOINTS.arrow.names).to_pylist())

    def table(self) -> pa.Table:
        """The inverse of `of`."""
        return pa.Table.from_pylist([each.row() for each in self._known.values()], schema=schema.CHECKPOINTS.arrow)

    def __getitem__(self, key: tuple[str, str]) -> Checkpoint:
        return self._known[key]

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter(self._known)

    def __len__(self) -> int:
        return len(self._known)

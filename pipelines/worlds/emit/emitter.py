"""What a log format needs in order to be written: the text of a record, when it bears which time, where it lies."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import polars as pl

from pipelines.worlds.estate import Estate

Reads = Literal["calls", "requests", "issuings"]
System = Literal["cloud", "proxy", "token"]

LOGGED: dict[str, pl.DataType | type[pl.DataType]] = {
    "logged_at": pl.Datetime("us"),  # the time that the record bears, by the clock of the machine that wrote it
    "delivered_at": pl.Datetime("us"),  # when the record can be read
    "shard": pl.String,  # which of several that write this log: a trail, a proxy; '' where there is one
    "late": pl.Boolean,  # delivered late
    "is_copy": pl.Boolean,  # a duplicate or twin of a record that is written elsewhere
    "issued": pl.Boolean,  # false: the record that issued its credential was delivered to no log
}
"""What stands beside the columns of a happening once it is known how it is logged."""


@dataclass(frozen=True)
class Emitter:
    """A log format.

    `reads` is the frame of Happenings that it writes, `system` what truth calls such logs, `folder` where its files
    lie below the world. `clock` gives `logged_at` of a happening on a machine whose clock is right. `text` is SQL
    (DuckDB) over the columns of the frame and LOGGED: the record's text, without what parts it from the next;
    `native_id` likewise (null: the hash of its line). `file` is the path below `folder`, over those columns and, for
    objects, `token` (16 letters drawn for the object); `delivered_at` is then the object's.

    `objects`: each file comes once and whole (gzip, `head`, records parted by commas, `tail`) and holds one value of
    the columns `parts`. `lines`: a file grows, a record a line. `entry` is the source's keys in workertrail.yaml,
    `shards` those that write, `repeats` whether the same record may be written again (pages that overlap, a service
    that delivers at least once).
    """

    format: str
    reads: Reads
    system: System
    folder: str
    layout: Literal["objects", "lines"]
    clock: pl.Expr
    text: str
    native_id: str | None
    file: pl.Expr
    entry: Callable[[Estate], Mapping[str, object]]
    shards: tuple[str, ...] = ("",)
    head: bytes = b""
    tail: bytes = b""
    parts: tuple[str, ...] = ("shard",)
    repeats: bool = False

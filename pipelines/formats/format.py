"""What a log format is: one object that turns a stream into records, and records into actions and grants."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO, Literal

import pyarrow as pa
from pydantic import BaseModel, ConfigDict

from pipelines import schema
from pipelines.formats.addresses import addresses, hosts

Category = Literal["proxy", "cloud", "token", "model", "tool", "approval"]
IdScope = Literal["world", "realm", "none"]


class Options(BaseModel):
    """Settings of a source that only its format understands; a format with settings subclasses this."""

    model_config = ConfigDict(extra="forbid", frozen=True)


_PIECES: dict[str, pa.DataType] = {"raw": pa.large_binary(), "reason": pa.string()}
PIECES = pa.schema(_PIECES)
"""What `split` yields: a record's bytes as the source wrote them; `reason` is set where the bytes are no record."""

RECORDS_IN = pa.schema(
    [
        ("record_id", pa.string()),
        ("source", pa.string()),
        ("realm", pa.string()),
        ("raw", pa.string()),
    ]
)
"""What `actions` and `grants` are given: valid UTF-8 text with its secrets already replaced."""

_FROM_INGEST = {
    "action_uid",
    "event_uid",
    "deed_uid",
    "is_primary",
    "source",
    "format",
    "ingested_at",
    "content_sha256",
    "flag",
}
ACTIONS_OUT = pa.schema(
    [
        pa.field("outcome", pa.string()),
        pa.field("reason", pa.string()),
        pa.field("native_id", pa.string()),
        *[field for field in schema.ACTIONS.arrow if field.name not in _FROM_INGEST],
    ]
)
"""What `actions` returns: exactly one row for each record that it was given, in any order.

`outcome` is `action`, `error` (with a `reason`; the rest is null) or `skipped` (with a `reason`).
`native_id` is the id that the source gave the event, null where it has none.
`record_id` leads back to the record. `identity_strength` is `proven`, or `asserted` where the
identity on the record was not authenticated. `category` is null where it is the format's own (a
gateway's log may tell of models and of tools). `obtains` is `self` where the action obtains a
credential for its caller, `other` where it makes one for somebody else, else null.
`twin_uid` is equal on records that tell of one deed; the least `twin_rank` among them is the primary.
Of a proxy, which knows no `twin_uid`, `twin_rank` says what can be inside of what (pipelines.ingest.deeds).
"""

GRANTS_OUT = pa.schema(
    [pa.field("record_id", pa.string())]
    + [field for field in schema.GRANTS.arrow if field.name not in {"grant_uid", "action_uid"}]
)
"""What `grants` returns: any number of rows a record; only records whose outcome is `action` count."""


@dataclass(frozen=True)
class Secret:
    """A place where this format writes a secret: an RE2 pattern whose first group is the secret itself."""

    pattern: str


@dataclass(frozen=True)
class Format:
    """A log format.

    `observes` is the set of action columns that it can fill at all. `id_scope` says where the native
    id is unique: in the world, within a realm, or nowhere (then a hash of the text names the action).
    `split(stream, at_rest, options)` yields tables of PIECES and after each says how many bytes of the
    stream are spent (see `Split`); `at_rest` is false where the stream's end may still be written.
    `actions` and `grants` are pure: an Arrow table of RECORDS_IN to one of ACTIONS_OUT or GRANTS_OUT.
    """

    name: str
    category: Category
    observes: frozenset[str]
    id_scope: IdScope
    split: Callable[[BinaryIO, bool, Any], Iterator[Split]]
    actions: Callable[[pa.Table, Any], pa.Table]
    grants: Callable[[pa.Table, Any], pa.Table]
    options: type[Options] = Options
    secrets: tuple[Secret, ...] = ()
    spaced: bool = False
    """Fields are told apart by spaces, so that no secret may be taken to reach over one."""
    realm_option: str | None = None
    """The word that people use for this format's realm in a source's settings (`org`, `cluster`, `issuer`)."""
    made: Callable[[Any], Format] | None = None
    """Of a format that a source's options make into another: that one, with its own name, category and `observes`."""

    def of(self, options: Options) -> Format:
        """The format as a source with these options reads it."""
        return self if self.made is None else self.made(options)

    def __post_init__(self) -> None:
        unknown = self.observes - set(ACTIONS_OUT.names)
        if unknown:
            msg = f"format {self.name}: observes unknown action columns {sorted(unknown)}"
            raise ValueError(msg)


@dataclass(frozen=True)
class Split:
    """One batch of a stream's records: a table of PIECES, and the bytes of the stream spent so far."""

    pieces: pa.Table
    spent: int


def rows(columns: pa.Table, wanted: pa.Schema) -> pa.Table:
    """`columns` brought to `wanted`: same names, order and types; absent columns are null."""
    count = columns.num_rows
    arrays = [
        columns[field.name].cast(field.type) if field.name in columns.column_names else pa.nulls(count, field.type)
        for field in wanted
    ]
    return pa.table(arrays, schema=wanted)


def action_rows(columns: pa.Table) -> pa.Table:
    """`columns` brought to ACTIONS_OUT, with addresses and host names in one spelling, whatever the log's is."""
    for name, spelled in (("src_ip", addresses), ("dst_ip", addresses), ("dst_host", hosts)):
        if name in columns.column_names:
            at = columns.column_names.index(name)
            columns = columns.set_column(at, name, spelled(columns[name].cast(pa.string())))
    return rows(columns, ACTIONS_OUT)

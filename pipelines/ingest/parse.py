"""Record-local work of stage (a), done before any lock is taken: spooled records to actions and grants."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, cast

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.formats import text
from pipelines.formats.format import ACTIONS_OUT, GRANTS_OUT, RECORDS_IN, rows
from pipelines.lake.engines import ROWS_A_BATCH, Engines
from pipelines.pull import spool
from pipelines.pull.files import PulledObject
from pipelines.settings import Source

_ACTIONS = ACTIONS_OUT.append(pa.field("id_scope", pa.string()))

_ODD = r"\\u(?:0000|[dD][89a-fA-F])|\x00"
"""What `_mended` replaces: looked for once, since hardly a log holds any of it."""

FIRST_TIME, LAST_TIME = datetime(1970, 1, 1), datetime(2200, 1, 1)
"""Manifests can speak of no other times."""

_SPOOLED = pa.schema(
    [
        *RECORDS_IN,
        pa.field("format", pa.string()),
        pa.field("object_index", pa.int64()),
        pa.field("object_uid", pa.string()),
        pa.field("object_sha256", pa.string()),
        pa.field("byte_start", pa.int64()),
        pa.field("ordinal", pa.int64()),
        pa.field("content_sha256", pa.string()),
        pa.field("reason", pa.string()),
    ]
)


@dataclass(frozen=True)
class Parsed:
    """A batch of whole objects, parsed: nothing of it is in the lake yet.

    `records` has the columns of RECORDS_IN and format, object_index (into `objects`), object_uid,
    object_sha256, ordinal, content_sha256, reason; `actions` and `grants` are as their formats gave them, with
    id_scope (`world`, `realm` or `none`) beside each action.
    """

    objects: tuple[PulledObject, ...]
    records: pa.Table
    actions: pa.Table
    grants: pa.Table


def parse(engines: Engines, scratch: Path, sources: Sequence[Source], objects: Sequence[PulledObject]) -> Parsed:
    """Parse spooled objects with their sources' formats; `scratch` is a folder for the engine."""
    by_name = {source.name: source for source in sources}
    records = _spooled(objects, by_name)
    actions, grants = [_ACTIONS.empty_table()], [GRANTS_OUT.empty_table()]
    for name in sorted({item.source for item in objects}):
        told, given = parse_records(engines, scratch, by_name[name], _readable(records, name))
        actions.append(told)
        grants.append(given)
    return Parsed(tuple(objects), records, pa.concat_tables(actions), pa.concat_tables(grants))


def _readable(records: pa.Table, source: str) -> pa.Table:
    """The records of one source that were split off whole, as RECORDS_IN."""
    chosen = (pl.Series(records["source"]) == source) & pl.Series(records["reason"]).is_null()
    columns = records.select(RECORDS_IN.names)
    return columns if chosen.all() else columns.filter(cast("pa.ChunkedArray[pa.BooleanScalar]", chosen.to_arrow()))


def parse_records(engines: Engines, scratch: Path, source: Source, records: pa.Table) -> tuple[pa.Table, pa.Table]:
    """The actions (ACTIONS_OUT with id_scope) and grants of one source's records (RECORDS_IN).

    The work is record-local, and is done batch by batch.
    """
    batches = [_mended(pa.Table.from_batches([batch])) for batch in records.to_batches(ROWS_A_BATCH)]
    mended = pa.concat_tables([RECORDS_IN.empty_table(), *batches])
    told = engines.each(scratch, mended, partial(_actions, source), ACTIONS_OUT)
    given = engines.each(scratch, mended, partial(_grants, source), GRANTS_OUT)
    told = told.append_column("id_scope", pa.repeat(pa.scalar(source.format.id_scope, pa.string()), told.num_rows))
    own = pl.Series(told["category"]).fill_null(source.format.category).to_arrow().cast(pa.string())
    told = told.set_column(told.column_names.index("category"), "category", own)
    return told.cast(_ACTIONS), given


def _actions(source: Source, records: pa.Table) -> pa.Table:
    return _believable(rows(source.format.actions(records, source.options), ACTIONS_OUT))


def _grants(source: Source, records: pa.Table) -> pa.Table:
    return rows(source.format.grants(records, source.options), GRANTS_OUT)


def _believable(actions: pa.Table) -> pa.Table:
    """Actions whose time is no time that a log is written at become errors: one year 9999 would end all windows."""
    time = pl.Series(actions["time"])
    odd = ((time < FIRST_TIME) | (time >= LAST_TIME)).fill_null(value=False)
    if not odd.any():
        return actions
    said = f"its time lies outside {FIRST_TIME:%Y} to {LAST_TIME.year - 1}"
    for name, otherwise in (("outcome", "error"), ("reason", said)):
        at = actions.column_names.index(name)
        actions = actions.set_column(at, name, pc.if_else(odd.to_arrow(), otherwise, actions[name]))
    return actions


def _mended(records: pa.Table) -> pa.Table:
    """The records with lone surrogates and NULs replaced: only what is extracted changes, never what is stored.

    DuckLake cannot commit a list of texts that holds a NUL.
    """
    if not pl.Series(records["raw"]).str.contains(_ODD).any():
        return records
    at = records.column_names.index("raw")
    raw = text.mend_surrogates(cast(pa.StringArray, records["raw"].combine_chunks()))
    for nul, shown in (("\\u0000", "\\ufffd"), ("\x00", "\ufffd")):
        if pl.Series(raw).str.contains(nul, literal=True).any():
            raw = pc.replace_substring(raw, pattern=nul, replacement=shown)
    return records.set_column(at, "raw", raw)


def _spooled(objects: Sequence[PulledObject], sources: Mapping[str, Source]) -> pa.Table:
    """The records of all spool files, each with its object and its source."""
    tables = [_SPOOLED.empty_table()]
    for index, item in enumerate(objects):
        if item.spool_file is not None:
            tables.append(_of_object(spool.read(item.spool_file), index, item, sources[item.source]))
    # A format is called once with many rows, not once for each small object.
    return pa.concat_tables(tables).combine_chunks()


def _of_object(spooled: pa.Table, index: int, item: PulledObject, source: Source) -> pa.Table:
    """The records of one object, as _SPOOLED."""
    known: dict[str, Any] = {
        "source": source.name,
        "realm": source.realm,
        "format": source.format.name,
        "object_index": index,
        "object_uid": item.uid,
        "object_sha256": item.object_sha256,
        "byte_start": item.byte_start,
    }
    columns = {name: pa.repeat(pa.scalar(known[name], _SPOOLED.field(name).type), spooled.num_rows) for name in known}
    columns |= {name: spooled[name] for name in spooled.column_names}
    record_ids = f"{item.uid}-" + pl.Series(spooled["ordinal"]).cast(pl.String)
    columns["record_id"] = record_ids.to_arrow().cast(pa.string())
    return pa.table([columns[name] for name in _SPOOLED.names], schema=_SPOOLED)

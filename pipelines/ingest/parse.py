"""Record-local work of stage (a), done before any lock is taken: spooled records to actions and grants."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from detectors.engine import Engine
from pipelines.formats import text
from pipelines.formats.format import ACTIONS_OUT, GRANTS_OUT, RECORDS_IN, rows
from pipelines.lake.duckdb_engine import DuckDBEngine
from pipelines.pull.files import PulledObject
from pipelines.settings import Source

_SPOOLED = pa.schema(
    [
        *RECORDS_IN,
        pa.field("format", pa.string()),
        pa.field("object_index", pa.int64()),
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

    `records` has the columns of RECORDS_IN and format, object_index (into `objects`), object_sha256,
    ordinal, content_sha256, reason; `actions` and `grants` are as their formats gave them, with
    id_scope (`world`, `realm` or `none`) beside each action.
    """

    objects: tuple[PulledObject, ...]
    records: pa.Table
    actions: pa.Table
    grants: pa.Table


def parse(sources: Sequence[Source], objects: Sequence[PulledObject]) -> Parsed:
    """Parse spooled objects with their sources' formats."""
    by_name = {source.name: source for source in sources}
    spooled = [_spooled(index, item, by_name[item.source]) for index, item in enumerate(objects)]
    records = pa.concat_tables(spooled) if spooled else _SPOOLED.empty_table()
    engine = DuckDBEngine(duckdb.connect())
    actions, grants = [], []
    for name in sorted({item.source for item in objects}):
        source = by_name[name]
        mine = records.filter(pc.and_(pc.equal(records["source"], name), pc.is_null(records["reason"])))
        a, g = parse_records(engine, source, mine.select(RECORDS_IN.names))
        scope = pa.array([source.format.id_scope] * a.num_rows, pa.string())
        actions.append(a.append_column("id_scope", scope).append_column("category", _repeat(source.format.category, a)))
        grants.append(g)
    empty = ACTIONS_OUT.append(pa.field("id_scope", pa.string())).append(pa.field("category", pa.string()))
    return Parsed(
        tuple(objects),
        records,
        pa.concat_tables(actions) if actions else empty.empty_table(),
        pa.concat_tables(grants) if grants else GRANTS_OUT.empty_table(),
    )


def parse_records(engine: Engine, source: Source, records: pa.Table) -> tuple[pa.Table, pa.Table]:
    """The actions and grants of one source's records (RECORDS_IN), on the engine."""
    engine.let("to_parse", records)
    engine.each("parsed_actions", "to_parse", partial(_actions, source), ACTIONS_OUT)
    engine.each("parsed_grants", "to_parse", partial(_grants, source), GRANTS_OUT)
    return engine.query("SELECT * FROM parsed_actions"), engine.query("SELECT * FROM parsed_grants")


def _actions(source: Source, records: pa.Table) -> pa.Table:
    return rows(source.format.actions(_mended(records), source.options), ACTIONS_OUT)


def _grants(source: Source, records: pa.Table) -> pa.Table:
    return rows(source.format.grants(_mended(records), source.options), GRANTS_OUT)


def _mended(records: pa.Table) -> pa.Table:
    """The records with lone surrogates replaced: only what is extracted changes, never what is stored."""
    at = records.column_names.index("raw")
    return records.set_column(at, "raw", text.mend_surrogates(records["raw"].combine_chunks()))


def _spooled(index: int, item: PulledObject, source: Source) -> pa.Table:
    if item.spool_file is None:
        return _SPOOLED.empty_table()
    table = pq.read_table(item.spool_file)
    stem = f"{item.object_sha256[:32]}-{source.name}-{item.byte_start}-"
    table = table.append_column("record_id", pc.binary_join_element_wise(stem, table["ordinal"].cast(pa.string()), ""))
    for name, value in (
        ("source", source.name),
        ("realm", source.realm),
        ("format", source.format.name),
        ("object_sha256", item.object_sha256),
    ):
        table = table.append_column(name, _repeat(value, table))
    for label, number in (("object_index", index), ("byte_start", item.byte_start)):
        table = table.append_column(label, pa.repeat(pa.scalar(number, pa.int64()), table.num_rows))
    return table.select(_SPOOLED.names).cast(_SPOOLED)


def _repeat(value: str, table: pa.Table) -> pa.Array:
    return pa.repeat(pa.scalar(value, pa.string()), table.num_rows)

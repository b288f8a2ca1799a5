"""Any other log: a YAML file says which field is which column.

Proves: what the mapping says. A name is proven only where the mapping says `authenticated: true` and the record is no
failed authentication; a grant is proven only where it says `strength: proven`. A delegator is asserted unless it says
otherwise.

Cannot see: what the mapping does not name. A scope line that states such a dimension counts as matched in `allow`, and
the verdict says `unseen`. JSON within JSON text is not opened, a CSV cell holds no line break, and a local time in the
hour that the clock goes back is taken as one of the two. A URL's password is no part of it, and its query is dropped.

Sources: RFC 4180 (CSV), RFC 3339 and strptime (times), RFC 3986 (URLs), RE2's syntax (patterns); docs/mapping.md tells
the mapping's keys. In the lake the format is called `mapping:NAME` after the mapping's name.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, BinaryIO

import pyarrow as pa
from pydantic import BeforeValidator, ValidationInfo

from pipelines.formats import mapping_sql, one_batch
from pipelines.formats.format import GRANTS_OUT, Format, Options, Secret, Split, action_rows, rows
from pipelines.formats.mapping_checks import load
from pipelines.formats.mapping_layout import COLUMNS, Layout
from pipelines.formats.splitting import json_values, lines


def _loaded(value: Any, info: ValidationInfo) -> Any:
    """A path, relative to the configuration's folder, becomes the mapping in the file."""
    if not isinstance(value, str):
        return value
    folder = (info.context or {}).get("folder", Path())
    return load(Path(folder) / value)


class MappingOptions(Options):
    """`mapping` is the YAML file that says which field is which column, relative to the configuration."""

    mapping: Annotated[Layout, BeforeValidator(_loaded)]


def split(stream: BinaryIO, at_rest: bool, options: MappingOptions) -> Iterator[Split]:
    """One record a JSON object, or a line."""
    layout = options.mapping
    return json_values(stream, at_rest, layout.records) if layout.read == "json" else lines(stream, at_rest)


def actions(records: pa.Table, options: MappingOptions) -> pa.Table:
    """RECORDS_IN to ACTIONS_OUT as the mapping says: one row a record; times are UTC, sizes bytes."""
    with one_batch.connect() as connection:
        connection.register("records", records)
        connection.execute(f"CREATE TEMP TABLE read AS {mapping_sql.read_sql(options.mapping)}")
        found = connection.execute(mapping_sql.actions_sql(options.mapping)).to_arrow_table()
    return action_rows(found)


def grants(records: pa.Table, options: MappingOptions) -> pa.Table:
    """RECORDS_IN to GRANTS_OUT as the mapping says."""
    told = mapping_sql.grants_sql(options.mapping)
    if told is None:
        return GRANTS_OUT.empty_table()
    with one_batch.connect() as connection:
        connection.register("records", records)
        connection.execute(f"CREATE TEMP TABLE read AS {mapping_sql.read_sql(options.mapping)}")
        return rows(connection.execute(told).to_arrow_table(), GRANTS_OUT)


def made(options: MappingOptions) -> Format:
    """The format that a mapping makes: its own name and category, and what it fills at all."""
    layout = options.mapping
    keys = "|".join(map(_plain, layout.secrets.keys))
    members = (Secret(rf'"(?:{keys})"\s*:\s*"((?:[^"\\]|\\.)+)"'),) if keys else ()
    return replace(
        FORMAT,
        name=f"mapping:{layout.name}",
        category=layout.category,
        observes=mapping_sql.filled(layout),
        id_scope=layout.id.scope if layout.id else "none",
        secrets=(*members, *(Secret(pattern) for pattern in layout.secrets.patterns)),
        spaced=layout.read == "pattern",
        made=None,
    )


def _plain(text: str) -> str:
    """A text as a regular expression of its own, with nothing that engines escape differently."""
    return "".join(
        sign if sign.isalnum() or sign == "_" else f"[{sign}]" if sign not in "^\\[]" else f"\\{sign}" for sign in text
    )


FORMAT = Format(
    name="mapping",
    category="cloud",
    observes=frozenset(COLUMNS)
    | {"time", "time_kind", "time_precision", "bytes_out", "bytes_in", "identity_strength", "delegator_strength"},
    id_scope="realm",
    split=split,
    actions=actions,
    grants=grants,
    options=MappingOptions,
    made=made,
)

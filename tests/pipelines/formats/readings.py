"""What a format makes of texts: records in, rows out, in the records' order."""

from __future__ import annotations

import io
from datetime import datetime
from typing import Any

import polars as pl
import pyarrow as pa
from hypothesis import strategies as st

from pipelines.formats.format import Format, Options
from tests.pipelines.formats import format_rows
from tests.pipelines.formats.format_rows import SAMPLES

__all__ = ["SAMPLES", "granted", "json_values", "mutated", "read", "redacted", "split", "told"]


def read(log: Format, texts: list[Any], realm: str = "prod", options: Options | None = None) -> list[dict[str, Any]]:
    """The actions, one a record."""
    return format_rows.read(log, texts, realm, **(options.model_dump() if options else {}))


def granted(log: Format, *texts: Any, realm: str = "prod", options: Options | None = None) -> list[dict[str, Any]]:
    """The grants, by record, kind and child."""
    return format_rows.granted(log, list(texts), realm, **(options.model_dump() if options else {}))


def split(log: Format, stream: bytes, options: Options | None = None) -> list[str]:
    """The texts of a stream's records; each must be one."""
    parts = list(log.split(io.BytesIO(stream), True, options or log.options()))
    assert not parts or parts[-1].spent == len(stream)
    pieces = pa.concat_tables([part.pieces for part in parts])
    assert pieces["reason"].null_count == pieces.num_rows
    return [raw.decode() for raw in pl.Series(pieces["raw"]).to_list()]


def redacted(log: Format, texts: list[str]) -> list[str]:
    """The texts as they are stored."""
    return [format_rows.redacted(log, text) for text in texts]


def told(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows without their nulls, times as text."""
    return [{key: _plain(value) for key, value in row.items() if value is not None} for row in rows]


def _plain(value: Any) -> Any:
    return value.isoformat(sep=" ", timespec="milliseconds") if isinstance(value, datetime) else value


def json_values(words: list[str], keys: list[str]) -> st.SearchStrategy[Any]:
    """Any JSON, with the words and keys that a format looks for."""
    scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=12)
    return st.recursive(
        scalars | st.sampled_from(words),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from(keys) | st.text(max_size=4), inner, max_size=4)
        ),
        max_leaves=8,
    )


@st.composite
def mutated(draw: st.DrawFn, lines: list[str]) -> str:
    """A line of a sample with stretches cut out, doubled or replaced."""
    line = draw(st.sampled_from(lines))
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, len(line)))
        end = draw(st.integers(start, min(len(line), start + 40)))
        put = draw(st.sampled_from(["", '"', "{", "}", ",", "null", "0", "\\", line[start:end] * 2, "\u202e", "'"]))
        line = line[:start] + put + line[end:]
    return line

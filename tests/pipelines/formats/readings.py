"""What a format makes of texts: records in, rows out, in the records' order."""

from __future__ import annotations

import io
import json
from datetime import datetime
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
from hypothesis import strategies as st

from pipelines.formats.format import ACTIONS_OUT, GRANTS_OUT, RECORDS_IN, Format, Options
from pipelines.formats.secrets import redact

SAMPLES = Path(__file__).resolve().parents[3] / "data/samples"
KEY = b"k" * 32


def records(texts: list[Any], realm: str) -> pa.Table:
    """RECORDS_IN of texts; what is no text is written as JSON."""
    raw = [text if isinstance(text, str) else json.dumps(text) for text in texts]
    count = len(raw)
    return pa.table([[str(i) for i in range(count)], ["s"] * count, [realm] * count, raw], schema=RECORDS_IN)


def read(log: Format, texts: list[Any], realm: str = "prod", options: Options | None = None) -> list[dict[str, Any]]:
    """The actions, one a record."""
    found = log.actions(records(texts, realm), options or log.options())
    assert found.schema == ACTIONS_OUT
    rows = {int(row["record_id"]): row for row in found.to_pylist()}
    assert len(rows) == found.num_rows == len(texts)
    for row in rows.values():
        assert row["outcome"] in {"action", "error", "skipped"}
        assert (row["reason"] is None) == (row["outcome"] == "action")
        filled = {name for name, value in row.items() if value is not None}
        assert filled - {"outcome", "reason", "native_id", "record_id"} <= log.observes
    return [rows[i] for i in range(len(texts))]


def granted(log: Format, *texts: Any, realm: str = "prod", options: Options | None = None) -> list[dict[str, Any]]:
    """The grants, by record, kind and child."""
    found = log.grants(records(list(texts), realm), options or log.options())
    assert found.schema == GRANTS_OUT
    return sorted(found.to_pylist(), key=lambda row: (int(row["record_id"]), row["kind"], row["child_uid"]))


def split(log: Format, stream: bytes, options: Options | None = None) -> list[str]:
    """The texts of a stream's records; each must be one."""
    parts = list(log.split(io.BytesIO(stream), True, options or log.options()))
    assert not parts or parts[-1].spent == len(stream)
    pieces = pa.concat_tables([part.pieces for part in parts])
    assert pieces["reason"].null_count == pieces.num_rows
    return [raw.decode() for raw in pl.Series(pieces["raw"]).to_list()]


def redacted(log: Format, texts: list[str]) -> list[str]:
    """The texts as they are stored."""
    stored: list[str] = pl.Series(redact(pa.array(texts), KEY, log.secrets, spaced=log.spaced)).to_list()
    return stored


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

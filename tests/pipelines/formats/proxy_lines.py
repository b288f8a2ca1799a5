"""Lines of proxies for tests, and what is read from them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from io import BytesIO
from pathlib import Path
from typing import Any

import pyarrow as pa
from hypothesis import strategies as st

from pipelines.formats import all_formats
from pipelines.formats.format import ACTIONS_OUT, GRANTS_OUT, RECORDS_IN

SAMPLES = Path(__file__).resolve().parents[3] / "data/samples"


def table(records: list[str]) -> pa.Table:
    """Records with their places as ids, of the realm `egress`."""
    count = len(records)
    columns = [[str(i) for i in range(count)], ["proxy"] * count, ["egress"] * count, records]
    return pa.table(columns, schema=RECORDS_IN)


def read(name: str, records: list[str], **options: Any) -> list[dict[str, Any]]:
    """The rows of a format's actions in the records' order; it never proves a grant."""
    log_format = all_formats()[name]
    chosen = log_format.options.model_validate(options)
    found = log_format.actions(table(records), chosen)
    assert found.schema == ACTIONS_OUT
    rows = {int(row["record_id"]): row for row in found.to_pylist()}
    assert len(rows) == found.num_rows == len(records)
    assert log_format.grants(table(records), chosen) == GRANTS_OUT.empty_table()
    filled = {column for row in rows.values() for column, value in row.items() if value is not None}
    assert filled <= log_format.observes | {"record_id", "outcome", "reason", "native_id", "identity_strength"}
    return [rows[i] for i in range(len(records))]


def one(name: str, record: str, **options: Any) -> dict[str, Any]:
    """The row of one record."""
    return read(name, [record], **options)[0]


def split(name: str, stream: bytes, **options: Any) -> list[str]:
    """The records of a stream."""
    log_format = all_formats()[name]
    return list(_records(log_format.split(BytesIO(stream), True, log_format.options.model_validate(options))))


def _records(parts: Iterator[Any]) -> Iterator[str]:
    for part in parts:
        yield from (raw.decode(errors="replace") for raw in part.pieces["raw"].to_pylist())


def sample(name: str, file: str) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """What is read from a sample with the options beside it, without what is null, and what is expected."""
    folder = SAMPLES / name
    beside = folder / f"{Path(file).stem}.options.json"
    options = json.loads(beside.read_text()) if beside.exists() else {}
    rows = read(name, split(name, (folder / file).read_bytes(), **options), **options)
    told = [{key: plain(value) for key, value in row.items() if value is not None} for row in rows]
    expected: list[dict[str, Any]] = json.loads((folder / f"{Path(file).stem}.expected.json").read_text())
    return told, expected


def plain(value: Any) -> Any:
    """A value as JSON has it."""
    return value.isoformat(sep=" ", timespec="milliseconds") if isinstance(value, datetime) else value


HOSTILE = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)
_ODD = ("-", "", "null", '"', "'", "\\", "\\x", "\\xff", "%", "%ff", "#", "#22", "[", "{", "}", "|", "\t", "\r", "::1",
        "99999999999999999999", "-1", "+5", "\x1b[2J", "'; DROP TABLE records; --", "\x00")  # fmt: skip


def mutated(records: list[str]) -> st.SearchStrategy[str]:
    """Records of a sample with a stretch of them replaced by something odd."""

    def change(record: str, start: int, length: int, text: str) -> str:
        at = start % (len(record) + 1)
        return record[:at] + text + record[at + length :]

    odd = st.sampled_from(_ODD) | HOSTILE
    return st.builds(change, st.sampled_from(records), st.integers(0, 5000), st.integers(0, 40), odd)


def survives(name: str, records: list[str], **options: Any) -> None:
    """Every record is one row, with a reason where it is no action."""
    for row in read(name, records, **options):
        assert row["outcome"] in {"action", "error", "skipped"}
        assert (row["reason"] is None) == (row["outcome"] == "action")
        assert row["outcome"] != "action" or row["time"] is not None

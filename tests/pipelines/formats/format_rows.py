"""What a format makes of records, for tests: rows in the records' order, samples, and samples that were damaged."""

from __future__ import annotations

import io
import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
from hypothesis import strategies as st

from pipelines.formats.format import ACTIONS_OUT, GRANTS_OUT, RECORDS_IN, Format
from pipelines.formats.secrets import redact

SAMPLES = Path(__file__).resolve().parents[3] / "data/samples"


def table(records: list[Any], realm: str) -> pa.Table:
    """Records as RECORDS_IN; whatever is no text is written as JSON."""
    count = len(records)
    raw = [each if isinstance(each, str) else json.dumps(each) for each in records]
    return pa.table([[str(i) for i in range(count)], ["s"] * count, [realm] * count, raw], schema=RECORDS_IN)


def read(form: Format, records: list[Any], realm: str, **options: Any) -> list[dict[str, Any]]:
    """The action rows in the records' order, exactly one a record."""
    found = form.actions(table(records, realm), form.options.model_validate(options))
    assert found.schema == ACTIONS_OUT
    rows = {int(row["record_id"]): row for row in found.to_pylist()}
    assert len(rows) == found.num_rows == len(records)
    for row in rows.values():
        assert (row["outcome"] == "action") == (row["reason"] is None)
        filled = {name for name, value in row.items() if value is not None}
        assert filled - {"outcome", "reason", "native_id", "record_id"} <= form.observes
        assert row["outcome"] == "action" or filled == {"outcome", "reason", "record_id"}
    return [rows[i] for i in range(len(records))]


def granted(form: Format, records: list[Any], realm: str, **options: Any) -> list[dict[str, Any]]:
    """The grant rows by record, kind, child and parent."""
    found = form.grants(table(records, realm), form.options.model_validate(options))
    assert found.schema == GRANTS_OUT
    return sorted(
        found.to_pylist(),
        key=lambda row: (int(row["record_id"]), row["kind"], row["child_uid"], row["parent_uid"] or ""),
    )


def pieces(form: Format, data: bytes, at_rest: bool = True, **options: Any) -> list[tuple[str, str | None]]:
    """The records of a stream, each with the reason why it is none."""
    chosen = form.options.model_validate(options)
    return [
        ((raw or b"").decode(errors="replace"), reason)
        for batch in form.split(io.BytesIO(data), at_rest, chosen)
        for raw, reason in zip(batch.pieces["raw"].to_pylist(), batch.pieces["reason"].to_pylist(), strict=True)
    ]


def shown(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows as a sample's expected file has them: without nulls, times as text."""
    return [
        {
            name: value.isoformat(sep=" ") if isinstance(value, datetime) else value
            for name, value in row.items()
            if value is not None
        }
        for row in rows
    ]


def of_sample(form: Format, file: str, realm: str) -> dict[str, Any]:
    """What a sample's expected file holds: actions and grants, with the options beside the sample."""
    path = SAMPLES / form.name / file
    beside = path.with_name(f"{path.stem}.options.json")
    options = json.loads(beside.read_text()) if beside.exists() else {}
    found = pieces(form, path.read_bytes(), **options)
    assert [reason for _, reason in found if reason] == []
    records = [raw for raw, _ in found]
    return {
        "actions": shown(read(form, records, realm, **options)),
        "grants": shown(granted(form, records, realm, **options)),
    }


def expected(form: Format, file: str) -> dict[str, Any]:
    path = SAMPLES / form.name / file
    return dict(json.loads(path.with_name(f"{path.stem}.expected.json").read_text()))


def redacted(form: Format, text: str) -> str:
    """A record as it is stored."""
    return str(redact(pa.array([text], pa.string()), b"k" * 32, form.secrets, spaced=form.spaced)[0].as_py())


@st.composite
def damaged(draw: st.DrawFn, data: bytes) -> bytes:
    """A sample with a few stretches cut out, doubled, or replaced by what parsers stumble on."""
    odd = st.sampled_from(
        [
            b"",
            b'"',
            b"\\",
            b"{",
            b"]",
            b"\n",
            b"\0",
            b"null",
            b"-1",
            b"1e999",
            b"\xff",
            "\u202e".encode(),
            b"'",
            b"[" * 2000,
        ]
    )
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(data)))
        end = min(len(data), start + draw(st.integers(0, 40)))
        data = data[:start] + draw(odd | st.just(data[start:end] * 2)) + data[end:]
    return data


def survives(form: Format, data: bytes, realm: str, **options: Any) -> None:
    """Whatever the stream, each record is a row or has a reason, and grants come from actions alone."""
    found = pieces(form, data, **options)
    assert bool(data.strip(b" \t\r\n\0")) <= bool(found)
    records = [raw for raw, reason in found if reason is None]
    rows = read(form, records, realm, **options)
    acted = {row["record_id"] for row in rows if row["outcome"] == "action"}
    assert {row["record_id"] for row in granted(form, records, realm, **options)} <= acted

import hashlib
from datetime import datetime
from typing import Any

import pyarrow as pa
import pytest

from pipelines import schema
from pipelines.pull import custody


def rows(count: int) -> list[dict[str, Any]]:
    return [
        {
            "object_sha256": f"{number:064x}", "source": "trail", "object_uri": f"file:///logs/{number}.json.gz",
            "byte_start": 0, "byte_end": 100 + number, "bytes": 100 + number, "records": 3, "actions": 3, "errors": 0,
            "duplicates": 0, "skipped": 0, "pulled_at": datetime(2026, 1, 1, 12, 0, 0, number), "verified": None,
        }
        for number in range(count)
    ]  # fmt: skip


def ledger(entries: list[dict[str, Any]]) -> pa.Table:
    return pa.Table.from_pylist(entries, schema=schema.OBJECTS.arrow)


def test_chain_holds_over_several_extensions_and_any_order_of_rows() -> None:
    first = custody.extend(rows(3), custody.FIRST, 0)
    second = custody.extend(rows(2), custody.entry_sha256(first[-1], first[-1]["prior_sha256"]), 3)
    assert first[0]["prior_sha256"] == "0" * 64
    assert [entry["ledger_seq"] for entry in first + second] == [0, 1, 2, 3, 4]
    table = ledger(list(reversed(first + second)))
    assert custody.verify(table) == []
    assert custody.head(table) == custody.entry_sha256(second[-1], second[-1]["prior_sha256"])
    assert custody.verify(ledger([])) == []
    assert custody.head(ledger([])) == custody.FIRST


def test_entry_hash_is_the_documented_one() -> None:
    entry = custody.extend(rows(1), custody.FIRST, 0)[0]
    text = (
        '["workertrail:custody:1","' + "0" * 64 + '",0,"' + "0" * 64 + '","trail","file:///logs/0.json.gz",null,'
        '0,100,100,"2026-01-01T12:00:00.000000",3]'
    )
    assert custody.entry_sha256(entry, custody.FIRST) == hashlib.sha256(text.encode()).hexdigest()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("object_sha256", "f" * 64), ("source", "other"), ("object_uri", "file:///elsewhere"), ("byte_start", 1),
        ("byte_end", 7), ("bytes", 7), ("pulled_at", datetime(2026, 1, 2)), ("records", 2), ("prior_sha256", "e" * 64),
    ],
)  # fmt: skip
def test_altered_field_shows(field: str, value: object) -> None:
    entries = custody.extend(rows(5), custody.FIRST, 0)
    entries[2][field] = value
    problems = custody.verify(ledger(entries))
    assert problems
    assert "entry 3" in " ".join(problems)


def test_missing_doubled_and_moved_entries_show() -> None:
    entries = custody.extend(rows(5), custody.FIRST, 0)
    assert custody.verify(ledger(entries[:2] + entries[3:])) == ["entries 2 to 2 are missing"]
    assert custody.verify(ledger(entries[1:]))[0].startswith("entry 1: ")
    assert custody.verify(ledger([*entries, entries[4]])) == ["entry 4: it is there more than once"]
    entries[1]["ledger_seq"], entries[2]["ledger_seq"] = 2, 1
    assert custody.verify(ledger(entries))


def test_what_became_of_the_records_is_not_covered() -> None:
    entries = custody.extend(rows(5), custody.FIRST, 0)
    entries[2].update(actions=1, errors=2, verified=True)
    assert custody.verify(ledger(entries)) == []

"""Worker-hours from actions: what is counted, what is new, and what stays unknown."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import duckdb
import polars as pl
import pyarrow as pa
import sqlglot

from detectors import features
from pipelines import schema
from pipelines.lake.duckdb_engine import DuckDBEngine

_ATTRIBUTED = pa.schema(
    [
        *schema.ACTIONS.arrow,
        ("worker", pa.string()),
        ("strength", pa.string()),
        ("confidence", pa.float64()),
        ("chain_id", pa.string()),
        ("manifest_sha", pa.string()),
    ]
)


def _hours(actions: list[dict[str, Any]], roles: list[dict[str, str]] | None = None) -> pl.DataFrame:
    engine = DuckDBEngine(duckdb.connect())
    rows = [{"action_uid": f"a{i}", "worker": "w1", "is_primary": True, **row} for i, row in enumerate(actions)]
    engine.let("attributed", pa.Table.from_pylist(rows, schema=_ATTRIBUTED))
    engine.let(
        "roles",
        pa.Table.from_pylist(roles or [], schema=pa.schema([("worker", pa.string()), ("role", pa.string())])),
    )
    return features.worker_hours(engine)


def _at(hour: int, minute: int = 0, day: int = 2) -> datetime:
    return datetime(2026, 3, day, hour, minute)


def test_counts_an_hour() -> None:
    rows = _hours(
        [
            {"time": _at(9), "api_service": "s3.amazonaws.com", "api_operation": "GetObject", "status": "success"},
            {"time": _at(9, 59), "api_service": "s3.amazonaws.com", "api_operation": "PutObject", "status": "denied"},
            {"time": _at(9, 1), "api_service": "iam.amazonaws.com", "api_operation": "CreateUser", "status": "failure"},
            {"time": _at(9, 2), "api_service": "secretsmanager.amazonaws.com", "api_operation": "GetSecretValue"},
            {"time": _at(9, 3), "dst_host": "a.example", "http_method": "POST", "bytes_out": 7, "chain_id": "c1"},
            {"time": _at(9, 4), "dst_host": "b.example", "http_method": "GET", "bytes_out": None, "chain_id": "c2"},
        ]
    )
    row = rows.row(0, named=True)
    assert rows.height == 1
    assert row["hour"] == _at(9)
    assert {name: row[name] for name in ("calls", "errors", "denied", "writes", "admin_writes", "secret_reads")} == {
        "calls": 6, "errors": 1, "denied": 1, "writes": 3, "admin_writes": 1, "secret_reads": 1,
    }  # fmt: skip
    assert (row["operations"], row["services"], row["destinations"], row["chains"]) == (4, 3, 2, 2)
    assert (row["bytes_out"], row["bytes_out_known"], row["bytes_in"]) == (7, 1, None)


def test_writes_are_told_by_the_operation_in_every_format() -> None:
    names = ["storage.objects.create", "create pods/exec", "google.iam.admin.v1.CreateServiceAccountKey", "PutItem"]
    reads = ["storage.objects.get", "get secrets", "ListBuckets", "user.authentication.sso"]
    for name, writes in [*((name, 1) for name in names), *((name, 0) for name in reads)]:
        assert _hours([{"time": _at(9), "api_operation": name}])["writes"][0] == writes, name


def test_a_thing_is_new_in_the_first_hour_only_for_worker_and_for_role() -> None:
    rows = _hours(
        [
            {"time": _at(9), "worker": "w1", "dst_host": "a.example"},
            {"time": _at(9, 30), "worker": "w1", "dst_host": "a.example"},
            {"time": _at(10), "worker": "w1", "dst_host": "a.example"},
            {"time": _at(11), "worker": "w2", "dst_host": "a.example"},
            {"time": _at(8), "worker": "w3", "dst_host": "a.example"},
        ],
        [{"worker": "w1", "role": "r"}, {"worker": "w2", "role": "r"}, {"worker": "w3", "role": "other"}],
    )
    seen = rows.select("worker", "new_destinations", "role_new_destinations").rows()
    assert seen == [("w1", 1, 1), ("w1", 0, 0), ("w2", 1, 0), ("w3", 1, 1)]


def test_leaves_out_what_nobody_did_and_what_is_told_twice() -> None:
    rows = _hours(
        [
            {"time": _at(9), "worker": None},
            {"time": _at(9), "is_primary": False},
            {"time": None},
            {"time": _at(9)},
        ]
    )
    assert rows["calls"].to_list() == [1]
    assert rows["bytes_out"].to_list() == [None]


def test_an_upload_that_the_proxy_and_the_store_tell_of_counts_once() -> None:
    rows = _hours(
        [
            {"time": _at(9), "category": "proxy", "bytes_out": 1_010, "bytes_in": 5},
            {"time": _at(9), "category": "cloud", "bytes_out": 1_000},
            {"time": _at(9), "category": "cloud", "bytes_out": 500},
        ]
    )
    assert rows.select("bytes_out", "bytes_out_known", "bytes_in").rows() == [(1_500, 3, 5)]


def test_absurd_bytes_do_not_overflow() -> None:
    rows = _hours([{"time": _at(9), "bytes_out": 2**63 - 1}, {"time": _at(9), "bytes_out": -5}] * 3)
    assert rows["bytes_out"].to_list() == [3 * 10**12]


def test_hostile_text_is_data() -> None:
    text = "'; DROP TABLE attributed; --\x1b[2J\u202e"
    rows = _hours([{"time": _at(9), "worker": text, "dst_host": text, "api_operation": text, "resource_uid": text}])
    assert rows.row(0, named=True)["worker"] == text
    assert rows["new_destinations"].to_list() == [1]


def test_no_actions_no_hours() -> None:
    assert _hours([]).is_empty()


def test_sql_renders_to_spark_without_what_spark_reads_otherwise() -> None:
    texts = [
        features.actions_sql(),
        features.items_sql(),
        features.firsts_sql(),
        features.distinct_sql(),
        features.tallies_sql(),
        features.hours_sql(),
        features.evidence_sql(),
    ]
    for text in texts:
        rendered = sqlglot.transpile(text, read="duckdb", write="spark", unsupported_level=sqlglot.ErrorLevel.RAISE)
        assert len(rendered) == 1
        for banned in ("REGEXP_MATCHES", "SPLIT_PART_ORDINAL", "ASOF", "GLOB ", "HASH(", "TIME_BUCKET"):
            assert banned not in rendered[0].upper()

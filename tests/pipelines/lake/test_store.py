"""The store: owner-only, one writer, readers that cannot write, nothing fetched, a transaction or nothing."""

from __future__ import annotations

import stat
import subprocess
import sys
import threading
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

from pipelines import schema
from pipelines.lake import extensions
from pipelines.lake.select import read_only
from pipelines.lake.store import Lake, LakeError, current_snapshot


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    made = Lake(tmp_path / "lake" / "catalog.sqlite", tmp_path / "lake" / "files")
    with made.writing():
        pass
    return made


def checkpoint(uri: str) -> pa.Table:
    return pa.Table.from_pylist([{"source": "s", "object_uri": uri}], schema=schema.CHECKPOINTS.arrow)


def test_files_and_folders_are_their_owners_alone(lake: Lake) -> None:
    with lake.writing() as writer:
        rows = [{"source": "s", "object_uri": str(number)} for number in range(100)]
        writer.append(schema.CHECKPOINTS, pa.Table.from_pylist(rows, schema=schema.CHECKPOINTS.arrow))
    made = [lake.catalog.parent, *lake.catalog.parent.rglob("*")]
    assert any(path.suffix == ".parquet" for path in made)
    assert [path for path in made if stat.S_IMODE(path.stat().st_mode) & 0o077] == []


def test_a_transaction_that_fails_leaves_nothing(lake: Lake) -> None:
    def fail() -> None:
        with lake.writing() as writer:
            writer.append(schema.CHECKPOINTS, checkpoint("a"))
            raise RuntimeError("the run dies here")

    with pytest.raises(RuntimeError):
        fail()
    with lake.reading() as connection:
        assert connection.execute("SELECT count(*) FROM checkpoints").fetchall() == [(0,)]


def test_many_writers_take_turns(lake: Lake) -> None:
    def write(name: str) -> None:
        for number in range(5):
            with lake.writing() as writer:
                writer.append(schema.CHECKPOINTS, checkpoint(f"{name}{number}"))

    writers = [threading.Thread(target=write, args=(name,)) for name in "abc"]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    with lake.reading() as connection:
        assert connection.execute("SELECT count(DISTINCT object_uri) FROM checkpoints").fetchall() == [(15,)]


def test_a_reader_cannot_write_and_reads_while_a_writer_writes(lake: Lake) -> None:
    with lake.writing() as writer:
        writer.append(schema.CHECKPOINTS, checkpoint("a"))
        with lake.reading() as connection:
            assert connection.execute("SELECT count(*) FROM checkpoints").fetchall() == [(0,)]
            with pytest.raises(duckdb.Error, match="read-only"):
                connection.execute("DELETE FROM checkpoints")


def test_a_snapshot_stays_as_it_was(lake: Lake) -> None:
    with lake.writing() as writer:
        before = writer.input_snapshot
        writer.append(schema.CHECKPOINTS, checkpoint("a"))
    assert read_only(lake, "SELECT count(*) AS n FROM checkpoints", before).to_pylist() == [{"n": 0}]
    assert read_only(lake, "SELECT count(*) AS n FROM checkpoints").to_pylist() == [{"n": 1}]


@pytest.mark.parametrize(
    "sql",
    [
        "DELETE FROM checkpoints",
        "SELECT 1; SELECT 2",
        "COPY (SELECT 1) TO '/tmp/x'",
        "SELECT * FROM read_text('/etc/passwd')",
        "SELECT * FROM '/etc/passwd'",
        "ATTACH '/tmp/other.db'",
        "SET enable_external_access = true",
        "INSTALL httpfs",
        "EXPLAIN ANALYZE COPY (SELECT 1 AS a) TO '{lake}/hmac.key'",
        "SELECT * FROM read_blob('{lake}/hmac.key')",
        "SELEC",
    ],
)
def test_an_analysts_sql_reads_the_tables_and_nothing_else(lake: Lake, sql: str) -> None:
    lake.key_file.write_bytes(b"secret")
    with pytest.raises(LakeError):
        read_only(lake, sql.replace("{lake}", str(lake.catalog.parent)))
    assert lake.key_file.read_bytes() == b"secret"


DYING = """
import os, signal, sqlite3, sys
catalog = sqlite3.connect(sys.argv[1], isolation_level=None)
catalog.execute("PRAGMA cache_size = 1")
catalog.execute("BEGIN IMMEDIATE")
catalog.execute("CREATE TABLE half (x)")
catalog.executemany("INSERT INTO half VALUES (?)", ((b"x" * 4000,) for _ in range(500)))
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_writer_killed_in_its_commit_is_rolled_back_by_the_next_reader(lake: Lake) -> None:
    with lake.writing() as writer:
        writer.append(schema.CHECKPOINTS, checkpoint("a"))
    subprocess.run([sys.executable, "-c", DYING, str(lake.catalog)], check=False)
    assert lake.catalog.with_name(lake.catalog.name + "-journal").exists()
    with lake.reading() as connection:
        assert connection.execute("SELECT count(*) FROM checkpoints").fetchall() == [(1,)]
    with lake.writing() as writer:
        writer.append(schema.CHECKPOINTS, checkpoint("b"))


def test_no_lake_is_said_so(tmp_path: Path) -> None:
    missing = Lake(tmp_path / "none.sqlite", tmp_path / "files")
    with pytest.raises(LakeError, match="workertrail run"), missing.reading():
        pass


def at_version(lake: Lake, version: int) -> None:
    """Let the lake say that its tables are those of another version."""
    with lake.maintaining() as connection:
        connection.execute("DELETE FROM lake.schema_version WHERE version > ?", [version])
        connection.execute("INSERT INTO lake.schema_version SELECT ?, now()", [version])


def test_a_lake_of_an_older_version_is_not_read_until_it_is_brought_up_to_date(lake: Lake) -> None:
    at_version(lake, schema.VERSION - 1)
    told = f"version {schema.VERSION - 1}, this WorkerTrail reads {schema.VERSION}: `workertrail run`"
    with pytest.raises(LakeError, match=told), lake.reading():
        pass
    lake.bring_up_to_date()
    with lake.reading() as connection:
        assert connection.execute("SELECT max(version) FROM schema_version").fetchall() == [(schema.VERSION,)]


def test_a_lake_of_a_newer_version_asks_for_a_newer_program(lake: Lake) -> None:
    at_version(lake, schema.VERSION + 1)
    with pytest.raises(LakeError, match=f"knows {schema.VERSION}: install a newer one"), lake.reading():
        pass
    with pytest.raises(LakeError, match="install a newer one"):
        lake.bring_up_to_date()


def test_a_catalog_without_tables_is_of_version_0(tmp_path: Path) -> None:
    bare = Lake(tmp_path / "catalog.sqlite", tmp_path / "files")
    with extensions.connect() as connection:
        connection.execute(f"ATTACH 'ducklake:sqlite:{bare.catalog}' AS lake (DATA_PATH '{bare.data}/')")
    with pytest.raises(LakeError, match="schema version 0"), bare.reading():
        pass


def test_a_snapshot_from_before_a_migration_is_read_as_it_was(lake: Lake) -> None:
    at_version(lake, schema.VERSION - 1)
    with extensions.connect() as connection:
        connection.execute(f"ATTACH 'ducklake:sqlite:{lake.catalog}' AS lake (DATA_PATH '{lake.data}/', READ_ONLY)")
        before = current_snapshot(connection)
    lake.bring_up_to_date()
    assert read_only(lake, "SELECT max(version) AS version FROM schema_version", before).to_pylist() == [
        {"version": schema.VERSION - 1}
    ]


def test_extensions_come_from_the_wheels() -> None:
    assert all(extensions.extension_file(name).is_file() for name in extensions.LOCKED)
    settings = extensions.connect().execute(
        "SELECT name, value FROM duckdb_settings() WHERE name LIKE 'auto%_known_extensions' ORDER BY name"
    )
    assert settings.fetchall() == [("autoinstall_known_extensions", "false"), ("autoload_known_extensions", "false")]

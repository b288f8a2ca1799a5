"""The engine of one machine: what takes too long is stopped, and nothing that comes after is hurt."""

from __future__ import annotations

from collections.abc import Iterator
from threading import Event

import duckdb
import pyarrow as pa
import pytest

from pipelines.lake.duckdb_engine import ROWS_A_BATCH, DuckDBEngine, TooLong

NUMBERS = pa.schema([("x", pa.int64())])
ENDLESS = "SELECT a.range AS x FROM range(100000000) AS a, range(100000000) AS b WHERE a.range * b.range % 1000003 = 7"


@pytest.fixture
def engine() -> Iterator[DuckDBEngine]:
    with duckdb.connect() as connection:
        made = DuckDBEngine(connection)
        made.let("numbers", f"SELECT range AS x FROM range({3 * ROWS_A_BATCH})")
        connection.execute(f"CREATE TEMP VIEW endless AS {ENDLESS}")
        yield made


def rows(engine: DuckDBEngine, table: str) -> int:
    return int(engine.query(f"SELECT count(*) AS n FROM {table}").column("n")[0].as_py())


def test_each_calls_the_function_on_every_batch(engine: DuckDBEngine) -> None:
    seen: list[int] = []

    def doubled(batch: pa.Table) -> pa.Table:
        seen.append(batch.num_rows)
        return pa.concat_tables([batch, batch])

    engine.limited(3600).each("doubled", "numbers", doubled, NUMBERS)
    assert (len(seen) >= 3, sum(seen), rows(engine, "doubled")) == (True, 3 * ROWS_A_BATCH, 6 * ROWS_A_BATCH)


def test_each_begins_no_further_batch_when_its_time_is_over(engine: DuckDBEngine) -> None:
    seen: list[int] = []

    def slow(batch: pa.Table) -> pa.Table:
        seen.append(batch.num_rows)
        Event().wait(0.3)  # longer than all batches may take together
        return batch

    with pytest.raises(TooLong, match=r"stopped after 0\.1 s"):
        engine.limited(0.1).each("slowed", "numbers", slow, NUMBERS)
    assert len(seen) == 1
    assert rows(engine, "numbers") == 3 * ROWS_A_BATCH


@pytest.mark.parametrize("verb", ["each", "let", "query"])
def test_a_statement_that_never_ends_is_stopped(engine: DuckDBEngine, verb: str) -> None:
    limited = engine.limited(0.2)
    calls = {
        "each": lambda: limited.each("out", "endless", lambda batch: batch, NUMBERS),
        "let": lambda: limited.let("out", "SELECT * FROM endless"),
        "query": lambda: limited.query("SELECT count(*) AS n FROM endless"),
    }
    with pytest.raises(TooLong):
        calls[verb]()
    assert rows(limited, "numbers") == 3 * ROWS_A_BATCH


def test_what_the_function_raises_is_its_own_error(engine: DuckDBEngine) -> None:
    def failing(batch: pa.Table) -> pa.Table:
        raise OSError(f"no room for {batch.num_rows} rows")

    with pytest.raises(OSError, match="no room"):
        engine.limited(3600).each("out", "numbers", failing, NUMBERS)

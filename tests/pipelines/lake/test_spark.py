"""Spark means what DuckDB means: function by function, and world by world."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipelines import run as work
from pipelines import schema
from pipelines.lake.configured import EngineChoice, engines
from pipelines.lake.duckdb_engine import DuckDBEngine
from pipelines.lake.engines import StageEngine, TooLong
from pipelines.lake.store import Lake, current_snapshot
from pipelines.settings import load
from pipelines.worlds import story, write
from pipelines.worlds.size import Size
from tests.end_to_end import lakes
from tests.end_to_end.small import Estate, assume, event, squid_line
from tests.engines import SPARK, need_spark, rows
from tests.pipelines.lake.semantics import BY_GROUP, BY_WINDOW, COLUMNS, ROW_BY_ROW, STATEMENTS, VALUES

Both = tuple[DuckDBEngine, StageEngine]


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    """Both engines over an empty lake, with the table `v` of every value, and `other` of the same."""
    need_spark()
    folder = tmp_path_factory.mktemp("lake")
    lake = Lake(folder / "catalog.sqlite", folder / "files")
    with ExitStack() as stack:
        connection = stack.enter_context(lake.maintaining())
        spark = stack.enter_context(engines(SPARK).over(lake, connection, current_snapshot(connection)))
        duckdb = DuckDBEngine(connection)
        for engine in (duckdb, spark):
            engine.let("v", VALUES)
            engine.let("other", VALUES)
        yield duckdb, spark


def assert_same(both: Both, sql: str) -> None:
    duckdb, spark = (rows(engine.query(sql)) for engine in both)
    assert list((spark - duckdb).elements()) == list((duckdb - spark).elements()), sql


def columns(expressions: Sequence[str]) -> str:
    return ", ".join(f"{one} AS c{at}" for at, one in enumerate(expressions))


def assert_each_same(both: Both, expressions: Sequence[str], sql: str) -> None:
    """Of many expressions in one query those that differ are named."""
    results = [engine.query(sql.format(columns(expressions))).sort_by("k") for engine in both]
    differ = [
        (one, duckdb.to_pylist(), spark.to_pylist())
        for at, one in enumerate(expressions)
        for duckdb, spark in [[result.select([f"c{at}"]) for result in results]]
        if rows(duckdb) != rows(spark)
    ]
    assert differ == []


def parts(expressions: Sequence[str], size: int = 25) -> list[Sequence[str]]:
    return [expressions[at : at + size] for at in range(0, len(expressions), size)]


@pytest.mark.parametrize("expressions", parts(ROW_BY_ROW), ids=lambda part: part[0])
def test_what_is_computed_row_by_row(both: Both, expressions: Sequence[str]) -> None:
    assert_each_same(both, expressions, "SELECT k, {} FROM v")


def test_aggregates(both: Both) -> None:
    assert_each_same(both, BY_GROUP, "SELECT g AS k, {} FROM v GROUP BY g")
    assert_each_same(both, BY_GROUP, "SELECT 1 AS k, {} FROM v WHERE k < 0")


def test_windows(both: Both) -> None:
    assert_each_same(both, BY_WINDOW, "SELECT k, {} FROM v WINDOW own AS (PARTITION BY g ORDER BY k)")


@pytest.mark.parametrize("sql", STATEMENTS)
def test_statements(both: Both, sql: str) -> None:
    assert_same(both, sql)


_TEXTS = st.text(st.characters(min_codepoint=1, max_codepoint=0x52F) | st.sampled_from("ßﬁİΣςẞ/%_\\$\n\r "), max_size=8)
_TIMES = st.datetimes(min_value=VALUES["t"].to_pylist()[1], max_value=VALUES["t"].to_pylist()[7])
_INTS = st.integers(-(2**40), 2**40)
_REALS = st.floats(-1e9, 1e9)


@st.composite
def tables(draw: st.DrawFn) -> pa.Table:
    kinds = {
        "g": st.sampled_from("ab"), "s": _TEXTS, "p": _TEXTS, "i": _INTS, "j": st.integers(-100, 100), "x": _REALS | st.just(float("nan")),
        "y": _REALS, "t": _TIMES, "u": _TIMES, "l": st.lists(st.none() | _TEXTS, max_size=4),
        "n": st.lists(st.none() | _INTS, max_size=4), "b": st.booleans(),
    }  # fmt: skip
    count = draw(st.integers(5, 20))
    made = [{"k": k} | {name: draw(st.none() | kind) for name, kind in kinds.items()} for k in range(count)]
    return pa.Table.from_pylist(made, schema=COLUMNS)


_DOUBLES_TO_TEXT = ("pow(", "round(ln(", "stddev", "avg", "sum(y)")
"""Left out where any value may come: their last bit depends on the order of work, and on the library."""


@given(table=tables())
@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
def test_any_values(both: Both, table: pa.Table) -> None:
    for engine in both:
        engine.let("v", table)
        engine.let("other", table)
    try:
        steady = [one for one in ROW_BY_ROW if not one.startswith(_DOUBLES_TO_TEXT)]
        for expressions in parts(steady, 80):
            assert_each_same(both, expressions, "SELECT k, {} FROM v")
        steady = [one for one in BY_GROUP if not one.startswith(_DOUBLES_TO_TEXT)]
        assert_each_same(both, steady, "SELECT coalesce(g, '') AS k, {} FROM v GROUP BY coalesce(g, '')")
    finally:
        for engine in both:
            engine.let("v", VALUES)
            engine.let("other", VALUES)


def test_a_function_runs_on_batches_in_the_executors(both: Both) -> None:
    def doubled(batch: pa.Table) -> pa.Table:
        return pa.table({"k": batch["k"], "twice": pa.array([k * 2 for k in batch["k"].to_pylist()], pa.int64())})

    given_schema = pa.schema([("k", pa.int64()), ("twice", pa.int64())])
    for engine in both:
        engine.each("twice", "v", doubled, given_schema)
    assert_same(both, "SELECT k, twice FROM twice")


def test_a_statement_that_takes_too_long_is_stopped(both: Both) -> None:
    _, spark = both
    with pytest.raises(TooLong, match=r"stopped after 0\.2 s"):
        spark.limited(0.2).query(
            "SELECT count(*) AS n FROM v a, v b, v c, v d, v e, v f, v g, v h, v i WHERE a.s < i.p"
        )
    assert spark.query("SELECT count(*) AS n FROM v")["n"][0].as_py() == len(VALUES)


def on_spark(config: Path) -> work.Summary:
    return work.run(work.plan(replace(load(config), engine=SPARK)))


def test_an_estate_ends_in_equal_tables_run_after_run(tmp_path: Path) -> None:
    """Rows are inlined, renamed, told twice and deleted between the runs: files with deletions are read, too."""
    need_spark()
    here, there = Estate(tmp_path / "here"), Estate(tmp_path / "there")
    first = {
        "trail": [event(second=second) for second in range(5)] + [assume("ASIANEXT", second=50)],
        "second": [event("DeleteBucket", second=2)],  # an id that tells of something else
        "egress": squid_line() * 2,
    }
    later = {
        "trail": [event(second=2), event("GetObject", second=9)],
        "second": [event("AbortMultipartUpload", second=1), event("ListBuckets", second=3)],
        "egress": squid_line(1, url="http://odd.test/x"),
    }
    for number, logs in enumerate((first, later)):
        for estate in (here, there):
            for source, content in logs.items():
                estate.put(source, content, f"{number}.log")
        for config, engine in ((here.config, EngineChoice()), (there.config, SPARK)):
            what = work.plan(replace(load(config), engine=engine))
            assert work.ingest_all(what).unreadable == ()
            assert work.stitch_all(what) is not None
        for table in (schema.ACTIONS, schema.GRANTS, schema.ACTS_AS, schema.BINDINGS, schema.CHAINS):
            assert lakes.content(here.root, table) == lakes.content(there.root, table) != []
    assert lakes.counts(here.root) == lakes.counts(there.root)


def test_a_world_ends_in_equal_tables(tmp_path: Path) -> None:
    need_spark()
    size = Size(3, 6, 14, 3_000)
    write.write(size, story.tell(size), tmp_path / "here", replay=False, told=lambda _day: None)
    shutil.copytree(tmp_path / "here", tmp_path / "there")
    assert lakes.run(tmp_path / "here").failures == ()
    assert on_spark(tmp_path / "there" / "workertrail.yaml").failures == ()
    lakes.assert_equal(tmp_path / "here", tmp_path / "there")
    assert json.dumps(lakes.counts(tmp_path / "here")) == json.dumps(lakes.counts(tmp_path / "there"))

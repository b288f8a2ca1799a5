"""Every text that the stages give an engine renders to Spark SQL; what comes out wrong there is refused."""

from __future__ import annotations

import json

import pytest
from sqlglot import exp
from syrupy.assertion import SnapshotAssertion

from detectors.rules import Detector
from detectors.statement import _FUNCTIONS
from pipelines.detect.commit import CATALOGUE
from pipelines.detect.load import load
from pipelines.lake.dialect import NotPortable, spark
from pipelines.lake.duckdb_engine import DuckDBEngine
from pipelines.stitch import climb
from tests.end_to_end.small import Estate, assume, event, squid_line
from tests.pipelines.lake.semantics import covered, functions


@pytest.fixture(scope="module")
def texts(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Every SQL text that one whole run gives to `let` and `query`."""
    heard: list[str] = []
    estate = Estate(tmp_path_factory.mktemp("estate"))
    estate.put("trail", [event(second=second) for second in range(5)] + [assume("ASIANEXT", second=50)])
    estate.put("second", json.dumps([event(second=1)]))
    estate.put("egress", squid_line() * 2)
    patch = pytest.MonkeyPatch()
    real_let, real_query = DuckDBEngine.let, DuckDBEngine.query

    def let(self: DuckDBEngine, name: str, source: object) -> None:
        if isinstance(source, str):
            heard.append(source)
        real_let(self, name, source)  # type: ignore[arg-type]

    def query(self: DuckDBEngine, sql: str) -> object:
        heard.append(sql)
        return real_query(self, sql)

    patch.setattr(DuckDBEngine, "let", let)
    patch.setattr(DuckDBEngine, "query", query)
    try:
        assert estate.run().failures == ()
    finally:
        patch.undo()
    return list(dict.fromkeys(heard))


def test_every_query_of_a_run_renders_to_spark(texts: list[str]) -> None:
    refused = {}
    for text in texts:
        try:
            assert spark(text)
        except NotPortable as error:
            refused[text[:200]] = str(error)
    assert len(texts) > 80
    assert refused == {}


def test_every_function_that_a_text_calls_is_run_on_both_engines(texts: list[str]) -> None:
    """Where this fails, the function goes into `semantics.py`, and what it does otherwise on Spark into `spark_sql.py`."""
    catalogue = [one.sql for one in load(CATALOGUE, ()).detectors if isinstance(one, Detector)]
    assert len(catalogue) > 15
    called = frozenset().union(*map(functions, [*texts, *catalogue]))
    assert len(called) > 40
    assert sorted(called - covered()) == []


def test_every_statement_of_the_catalogue_renders_to_spark() -> None:
    for one in load(CATALOGUE, ()).detectors:
        if isinstance(one, Detector):
            assert spark(one.sql)


def test_what_a_detector_may_call_is_run_on_both_engines() -> None:
    allowed = {kind.sql_name() for kind in _FUNCTIONS if issubclass(kind, exp.Func)}
    assert sorted(allowed - covered() - NEVER_MADE) == []


NEVER_MADE = {"XOR"}
"""Not made of any DuckDB text: its xor() is the bitwise one."""


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM a WHERE s ~ 'x'",
        "SELECT regexp_replace(s, 'a', 'b') FROM a",
        "SELECT regexp_matches(s, '[[:alpha:]]') FROM a",
        "SELECT regexp_matches(s, '\\pL') FROM a",
        "SELECT l[x] FROM a",
        "SELECT l[1:2] FROM a",
        "SELECT date_diff('week', t, u) FROM a",
        "SELECT split_part(s, d, 1) FROM a",
        "SELECT list_slice(l, x, 3) FROM a",
        "SELECT made_up(x) FROM a",
        "SELECT * FROM a ASOF JOIN b ON a.t >= b.t",
        "SELECT * FROM a WHERE x GLOB 'y*'",
        "SELECT * FROM a WHERE x SIMILAR TO 'y'",
        "SELECT list(x ORDER BY y) FROM a",
        "SELECT string_agg(x, ',' ORDER BY y) FROM a",
        "SELECT epoch_us(t) FROM a",
        "SELECT hash(x) FROM a",
        "SELECT quantile_cont(x, 0.5) FROM a",
        "SELECT time_bucket(INTERVAL 1 HOUR, t) FROM a",
        "SELECT isodow(t) FROM a",
        "WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM r WHERE n < 3) SELECT * FROM r",
        "DELETE FROM a",
        "SELECT 1; SELECT 2",
        "SELECT FROM WHERE",
    ],
)
def test_what_spark_would_read_otherwise_is_refused(sql: str) -> None:
    with pytest.raises(NotPortable):
        spark(sql)


def test_one_round_of_the_climb(snapshot: SnapshotAssertion) -> None:
    said: list[str] = []

    class Listening:
        def let(self, name: str, source: str) -> None:
            said.append(f"{name}:\n{source}")

    climb._double(Listening(), "walks")  # type: ignore[arg-type]
    assert said == snapshot

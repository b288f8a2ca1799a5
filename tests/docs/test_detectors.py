"""docs/detectors.md is what a detector may be: its examples run their own cases, its tables are those of the code."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlglot import exp, parse_one

from detectors import alternatives, findings, provided, rules, sigma_backend, sigma_rules, statement
from detectors.findings import SEVERITIES
from detectors.located import Problems
from detectors.sigma_logs import LOGS
from pipelines import schema
from pipelines.detect import cases
from pipelines.lake.duckdb_engine import ROWS_A_BATCH
from pipelines.settings import DetectorLimits
from tests.machine import ROOT

PAGE = (ROOT / "docs" / "detectors.md").read_text(encoding="utf-8")
(SQL,) = re.findall(r"```sql\n(.*?)```", PAGE, re.DOTALL)
(SIGMA,) = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
SCHEMAS = provided.schemas(schema.arrow_schemas())
SELECT = SQL.split("---*/")[1]


def below(title: str) -> str:
    """What stands under a heading, down to the next."""
    return re.split(r"^#+ ", PAGE.split(f"# {title}\n", 1)[1], maxsplit=1, flags=re.MULTILINE)[0]


def cells(title: str) -> list[list[str]]:
    """Rows of the tables under a heading, without heads and rulers."""
    lines = [line for line in below(title).splitlines() if line.startswith("| ") and "`" in line]
    return [[cell.strip() for cell in line.strip("| ").split(" | ")] for line in lines]


def quoted(text: str) -> list[str]:
    """What stands in backticks, blocks aside."""
    return re.findall(r"`([^`]+)`", re.sub(r"```.*?```", "", text, flags=re.DOTALL))


@pytest.fixture
def sql_file(tmp_path: Path) -> Path:
    file = tmp_path / "writes_at_night.sql"
    file.write_text(SQL, encoding="utf-8")
    return file


def test_the_sql_detector_is_sound_and_passes_its_cases(sql_file: Path) -> None:
    detector = rules.read(sql_file)
    assert [bool(case.expected) for case in detector.cases] == [True, True, False]
    assert cases.failed([detector]) == []


def test_its_cases_can_fail(sql_file: Path) -> None:
    sql_file.write_text(SQL.replace("NOT BETWEEN 6 AND 21", "BETWEEN 6 AND 21"), encoding="utf-8")
    assert len(cases.failed([rules.read(sql_file)])) >= 3


def test_the_head_has_the_keys_that_the_page_names() -> None:
    named = [name for row in cells("A SQL detector") for name in quoted(row[0])]
    assert named == [*rules.Head.model_fields, "tests"]
    assert all(f"\n{name}:" in SQL for name in named)


def test_the_columns_of_evidence() -> None:
    named = [name for row in cells("What the SELECT gives") for name in quoted(row[0])]
    assert named == [*statement.REQUIRED, *statement.OPTIONAL]


def test_the_figures_are_the_codes() -> None:
    said = below("What the SELECT gives")
    assert f"at most {findings.MAX_EVIDENCE} actions" in said
    assert f"after {findings.MAX_TITLE} characters" in said
    assert f"under {findings.SURE}, two where under {findings.DOUBTFUL}" in said.replace("\n", " ")
    refused = below("A Sigma rule")
    for figure in (sigma_backend.MAX_EXPRESSION, sigma_backend.MAX_TEXT, sigma_rules.MAX_TESTS):
        assert f"more than {figure} " in refused
    assert f"({DetectorLimits().seconds})" in below("Limits")
    assert f"at most {ROWS_A_BATCH} records" in below("Limits")
    assert [word for word in quoted(below("A SQL detector")) if word in SEVERITIES] == list(SEVERITIES)


def test_every_provided_table_stands_there_with_its_columns() -> None:
    block = below("What it may read").split("```")[1].split()
    rows = cells("What it may read")
    assert {quoted(row[0])[0] for row in rows} == provided.NAMES
    for name, says, columns in rows:
        assert says
        listed = block if columns == "below" else quoted(columns)
        assert listed == SCHEMAS[quoted(name)[0]].names


def test_the_functions_are_those_that_are_allowed() -> None:
    lines = [line for line in below("Functions").splitlines() if line.startswith("- ")]
    shown = [f"SELECT {one}" for line in lines for one in quoted(line)]
    nodes = [parse_one(one, read="duckdb") for one in [*shown, "SELECT x FROM t, unnest(xs) AS u(x)"]]
    found = {type(function) for node in nodes for function in node.find_all(exp.Func)}
    # Xor is MySQL's alone: no text in DuckDB's dialect gives it.
    assert found == {kind for kind in statement._FUNCTIONS if issubclass(kind, exp.Func)} - {exp.Xor}


def test_the_alternatives_are_those_of_the_messages() -> None:
    rows = [(tuple(quoted(left)), quoted(right)[0]) for left, right in cells("Functions")]
    assert rows == [(one.names, one.sql) for one in alternatives.ALTERNATIVES]


@pytest.mark.parametrize("one", alternatives.ALTERNATIVES, ids=lambda one: one.names[0])
def test_each_alternative_is_allowed(one: alternatives.Alternative) -> None:
    if any(f"{word}(" in one.sql for word in ("count", "sum", "stddev", "list", "min")):
        sql = SELECT.replace("FROM attributed", f"FROM (SELECT {one.sql} AS made FROM attributed) AS m, attributed")
    else:
        sql = SELECT.replace("'seen':", f"'made': {one.sql}, 'seen':")
    assert one.sql in sql
    assert statement.faults(sql, provided.NAMES) == []


@pytest.mark.parametrize(
    ("written", "said"),
    [
        (
            "hour(time)",
            "hour() is not one that a detector may use; write such as CAST(strftime(time, '%H') AS INTEGER)",
        ),
        ("extract(hour FROM time)", "extract() is not one that a detector may use; write such as CAST(strftime("),
        ("date_part('hour', time)", "date_part() is not one that a detector may use; write such as CAST(strftime("),
        ("epoch(time)", "epoch() is not one that a detector may use; write such as date_diff('second', "),
        ("now()", "now() is not one that a detector may use; write such as (SELECT max(horizon) FROM horizons)"),
        ("current_date", "current_date() is not one that a detector may use; write such as (SELECT max(horizon)"),
        ("isodow(time)", "isodow() is not one that a detector may use; write such as date_diff('day', "),
        ("random()", "random() is not one that a detector may use (see docs/detectors.md)"),
    ],
)
def test_a_refused_function_names_what_to_write_and_the_page(written: str, said: str) -> None:
    sql = SELECT.replace("'seen':", f"'made': {written}, 'seen':")
    (fault,) = statement.faults(sql, provided.NAMES)
    assert said in fault.message
    assert "docs/detectors.md" in fault.message


LAST = "NOT BETWEEN 6 AND 21"


@pytest.mark.parametrize(
    ("found", "changed", "said"),
    [
        (SELECT, "SELECT * FROM attributed", "name the columns"),
        ("SELECT", "WITH RECURSIVE r AS (SELECT 1 UNION ALL SELECT * FROM r) SELECT", "recursive"),
        ("FROM attributed", "FROM attributed ASOF JOIN grants ON time >= issued_at", "ASOF"),
        ("'seen':", "'made': (SELECT list(worker ORDER BY worker) FROM attributed), 'seen':", "ORDER BY inside list"),
        (LAST, f"{LAST} LIMIT 5", "LIMIT without ORDER BY"),
        (LAST, f"{LAST} AND time > TIMESTAMP '2026-01-01' AT TIME ZONE 'UTC'", "AT TIME ZONE"),
        (LAST, f"{LAST} AND worker GLOB 'a*'", "GLOB"),
        (LAST, f"{LAST} AND worker SIMILAR TO 'a'", "SIMILAR TO"),
        (LAST, f"{LAST} AND len(worker) > 3", "len()"),
        ("'medium' AS severity", "'medium' AS severity, 1 AS other", "'other' that nothing reads"),
        ("FROM attributed", "FROM 'a.parquet'", "no table a.parquet"),
    ],
)
def test_what_the_page_calls_refused_is(found: str, changed: str, said: str) -> None:
    assert found in SELECT
    told = statement.faults(SELECT.replace(found, changed, 1), provided.NAMES)
    assert [fault for fault in told if said in fault.message], told


def test_what_the_page_allows_beside_is_not_refused() -> None:
    sql = SELECT.replace(LAST, f"{LAST} AND worker LIKE 'a%' AND time > TIMESTAMP '2026-01-01' + INTERVAL 1 DAY")
    assert statement.faults(f"{sql} ORDER BY time LIMIT 5", provided.NAMES) == []
    assert statement.faults(f"{sql} UNION ALL {sql}", provided.NAMES) == []


def test_the_sigma_rule_is_sound_and_passes_its_cases(tmp_path: Path) -> None:
    file = tmp_path / "queue-emptied.yml"
    file.write_text(SIGMA, encoding="utf-8")
    rule = sigma_rules.read(file)
    assert (rule.id, rule.severity, rule.other_tags) == ("sigma_queue_emptied", "high", ())
    assert [case.match for case in rule.tests] == [True, False]
    assert cases.failed([rule]) == []
    file.write_text(SIGMA.replace("match: true", "match: false"), encoding="utf-8")
    assert len(cases.failed([sigma_rules.read(file)])) == 1


def test_the_logs_of_sigma_rules() -> None:
    wanted = {
        ", ".join(f"{key}: {value}" for key in ("product", "service", "category") if (value := getattr(log, key))): log
        for log in LOGS
    }
    rows = {quoted(source)[0]: quoted(names) for source, names in cells("A Sigma rule")}
    assert set(rows) == set(wanted)
    for source, log in wanted.items():
        if not log.is_json:
            assert rows[source] == list(log.columns)
    assert {name for log in LOGS for name in log.absent} <= {*quoted(PAGE), "cs-referer"}


def refused() -> Iterator[tuple[str, str]]:
    """A text of the rule and what to put there, for everything that the page says is refused."""
    yield "eventName: PurgeQueue\n  failed", "evntName: PurgeQueue\n  failed"
    yield "level: high", "level: high\ncorrelation: {type: event_count}"
    yield "status: test", "status: unsupported"
    yield "condition: purge and not failed", "condition: [purge, failed]"
    yield "eventName: PurgeQueue\n  failed", "eventName|re: '(?=Purge)'\n  failed"
    yield "eventName: PurgeQueue\n  failed", f"eventName|re: '{'a' * 2001}'\n  failed"
    yield "eventName: PurgeQueue\n  failed", f"eventName: '{'a' * 10_001}'\n  failed"
    yield "eventName: PurgeQueue\n  failed", "eventName|expand: '%names%'\n  failed"
    yield "logsource: {product: aws, service: cloudtrail}", "logsource: {product: windows, service: security}"


@pytest.mark.parametrize(("found", "changed"), list(refused()))
def test_a_rule_that_the_page_calls_refused_is(found: str, changed: str, tmp_path: Path) -> None:
    assert found in SIGMA
    file = tmp_path / "rule.yml"
    file.write_text(SIGMA.replace(found, changed, 1), encoding="utf-8")
    with pytest.raises(Problems):
        sigma_rules.read(file)

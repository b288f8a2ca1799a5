from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest
import sqlglot

from detectors import provided, rules
from detectors.cases import Case
from detectors.findings import FOUND, MAX_EVIDENCE
from detectors.located import Problems
from detectors.unmeasurable import unmeasurable
from detectors.uuid5 import FINDINGS
from pipelines import schema
from pipelines.lake.duckdb_engine import DuckDBEngine

SCHEMAS = provided.schemas(schema.arrow_schemas())

CATALOGUE = Path(__file__).resolve().parents[2] / "detectors/catalogue"

HEAD = """\
/*---
id: sample
version: 3
title: A sample
description: An action that failed.
severity: low
tags: [owasp.asi02]
look_alikes: [{case: none, separated_by: nothing}]
tests:
  - name: one
    actions: [{status: failure, api_service: x.example}]
    expected: [{worker: w1, entity: x.example, severity: high}]
---*/
"""
SQL = """\
SELECT worker, principal, api_service AS entity, action_uid, time, chain_id, coalesce(activity, 'high') AS severity,
    confidence, coalesce(error, 'failed') AS title,
    {'seen': api_operation, 'bytes': bytes_out, 'at': time} AS explanation,
    manifest_sha
FROM attributed WHERE status = 'failure'
"""
FIRST_SQL_LINE = HEAD.count("\n") + 1
FIRST_CASE_LINE = HEAD[: HEAD.index("  - name")].count("\n") + 1


def _detector(folder: Path, head: str = HEAD, sql: str = SQL, name: str = "sample") -> rules.Detector:
    path = folder / f"{name}.sql"
    path.write_text(head.replace("id: sample", f"id: {name}") + sql)
    return rules.read(path)


def _engine(**tables: Any) -> DuckDBEngine:
    engine = DuckDBEngine(duckdb.connect())
    for name, table in Case(name="case", expected=(), **tables).tables(SCHEMAS).items():
        engine.let(name, table)
    return engine


def _findings(folder: Path, actions: Sequence[Any], sql: str = SQL) -> list[dict[str, Any]]:
    rows = [{"status": "failure", "api_service": "x.example", **action} for action in actions]
    found: list[dict[str, Any]] = rules.findings_of(_engine(actions=rows), _detector(folder, sql=sql)).to_pylist()
    return found


def test_one_file_in_a_folder_is_a_detector_that_runs_with_its_own_cases(tmp_path: Path) -> None:
    _detector(tmp_path)
    (loaded,) = rules.load(tmp_path)
    assert rules.failed_cases(DuckDBEngine(duckdb.connect()), loaded, SCHEMAS) == []


def test_a_case_that_fails_says_what_is_missing_and_what_is_too_much(tmp_path: Path) -> None:
    detector = _detector(tmp_path, HEAD.replace("severity: high}", "severity: low}"))
    missing, surplus = rules.failed_cases(DuckDBEngine(duckdb.connect()), detector, SCHEMAS)
    assert (missing.file, missing.line, missing.key) == (detector.file, FIRST_CASE_LINE, "tests[0]")
    assert missing.message == "one: missing: ('w1', 'x.example', 'low')"
    assert surplus.message == "one: not expected: ('w1', 'x.example', 'high') failed"


def test_the_version_changes_with_every_change_of_the_file(tmp_path: Path) -> None:
    one = _detector(tmp_path).version
    other = _detector(tmp_path, sql=SQL + "-- a comment\n").version
    assert one.startswith("3+")
    assert other.startswith("3+")
    assert one != other


@pytest.mark.parametrize(
    ("was", "becomes", "line", "said"),
    [
        ("severity: low", "severety: low", 6, "did you mean 'severity'"),
        ("severity: low", "severity: grave", 6, "'info', 'low', 'medium', 'high' or 'critical'"),
        ("owasp.asi02", "owasp.asi22", 7, "asi01 to asi10"),
        ("owasp.asi02", "attack.t1562.008", 7, "t1685.002"),
        ("id: sample", "id: other", 2, "must be the file's name, sample"),
        ("version: 3", "version: 0", 3, "greater than or equal to 1"),
        ("    actions: [", "    deeds: [", 11, "unknown key 'deeds'"),
        ("title: A sample", "title: [", 6, "is not YAML"),
        (HEAD[HEAD.index("tests:") : HEAD.index("---*/")], "", 2, "the required key 'tests' is missing"),
        ("/*---", "/*", 1, "has no head"),
    ],
)
def test_what_is_wrong_in_a_head_is_told_with_its_line(
    tmp_path: Path, was: str, becomes: str, line: int, said: str
) -> None:
    path = tmp_path / "sample.sql"
    path.write_text((HEAD + SQL).replace(was, becomes, 1))
    with pytest.raises(Problems) as caught:
        [detector.cases for detector in rules.load(tmp_path)]
    (problem,) = [problem for problem in caught.value.problems if said in problem.message]
    assert (problem.file, problem.line) == (str(path), line)


@pytest.mark.parametrize(
    ("was", "becomes", "line", "said"),
    [
        ("FROM attributed", "FROM", 5, "does not parse"),
        ("FROM attributed", "FROM read_csv('/etc/passwd')", 5, "is not a provided table"),
        ("FROM attributed", "FROM '/etc/passwd'", 5, "there is no table /etc/passwd"),
        ("FROM attributed", "FROM main.attributed", 5, "is not a provided table"),
        ("FROM attributed", "FROM records", 5, "there is no table records"),
        (
            "FROM attributed",
            "FROM (WITH records AS (SELECT * FROM records) SELECT * FROM records)",
            5,
            "no table records",
        ),
        ("FROM attributed", "FROM (WITH a AS (SELECT * FROM b), b AS (SELECT 1) SELECT * FROM a)", 5, "no table b"),
        ("api_service AS entity", "lpad(api_service, 5000000, 'x') AS entity", 1, "at most 1000"),
        ("FROM attributed", "FROM query('SELECT 1')", 5, "is not a provided table"),
        ("api_service AS entity", "getenv('HOME') AS entity", 1, "getenv() is not one that a detector may use"),
        ("api_service AS entity", "(SELECT min(raw) FROM records) AS entity", 1, "there is no table records"),
        ("confidence,", "random() AS confidence,", 2, "random() is not one"),
        ("time, chain_id", "now() AS time, chain_id", 1, "now() is not one"),
        ("bytes_out,", "len(resources),", 3, "len() means LENGTH"),
        ("bytes_out,", "epoch_us(time),", 3, "epoch_us() is not one"),
        ("bytes_out,", "hash(time),", 3, "hash() is not one"),
        ("bytes_out,", "quantile_cont(bytes_out, 0.5),", 3, "percentile_cont() is not one"),
        ("bytes_out,", "(SELECT list(tool ORDER BY tool) FROM attributed),", 3, "ORDER BY inside list()"),
        ("FROM attributed", "FROM attributed ASOF JOIN grants ON time >= issued_at", 5, "ASOF"),
        ("manifest_sha\n", "manifest_sha, 1 AS more\n", 1, "a column 'more' that nothing reads"),
        ("confidence, ", "", 1, "must have a column confidence"),
        (SQL, "SELECT * FROM attributed", 1, "name the columns"),
        (SQL, f"{SQL}; {SQL}", 1, "one SELECT and nothing else"),
        (SQL, "DELETE FROM attributed", 1, "one SELECT and nothing else"),
        (SQL, "CREATE TABLE x AS " + SQL, 1, "one SELECT and nothing else"),
        (SQL, "COPY attributed TO 'x'", 1, "one SELECT and nothing else"),
        (SQL, "", 0, "one SELECT and nothing else"),
        (SQL, "WITH RECURSIVE a AS (SELECT 1 UNION ALL SELECT * FROM a) " + SQL, 1, "recursive"),
    ],
)
def test_sql_that_may_not_run_is_refused_with_its_line(
    tmp_path: Path, was: str, becomes: str, line: int, said: str
) -> None:
    with pytest.raises(Problems) as caught:
        _detector(tmp_path, sql=SQL.replace(was, becomes, 1))
    told = [problem for problem in caught.value.problems if said in problem.message]
    assert told, caught.value
    assert told[0].line == FIRST_SQL_LINE + line - 1


def test_the_problems_of_all_files_are_told_at_once(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / f"{name}.sql").write_text("SELECT 1")
    with pytest.raises(Problems) as caught:
        rules.load(tmp_path)
    assert len(caught.value.problems) == 2


def test_a_finding_is_one_worker_entity_and_day(tmp_path: Path) -> None:
    actions = [
        {"time": datetime(2026, 3, 2, 23, 59)},
        {"time": datetime(2026, 3, 2, 8)},
        {"time": datetime(2026, 3, 3, 0, 0)},
        {"time": datetime(2026, 3, 2, 9), "api_service": "y.example"},
        {"time": datetime(2026, 3, 2, 9), "worker": None},
        {"time": datetime(2026, 3, 2, 9), "worker": "w2"},
    ]
    found = _findings(tmp_path, actions)
    assert len(found) == 5
    (first,) = [row for row in found if row["worker"] == "w1" and len(row["evidence"]) == 2]
    assert first["evidence"] == ["a2", "a1"]
    assert (first["window_start"], first["window_end"]) == (datetime(2026, 3, 2, 8), datetime(2026, 3, 2, 23, 59))
    assert first["finding_uid"] == str(uuid.uuid5(FINDINGS, "sample|w1|x.example|2026-03-02"))
    assert str(uuid.uuid5(FINDINGS, "sample||x.example|2026-03-02")) in {row["finding_uid"] for row in found}


def test_the_worst_row_speaks_for_a_finding(tmp_path: Path) -> None:
    actions = [
        {"activity": "low", "error": "mild"},
        {"activity": "critical", "error": "grave", "api_operation": "Put", "bytes_out": 7, "chain_id": "c2"},
        {"activity": "critical", "error": "grave too"},
    ]
    (found,) = _findings(tmp_path, actions)
    assert (found["severity"], found["title"], found["chain_id"]) == ("critical", "grave", "c2")
    assert json.loads(found["explanation"]) == {
        "seen": "Put",
        "bytes": 7,
        "at": "2026-03-02T10:02:00Z",
        "evidence_count": 3,
        "confidence": 1.0,
    }


@pytest.mark.parametrize(
    ("stated", "confidence", "lowered"),
    [
        ("critical", 0.9, "critical"),
        ("critical", 0.89, "high"),
        ("critical", 0.6, "high"),
        ("critical", 0.59, "medium"),
        ("low", 0.1, "info"),
        ("info", 0.1, "info"),
    ],
)
def test_a_doubtful_attribution_lowers_the_severity(
    tmp_path: Path, stated: str, confidence: float, lowered: str
) -> None:
    (found,) = _findings(tmp_path, [{"activity": stated, "confidence": confidence}])
    assert found["severity"] == lowered
    assert ("severity_lowered" in json.loads(found["explanation"])) == (confidence < 0.9)


def test_an_unattributed_row_keeps_its_severity(tmp_path: Path) -> None:
    (found,) = _findings(tmp_path, [{"worker": None, "activity": "critical", "confidence": 0.1}])
    assert found["severity"] == "critical"


def test_a_doubtful_row_does_not_hide_a_proven_one(tmp_path: Path) -> None:
    actions = [{"activity": "critical", "confidence": 0.3, "error": "doubtful"}, {"activity": "high", "error": "sure"}]
    (found,) = _findings(tmp_path, actions)
    assert (found["severity"], found["title"]) == ("high", "sure")


def test_evidence_is_bounded_and_keeps_the_worst_row(tmp_path: Path) -> None:
    begin = datetime(2026, 3, 2)
    actions = [{"time": begin + timedelta(seconds=n), "activity": "low"} for n in range(MAX_EVIDENCE + 50)]
    actions[-1]["activity"] = "high"
    (found,) = _findings(tmp_path, actions)
    assert len(found["evidence"]) == MAX_EVIDENCE
    assert found["evidence"][-1] == f"a{len(actions)}"
    assert found["evidence"][:2] == ["a1", "a2"]
    assert json.loads(found["explanation"])["evidence_count"] == len(actions)


def test_findings_do_not_depend_on_the_order_of_rows(tmp_path: Path) -> None:
    begin = datetime(2026, 3, 2)
    actions = [
        {
            "action_uid": f"u{n:03}",
            "time": begin + timedelta(hours=n % 50),
            "api_service": f"s{n % 7}",
            "error": f"e{n}",
        }
        for n in range(300)
    ]
    assert _findings(tmp_path, actions) == _findings(tmp_path, list(reversed(actions)))


def test_control_characters_do_not_reach_a_title(tmp_path: Path) -> None:
    (found,) = _findings(tmp_path, [{"error": "a\x1b[31mred\x07\u202ex" + "y" * 400}])
    assert found["title"].startswith("a\ufffd[31mred\ufffd\ufffdx")
    assert len(found["title"]) == 300


def test_a_title_with_a_null_in_it_falls_back_to_the_detectors(tmp_path: Path) -> None:
    (found,) = _findings(tmp_path, [{}], SQL.replace("coalesce(error, 'failed')", "error || '!'"))
    assert found["title"] == "A sample"


def test_the_shared_sql_renders_to_spark() -> None:
    statements: list[str] = []
    engine = DuckDBEngine(duckdb.connect(), on_sql=statements.append)
    for name, table in Case(name="case", expected=()).tables(SCHEMAS).items():
        engine.let(name, table)
    rules.judge(engine, rules.load(CATALOGUE))
    unmeasurable(engine)
    assert len(statements) == 3 * len(rules.load(CATALOGUE)) + 2
    for sql in statements:
        assert sqlglot.transpile(sql, read="duckdb", write="spark", unsupported_level=sqlglot.ErrorLevel.RAISE)


def test_log_text_is_data(tmp_path: Path) -> None:
    nasty = "'; DROP TABLE attributed; --"
    (found,) = _findings(tmp_path, [{"error": nasty, "api_service": nasty, "action_uid": nasty}])
    assert (found["title"], found["entity"], found["evidence"]) == (nasty, nasty, [nasty])


def test_the_day_that_a_detector_names_counts(tmp_path: Path) -> None:
    sql = SQL.replace("manifest_sha\n", "manifest_sha, TIMESTAMP '2026-03-05' AS day\n")
    (found,) = _findings(tmp_path, [{}, {"time": datetime(2026, 3, 4)}], sql)
    assert found["finding_uid"] == str(uuid.uuid5(FINDINGS, "sample|w1|x.example|2026-03-05"))


def test_a_detector_that_fails_fails_alone(tmp_path: Path) -> None:
    good = _detector(tmp_path)
    broken = _detector(tmp_path, sql=SQL.replace("api_service AS", "no_such_column AS"), name="broken")
    unfit = _detector(tmp_path, sql=SQL.replace("'high'", "'terrible'"), name="unfit")
    engine = _engine(actions=[{"status": "failure", "api_service": "x.example"}])
    judgement = rules.judge(engine, [broken, unfit, good])
    assert judgement.findings.column("detector").to_pylist() == ["sample"]
    assert [failure.detector for failure in judgement.failures] == ["broken", "unfit"]
    assert "no_such_column" in judgement.failures[0].error
    assert "1 rows have no action_uid or no time" in judgement.failures[1].error


def test_the_columns_are_those_that_a_finding_leaves_to_its_detector(tmp_path: Path) -> None:
    findings = rules.judge(_engine(), [_detector(tmp_path)]).findings
    assert findings.schema == FOUND
    assert findings.num_rows == 0
    lake = schema.FINDINGS.arrow
    assert pa.schema([lake.field(name) for name in FOUND.names]) == FOUND


def test_a_row_of_a_case_that_does_not_fit_its_table_is_named() -> None:
    with pytest.raises(ValueError, match="attributed has no column colour"):
        Case(name="x", expected=(), actions=({"colour": "red"},)).tables(SCHEMAS)
    with pytest.raises(ValueError, match="a row of attributed has a value of the wrong type"):
        Case(name="x", expected=(), actions=({"bytes_out": "many"},)).tables(SCHEMAS)

"""`workertrail check`: the user's own rules must pass their own cases, and what is gone is named."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.end_to_end.small import Estate, event
from tests.pipelines.cli.conftest import Type

SIGMA = """\
title: Objects deleted
logsource: {product: aws, service: cloudtrail}
detection:
  selection: {eventName: DeleteObject}
  condition: selection
tests:
  - name: a deletion
    match: true
    record: RECORD
  - name: a read
    match: false
    record: {eventID: e2, eventTime: "2026-03-02T09:00:00Z", eventName: GetObject}
"""
SQL = """\
/*---
id: failures
version: 1
title: A failure
description: An action that failed.
severity: low
tags: [owasp.asi02]
tests:
  - name: a failure
    actions: [{status: failure, api_service: x.example}]
    expected: [{worker: w1, entity: x.example, severity: high}]
---*/
SELECT worker, principal, api_service AS entity, action_uid, time, chain_id, 'high' AS severity, confidence,
    'failed' AS title, {'seen': api_operation} AS explanation, manifest_sha
FROM attributed WHERE status = 'failure'
"""


@pytest.fixture
def estate(tmp_path: Path) -> Estate:
    made = Estate(tmp_path)
    made.config.write_text(made.config.read_text("utf-8") + "rules: [rules]\n", encoding="utf-8")
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "failures.sql").write_text(SQL, encoding="utf-8")
    sigma = SIGMA.replace("RECORD", json.dumps(event("DeleteObject")))
    (tmp_path / "rules" / "deleted.yml").write_text(sigma, encoding="utf-8")
    return made


def test_rules_that_pass_their_cases_are_valid(estate: Estate, typed: Type) -> None:
    done = typed("--config", estate.config, "check", "--json")
    assert (done.code, done.err) == (0, "")
    assert [line for line in json.loads(done.out)["warnings"] if "no file matches" not in line] == []


@pytest.mark.parametrize(
    ("file", "was", "becomes", "told"),
    [
        ("failures.sql", "severity: high}", "severity: low}", ":9: tests[0]: a failure: missing: ('w1', 'x.example', "),
        ("failures.sql", "status: failure, ", "time: soon, ", ":9: tests[0]: a failure: cannot be run: "),
        ("failures.sql", "entity: x.example,", "entities: 1,", ":11: tests[0].expected[0].entities: unknown key"),
        ("deleted.yml", "match: false", "match: true", ":10: tests[1]: a read: the rule does not match this record"),
    ],
)
def test_a_case_that_fails_is_told_with_file_and_line(
    estate: Estate, typed: Type, file: str, was: str, becomes: str, told: str
) -> None:
    rule = estate.root / "rules" / file
    text = rule.read_text(encoding="utf-8")
    assert was in text
    rule.write_text(text.replace(was, becomes), encoding="utf-8")
    done = typed("--config", estate.config, "check")
    assert (done.code, done.out) == (2, "")
    assert f"{rule}{told}" in done.err


def test_a_rule_without_cases_and_a_manifest_that_is_gone_are_warnings(estate: Estate, typed: Type) -> None:
    estate.put("trail", [event()])
    estate.run()
    (estate.root / "workers" / "agent.yaml").rename(estate.root / "workers" / "other.yaml")
    manifest = estate.root / "workers" / "other.yaml"
    manifest.write_text(manifest.read_text("utf-8").replace("worker: agent", "worker: other"), encoding="utf-8")
    bare = estate.root / "rules" / "failures.sql"
    bare.write_text(SQL[: SQL.index("tests:")] + SQL[SQL.index("---*/") :], encoding="utf-8")
    done = typed("--config", estate.config, "check", "--json")
    assert done.code == 0
    noted = json.loads(done.out)["warnings"]
    assert f"{bare}: carries no test case" in noted
    assert [line for line in noted if line.startswith("worker agent: its manifest (workers/agent.yaml) was removed;")]

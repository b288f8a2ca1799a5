"""A detector that slipped through: it fails alone, within its time and memory, and all others finish."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.end_to_end.small import CONFIG, Estate, event

HEAD = """/*---
id: {name}
version: 1
title: {name}
description: of a test
severity: low
tags: [owasp.asi02]
tests:
  - {{name: nothing, expected: []}}
---*/
"""
COLUMNS = """
SELECT a.worker, a.principal, 'entity' AS entity, a.action_uid, a.time, a.chain_id, 'low' AS severity, a.confidence,
       'title' AS title, {{'seen': {seen}}} AS explanation, a.manifest_sha
FROM attributed AS a
"""
TEN = "(VALUES (0), (1), (2), (3), (4), (5), (6), (7), (8), (9)) AS {name}(n)"
NEVER_ENDS = COLUMNS.format(seen="m.n") + (
    "CROSS JOIN (SELECT count(DISTINCT " + " + ".join(f"t{i}.n * {i + 2}" for i in range(14)) + ") AS n FROM "
    + " CROSS JOIN ".join(TEN.format(name=f"t{i}") for i in range(14)) + ") AS m"
)  # fmt: skip
DIGITS = " || ".join(f"CAST(t{i}.n AS VARCHAR)" for i in range(7))
HOARDS = COLUMNS.format(seen="m.hoard") + (
    "CROSS JOIN (SELECT " + " || ".join(f"lpad({DIGITS}, 100, '{sign}')" for sign in "abc") + " AS hoard FROM "
    + " CROSS JOIN ".join(TEN.format(name=f"t{i}") for i in range(7)) + ") AS m"
)  # fmt: skip


@pytest.mark.parametrize(
    ("name", "sql", "seconds", "error"),
    [("never_ends", NEVER_ENDS, 3, "stopped after 3 s"), ("hoards", HOARDS, 300, "OutOfMemory")],
)
def test_it_fails_alone_and_all_others_finish(tmp_path: Path, name: str, sql: str, seconds: int, error: str) -> None:
    estate = Estate(tmp_path)
    rules = tmp_path / "rules"
    rules.mkdir()
    for each, text in {name: sql, "works": COLUMNS.format(seen="1")}.items():
        (rules / f"{each}.sql").write_text(HEAD.format(name=each) + text, encoding="utf-8")
    limits = f"rules: [rules]\ndetectors: {{seconds: {seconds}, memory: 400MB, spill: 200MB}}\n"
    estate.config.write_text(CONFIG + limits, encoding="utf-8")
    estate.put("trail", [event()])
    summary = estate.run()
    assert [failure.detector for failure in summary.failures] == [name]
    assert error in summary.failures[0].error
    assert [row["n"] for row in estate.rows("SELECT count(*) AS n FROM findings WHERE detector = 'works'")] == [1]


SIGMA = """title: {title}
id: {uid}
logsource: {{product: {product}, service: {service}}}
detection: {{selection: {{{field}: GetObject}}, condition: selection}}
level: low
"""


def test_a_rule_that_cannot_run_is_told_of_and_stops_nobody(tmp_path: Path) -> None:
    estate = Estate(tmp_path)
    rules = tmp_path / "rules"
    rules.mkdir()
    (rules / "broken.sql").write_text(
        HEAD.format(name="broken") + "SELECT hour(time) FROM attributed", encoding="utf-8"
    )
    (rules / "works.sql").write_text(HEAD.format(name="works") + COLUMNS.format(seen="1"), encoding="utf-8")
    wrong = {"title": "wrong", "uid": "00000000-0000-4000-8000-000000000001", "product": "aws", "service": "cloudtrail"}
    (rules / "wrong.yml").write_text(SIGMA.format(**wrong, field="eventNaem"), encoding="utf-8")
    windows = {
        "title": "other",
        "uid": "00000000-0000-4000-8000-000000000002",
        "product": "windows",
        "service": "sysmon",
    }
    (rules / "other.yml").write_text(SIGMA.format(**windows, field="EventID"), encoding="utf-8")
    estate.config.write_text(CONFIG + "rules: [rules]\n", encoding="utf-8")
    estate.put("trail", [event()])
    summary = estate.run()
    failed = {failure.detector: failure.error for failure in summary.failures}
    assert set(failed) == {"broken", "sigma_wrong"}
    assert "broken.sql:" in failed["broken"]
    assert "hour" in failed["broken"]
    assert "wrong.yml:4" in failed["sigma_wrong"]
    assert "eventName" in failed["sigma_wrong"]
    assert [row["n"] for row in estate.rows("SELECT count(*) AS n FROM findings WHERE detector = 'works'")] == [1]
    again = estate.run()
    assert {failure.detector for failure in again.failures} == set(failed)
    assert again.findings is None

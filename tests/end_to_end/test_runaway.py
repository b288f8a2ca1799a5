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
HOARDS = COLUMNS.format(seen="m.hoard") + (
    "CROSS JOIN (SELECT " + " || ".join(f"repeat(CAST(t{i}.n AS VARCHAR), 500000)" for i in range(5))
    + " AS hoard FROM " + " CROSS JOIN ".join(TEN.format(name=f"t{i}") for i in range(5)) + ") AS m"
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

"""Sigma rules over the lake: the text of the records behind the primary actions, log by log; and their test cases."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from detectors import located, sigma
from detectors.engine import Engine
from detectors.findings import FOUND
from detectors.located import Problem
from detectors.rules import Failure, Judgement
from detectors.sigma_logs import Log
from detectors.sigma_rules import Case, Rule
from detectors.sigma_scan import HITS
from pipelines import schema
from pipelines.formats import all_formats
from pipelines.formats.format import RECORDS_IN

_FORMATS = {"proxy": "squid"}
"""The format of a case's records, for logs that are not named as their format."""


def judge(engine: Engine, rules: Sequence[Rule], seconds: float | None = None) -> Judgement:
    """What the rules find; `attributed` must be there. Rules whose records cannot be had fail, nothing else does.

    No rule takes longer than `seconds` for a batch of records.
    """
    found: list[Judgement] = []
    for log in sigma.logs_of(rules):
        mine = [rule for rule in rules if rule.log.name == log.name]
        try:
            provide(engine, log)
            found.append(sigma.judge(engine, mine, seconds))
            # The table holds all that was ever logged.
            engine.let(sigma.records_of(log), HITS.empty_table())
        except Exception as error:  # the other logs' rules still run
            failures = tuple(Failure(rule.id, f"{type(error).__name__}: {error}") for rule in mine)
            found.append(Judgement(FOUND.empty_table(), failures))
    tables = [FOUND.empty_table(), *(one.findings for one in found)]
    return Judgement(pa.concat_tables(tables), tuple(failure for one in found for failure in one.failures))


def provide(engine: Engine, log: Log) -> None:
    """The table of a log's records (`detectors.sigma.records_of`)."""
    reads = "".join(f", a.{name}" for name in log.reads)
    engine.let(
        sigma.records_of(log),
        f"""
        SELECT a.action_uid, r.raw{reads}
        FROM attributed AS a JOIN records AS r ON r.record_id = a.record_id
        WHERE {log.where}
        """,
    )


def failed_cases(rules: Sequence[Rule]) -> list[Problem]:
    """Which of the rules' own test cases come out otherwise than they say, each with the rule's file and line."""
    return [
        Problem(rule.file, located.load(Path(rule.file)).line(("tests", at)), f"tests[{at}]", f"{case.name}: {said}")
        for rule in rules
        for at, (case, said) in enumerate(zip(rule.tests, _outcomes(rule), strict=True))
        if said
    ]


def _outcomes(rule: Rule) -> list[str]:
    """For each case of a rule what is wrong with it, or nothing."""
    if not rule.tests:
        return []
    told = [_action(rule.log, case, at) for at, case in enumerate(rule.tests)]
    reasons = [str(row["reason"]) if row["outcome"] != "action" else "" for row in told]
    reads = [pa.field(name, schema.ACTIONS.arrow.field(name).type) for name in rule.log.reads]
    wanted = pa.schema([pa.field("action_uid", pa.string()), pa.field("raw", pa.string()), *reads])
    rows = [
        {**{name: row[name] for name in rule.log.reads}, "action_uid": str(at), "raw": _raw(rule.tests[at])}
        for at, row in enumerate(told)
    ]
    found = sigma.matches([rule], pa.Table.from_pylist(rows, wanted))
    said = []
    for at, (case, reason) in enumerate(zip(rule.tests, reasons, strict=True)):
        matched = str(at) in found[rule.id]
        wrong = "" if matched == case.match else f"the rule {'matches' if matched else 'does not match'} this record"
        said.append(f"the record is no action: {reason}" if reason else wrong)
    return said


def _raw(case: Case) -> str:
    return case.record if isinstance(case.record, str) else json.dumps(case.record, ensure_ascii=False)


def _action(log: Log, case: Case, at: int) -> dict[str, Any]:
    """What the record's own format makes of it (a row of ACTIONS_OUT)."""
    log_format = all_formats()[case.format or _FORMATS.get(log.name, log.name)]
    record = {"record_id": str(at), "source": "case", "realm": "case", "raw": _raw(case)}
    table = pa.Table.from_pylist([record], RECORDS_IN)
    row: dict[str, Any] = log_format.actions(table, log_format.options()).to_pylist()[0]
    return row

"""Judging by Sigma rules: all rules of a log in one scan of its records, and a finding for each match.

The pipeline provides, for each log that has rules, a table `records_of(log)` with a row for each primary
action: action_uid, raw (the record's text) and the columns `log.reads`. From there on a match is a row of
evidence like any other detector's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pyarrow as pa

from detectors.engine import Engine
from detectors.findings import FOUND, Stamp, findings_sql, shaped
from detectors.rules import Failure, Judgement
from detectors.sigma_backend import literal
from detectors.sigma_logs import Log
from detectors.sigma_rules import Rule
from detectors.sigma_scan import HITS, Scan

MAX_LOOK_ALIKES = 5
"""False positives of a rule that a finding repeats."""
MAX_WORDS = 300
"""Characters of each."""

CONTAINER = """CASE
    WHEN a.resource_uid LIKE 'arn:aws%:s3:%:accesspoint/%' THEN regexp_extract(a.resource_uid, '^([^/]+/[^/]+)', 1)
    WHEN a.resource_uid LIKE 'arn:aws%:s3:::%' THEN split_part(a.resource_uid, '/', 1)
    WHEN a.resource_uid LIKE 'arn:aws%:dynamodb:%' THEN regexp_extract(a.resource_uid, '^([^/]+/[^/]+)', 1)
    WHEN a.resource_uid LIKE 'arn:aws%:lambda:%' OR a.resource_uid LIKE 'arn:aws%:logs:%'
        THEN regexp_extract(a.resource_uid, '^((?:[^:]*:){6}[^:]*)', 1)
    ELSE a.resource_uid END"""
"""SQL: what contains the resource of an action: a bucket, a table, a function, a log group."""


def records_of(log: Log) -> str:
    """The name of the table of a log's records."""
    return f"sigma_records_{log.name}"


def logs_of(rules: Sequence[Rule]) -> list[Log]:
    """The logs that rules are about, each once."""
    return list({rule.log.name: rule.log for rule in rules}.values())


def judge(engine: Engine, rules: Sequence[Rule], seconds: float | None = None) -> Judgement:
    """The findings (FOUND) of all rules; a rule that fails, or takes longer than `seconds` a batch, fails alone."""
    findings: list[pa.Table] = [FOUND.empty_table()]
    failures: list[Failure] = []
    for log in logs_of(rules):
        mine = [rule for rule in rules if rule.log.name == log.name]
        matched, failed = _scanned(engine, log, mine, seconds)
        failures += failed
        for rule in mine:
            if rule.id not in matched:
                continue
            try:
                findings.append(_findings(engine, rule))
            except Exception as error:  # whatever an engine raises, the other rules' findings still go out
                failures.append(_failure(rule, error))
    return Judgement(pa.concat_tables(findings), tuple(failures))


def _failure(rule: Rule, error: Exception) -> Failure:
    return Failure(rule.id, f"{type(error).__name__}: {error}")


def _scanned(engine: Engine, log: Log, rules: Sequence[Rule], seconds: float | None) -> tuple[set[str], list[Failure]]:
    """Make `sigma_matched_LOG`: the actions that rules match, each with the rule; the ids of those rules."""
    hits, failed = _halved(engine, log, rules, seconds)
    engine.let("sigma_hits", hits)
    engine.let(
        f"sigma_matched_{log.name}",
        "SELECT h.rule, a.* FROM attributed AS a JOIN sigma_hits AS h ON h.action_uid = a.action_uid",
    )
    return {str(rule) for rule in hits.column("rule").unique().to_pylist()}, failed


def _halved(engine: Engine, log: Log, rules: Sequence[Rule], seconds: float | None) -> tuple[pa.Table, list[Failure]]:
    """The matches of these rules, and those of them that fail: found by halves, since mostly it is one of many."""
    try:
        return _hits(engine, log, rules, seconds), []
    except Exception as error:  # one of them is at fault, and fails alone
        if len(rules) == 1:
            return HITS.empty_table(), [_failure(rules[0], error)]
    middle = len(rules) // 2
    first, second = (_halved(engine, log, half, seconds) for half in (rules[:middle], rules[middle:]))
    return pa.concat_tables([first[0], second[0]]), [*first[1], *second[1]]


def _hits(engine: Engine, log: Log, rules: Sequence[Rule], seconds: float | None) -> pa.Table:
    """The matches (HITS) of these rules over the records of their log."""
    scan = Scan(log, {rule.id: rule.condition for rule in rules}, seconds)
    engine.each("sigma_scanned", records_of(log), scan, HITS)
    return engine.query("SELECT action_uid, rule FROM sigma_scanned")


def matches(rules: Sequence[Rule], records: pa.Table) -> Mapping[str, frozenset[str]]:
    """The action_uids that each rule (by id; all of one log) matches among records (columns as `records_of` has)."""
    hits = Scan(rules[0].log, {rule.id: rule.condition for rule in rules})(records).to_pylist()
    return {rule.id: frozenset(hit["action_uid"] for hit in hits if hit["rule"] == rule.id) for rule in rules}


def _findings(engine: Engine, rule: Rule) -> pa.Table:
    evidence = f"evidence_of_{rule.id}"
    engine.let(evidence, evidence_sql(rule))
    rows = engine.query(findings_sql(evidence, rule.id, frozenset()))
    return shaped(rows, Stamp(rule.id, rule.version, rule.title, rule.tags))


def evidence_sql(rule: Rule) -> str:
    """SQL: a row of evidence (`detectors.statement.REQUIRED`) for each action that the rule matches."""
    told = {
        "rule": rule.uid,
        "rule_author": rule.author,  # SigmaHQ's licence asks for it
        "look_alikes": [text[:MAX_WORDS] for text in rule.look_alikes[:MAX_LOOK_ALIKES]],
        "rule_tags": list(rule.other_tags),
    }
    fixed = "".join(f", '{key}': {_value(value)}" for key, value in told.items() if value)
    return f"""
SELECT
    a.worker, a.principal,
    coalesce({CONTAINER}, a.dst_host, a.api_service, a.principal, a.source) AS entity,
    a.action_uid, a.time, a.chain_id,
    {literal(rule.severity)} AS severity,
    a.confidence,
    coalesce(a.worker, a.principal, 'somebody unknown') || ': ' || {literal(rule.title)}
        || CASE a.status WHEN 'denied' THEN ' (denied)' WHEN 'failure' THEN ' (failed)' ELSE '' END AS title,
    {{
        'expected': 'nothing that this Sigma rule describes',
        'seen': coalesce(a.api_service || ' ' || a.api_operation, a.http_method || ' ' || a.dst_host, a.dst_host,
                         'a call') || ' (' || a.status || ')',
        'resource': a.resource_uid,
        'src_ip': a.src_ip,
        'attribution': a.strength{fixed}
    }} AS explanation,
    a.manifest_sha
FROM sigma_matched_{rule.log.name} AS a
WHERE a.rule = {literal(rule.id)}
"""


def _value(value: str | list[str]) -> str:
    return literal(value) if isinstance(value, str) else f"[{', '.join(literal(one) for one in value)}]"

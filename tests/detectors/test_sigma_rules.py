"""Sigma rules that cannot run are refused with file and line; those that can become detectors."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from detectors import sigma_rules
from detectors.located import Problems

RULE = """\
title: A trail was stopped
id: 0e0f3f0c-28a5-4f5e-9a3a-6d4c7b1f4a52
status: test
author: Ann Example
tags:
  - attack.defense-evasion
  - attack.t1562.008
  - attack.t1078.004
  - owasp.asi02
  - cve.2021.44228
logsource:
  product: aws
  service: cloudtrail
detection:
  selection:
    eventName:
      - StopLogging
      - DeleteTrail
    userAgent|re: '^aws'
  condition: selection
falsepositives:
  - a migration
level: high
tests:
  - name: one
    record: {eventName: StopLogging, userAgent: aws-cli}
    match: true
"""


def _written(folder: Path, text: str, name: str = "Trail-Stopped.yml") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_a_rule_is_a_detector(tmp_path: Path) -> None:
    path = _written(tmp_path, RULE)
    (rule,) = sigma_rules.load(tmp_path)
    assert (rule.id, rule.severity, rule.title) == ("sigma_trail_stopped", "high", "A trail was stopped")
    assert (rule.uid, rule.author) == ("0e0f3f0c-28a5-4f5e-9a3a-6d4c7b1f4a52", "Ann Example")
    assert rule.tags == ("attack.t1685.002", "attack.t1078.004", "owasp.asi02")
    assert rule.other_tags == ("attack.defense-evasion", "cve.2021.44228")
    assert rule.look_alikes == ("a migration",)
    assert rule.document == path.read_text()
    assert [case.match for case in rule.tests] == [True]


def test_the_version_changes_with_the_file(tmp_path: Path) -> None:
    before = sigma_rules.read(_written(tmp_path, RULE)).version
    assert sigma_rules.read(_written(tmp_path, RULE)).version == before
    assert sigma_rules.read(_written(tmp_path, RULE + "# more\n")).version != before


def test_folders_within_folders_are_read_and_other_files_are_not(tmp_path: Path) -> None:
    inner = tmp_path / "cloud" / "aws"
    inner.mkdir(parents=True)
    _written(inner, RULE, "a.yml")
    _written(inner, RULE, "b.yaml")
    _written(inner, "title: a catalogue's other file\n", "c.yaml")
    _written(inner, "text", "README.md")
    assert [rule.id for rule in sigma_rules.load(tmp_path)] == ["sigma_a", "sigma_b"]


def test_without_a_level_it_is_medium(tmp_path: Path) -> None:
    assert sigma_rules.read(_written(tmp_path, RULE.replace("level: high\n", ""))).severity == "medium"


@pytest.mark.parametrize(
    ("was", "becomes", "line", "said"),
    [
        ("eventName:", "eventNmae:", 16, "has no field 'eventNmae'; did you mean eventName"),
        ("eventName:", "event name;:", 16, "has characters that no field of a log has"),
        ("eventName:", "requestParameters..a:", 16, "has an empty part between its dots"),
        ("eventName:", "requestParameters. .a:", 16, "has an empty part between its dots"),
        ("userAgent|re", "userAgent|regex", 19, "Unknown modifier 'regex'"),
        ("userAgent|re: '^aws'", "userAgent|re: '(?=a)b'", 19, "lookaround is not in RE2"),
        ("userAgent|re: '^aws'", "userAgent|re: '(a)\\1'", 19, "backreferences are not in RE2"),
        ("userAgent|re: '^aws'", "userAgent|re: '['", 19, "RE2 does not take the regular expression: missing ]"),
        ("userAgent|re: '^aws'", "userAgent|re: '((a{500}){500}){500}'", 19, "RE2 does not take"),
        ("userAgent|re: '^aws'", f"userAgent|re: '{'a' * 2001}'", 19, "has 2001 characters; at most 2000"),
        ("userAgent|re: '^aws'", "userAgent|re: [ok,\n     '*']", 20, "RE2 does not take"),
        ("userAgent|re: '^aws'", "userAgent|cidr: '10.0.0.0/99'", 19, "Invalid CIDR"),
        ("userAgent|re: '^aws'", "userAgent|expand: '%admins%'", 19, "a placeholder (`expand`) has no list"),
        ("userAgent|re: '^aws'", "userAgent|wide: abc", 19, "has a NUL character"),
        ("userAgent|re: '^aws'", "userAgent|gt: many", 19, "incompatible to value type"),
        ("userAgent|re: '^aws'", "userAgent: {a: b}", 19, "must be a text, a number"),
        ("userAgent|re: '^aws'", "userAgent: []", 19, "the list of values is empty"),
        ("userAgent|re: '^aws'", "userAgent|fieldref: nowhere", 19, "has no field 'nowhere'"),
        ("userAgent|re: '^aws'", "userAgent: 123456789012345678901", 19, "put it in quotes"),
        ("condition: selection", "condition: selection and filter", 20, "Detection 'filter' not defined"),
        ("condition: selection", "condition: 1 of filter_*", 20, "doesn't match any detection"),
        ("condition: selection", "condition: selection and", 20, "Expected"),
        ("condition: selection", "condition: selection | count() > 5", 20, "deprecated"),
        ("condition: selection", "condition: [selection, selection]", 20, "several conditions"),
        ("  condition: selection\n", "", 14, "at least one condition"),
        ("product: aws", "product: windows", 11, "no log that is read here is 'product: windows, service: cloudtrail'"),
        ("level: high", "level: grave", 23, "not a valid Sigma rule level"),
        ("status: test", "status: unsupported", 3, "unsupported"),
        ("id: 0e0f3f0c", "id: 0e0f", 2, "must be an UUID"),
        ("title: A trail was stopped\n", "", 1, "must have a title"),
        ("    match: true", "    matches: true", 27, "did you mean 'match'"),
        ("detection:", "correlation: {type: event_count}\ndetection:", 14, "combines several rules"),
        ("title:", "title: x\ntitle:", 2, "the key is given twice"),
        ("    eventName:", "    eventName", 19, "is not YAML"),
        ("level: high", "level: high\n---\ntitle: another", 24, "is not YAML"),
    ],
)
def test_a_rule_that_cannot_run_is_refused_with_its_line(
    tmp_path: Path, was: str, becomes: str, line: int, said: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert was in RULE
    path = _written(tmp_path, RULE.replace(was, becomes, 1))
    with pytest.raises(Problems) as caught:
        sigma_rules.load(tmp_path)
    told = [problem for problem in caught.value.problems if said in problem.message]
    assert told, caught.value
    assert (told[0].file, told[0].line) == (str(path), line)
    assert capfd.readouterr().err == ""


def test_a_field_that_a_proxys_log_cannot_have_is_refused(tmp_path: Path) -> None:
    text = RULE.replace("  product: aws\n  service: cloudtrail", "  category: proxy").replace("eventName", "{}")
    for field, said in (
        ("cs-hots", "did you mean cs-host"),
        ("cs-cookie", "this header is in no column"),
        ("eventName", "it has c-ip, c-uri"),
    ):
        path = _written(tmp_path, text.replace("{}", field).replace("    userAgent|re: '^aws'\n", ""))
        with pytest.raises(Problems, match=said) as caught:
            sigma_rules.read(path)
        assert caught.value.problems[0].line == 15


def test_every_mistake_of_every_file_is_told_at_once(tmp_path: Path) -> None:
    _written(tmp_path, RULE.replace("eventName", "one").replace("userAgent|re", "two|nothing"), "a.yml")
    _written(tmp_path, "title: x", "b.yml")
    with pytest.raises(Problems) as caught:
        sigma_rules.load(tmp_path)
    assert [(Path(one.file).name, one.line) for one in caught.value.problems] == [
        ("a.yml", 16),
        ("a.yml", 19),
        ("b.yml", 1),
    ]


def test_aliases_that_multiply_are_refused(tmp_path: Path) -> None:
    lines = ["a: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    path = _written(tmp_path, RULE + "\n".join(lines) + "\n")
    with pytest.raises(Problems, match="aliases written out"):
        sigma_rules.read(path)


def test_a_rule_makes_no_more_comparisons_than_can_be_run(tmp_path: Path) -> None:
    values = json.dumps([f"v{n}" for n in range(5_001)])
    path = _written(tmp_path, RULE.replace("'^aws'", "x").replace("userAgent|re: x", f"userAgent: {values}"))
    with pytest.raises(Problems, match="makes 5003 comparisons; at most 5000"):
        sigma_rules.read(path)

"""What Sigma's modifiers and conditions mean, as rule, record, and whether they match."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from detectors import sigma, sigma_rules
from detectors.sigma_scan import Scan

RULE = """\
title: A sample
id: 5a1b8a52-0f5c-4b6d-9c05-2f0f3f3a1a11
logsource: {product: aws, service: cloudtrail}
detection:
%s
level: high
"""


def _matches(folder: Path, detection: str, *records: Any) -> list[bool]:
    """Which of the records a rule with this detection matches; a record is a mapping or its text."""
    path = folder / "sample.yml"
    path.write_text(RULE % "\n".join(f"  {line}" for line in detection.splitlines()), encoding="utf-8")
    rule = sigma_rules.read(path)
    raw = [one if isinstance(one, str) else json.dumps(one) for one in records]
    table = pa.table({"action_uid": [str(at) for at in range(len(raw))], "raw": pa.array(raw, pa.string())})
    found = sigma.matches([rule], table)[rule.id]
    return [str(at) in found for at in range(len(raw))]


def _matched(folder: Path, item: str, *values: Any) -> list[bool]:
    """The same of one item about `requestParameters.x`, for records with these values there."""
    detection = f"s:\n  requestParameters.x{item}\ncondition: s"
    return _matches(folder, detection, *({"requestParameters": {"x": value}} for value in values))


YES, NO = True, False


@pytest.mark.parametrize(
    ("item", "values"),
    [
        # Whole value, without regard to case; beyond ASCII too.
        (": Alpha", [("alpha", YES), ("ALPHA", YES), ("alphabet", NO), ("an alpha", NO), ("", NO), (None, NO)]),
        (": ÄÖ", [("äö", YES), ("ao", NO)]),
        (": ''", [("", YES), (" ", NO), (None, NO)]),
        (": [a, b]", [("a", YES), ("B", YES), ("ab", NO)]),
        # Wildcards and how they are escaped.
        (": 'a*z'", [("az", YES), ("a b\nz", YES), ("azz", YES), ("baz", NO)]),
        (": 'a?c'", [("abc", YES), ("aéc", YES), ("ac", NO), ("abbc", NO)]),
        (r": 'a*\E.?*[z]'", [("A\\e.xx[Z]", YES), ("a\\e.xxz", NO), ("a\\exxx[z]", NO)]),
        (": 'a_*%*z'", [("a_b%z", YES), ("axb%z", NO), ("a_bxz", NO)]),
        (r": 'a\*c'", [("a*c", YES), ("abc", NO)]),
        (r": 'a\?c'", [("a?c", YES), ("abc", NO)]),
        (r": 'C:\Users\*'", [("C:\\Users*", YES), ("C:\\Users\\me", NO)]),
        (r": 'C:\Users\\*'", [("C:\\Users\\me", YES), ("C:\\Users*", NO)]),
        (": '*'", [("x", YES), ("", YES), (None, NO)]),
        # What LIKE, SQL or a format string would take for its own is text.
        (": '100%*_'", [("100% of a_", YES), ("1000 a_", NO), ("100% of ab", NO)]),
        (": '%'", [("%", YES), ("x", NO)]),
        (": '_'", [("_", YES), ("x", NO)]),
        (""": "o'b; DROP TABLE x; --" """, [("o'b; drop table x; --", YES), ("ob", NO)]),
        (": '{0} {field} %s $1'", [("{0} {field} %s $1", YES), ("x", NO)]),
        ("|contains: '\\_%'", [("a\\_%b", YES), ("a_%b", NO)]),
        # contains, startswith, endswith, all, cased.
        ("|contains: b", [("abc", YES), ("B", YES), ("ac", NO)]),
        ("|startswith: a", [("Abc", YES), ("ba", NO)]),
        ("|endswith: c", [("abC", YES), ("cb", NO)]),
        ("|contains|all: [a, b]", [("xbya", YES), ("a", NO), ("b", NO)]),
        ("|contains: 'a*c'", [("xabcx", YES), ("xacx", YES), ("ca", NO)]),
        ("|cased: Alpha", [("Alpha", YES), ("alpha", NO)]),
        ("|contains|cased: 'B*d'", [("aBcde", YES), ("abcde", NO)]),
        # Numbers and booleans, as such and as texts.
        (": 443", [(443, YES), ("443", YES), (443.0, YES), (4430, NO), ("four", NO)]),
        (": '443'", [(443, YES), ("443", YES)]),
        (": 111122223333", [("111122223333", YES), (111122223333, YES), ("111122223334", NO)]),
        (": '123456789012345678901'", [("123456789012345678901", YES), ("123456789012345678902", NO)]),
        (": true", [(True, YES), ("true", YES), ("True", YES), (False, NO), (1, NO)]),
        (": 'false'", [(False, YES), ("FALSE", YES), (None, NO)]),
        ("|gt: 5", [(6, YES), ("6.5", YES), (5, NO), ("x", NO), (None, NO)]),
        ("|gte: 5", [(5, YES), (4.9, NO)]),
        ("|lt: 0", [(-1, YES), (0, NO)]),
        ("|lte: 1.5", [(1.5, YES), (2, NO)]),
        # null and exists.
        (": null", [(None, YES), ("", NO), ("null", NO), (0, NO), ([], YES)]),
        ("|exists: true", [("a", YES), (None, YES), ({}, YES), ([], YES)]),
        ("|exists: false", [("a", NO), (None, NO)]),
        ("|neq: a", [("b", YES), ("A", NO), (None, YES)]),
        # Regular expressions: anywhere in the value, with regard to case unless told otherwise.
        ("|re: 'b.d'", [("abcde", YES), ("aBcde", NO), ("b\nd", NO)]),
        ("|re: '^b'", [("bc", YES), ("abc", NO), ("a\nb", NO)]),
        ("|re|i: 'b.d'", [("aBCDe", YES)]),
        ("|re|s: 'b.d'", [("b\nd", YES)]),
        ("|re|m: '^b$'", [("a\nb\nc", YES)]),
        (r"|re: '\d{3}\*'", [("123*", YES), ("123", NO)]),
        ("|re: ['^a', 'z$']", [("ab", YES), ("yz", YES), ("by", NO)]),
        (r"""|re: "it's" """, [("it's", YES), ("its", NO)]),
        # Networks.
        ("|cidr: 10.0.0.0/8", [("10.1.2.3", YES), ("11.0.0.0", NO), ("10.1.2.300", NO), ("host", NO), ("::ffff:10.0.0.1", YES)]),
        ("|cidr: 192.0.2.128/25", [("192.0.2.128", YES), ("192.0.2.127", NO)]),
        ("|cidr: 'fe80::/10'", [("fe80::1", YES), ("FEBF::", YES), ("fec0::1", NO), ("10.0.0.1", NO)]),
        ("|cidr: '::1/128'", [("::1", YES), ("0:0:0:0:0:0:0:1", YES), ("::2", NO), ("1::1", NO)]),
        # What encodes a text.
        ("|base64: abc", [("YWJj", YES), ("abc", NO)]),
        ("|base64offset|contains: 'secret'", [("xxc2VjcmV0", YES), ("AHNlY3JldA==", YES), ("plain", NO)]),
        ("|wide|base64offset|contains: 'ping'", [("cABpAG4AZwA=", YES), ("ping", NO)]),
        ("|contains|windash: ' -x '", [("cmd -x y", YES), ("cmd /x y", YES), ("cmd \u2013x y", YES), ("cmd x y", NO)]),
        # Parts of a time, in UTC.
        ("|hour: 8", [("2026-03-02T08:59:00Z", YES), ("2026-03-02T10:30:00+02:00", YES), ("soon", NO)]),
        # Lists: any element, however deep; an object as its JSON.
        (": a", [(["b", "A"], YES), (["b"], NO), ([["a"]], NO)]),
        ("|contains|all: [a, b]", [(["xa", "yb"], YES), (["xa"], NO)]),
        ("|re: '^a'", [(["b", "ab"], YES)]),
        ("|cidr: 10.0.0.0/8", [(["192.0.2.1", "10.0.0.1"], YES)]),
        ("|gt: 5", [([1, 9], YES), ([1], NO)]),
        ("|contains: 'Susp'", [({"status": "Suspended"}, YES), ([{"status": "Suspended"}], YES), ({}, NO)]),
        ("""|contains: '"Allow"'""", [({"doc": '{"Effect":"Allow"}'}, YES), ({"doc": "Allow"}, YES), ("Allow", NO)]),
    ],
)  # fmt: skip
def test_an_item(tmp_path: Path, item: str, values: list[tuple[Any, bool]]) -> None:
    found = _matched(tmp_path, item, *(value for value, _ in values))
    assert list(zip((value for value, _ in values), found, strict=True)) == values


def test_a_field_below_lists_of_lists(tmp_path: Path) -> None:
    def record(*cidrs: str) -> dict[str, Any]:
        ranges = {"items": [{"cidrIp": cidr} for cidr in cidrs]}
        return {"requestParameters": {"ipPermissions": {"items": [{"ipRanges": {}}, {"ipRanges": ranges}]}}}

    detection = "s:\n  requestParameters.ipPermissions.items.ipRanges.items.cidrIp: 0.0.0.0/0\ncondition: s"
    assert _matches(tmp_path, detection, record("10.0.0.0/8", "0.0.0.0/0"), record("10.0.0.0/8"), record()) == [
        True,
        False,
        False,
    ]


RECORDS = [
    {"eventName": "A", "eventSource": "s"},
    {"eventName": "B", "eventSource": "s", "errorCode": "Denied"},
    {"eventSource": "s"},
    {"eventName": "A", "eventSource": "other", "errorCode": None},
]


@pytest.mark.parametrize(
    ("detection", "expected"),
    [
        ("s: {eventName: A, eventSource: s}\ncondition: s", [YES, NO, NO, NO]),
        ("s: [{eventName: A}, {errorCode: Denied}]\ncondition: s", [YES, YES, NO, YES]),
        ("s: {eventSource: s}\nf: {eventName: A}\ncondition: s and not f", [NO, YES, YES, NO]),
        ("s: {eventSource: s}\nf: {errorCode|contains: '*'}\ncondition: s and not f", [YES, NO, YES, NO]),
        ("s: {eventSource: s}\nf: {errorCode: null}\ncondition: s and f", [YES, NO, YES, NO]),
        ("s_1: {eventName: A}\ns_2: {eventName: B}\ncondition: 1 of s_*", [YES, YES, NO, YES]),
        ("s_1: {eventName: A}\ns_2: {eventSource: s}\ncondition: all of s_*", [YES, NO, NO, NO]),
        ("a: {eventName: A}\nb: {eventSource: s}\ncondition: all of them", [YES, NO, NO, NO]),
        ("a: {eventName: A}\nb: {eventName: B}\ncondition: not 1 of them", [NO, NO, YES, NO]),
        ("a: {eventName: A}\nb: {eventSource: other}\nc: {eventName: B}\ncondition: c or (a and not b)", [YES, YES, NO, NO]),
        ("s: {eventname: a}\ncondition: s", [YES, NO, NO, YES]),
        # Values without a field are sought in the whole record.
        ("s: [denied, nowhere]\ncondition: s", [NO, YES, NO, NO]),
        ("s: ['*other*null*']\ncondition: s", [NO, NO, NO, YES]),
        ("s:\n  '|all': [eventName, Denied]\ncondition: s", [NO, YES, NO, NO]),
        ("s:\n  '|re': 'event(Name|X)\": \"B'\ncondition: s", [NO, YES, NO, NO]),
        ("s: ['\"eventName\": \"A\"']\ncondition: s", [YES, NO, NO, YES]),
    ],
)  # fmt: skip
def test_a_condition(tmp_path: Path, detection: str, expected: list[bool]) -> None:
    assert _matches(tmp_path, detection, *RECORDS) == expected


@pytest.mark.parametrize(
    ("modifiers", "expected"),
    [
        ("fieldref", [YES, NO, NO, YES, NO]),
        ("fieldref|startswith", [YES, YES, NO, YES, NO]),
        ("fieldref|endswith", [YES, NO, NO, YES, NO]),
        ("fieldref|contains", [YES, YES, YES, YES, NO]),
    ],
)
def test_a_field_against_another(tmp_path: Path, modifiers: str, expected: list[bool]) -> None:
    pairs = [("Ann", "ann"), ("Anna", "ann"), ("Joanna", "ann"), (["bob", "ann"], ["x", "Ann"]), (None, None)]
    records = [{"userIdentity": {"userName": a}, "requestParameters": {"userName": b}} for a, b in pairs]
    detection = f"s:\n  userIdentity.userName|{modifiers}: requestParameters.userName\ncondition: s"
    assert _matches(tmp_path, detection, *records) == expected


def test_a_keyword_is_found_as_json_writes_it(tmp_path: Path) -> None:
    detection = "s: ['say \"hi\"', 'C:\\Temp']\ncondition: s"
    found = _matches(tmp_path, detection, {"userAgent": 'say "hi"'}, {"userAgent": "C:\\temp\\x"}, {"userAgent": "hi"})
    assert found == [True, True, False]


def test_a_hostile_record_hides_neither_itself_nor_others(tmp_path: Path) -> None:
    detection = "s: {eventName: A}\ncondition: s"
    records = [
        '{"eventName": "A", "userAgent": "\\ud800"}',
        '{"eventName": "A", "userAgent": "\\udc00 \\ud83d\\ude00"}',
        '{"eventName": "A", "userAgent": "x\\u0000y"}',
        '{"eventName": "A", "userAgent": "\\\\ud800"}',
        '{"eventName": "A"',
        "",
        "[]",
        "null",
        '"eventName"',
        "[" * 2_000,
        '{"eventName": "A", "eventName": "B"}',
        '{"eventName": ["A", {"deep": "' + "x" * 100_000 + '"}]}',
    ]
    expected = [True, True, True, True, False, False, False, False, False, False, True, True]
    assert _matches(tmp_path, detection, *records) == expected


def test_a_record_is_read_out_of_its_container(tmp_path: Path) -> None:
    inner = {"eventName": "A"}
    detection = "s: {eventName: A}\ncondition: s"
    bridge = {"detail-type": "AWS API Call via CloudTrail", "detail": inner}
    looked_up = {"EventId": "1", "CloudTrailEvent": json.dumps(inner)}
    forged = {
        "eventName": "B",
        "userAgent": 'x "detail-type" "CloudTrailEvent"',
        "requestParameters": {"detail": inner},
    }
    assert _matches(tmp_path, detection, bridge, looked_up, forged) == [True, True, False]


def test_many_values_and_a_deep_condition_run(tmp_path: Path) -> None:
    many = ", ".join(f"v{number}" for number in range(2_000))
    deep = "(" * 12 + "s" + ")" * 12
    assert _matches(tmp_path, f"s: {{eventName: [{many}]}}\ncondition: {deep}", {"eventName": "V1999"}) == [True]


@pytest.mark.parametrize("item", [": '*/a*/b*/c*/d'", "|cased: '/*/a?/*b*/c*/d'", "|re: '(?s).*a.*b..*c.*/d$'"])
def test_a_long_value_does_not_hold_up_a_pattern_with_many_wildcards(tmp_path: Path, item: str) -> None:
    long = "/a/b/c" * 1300 + "/aa/b/c/"
    assert _matched(tmp_path, item, long, f"{long}d") == [False, True]


def test_a_rule_that_takes_too_long_is_stopped(tmp_path: Path) -> None:
    path = tmp_path / "slow.yml"
    patterns = json.dumps([f"(x{number}|a)*b{{1,900}}c" for number in range(500)])
    path.write_text(RULE % f"  s: {{requestParameters.x|re: {patterns}}}\n  condition: s", encoding="utf-8")
    rule = sigma_rules.read(path)
    raw = json.dumps({"requestParameters": {"x": "ab" * 50_000}})
    table = pa.table({"action_uid": [str(at) for at in range(500)], "raw": [raw] * 500})
    with pytest.raises(TimeoutError, match="stopped after"):
        Scan(rule.log, {rule.id: rule.condition}, seconds=0.01)(table)

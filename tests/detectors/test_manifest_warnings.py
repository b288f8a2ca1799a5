"""What a manifest may say but hardly means: warned of, never refused."""

from datetime import datetime
from pathlib import Path

import pytest

from detectors.manifest import load_manifests, warnings
from tests.detectors.manifests import folder, small

NEVER = "approvals[0].for: speaks of nothing that scope allows"


def warned(tmp_path: Path, *lines: str, **changes: str) -> list[str]:
    text = small(scope=None, **changes) + "scope:\n" + "".join(f"  - {line}\n" for line in lines)
    found = warnings(load_manifests(folder(tmp_path, w1=text)))
    return [str(problem).removeprefix(f"{tmp_path}/") for problem in found]


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (["allow: {hosts: []}"], "w1.yaml:5: scope[0].allow.hosts: can never match: the list is empty"),
        (["allow: {hosts: ['https://a.example']}"], "w1.yaml:5: scope[0].allow.hosts: can never match: 'https://a"),
        (["allow: {hosts: [a.example/x]}"], "can never match"),
        (["allow: {hosts: ['a.example:8443']}"], "can never match"),
        (["allow: {hosts: [A.example]}"], "compared in lower case: 'A.example' is taken as 'a.example'"),
        (["allow: {hosts: [a.example], paths: [api]}"], "can never match: paths begin with '/'"),
        (["allow: {hosts: [a.example], paths: [/a%20b]}"], "without percent-escapes"),
        (["allow: {hosts: [a.example], methods: [get]}"], "can never match: methods are upper case"),
        (["allow: {service: s3}"], "names a service 's3'; did you mean 's3.amazonaws.com'?"),
        (["allow: {service: s3.example}"], "names a service 's3.example'"),
        (
            ["allow: {service: s3.amazonaws.com}", "deny: {service: s3.amazonaws.com, operations: ['Delete*']}"],
            "w1.yaml:6: scope[1].deny: can never match: the earlier line",
        ),
        (["deny: {hosts: ['*.example']}", "allow: {hosts: [a.example, '*.b.example']}"], "w1.yaml:6: scope[1].allow"),
        (["allow: {models: ['*']}", "allow: {models: ['claude-?']}"], "scope[1].allow: can never match"),
    ],
)
def test_warnings(tmp_path: Path, lines: list[str], said: str) -> None:
    found = warned(tmp_path, *lines)
    assert len(found) == 1
    assert said in found[0]


@pytest.mark.parametrize(
    "lines",
    [
        ["deny: {service: s3.amazonaws.com, operations: ['Delete*']}", "allow: {service: s3.amazonaws.com}"],
        ["allow: {hosts: [a.example]}", "allow: {hosts: [a.example], ports: [8443]}"],
        ["deny: {hosts: [a.example], paths: ['/x/*']}", "allow: {hosts: [a.example], paths: ['/x/y']}"],
        ["allow: {service: sts.amazonaws.com}", "allow: {service: sts.amazonaws.com, resources: ['arn:aws:iam::*']}"],
        ["allow: {models: [a]}", "allow: {servers: [a]}"],
        ["allow: {service: 'sts.amazonaws.com', operations: [A]}", "allow: {service: 'sts.amazonaws.com'}"],
        ["allow: {service: signin.amazonaws.com}", "allow: {service: Microsoft.Storage}", "allow: {service: '*'}"],
    ],
)
def test_no_false_warnings(tmp_path: Path, lines: list[str]) -> None:
    assert warned(tmp_path, *lines) == []


def test_warnings_of_who_starts_whom(tmp_path: Path) -> None:
    found = warned(tmp_path, "allow: {models: [a]}", may_start="[ghost, w1]", mode="delegated")
    assert found == [
        "w1.yaml:1: delegators: a delegated worker without delegators may act for nobody",
        "w1.yaml:4: may_start[0]: no manifest declares a worker 'ghost'",
    ]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"limits": "[{measure: calls, at_most: 0, per: 1h}]"}, "limits[0].at_most: 0 admits no calls at all"),
        ({"limits": "[{measure: hops, at_most: 0}]"}, "limits[0].at_most: 0 admits no credential that was issued"),
        ({"limits": "[{measure: token_lifetime, at_most: 0s}]"}, "limits[0].at_most: 0 admits no token"),
        ({"approvals": "[{for: {service: sts.amazonaws.com}, from: ['*'], within: 1h}]"}, NEVER),
        ({"approvals": "[{for: {hosts: ['*']}, from: ['*'], within: 1h}]"}, NEVER),
        ({"approvals": "[{for: {service: 's3.*', regions: [us-*]}, from: ['*'], within: 1h}]"}, NEVER),
        ({"approvals": "[{for: {service: 's3.*'}, from: ['*'], within: 0s}]"}, "within: 0 leaves no time"),
        (
            {"approvals": "[{for: {service: 's3.*'}, from: ['mail:addr/O@corp.example'], within: 1h}]"},
            "from: names only the worker and its owner",
        ),
        (
            {
                "approvals": "[{for: {service: 's3.*'}, from: ['aws:role/w1'], within: 1h}]",
                "identities": "['aws:role/w*']",
            },
            "from: names only the worker and its owner",
        ),
        (
            {"schedule": "['Sat,Sun 10:00-12:00']", "valid": "{from: 2026-03-03, until: 2026-03-04}"},
            "schedule[0]: never opens",
        ),
        ({"valid": "{until: 2026-03-01}"}, "valid.until: is over since 2026-03-02T00:00:00Z"),
    ],
)
def test_warnings_of_bounds_that_are_hardly_meant(tmp_path: Path, changes: dict[str, str], said: str) -> None:
    text = small(scope=None, **changes) + "scope:\n  - allow: {service: s3.amazonaws.com, regions: [eu-west-1]}\n"
    (found,) = warnings(load_manifests(folder(tmp_path, w1=text)), datetime(2026, 3, 2))
    assert str(found).removeprefix(f"{tmp_path}/").startswith("w1.yaml:")
    assert said in str(found)


@pytest.mark.parametrize(
    "changes",
    [
        {"limits": "[{measure: denied, at_most: 1, per: 1h}]"},
        {"approvals": "[{for: {operations: ['Put*']}, from: ['mail:addr/o@corp.example', 'mail:addr/*'], within: 1h}]"},
        {"schedule": "['Sat 10:00-12:00']", "valid": "{from: 2026-03-02, until: 2026-03-08}"},
        {"schedule": "['Thu 00:00-12:00 Pacific/Auckland']", "valid": "{from: 2026-03-03, until: 2026-03-04}"},
        {"valid": "{until: 2026-03-02}"},
    ],
)
def test_no_false_warnings_of_bounds(tmp_path: Path, changes: dict[str, str]) -> None:
    text = small(scope=None, **changes) + "scope:\n  - allow: {service: s3.amazonaws.com}\n"
    assert warnings(load_manifests(folder(tmp_path, w1=text)), datetime(2026, 3, 2, 12)) == []


def test_without_a_clock_nothing_is_said_of_the_day(tmp_path: Path) -> None:
    text = small(scope=None, valid="{until: 2020-03-01}") + "scope: []\n"
    assert warnings(load_manifests(folder(tmp_path, w1=text))) == []

"""Manifests: what is read, what is refused with file and line, what is warned of, and the tables made of them."""

from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.located import Problems
from detectors.manifest import Manifest, load_manifests, warnings
from detectors.manifest_tables import BEGINNING, END, Version, tables, version_of
from detectors.manifest_values import host, schedule, seconds, size

FULL = """\
worker: support-agent
owner: support-platform@corp.example
purpose: answers customer tickets
role: support
mode: delegated
environment: prod
identities:
  - oauth:client/corp.okta.example#0oa1support
  - aws:role/arn:aws:iam::111122223333:role/support-agent
  - {id: "proxy:user/egress/svc-agents", shared: true}
provenance: {repo: corp/agents, workflow: "deploy.yml@refs/heads/main"}
instantiators: ["github:run/corp/agents#*"]
may_start: []
delegators: ["mail:addr/*@corp.example"]
scope:
  - deny:  {service: s3.amazonaws.com, operations: ["Delete*"]}
  - allow: {service: s3.amazonaws.com, operations: [GetObject, "List*"], resources: ["arn:aws:s3:::cases/*"],
            regions: [eu-west-1], accounts: ["111122223333"]}
  - allow: {hosts: ["*.zendesk.example"], methods: [GET, POST], paths: ["/api/v2/*"]}
  - allow: {models: ["claude-*"]}
  - allow: {servers: [crm], tools: ["read_*"]}
secrets: ["kv/data/support/*"]
networks: ["10.40.0.0/16", "2001:db8::/32"]
limits:
  - {measure: bytes_out, at_most: 200MB, per: 1h}
  - {measure: denied, at_most: 20, per: 1h}
  - {measure: token_lifetime, at_most: 1h}
  - {measure: hops, at_most: 4}
approvals:
  - for: {service: iam.amazonaws.com, operations: ["Attach*", "Put*", "Create*"]}
    from: ["mail:addr/*@security.corp.example"]
    within: 24h
schedule: ["Mon-Fri 06:00-20:00 Europe/Berlin"]
valid: {from: 2026-01-01, until: 2026-12-31, revoked_at: null}
"""

SMALL: dict[str, str] = {
    "worker": "w1",
    "owner": "o@corp.example",
    "identities": "[aws:role/arn:aws:iam::111122223333:role/w1]",
    "scope": "[]",
}


def small(**changes: str | None) -> str:
    lines = {key: value for key, value in {**SMALL, **changes}.items() if value is not None}
    return "".join(f"{key}: {value}\n" for key, value in lines.items())


def folder(tmp_path: Path, **files: str) -> Path:
    for name, text in files.items():
        (tmp_path / f"{name}.yaml").write_text(text)
    return tmp_path


def refused(tmp_path: Path, **files: str) -> list[str]:
    with pytest.raises(Problems) as caught:
        load_manifests(folder(tmp_path, **files))
    return [str(problem).removeprefix(f"{tmp_path}/") for problem in caught.value.problems]


def warned(tmp_path: Path, *lines: str, **changes: str) -> list[str]:
    text = small(scope=None, **changes) + "scope:\n" + "".join(f"  - {line}\n" for line in lines)
    found = warnings(load_manifests(folder(tmp_path, w1=text)))
    return [str(problem).removeprefix(f"{tmp_path}/") for problem in found]


def test_the_designs_example(tmp_path: Path) -> None:
    (manifest,) = load_manifests(folder(tmp_path, support=FULL))
    assert manifest.worker == "support-agent"
    assert [line.target.kind for line in manifest.scope] == ["api", "api", "net", "model", "tool"]
    assert [manifest.line("scope", at) for at in range(5)] == [16, 17, 19, 20, 21]
    assert [manifest.line("limits", at) for at in range(4)] == [25, 26, 27, 28]
    assert [(limit.at_most, limit.per) for limit in manifest.limits] == [
        (200_000_000, 3600),
        (20, 3600),
        (3600, None),
        (4, None),
    ]
    assert manifest.approvals[0].within == 86_400
    assert manifest.valid.live_until == datetime(2027, 1, 1)
    assert [(problem.line, problem.key) for problem in warnings([manifest])] == [(30, "approvals[0].for")]


def test_the_document_is_canonical(tmp_path: Path) -> None:
    (manifest,) = load_manifests(folder(tmp_path, support=FULL))
    again = Manifest.model_validate_json(manifest.document)
    assert again.document == manifest.document
    assert again.sha256 == manifest.sha256
    same = FULL.replace("200MB", "200000000").replace("1h", "60m") + "# a comment\neffective_from: null\n"
    (other,) = load_manifests(folder(tmp_path, support=same))
    assert other.sha256 == manifest.sha256
    (changed,) = load_manifests(folder(tmp_path, support=FULL.replace("200MB", "201MB")))
    assert changed.sha256 != manifest.sha256


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"worker": "Support"}, "w1.yaml:1: worker: 'Support' is not a worker's name; use a-z, 0-9, '.', '_' and '-'"),
        ({"worker": "-x"}, "w1.yaml:1: worker: '-x' is not a worker's name; use a-z, 0-9, '.', '_' and '-'"),
        ({"owner": None}, "w1.yaml:1: the required key 'owner' is missing"),
        ({"scope": None}, "w1.yaml:1: the required key 'scope' is missing"),
        ({"identites": "[]"}, "w1.yaml:5: identites: unknown key 'identites'; did you mean 'identities'?"),
        ({"mode": "self"}, "w1.yaml:5: mode: must be 'own' or 'delegated' (it is 'self')"),
        ({"may_start": "[A]"}, "w1.yaml:5: may_start[0]: 'A' is not a worker's name; use a-z, 0-9, '.', '_' and '-'"),
        (
            {"identities": "[svc-agents]"},
            "w1.yaml:3: identities[0]: 'svc-agents' is not of the form system:kind/...,"
            " such as aws:role/ARN or mail:addr/ADDRESS",
        ),
        (
            {"identities": "[aws:role/a, {id: aws:role/a, shared: true}]"},
            "w1.yaml:3: identities[1]: 'aws:role/a' is already declared in {folder}/w1.yaml:3",
        ),
        (
            {"networks": "[10.40.0.1/16]"},
            "w1.yaml:5: networks[0]: 10.40.0.1/16 has host bits set; write a network such as 10.40.0.0/16",
        ),
        (
            {"networks": "[ten]"},
            "w1.yaml:5: networks[0]: 'ten' is not a network; write a network such as 10.40.0.0/16 or 2001:db8::/32",
        ),
        ({"valid": "{from: 2026-02-01, until: 2026-01-31}"}, "w1.yaml:5: valid: `from` is later than `until`"),
        (
            {"valid": "{until: soon}"},
            "w1.yaml:5: valid.until: is not a date or a time; write 2026-12-31 or 2026-12-31T18:00:00Z",
        ),
        ({"valid": "{until: 1887-01-01}"}, "w1.yaml:5: valid.until: is a year outside 1970 to 2199"),
        ({"schedule": "[Mon-Fri 6-20]"}, "w1.yaml:5: schedule[0]: 'Mon-Fri 6-20' is not a schedule; write it like"),
        ({"schedule": "['Mo 06:00-20:00']"}, "w1.yaml:5: schedule[0]: 'Mo' is not a day or a span of days"),
        ({"schedule": "['Mon 06:00-25:00']"}, "w1.yaml:5: schedule[0]: 25:00 is not a time of day"),
        ({"schedule": "['Mon 06:00-20:00 Mars/Base']"}, "w1.yaml:5: schedule[0]: 'Mars/Base' is not a time zone"),
        (
            {"limits": "[{measure: calls, at_most: 5}]"},
            "w1.yaml:5: limits[0]: calls needs a window, such as `per: 1h`",
        ),
        (
            {"limits": "[{measure: hops, at_most: 5, per: 1h}]"},
            "w1.yaml:5: limits[0]: hops is no sum over a window; leave out `per`",
        ),
        (
            {"limits": "[{measure: calls, at_most: 5, per: 1 hour}]"},
            "w1.yaml:5: limits[0].per: '1 hour' is not a duration; write a number and a unit",
        ),
        (
            {"limits": "[{measure: bytes_out, at_most: 200 megs, per: 1h}]"},
            "w1.yaml:5: limits[0].at_most: '200 megs' is not a size; write a number and a unit",
        ),
        (
            {"limits": "[{measure: calls, at_most: 2MB, per: 1h}]"},
            "w1.yaml:5: limits[0].at_most: '2MB' is not a number of 0 or more",
        ),
        (
            {"limits": "[{measure: calls, at_most: -1, per: 1h}]"},
            "w1.yaml:5: limits[0].at_most: '-1' is not a number of 0 or more",
        ),
        ({"limits": "[{measure: steps, at_most: 1, per: 1h}]"}, "w1.yaml:5: limits[0].measure: must be 'calls', "),
        (
            {"scope": "[allow: {hosts: [a.example], service: s3.amazonaws.com}]"},
            "w1.yaml:4: scope[0].allow: mixes api (service) and net (hosts); write one line for each kind",
        ),
        ({"scope": "[allow: {}]"}, "w1.yaml:4: scope[0].allow: states nothing; name a service"),
        ({"scope": "[{}]"}, "w1.yaml:4: scope[0]: a scope line is either `allow: {...}` or `deny: {...}`"),
        (
            {"scope": "[{allow: {models: [a]}, deny: {models: [b]}}]"},
            "w1.yaml:4: scope[0]: a scope line is either `allow: {...}` or `deny: {...}`",
        ),
        (
            {"scope": "[alow: {models: [a]}]"},
            "w1.yaml:4: scope[0].alow: unknown key 'alow'; did you mean 'allow'?",
        ),
        (
            {"scope": "[allow: {host: [a.example]}]"},
            "w1.yaml:4: scope[0].allow.host: unknown key 'host'; did you mean 'hosts'?",
        ),
        (
            {"scope": "[allow: {hosts: a.example}]"},
            "w1.yaml:4: scope[0].allow.hosts: must be a list, such as [a, b] (it is 'a.example')",
        ),
        (
            {"scope": "[allow: {service: s3.amazonaws.com, accounts: [111122223333]}]"},
            "w1.yaml:4: scope[0].allow.accounts[0]: must be text; put it in quotes (it is 111122223333)",
        ),
        (
            {"scope": "[allow: {hosts: [a.example], ports: [70000]}]"},
            "w1.yaml:4: scope[0].allow.ports[0]: '70000' is not a port from 1 to 65535",
        ),
        (
            {"scope": '[allow: {hosts: ["b*ü.example"]}]'},
            "w1.yaml:4: scope[0].allow.hosts[0]: 'b*ü': a wildcard cannot stand inside an international label",
        ),
        (
            {"approvals": "[{for: {service: iam.amazonaws.com}, from: [], within: 1h}]"},
            "w1.yaml:5: approvals[0].from: the list should have at least 1 item",
        ),
    ],
)
def test_refused_with_file_and_line(tmp_path: Path, changes: dict[str, str | None], problem: str) -> None:
    found = refused(tmp_path, w1=small(**changes))
    assert found[0].startswith(problem.replace("{folder}", str(tmp_path)))


def test_everything_wrong_is_said_at_once(tmp_path: Path) -> None:
    found = refused(tmp_path, a=small(worker="A"), b="- a list\n", c=small(owner=None, role="5"))
    assert [problem.split(": ")[0] for problem in found] == ["a.yaml:1", "b.yaml:1", "c.yaml:1", "c.yaml:4"]


def test_one_worker_twice(tmp_path: Path) -> None:
    found = refused(tmp_path, a=small(), b="# b\n" + small(identities="[aws:role/b]"))
    assert found == [f"b.yaml:2: worker: the worker 'w1' is already declared in {tmp_path}/a.yaml:1"]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("proxy:user/egress/svc", "proxy:user/egress/svc"),
        ("{id: proxy:user/egress/svc, shared: true}", "proxy:user/egress/svc"),
        ("'proxy:user/egress/*'", "proxy:user/egress/svc"),
        ("proxy:user/egress/svc", "'proxy:user/egress/s?c'"),
    ],
)
def test_an_unshared_identity_has_one_worker(tmp_path: Path, first: str, second: str) -> None:
    found = refused(tmp_path, a=small(identities=f"[{first}]"), b=small(worker="w2", identities=f"[{second}]"))
    assert len(found) == 1
    assert "belongs to the worker 'w" in found[0]
    assert ("a.yaml:3" in found[0]) + ("b.yaml:3" in found[0]) == 2


def test_a_shared_identity_may_have_several_workers(tmp_path: Path) -> None:
    shared = "[{id: proxy:user/egress/svc, shared: true}]"
    manifests = load_manifests(folder(tmp_path, a=small(identities=shared), b=small(worker="w2", identities=shared)))
    assert [one.worker for one in manifests] == ["w1", "w2"]


def test_files_that_are_no_manifests_are_left_alone(tmp_path: Path) -> None:
    folder(tmp_path, w1=small())
    (tmp_path / "README.md").write_text("not one")
    (tmp_path / ".#w1.yaml").symlink_to("nowhere")
    (tmp_path / "w2.yml").write_text(small(worker="w2", identities="[aws:role/w2]"))
    assert [one.worker for one in load_manifests(tmp_path)] == ["w1", "w2"]
    with pytest.raises(Problems, match="is no folder"):
        load_manifests(tmp_path / "nowhere")


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
    ("text", "expected"), [("90s", 90), ("15m", 900), ("1h", 3600), ("7d", 604_800), ("2w", 1_209_600), ("0s", 0)]
)
def test_durations(text: str, expected: int) -> None:
    assert seconds(text) == expected


@pytest.mark.parametrize("value", ["1", "h", "1H", "-1h", "1.5h", "1h30m", "", 5, None, True, "1h\n", "1.h"])
def test_bad_durations(value: Any) -> None:
    with pytest.raises(ValueError, match="is not a duration"):
        seconds(value)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("200MB", 200 * 10**6), ("1.5GB", 1_500_000_000), ("64MiB", 64 * 2**20), ("5 kB", 5000), ("7B", 7), (12, 12)],
)
def test_sizes(text: Any, expected: int) -> None:
    assert size(text) == expected


@pytest.mark.parametrize("value", ["1.5B", "MB", "-1MB", "1Mb", "1e3MB", "99999999PB", -1, 1.5, True, None])
def test_bad_sizes(value: Any) -> None:
    with pytest.raises(ValueError, match=r"not a size|out of range|whole number"):
        size(value)


def test_schedules() -> None:
    read = schedule("Sat-Mon,Wed 22:00-06:00 Europe/Berlin")
    assert (read.days, read.start, read.end, read.zone) == ((0, 2, 5, 6), 1320, 360, "Europe/Berlin")
    assert schedule(read.text) == read
    assert schedule("Mon 00:00-24:00").text == "Mon 00:00-24:00 UTC"


def test_hosts_are_compared_as_lower_case_a_labels() -> None:
    assert host("*.BÜCHER.example.") == "*.xn--bcher-kva.example"
    assert host("API.Example") == "api.example"


@given(st.dates(date(1970, 1, 1), date(2199, 12, 30)))
def test_until_is_inclusive(day: date) -> None:
    valid = made_valid(until=day.isoformat())
    assert valid is not None
    assert (valid - datetime(day.year, day.month, day.day)).days == 1


def made_valid(until: str) -> datetime | None:
    return Manifest.model_validate({**minimal("w1"), "valid": {"until": until}}).valid.live_until


def minimal(worker: str, **more: Any) -> dict[str, Any]:
    return {"worker": worker, "owner": "o", "identities": [f"aws:role/{worker}"], "scope": [], **more}


def version(worker: str, since: datetime | None, **more: Any) -> Version:
    return version_of(Manifest.model_validate(minimal(worker, **more)), since)


def test_versions_follow_each_other() -> None:
    versions = [
        version("w1", datetime(2026, 3, 1), owner="second"),
        version("w1", None, owner="first"),
        version("w1", datetime(2026, 4, 1), owner="first"),
        version("w2", datetime(2026, 2, 1), owner="only", mode="delegated", valid={"revoked_at": "2026-06-01"}),
    ]
    made_tables = tables(versions)
    rows = made_tables["manifest_versions"].to_pylist()
    assert [(row["worker"], row["owner"], row["valid_from"], row["valid_to"]) for row in rows] == [
        ("w1", "first", BEGINNING, datetime(2026, 3, 1)),
        ("w1", "second", datetime(2026, 3, 1), datetime(2026, 4, 1)),
        ("w1", "first", datetime(2026, 4, 1), END),
        ("w2", "only", BEGINNING, END),
    ]
    assert rows[3]["revoked_at"] == datetime(2026, 6, 1)
    assert made_tables["identities"].num_rows == 3
    assert tables(reversed(versions)) == made_tables


def test_tables_of_the_designs_example(tmp_path: Path) -> None:
    (manifest,) = load_manifests(folder(tmp_path, support=FULL))
    made_tables = tables([version_of(manifest)])
    lines = made_tables["scope_lines"].to_pylist()
    assert [(row["kind"], row["ordinal"], row["effect"], row["line"]) for row in lines] == [
        ("api", 0, "deny", 16),
        ("api", 1, "allow", 17),
        ("net", 2, "allow", 19),
        ("model", 3, "allow", 20),
        ("tool", 4, "allow", 21),
    ]
    assert lines[0]["service"] == ["s3.amazonaws.com"]
    assert lines[0]["resources"] is None
    assert lines[4]["tools"] == ["read\\_%"]
    assert all(row["file"] == str(tmp_path / "support.yaml") for row in lines)
    assert [(row["measure"], row["at_most"], row["per_seconds"]) for row in made_tables["limits"].to_pylist()] == [
        ("bytes_out", 2e8, 3600),
        ("denied", 20.0, 3600),
        ("token_lifetime", 3600.0, None),
        ("hops", 4.0, None),
    ]
    four, six = made_tables["networks"].to_pylist()
    assert (four["low"], four["high"], four["low_int"], four["high_int"]) == (
        "0a280000",
        "0a28ffff",
        10 * 2**24 + 40 * 2**16,
        10 * 2**24 + 41 * 2**16 - 1,
    )
    assert (six["family"], six["low"], six["high"]) == (6, "20010db8" + "0" * 24, "20010db8" + "f" * 24)
    assert [row["uid"] for row in made_tables["identities"].to_pylist() if row["shared"]] == [
        "proxy:user/egress/svc-agents"
    ]


def test_a_stored_document_that_cannot_be_read_is_named() -> None:
    with pytest.raises(Problems, match=r"w1\.yaml:1: stored version abc: .*'owner' is missing"):
        tables([Version(None, '{"worker":"w1","identities":[],"scope":[]}', "w1.yaml", "abc")])


NEVER = "approvals[0].for: speaks of nothing that scope allows"


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

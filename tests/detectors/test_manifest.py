"""Manifests: what is read, and what is refused with file and line."""

from datetime import datetime
from pathlib import Path

import pytest

from detectors.located import Problems
from detectors.manifest import Manifest, load_manifests, warnings
from tests.detectors.manifests import FULL, folder, small


def refused(tmp_path: Path, **files: str) -> list[str]:
    with pytest.raises(Problems) as caught:
        load_manifests(folder(tmp_path, **files))
    return [str(problem).removeprefix(f"{tmp_path}/") for problem in caught.value.problems]


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

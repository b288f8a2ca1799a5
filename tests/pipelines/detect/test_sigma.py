"""Sigma rules from the lake's records to findings: the catalogue's own, and those of a user's folder."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from detectors import sigma as core
from detectors import sigma_rules
from detectors.located import Problems
from detectors.sigma_tree import Compare
from pipelines.detect import load, sigma
from pipelines.detect.commit import CATALOGUE
from tests.end_to_end.small import Estate, event
from tests.machine import shared

RULES = sigma_rules.load(CATALOGUE)

RULE = """\
title: Objects deleted
id: 7c0dbb6e-2a04-4c7e-9e07-5d9d2b1f7a10
author: Ann Example
tags: [attack.t1485, attack.impact]
logsource: {product: aws, service: cloudtrail}
detection:
  selection: {eventName: DeleteObject}
  condition: selection
falsepositives: [a clean-up]
level: low
"""


@pytest.mark.parametrize("rule", RULES, ids=[rule.id for rule in RULES])
def test_a_rule_of_the_catalogue_passes_its_own_cases(rule: sigma_rules.Rule) -> None:
    assert sigma.failed_cases([rule]) == []


@pytest.mark.parametrize("rule", RULES, ids=[rule.id for rule in RULES])
def test_a_rule_of_the_catalogue_carries_enough_cases(rule: sigma_rules.Rule) -> None:
    assert len({case.name for case in rule.tests}) == len(rule.tests)
    assert sum(case.match for case in rule.tests) >= 1
    assert sum(not case.match for case in rule.tests) >= 2
    assert rule.look_alikes
    assert any(tag.startswith("attack.") for tag in rule.tags)
    assert any(tag.startswith(("owasp.", "maestro.")) for tag in rule.tags)
    assert rule.other_tags == ()


def test_a_case_that_fails_is_told(tmp_path: Path) -> None:
    (rule,) = [rule for rule in RULES if rule.id == "sigma_proxy_cloud_metadata"]
    turned = replace(rule, tests=tuple(case.model_copy(update={"match": not case.match}) for case in rule.tests))
    said = [problem.message for problem in sigma.failed_cases([turned])]
    assert said[0] == "the credentials of a role: the rule matches this record"
    assert said[-1] == "a name that begins so: the rule does not match this record"
    broken = replace(rule, tests=(rule.tests[0].model_copy(update={"record": "no line"}),))
    (problem,) = sigma.failed_cases([broken])
    assert "the record is no action: not a line of the logformat" in problem.message
    lines = rule.document.splitlines()
    assert problem.file == rule.file
    assert "name: the credentials of a role" in lines[problem.line - 1]


@pytest.fixture
def estate(tmp_path: Path) -> Estate:
    (tmp_path / "rules").mkdir()
    made = Estate(tmp_path)
    made.config.write_text(made.config.read_text("utf-8") + "rules: [rules]\n", encoding="utf-8")
    return made


def _found(estate: Estate) -> list[dict[str, Any]]:
    return estate.rows("SELECT * FROM findings WHERE detector LIKE 'sigma_%' AND status <> 'resolved' ORDER BY ALL")


def test_a_rule_that_is_dropped_in_finds(estate: Estate) -> None:
    (estate.root / "rules" / "deleted.yml").write_text(RULE, encoding="utf-8")
    stranger = {
        "type": "IAMUser",
        "principalId": "AIDA1",
        "arn": "arn:aws:iam::111122223333:user/ann",
        "userName": "ann",
    }
    estate.put(
        "trail",
        [
            event("DeleteObject", second=1),
            event("DeleteObject", second=2, requestParameters={"bucketName": "cases", "key": "b.txt"}),
            event("DeleteObject", second=3, userIdentity=stranger, errorCode="AccessDenied"),
            event("GetObject", second=4),
        ],
    )
    assert estate.run().failures == ()
    nobody, agent = _found(estate)
    if nobody["worker"]:
        nobody, agent = agent, nobody
    assert (agent["worker"], agent["entity"], agent["severity"]) == ("agent", "arn:aws:s3:::cases", "low")
    assert agent["title"] == "agent: Objects deleted"
    assert len(agent["evidence"]) == 2
    assert agent["tags"] == ["attack.t1485"]
    assert (agent["chain_id"] is None, agent["manifest_sha"] is None) == (False, False)
    told = json.loads(agent["explanation"])
    assert (told["rule"], told["rule_author"]) == ("7c0dbb6e-2a04-4c7e-9e07-5d9d2b1f7a10", "Ann Example")
    assert (told["rule_tags"], told["look_alikes"]) == (["attack.impact"], ["a clean-up"])
    assert (nobody["worker"], nobody["title"]) == (
        None,
        "aws:user/arn:aws:iam::111122223333:user/ann: Objects deleted (denied)",
    )
    (version,) = estate.rows("SELECT * FROM detector_versions WHERE detector = 'sigma_deleted'")
    assert (version["version"], version["document"]) == (agent["detector_version"], RULE)
    raw = estate.rows("SELECT raw FROM evidence WHERE finding_uid = '" + agent["finding_uid"] + "'")
    assert all('"DeleteObject"' in row["raw"] for row in raw)


def test_a_changed_rule_judges_anew_and_one_that_is_gone_withdraws(estate: Estate) -> None:
    file = estate.root / "rules" / "deleted.yml"
    file.write_text(RULE, encoding="utf-8")
    estate.put("trail", [event("DeleteObject", second=1)])
    estate.run()
    assert [row["severity"] for row in _found(estate)] == ["low"]
    file.write_text(RULE.replace("level: low", "level: high"), encoding="utf-8")
    estate.run()
    assert [(row["severity"], row["revision"]) for row in _found(estate)] == [("high", 2)]
    file.unlink()
    estate.run()
    assert _found(estate) == []


def test_rules_read_proxies_and_okta_too(estate: Estate) -> None:
    estate.put("egress", "1772445600.123    120 10.0.0.5 TCP_MISS/200 1024 POST http://203.0.113.9/up svc-agent HIER_DIRECT/203.0.113.9 text/html\n")  # fmt: skip
    granted = {
        "uuid": "u1",
        "published": "2026-03-02T10:00:00.000Z",
        "eventType": "user.account.privilege.grant",
        "actor": {"id": "00u1", "type": "User", "displayName": "\ud800"},
        "outcome": {"result": "SUCCESS"},
        "target": [{"id": "00u2", "type": "User"}],
    }
    estate.put("okta", json.dumps(granted) + "\n")
    estate.run()
    found = {(row["detector"], row["worker"], row["entity"]) for row in _found(estate)}
    assert found == {
        ("sigma_proxy_upload_to_address", "agent", "203.0.113.9"),
        ("sigma_okta_admin_role_granted", None, "00u2"),
    }


def test_a_rule_that_fails_fails_alone(estate: Estate, monkeypatch: pytest.MonkeyPatch) -> None:
    (estate.root / "rules" / "deleted.yml").write_text(RULE, encoding="utf-8")
    (estate.root / "rules" / "broken.yml").write_text(RULE.replace("7c0d", "7c0e"), encoding="utf-8")
    read = sigma_rules.read

    def broken(path: Path) -> sigma_rules.Rule:
        rule = read(path)
        if path.stem != "broken":
            return rule
        return replace(rule, condition=Compare("eventName", "text", ("regexp_matches(", ", '(')")))

    monkeypatch.setattr(sigma_rules, "read", broken)
    estate.put("trail", [event("DeleteObject", second=1)])
    summary = estate.run()
    assert [failure.detector for failure in summary.failures] == ["sigma_broken"]
    assert "missing )" in summary.failures[0].error
    assert [row["detector"] for row in _found(estate)] == ["sigma_deleted"]


def test_two_detectors_cannot_share_a_name_or_an_id(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "deleted.yml").write_text(RULE, encoding="utf-8")
    loading = load.load(CATALOGUE, [tmp_path / "a", tmp_path / "b"])
    (refused,) = loading.refused
    assert [Path(problem.file).parent.name for problem in refused.problems] == ["b", "b"]
    assert "the file's name gives the id sigma_deleted, which" in refused.failure.error
    assert "it has the id 7c0dbb6e-2a04-4c7e-9e07-5d9d2b1f7a10" in refused.failure.error
    assert [one.id for one in loading.detectors].count("sigma_deleted") == 1


def test_nobody_takes_the_name_of_the_model(tmp_path: Path) -> None:
    text = (CATALOGUE / "out_of_scope.sql").read_text(encoding="utf-8").replace("id: out_of_scope", "id: behaviour")
    (tmp_path / "behaviour.sql").write_text(text, encoding="utf-8")
    (refused,) = load.load(CATALOGUE, [tmp_path]).refused
    assert "behaviour.yaml has already" in refused.failure.error


def test_each_file_that_is_wrong_is_refused_alone(tmp_path: Path) -> None:
    (tmp_path / "one.yml").write_text("title: x\n", encoding="utf-8")
    (tmp_path / "two.sql").write_text("SELECT 1\n", encoding="utf-8")
    (tmp_path / "deleted.yml").write_text(RULE, encoding="utf-8")
    unread = RULE.replace("product: aws", "product: windows").replace("7c0dbb6e", "7c0dbb6f")
    (tmp_path / "windows.yml").write_text(unread, encoding="utf-8")
    loading = load.load(CATALOGUE, [tmp_path])
    assert {one.detector for one in loading.refused} == {"sigma_one", "two"}
    assert [Path(problem.file).name for problem in loading.unread] == ["windows.yml"]
    assert "sigma_deleted" in {one.id for one in loading.detectors}


def test_a_folder_that_is_none_stops_everything(tmp_path: Path) -> None:
    with pytest.raises(Problems, match="is no folder"):
        load.load(CATALOGUE, [tmp_path / "nowhere"])


@pytest.mark.parametrize(
    ("recorded", "expected"),
    [
        ("aws.exfiltration.ec2-share-ebs-snapshot.json", "sigma_aws_snapshot_or_image_shared"),
        ("aws.exfiltration.ec2-security-group-open-port-22-ingress.json", "sigma_aws_security_group_opened"),
    ],
)
def test_a_recorded_attack_is_matched(recorded: str, expected: str) -> None:
    records = json.loads(shared("stratus-red-team", recorded).read_text(encoding="utf-8"))
    raw = [json.dumps(record) for record in records]
    table = pa.table({"action_uid": [str(at) for at in range(len(raw))], "raw": raw})
    found = core.matches([rule for rule in RULES if rule.log.name == "cloudtrail"], table)
    assert [rule for rule, uids in found.items() if uids] == [expected]

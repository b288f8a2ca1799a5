"""Rules that SigmaHQ publishes, unmodified: each loads or says why not, and all of a log run in one scan."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from detectors import sigma, sigma_rules
from detectors.located import Problems
from detectors.sigma_logs import Log
from tests.machine import shared

FOLDERS = {"cloudtrail": "cloud/aws", "okta": "identity/okta", "proxy": "web/proxy_generic"}


def _published(log: str) -> tuple[dict[str, sigma_rules.Rule], dict[str, str]]:
    """The rules of a log by file name, and what was said of those that are refused."""
    rules, refused = {}, {}
    for path in sorted(shared("sigma-rules", "rules", FOLDERS[log]).rglob("*.yml")):
        try:
            rules[path.stem] = sigma_rules.read(path)
        except Problems as error:
            refused[path.stem] = str(error)
    return rules, refused


@pytest.mark.parametrize(
    ("log", "expected"),
    [
        ("cloudtrail", {"aws_delete_saml_provider": "a record of cloudtrail has no field 'status'"}),
        ("okta", {}),
        ("proxy", {"proxy_hktl_cobalt_strike_malleable_c2_requests": "the field 'cs-cookie' cannot be seen"}),
    ],
)
def test_every_rule_loads_or_says_why_not(log: str, expected: dict[str, str]) -> None:
    rules, refused = _published(log)
    assert set(refused) == set(expected)
    for name, said in expected.items():
        assert said in refused[name]
        assert f"{name}.yml:" in refused[name]
    assert len(rules) >= 0.95 * (len(rules) + len(refused))
    assert {rule.log.name for rule in rules.values()} == {log}


@pytest.mark.parametrize("folder", ["application", "cloud/gcp", "cloud/azure"])
def test_rules_of_logs_that_are_not_read_are_refused(folder: str) -> None:
    for path in shared("sigma-rules", "rules", folder).rglob("*.yml"):
        with pytest.raises(Problems, match="logsource: no log that is read here is"):
            sigma_rules.read(path)


def _trail(name: str, source: str, **more: Any) -> dict[str, Any]:
    return {
        "eventName": name,
        "eventSource": f"{source}.amazonaws.com",
        "userIdentity": {"type": "AssumedRole"},
        **more,
    }


CLOUDTRAIL = [
    (_trail("StopLogging", "cloudtrail"), {"aws_cloudtrail_disable_logging"}),
    (_trail("PutBucketVersioning", "s3", requestParameters={"VersioningConfiguration": {"Status": "Suspended"}}), {"aws_disable_bucket_versioning"}),
    (_trail("UpdateDetector", "guardduty", requestParameters={"enable": False}), {"aws_cloudtrail_guardduty_detector_deleted_or_updated"}),
    (_trail("UpdateDetector", "guardduty", requestParameters={"enable": True}), set()),
    (_trail("SendCommand", "ssm"), {"aws_cloudtrail_ssm_malicious_usage"}),
    (_trail("SendCommand", "ssm", errorCode="AccessDenied"), set()),
    ({"eventName": "ConsoleLogin", "userIdentity": {"type": "Root"}, "eventType": "AwsConsoleSignIn"}, {"aws_root_account_usage"}),
    ({"eventName": "ConsoleLogin", "additionalEventData": {"MFAUsed": "No"}, "responseElements": {"ConsoleLogin": "Success"}}, {"aws_cloudtrail_console_login_success_without_mfa"}),
    (_trail("UpdateFunctionConfiguration20150331v2", "lambda", requestParameters={"layers": ["arn:1"]}), {"aws_new_lambda_layer_attached"}),
    (_trail("RegisterTaskDefinition", "ecs", requestParameters={"containerDefinitions": [{"command": ["sh"]}, {"command": ["curl", "$AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"]}]}), {"aws_ecs_task_definition_cred_endpoint_query"}),
    (_trail("ModifyDBInstance", "rds", responseElements={"pendingModifiedValues": {"masterUserPassword": "****"}}), {"aws_rds_change_master_password"}),
    (_trail("CreateInstanceExportTask", "ec2"), {"aws_ec2_vm_export_failure"}),
    (_trail("CreateInstanceExportTask", "ec2", errorMessage="no"), set()),
]  # fmt: skip

OKTA = [
    ({"eventType": "user.session.start", "securityContext": {"isProxy": True}}, {"okta_user_session_start_via_anonymised_proxy"}),
    ({"eventtype": "zone.delete"}, {"okta_network_zone_deactivated_or_deleted"}),
    ({"eventType": "policy.evaluate_sign_on", "target": [{"displayName": "Other"}, {"displayName": "Okta Admin Console"}], "debugContext": {"debugData": {"behaviors": "{New Device=POSITIVE}"}}}, {"okta_new_behaviours_admin_console"}),
    ({"legacyEventType": "core.user_auth.login_failed", "actor": {"alternateId": "hunter2"}}, {"okta_password_in_alternateid_field"}),
    ({"legacyEventType": "core.user_auth.login_failed", "actor": {"alternateId": "ann@corp.example"}}, set()),
    ({"eventType": "user.authentication.sso"}, set()),
]  # fmt: skip


@pytest.mark.parametrize(("log", "examples"), [("cloudtrail", CLOUDTRAIL), ("okta", OKTA)])
def test_records_match_the_rules_that_are_about_them(log: str, examples: list[tuple[dict[str, Any], set[str]]]) -> None:
    rules, _ = _published(log)
    raw = [json.dumps(record) for record, _ in examples]
    table = pa.table({"action_uid": [str(at) for at in range(len(raw))], "raw": raw})
    found = sigma.matches(list(rules.values()), table)
    ignored = {"aws_sts_assumerole_misuse"}  # it takes every use of a role for a misuse
    for at, (record, expected) in enumerate(examples):
        matched = {name for name, rule in rules.items() if str(at) in found[rule.id]} - ignored
        assert matched == expected, record


PROXY = [
    ({"http_method": "GET", "user_agent": "Microsoft-WebDAV-MiniRedir/10", "url_path": "/a.exe", "dst_host": "x.com", "dst_ip": "203.0.113.1"}, {"proxy_downloadcradle_webdav", "proxy_webdav_external_execution"}),
    ({"http_method": "GET", "user_agent": "Microsoft-WebDAV-MiniRedir/10", "url_path": "/a.exe", "dst_host": "x.com", "dst_ip": "10.0.0.1"}, {"proxy_downloadcradle_webdav"}),
    ({"http_method": "POST", "dst_host": "f5.example", "url_path": "/mgmt/tm/util/bash"}, {"proxy_f5_tm_utility_bash_api_request"}),
    ({"http_method": "GET", "dst_host": "api.telegram.org", "user_agent": "curl/8"}, {"proxy_telegram_api"}),
    ({"http_method": "GET", "dst_host": "www.advanced-ip-scanner.com", "url_path": "/checkupdate.php", "raw": "1.0 GET http://www.advanced-ip-scanner.com/checkupdate.php?lng=en&ver=2&beta=n&type=upd&rmode=p&product=aips svc"}, {"proxy_pua_advanced_ip_scanner_update_check"}),
    ({"http_method": "GET", "dst_host": "a.hopto.org", "url_path": "/x.zip"}, {"proxy_download_susp_dyndns"}),
    ({"http_method": "POST", "dst_host": "c2.example", "url_path": "/news.php", "user_agent": "Mozilla/5.0 (Windows NT 6.1; WOW64; Trident/7.0; rv:11.0) like Gecko"}, {"proxy_hktl_empire_ua_uri_patterns"}),
    ({"http_method": "GET", "dst_host": "api.example", "url_path": "/v1/", "user_agent": "agent/1"}, set()),
]  # fmt: skip


def test_columns_of_a_proxys_actions_match_the_rules_that_are_about_them() -> None:
    rules, _ = _published("proxy")
    log = next(iter(rules.values())).log
    rows = [
        {**dict.fromkeys(log.reads), "raw": "", **action, "action_uid": str(at)} for at, (action, _) in enumerate(PROXY)
    ]
    numbers = {"dst_port", "bytes_out", "bytes_in"}
    names = ["action_uid", "raw", *log.reads]
    table = pa.Table.from_pylist(rows, pa.schema([(n, pa.int64() if n in numbers else pa.string()) for n in names]))
    found = sigma.matches(list(rules.values()), table)
    for at, (action, expected) in enumerate(PROXY):
        assert {name for name, rule in rules.items() if str(at) in found[rule.id]} == expected, action


def _events(path: Path) -> Iterator[dict[str, Any]]:
    """The Windows events of a file, one JSON value after the other, as one flat mapping each."""
    text, at = path.read_text(encoding="utf-8"), 0
    while at < len(text):
        event, at = json.JSONDecoder().raw_decode(text, at)
        at += len(text[at:]) - len(text[at:].lstrip())
        inner = event["Event"]
        yield {**inner["System"], **(inner.get("EventData") or {})}


def test_events_match_the_windows_rule_that_they_were_recorded_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sigma_rules, "log_of", lambda *_: Log(name="windows", where="true"))
    rules, raw, owners = [], [], []
    for folder in sorted(shared("sigma-regression").iterdir()):
        rule = sigma_rules.read(folder / "rule.yml")
        rule = replace(rule, id=folder.name)
        rules.append(rule)
        for file in folder.glob("*.json"):
            for event in _events(file):
                raw.append(json.dumps(event))
                owners.append(folder.name)
    assert len(rules) > 80
    table = pa.table({"action_uid": [str(at) for at in range(len(raw))], "raw": raw})
    found = sigma.matches(rules, table)
    own = {rule.id: sum(owners[int(uid)] == rule.id for uid in found[rule.id]) for rule in rules}
    assert [name for name, count in own.items() if count == 0] == []

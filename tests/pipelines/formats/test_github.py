"""Events of GitHub's audit log in, action columns and grants out."""

from __future__ import annotations

import json
import re
from datetime import datetime
from typing import Any

import pytest
from hypothesis import given, settings

from pipelines.formats.github import FORMAT, GitHubOptions
from tests.machine import shared
from tests.pipelines.formats.readings import SAMPLES, granted, json_values, mutated, read, redacted, split, told

LINES = (SAMPLES / "github/audit.jsonl").read_text().splitlines()
CALL, AGENT, RUN = json.loads(LINES[2]), json.loads(LINES[5]), json.loads(LINES[1])
TOKEN = "github:token/Qm9yaW5nSGFzaE9mQVNhbXBsZVRva2VuMDAwMDAwMDE="
MANAGED = GitHubOptions(managed_users=True)


def event(base: dict[str, Any] = CALL, /, **changes: Any) -> dict[str, Any]:
    return {**base, **changes}


def test_the_sample_gives_the_expected_actions_and_grants():
    expected = json.loads((SAMPLES / "github/audit.expected.json").read_text())
    assert told(read(FORMAT, LINES, "corp")) == expected["actions"]
    assert told(granted(FORMAT, *LINES, realm="corp")) == expected["grants"]


@pytest.mark.parametrize("stream", ["\n".join(LINES), f"[{','.join(LINES)}]"], ids=["a stream", "the API"])
def test_split_gives_a_record_an_event(stream: str):
    assert [json.loads(text) for text in split(FORMAT, stream.encode())] == [json.loads(line) for line in LINES]


def test_an_action():
    row = read(FORMAT, [event(repo="corp/agents")])[0]
    assert row["native_id"] == "Sample003-AbCdEfGhIjKl"
    assert (row["principal"], row["credential_uid"]) == ("github:user/1200", TOKEN)
    assert (row["api_service"], row["api_operation"], row["account"]) == ("github", "api.request", "corp")
    assert (row["resource_uid"], row["http_method"]) == ("corp/agents", "GET")
    assert row["identity_strength"] == "proven"
    assert read(FORMAT, [event(_document_id=None)])[0]["native_id"] is None


@pytest.mark.parametrize(
    ("times", "expected"),
    [
        ({"@timestamp": 1767603690123}, datetime(2026, 1, 5, 9, 1, 30, 123000)),
        ({"@timestamp": None, "created_at": 1767603690}, datetime(2026, 1, 5, 9, 1, 30)),
        ({"@timestamp": "2026-01-05T10:01:30+01:00"}, datetime(2026, 1, 5, 9, 1, 30)),
        ({"@timestamp": None, "created_at": "2026-01-05 09:01:30.5"}, datetime(2026, 1, 5, 9, 1, 30, 500000)),
    ],
)
def test_times(times: dict[str, Any], expected: datetime):
    row = read(FORMAT, [event(**times)])[0]
    assert (row["time"], row["time_kind"], row["time_precision"]) == (expected, "logged", "1ms")


@pytest.mark.parametrize(
    ("actor", "principal", "kind", "strength"),
    [
        ({"actor": "dana", "actor_id": 11}, "github:user/11", "user", "proven"),
        ({"actor": "dana", "actor_id": None}, "github:login/dana", "user", "asserted"),
        ({"actor": "12", "actor_id": ""}, "github:login/12", "user", "asserted"),
        ({"actor": "renovate[bot]", "actor_id": 5}, "github:app/renovate", "app", "proven"),
        ({"actor": "helper", "actor_is_bot": True}, "github:app/helper", "app", "proven"),
        ({"actor": "Copilot", "actor_is_agent": True}, "github:app/Copilot", "agent", "proven"),
        ({"actor": None, "actor_id": None}, None, None, "asserted"),
        ({"actor": ["x"], "actor_id": {"x": 1}}, None, None, "asserted"),
    ],
)
def test_principals(actor: dict[str, Any], principal: str | None, kind: str | None, strength: str):
    row = read(FORMAT, [event(**actor)])[0]
    assert (row["principal"], row["principal_type"], row["identity_strength"]) == (principal, kind, strength)


def test_a_login_that_nobody_can_change_is_proof():
    assert read(FORMAT, [event(actor_id=None)], options=MANAGED)[0]["identity_strength"] == "proven"


def test_an_agents_session_belongs_to_who_began_it():
    row = read(FORMAT, [AGENT])[0]
    assert (row["principal"], row["delegator"], row["delegator_strength"]) == (
        "github:app/Copilot",
        "github:user/1101",
        "proven",
    )
    (grant,) = granted(FORMAT, AGENT)
    assert (grant["parent_uid"], grant["child_uid"]) == (
        "github:user/1101",
        "github:session/012345a6-b7c8-4012-9e3f-45a678b90123",
    )
    assert grant["delegator"] == "github:user/1101"


def test_an_initiator_with_a_login_alone_is_asserted():
    call = event(AGENT, user_id=None)
    (row,), (grant,) = read(FORMAT, [call]), granted(FORMAT, call)
    assert (row["delegator"], row["delegator_strength"]) == ("github:login/octo-dana", "asserted")
    assert grant["strength"] == "asserted"
    assert granted(FORMAT, call, options=MANAGED)[0]["strength"] == "proven"


def test_a_user_that_is_acted_on_delegates_nothing():
    assert read(FORMAT, [event(action="org.add_member", user="mallory", user_id=9)])[0]["delegator"] is None
    assert granted(FORMAT, event(AGENT, actor_is_agent=False)) == []
    assert granted(FORMAT, event(AGENT, agent_session_id="")) == []


def test_a_run_comes_from_who_started_it():
    (grant,) = granted(FORMAT, RUN)
    assert (grant["parent_uid"], grant["child_uid"]) == ("github:user/1101", "github:run/corp/agents#9000000001")
    (grant,) = granted(FORMAT, event(RUN, hashed_token="h="))
    assert (grant["parent_uid"], grant["strength"]) == ("github:token/h=", "proven")
    nested = {key: value for key, value in RUN.items() if key not in {"workflow_run_id", "event"}}
    (grant,) = granted(FORMAT, event(nested, data={"workflow_run_id": 7, "event": "push"}))
    assert (grant["child_uid"], grant["mechanism"]) == ("github:run/corp/agents#7", "workflow run push")
    (grant,) = granted(FORMAT, event(RUN, actor_id=None))
    assert grant["strength"] == "asserted"
    assert granted(FORMAT, event(RUN, repo=None)) == []


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"status_code": 200}, "success"),
        ({"status_code": 302}, "success"),
        ({"status_code": 401}, "denied"),
        ({"status_code": 403}, "denied"),
        ({"status_code": 404}, "failure"),
        ({"status_code": 502}, "failure"),
        ({"status_code": None}, "unknown"),
        ({"action": "git.push", "status_code": None}, "success"),
        ({"action": "user.failed_login", "status_code": None}, "failure"),
        ({"action": "protected_branch.rejected_ref_update", "status_code": None}, "denied"),
        ({"action": "workflows.completed_workflow_run", "status_code": None, "conclusion": "failure"}, "success"),
    ],
)
def test_status(changes: dict[str, Any], status: str):
    assert read(FORMAT, [event(**changes)])[0]["status"] == status


def test_a_failed_login_proves_nobody():
    row = read(FORMAT, [event(action="user.failed_login")])[0]
    assert (row["identity_strength"], row["obtains"], row["class_uid"]) == ("asserted", "self", 3002)


@pytest.mark.parametrize(
    ("changes", "activity"),
    [
        ({"request_method": "DELETE"}, "Delete"),
        ({"action": "git.clone"}, "Read"),
        ({"action": "git.push"}, "Update"),
        ({"action": "x.y", "operation_type": "modify"}, "Update"),
        ({"action": "repo.create_actions_secret"}, "Create"),
        ({"action": "repo.destroy"}, "Delete"),
        ({"action": "team.rename"}, "Update"),
        ({"action": "repo.download_zip"}, "Read"),
        ({"action": "something.new"}, "Other"),
    ],
)
def test_activities(changes: dict[str, Any], activity: str):
    assert read(FORMAT, [event(**changes)])[0]["activity"] == activity


@pytest.mark.parametrize(
    ("address", "expected"),
    [("2001:DB8::1", "2001:db8::1"), ("::ffff:192.0.2.1", "192.0.2.1"), ("", None), (None, None)],
)
def test_addresses(address: Any, expected: str | None):
    assert read(FORMAT, [event(actor_ip=address)])[0]["src_ip"] == expected


@pytest.mark.parametrize(
    ("record", "outcome", "reason"),
    [
        ("{", "error", "not a JSON object"),
        ("[1]", "error", "not a JSON object"),
        (event(action=None), "error", 'the key "action"'),
        (event(**{"@timestamp": None, "created_at": None}), "error", 'the keys "@timestamp"'),
        (event(**{"@timestamp": "soon"}), "error", 'the key "@timestamp" or "created_at"'),
        (LINES[13], "skipped", "a record of Copilot's API usage"),
    ],
)
def test_what_is_no_action_has_a_reason(record: Any, outcome: str, reason: str):
    row = read(FORMAT, [record])[0]
    assert row["outcome"] == outcome
    assert row["reason"].startswith(reason)
    assert {value for key, value in row.items() if key not in {"outcome", "reason", "record_id"}} == {None}


def test_hostile_text_stays_inert():
    hostile = "'); DROP TABLE records; -- \x1b[2J <script> \u202e"
    row = read(FORMAT, [event(action=hostile, actor=hostile, actor_id=None, repo=hostile, hashed_token=hostile)])[0]
    assert (row["api_operation"], row["principal"]) == (hostile, f"github:login/{hostile}")
    assert (row["resource_uid"], row["credential_uid"]) == (hostile, f"github:token/{hostile}")


def test_planted_secrets_are_replaced():
    planted = [f"pl4nted{n}" for n in range(4)]
    classic, fine = "ghp_0123456789abcdefghijABCDEFGHIJ012345", "github_pat_11ABCDEFG0123456789_abcdefghijkl"
    installed = "v1." + "0123456789" * 4
    hook = event(
        action="hook.create",
        config={"url": f"https://ci:{planted[0]}@hooks.corp.example/x?access_token={planted[1]}", "secret": planted[2]},
        url_path=f"/repos/x?client_secret={planted[3]}",
        note=[classic, fine, installed],
    )
    (stored,) = redacted(FORMAT, split(FORMAT, json.dumps(hook).encode()))
    assert [word for word in [*planted, classic, fine, installed] if word in stored] == []
    assert json.loads(stored)["hashed_token"] == CALL["hashed_token"]


def test_hashes_and_ids_of_tokens_are_no_secrets():
    assert redacted(FORMAT, LINES) == LINES
    assert not any(re.search(rule.pattern, line) for rule in FORMAT.secrets for line in LINES)


def test_real_events():
    file = shared("panther-analysis", "panther_tests.jsonl")
    cases = [json.loads(line) for line in file.read_text().splitlines()]
    events = [case["event"] for case in cases if case["log_type"] == "GitHub.Audit"]
    rows = read(FORMAT, events)
    for seen, row in zip(events, rows, strict=True):
        timed = any(key in seen for key in ("@timestamp", "created_at", "at_sign_timestamp"))
        assert row["outcome"] == ("action" if timed else "error")
        if timed:
            assert row["api_operation"] == seen["action"]
            assert row["native_id"] == seen.get("_document_id")
            assert row["resource_uid"] == (seen.get("repo") or seen.get("repository"))
            app = seen["actor"].endswith("[bot]") or seen.get("actor_is_bot")
            name = seen["actor"].removesuffix("[bot]") if app else seen.get("actor_id") or seen["actor"]
            assert row["principal"].rpartition("/")[2] == str(name)
    assert sum(row["outcome"] == "action" for row in rows) == REAL_ACTIONS


REAL_ACTIONS = 37


@settings(max_examples=30, deadline=None)
@given(
    json_values(
        ["workflows.created_workflow_run", "true", "corp/agents", "github-actions[bot]", "1767603690123"],
        sorted({*CALL, *AGENT, *RUN, "data"}),
    ),
    mutated(LINES),
)
def test_no_input_crashes_or_is_lost(value: Any, text: str):
    changed = {**AGENT, **(value if isinstance(value, dict) else {"actor": value, "data": value, "user": value})}
    records = [json.dumps(value), json.dumps(changed), text]
    rows = read(FORMAT, records)
    acted = {row["record_id"] for row in rows if row["outcome"] == "action"}
    assert {row["record_id"] for row in granted(FORMAT, *records)} <= acted

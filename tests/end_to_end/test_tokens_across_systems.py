"""From a pod to AWS by way of Vault: each log tells of one hop, and together they name the worker."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.end_to_end.small import Estate, event
from tests.machine import ROOT

SAMPLES = ROOT / "data/samples"
CONFIG = f"""
lake: {{catalog: "sqlite:lake/catalog.sqlite", data: lake/files}}
workers: workers
sources:
  - {{name: cluster, format: kubernetes, cluster: prod, from: "{SAMPLES}/kubernetes/audit.jsonl"}}
  - {{name: secrets, format: vault, cluster: prod, issuers: {{auth/kubernetes: prod}},
     from: "{SAMPLES}/vault/audit.jsonl"}}
  - {{name: code, format: github, org: corp, from: "{SAMPLES}/github/audit.jsonl"}}
  - {{name: identities, format: spire, trust_domain: corp.example, from: "{SAMPLES}/spire/server.log"}}
  - {{name: trail, format: cloudtrail, from: "logs/trail/*"}}
"""
MANIFEST = """
worker: support-agent
owner: team@corp.example
identities: ["k8s:sa/prod/agents/support-agent"]
scope:
  - allow: {service: kubernetes}
"""
OTHER = """
worker: coder
owner: team@corp.example
identities: ["github:app/Copilot", "spiffe:id/spiffe://corp.example/agents/support"]
scope:
  - allow: {service: github}
"""


@pytest.fixture(scope="module")
def estate(tmp_path_factory: pytest.TempPathFactory) -> Estate:
    """The samples of four token systems, and a CloudTrail record of the key that Vault gave out; run once."""
    made = Estate(tmp_path_factory.mktemp("tokens"))
    made.config.write_text(CONFIG, encoding="utf-8")
    workers: Path = made.root / "workers"
    (workers / "agent.yaml").write_text(MANIFEST, encoding="utf-8")
    (workers / "coder.yaml").write_text(OTHER, encoding="utf-8")
    user = {"type": "IAMUser", "arn": "arn:aws:iam::111122223333:user/vault-x", "accountId": "111122223333"}
    made.put("trail", [event(userIdentity={**user, "accessKeyId": "AKIAEXAMPLEVAULT0001"})])
    made.run()
    return made


def test_the_aws_key_leads_up_to_the_service_account(estate: Estate):
    (row,) = estate.rows(
        "SELECT t.worker, t.strength, t.path FROM attributions AS t JOIN actions AS a USING (action_uid) "
        "WHERE a.format = 'cloudtrail'"
    )
    assert (row["worker"], row["strength"]) == ("support-agent", "proven")
    assert [hop["mechanism"] for hop in row["path"]] == ["aws credentials", "aws lease", "kubernetes login"]
    assert row["path"][-1]["to"] == "k8s:sa/prod/agents/support-agent"


def test_a_token_leads_up_through_its_pod_to_who_made_it(estate: Estate):
    (row,) = estate.rows("SELECT * FROM bindings WHERE uid LIKE 'k8s:token/prod/9d1f3a2b%'")
    assert (row["worker"], row["strength"]) == ("support-agent", "proven")
    assert row["root_uid"] == "k8s:sa/prod/kube-system/job-controller"
    assert "k8s:pod/prod/c0ffee00-aaaa-4bbb-8ccc-ddddeeeeffff" in {hop["to"] for hop in row["path"]}


def test_of_a_vault_request_the_response_is_primary(estate: Estate):
    rows = estate.rows(
        "SELECT deed_uid, list(is_primary ORDER BY time) AS primaries FROM actions "
        "WHERE format = 'vault' AND request_uid IS NOT NULL GROUP BY deed_uid"
    )
    assert len(rows) == 13
    assert {tuple(row["primaries"]) for row in rows} == {(False, True)}


def test_an_unwrapped_response_is_hardly_its_makers(estate: Estate):
    rows = estate.rows(
        "SELECT DISTINCT t.worker, t.strength FROM attributions AS t JOIN actions AS a USING (action_uid) "
        "WHERE a.resource_uid = 'sys/wrapping/unwrap'"
    )
    assert rows == [{"worker": "support-agent", "strength": "asserted"}]


def test_an_agents_session_and_an_svid(estate: Estate):
    rows = estate.rows("SELECT uid, delegator, delegator_strength, root_uid FROM bindings WHERE worker = 'coder'")
    told = {row["uid"]: row for row in rows}
    session = told["github:session/012345a6-b7c8-4012-9e3f-45a678b90123"]
    assert (session["delegator"], session["delegator_strength"]) == ("github:user/1101", "proven")
    svid = told["spiffe:id/spiffe://corp.example/agents/support"]
    assert svid["root_uid"] == "spire:attestor/corp.example/k8s_psat"


def test_every_record_has_one_fate_and_no_log_brings_in_a_secret(estate: Estate):
    outcomes = {row["outcome"] for row in estate.rows("SELECT DISTINCT outcome FROM records")}
    assert outcomes == {"action", "skipped"}
    raw = json.dumps([row["raw"] for row in estate.rows("SELECT raw FROM records")])
    assert "planted.in-the-sample" not in raw

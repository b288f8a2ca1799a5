"""The detectors of identity, delegation and escalation over records that went the whole way, not over made-up rows."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from pipelines import run as work
from pipelines.settings import load
from tests.end_to_end.small import ACCOUNT, Estate, assume, event

DETECTORS = (
    "chain_too_deep", "contested_record", "human_use", "new_credential_or_policy", "undeclared_identity",
    "wrong_delegator", "wrong_instantiator", "wrong_starter",
)  # fmt: skip
ROLE = f"arn:aws:iam::{ACCOUNT}:role/agent"
BOT = f"arn:aws:iam::{ACCOUNT}:user/bot"
DANA = f"arn:aws:iam::{ACCOUNT}:user/dana"
ISSUER = "token.actions.githubusercontent.com"

AGENT = """
worker: agent
owner: team@corp.example
mode: {mode}
identities:
  - aws:role/arn:aws:iam::111122223333:role/agent
  - oauth:client/corp.okta.example#0oa1agent
  - "oidc:subject/{issuer}#repo:*"
provenance: {{repo: corp/agent, workflow: "run.yml@refs/heads/main"}}
instantiators: [{instantiators}]
delegators: ["mail:addr/*@corp.example"]
scope:
  - allow: {{service: s3.amazonaws.com}}
  - allow: {{service: sts.amazonaws.com, resources: ["arn:aws:iam::111122223333:role/*"]}}
  - allow: {{service: iam.amazonaws.com, operations: [{iam}]}}
limits:
  - {{measure: hops, at_most: {hops}}}
"""
BOSS = """
worker: boss
owner: team@corp.example
identities: ["aws:user/arn:aws:iam::111122223333:user/bot"]
may_start: [{may_start}]
scope:
  - allow: {{service: sts.amazonaws.com, resources: ["arn:aws:iam::111122223333:role/agent"]}}
"""


def user(arn: str, key: str | None = None, **more: Any) -> dict[str, Any]:
    """An IAM user as a record names it."""
    name = arn.rsplit("/", 1)[1]
    whole = {
        "type": "IAMUser",
        "principalId": f"AIDA{name.upper()}",
        "arn": arn,
        "accountId": ACCOUNT,
        "userName": name,
    }
    return {**whole, **({"accessKeyId": key} if key else {}), **more}


def session(key: str, second: int, source_identity: str | None = None) -> dict[str, Any]:
    """The worker's role in the session that began at `second`."""
    context: dict[str, Any] = {
        "sessionIssuer": {"type": "Role", "arn": ROLE, "principalId": "AROAAGENT"},
        "attributes": {"creationDate": f"2026-03-02T09:{second // 60:02}:{second % 60:02}Z"},
    }
    if source_identity:
        context["sourceIdentity"] = source_identity
    return {"type": "AssumedRole", "principalId": "AROAAGENT:r", "accountId": ACCOUNT, "accessKeyId": key,
            "sessionContext": context}  # fmt: skip


def taken_on(name: str, identity: dict[str, Any], key: str, second: int, **response: Any) -> dict[str, Any]:
    """The worker's role is taken on; STS issues `key`."""
    return event(
        name,
        second=second,
        userIdentity=identity,
        eventSource="sts.amazonaws.com",
        requestParameters={"roleArn": ROLE, "roleSessionName": "r"},
        responseElements={
            "credentials": {"accessKeyId": key, "expiration": "Mar 2, 2026, 11:00:00 AM"},
            "assumedRoleUser": {"assumedRoleId": "AROAAGENT:r"},
            **response,
        },
        resources=[{"ARN": ROLE, "accountId": ACCOUNT, "type": "AWS::IAM::Role"}],
    )


def iam(name: str, second: int, **response: Any) -> dict[str, Any]:
    """The worker makes something for the user dana."""
    return event(
        name, second=second, userIdentity=session("ASIA1", 0), eventSource="iam.amazonaws.com",
        requestParameters={"userName": "dana"}, responseElements=response or None,
    )  # fmt: skip


def token_grant(user_id: str | None) -> str:
    """Okta gives the worker's client a token, on behalf of a user where one is named."""
    users = [{"id": user_id, "type": "User"}] if user_id else []
    return json.dumps(
        {
            "uuid": f"okta-{user_id}",
            "published": "2026-03-02T09:30:00.000Z",
            "eventType": "app.oauth2.as.token.grant.access_token",
            "actor": {"id": "0oa1agent", "type": "PublicClientApp"},
            "client": {"id": "0oa1agent", "ipAddress": "192.0.2.10"},
            "outcome": {"result": "SUCCESS"},
            "target": [*users, {"id": f"AT.{user_id}", "type": "access_token"}],
        }
    )


def records(repository: str, delegator: str) -> list[dict[str, Any]]:
    """A boss starts the agent, which takes on a further role, makes a key and a password for dana, and uses the key."""
    subject = f"repo:{repository}:ref:refs/heads/main"
    provider = f"arn:aws:iam::{ACCOUNT}:oidc-provider/{ISSUER}"
    web = {"type": "WebIdentityUser", "principalId": f"{ISSUER}:aud:{subject}", "userName": subject,
           "identityProvider": provider}  # fmt: skip
    return [
        taken_on("AssumeRole", user(BOT, "AKIABOT"), "ASIA1", 0),
        event(second=1, userIdentity=session("ASIA1", 0)),
        {**assume("ASIA2", second=2), "userIdentity": session("ASIA1", 0)},
        event(
            second=3,
            userIdentity={
                **session("ASIA2", 2),
                "principalId": "AROACLEANER:run-1",
                "sessionContext": {
                    "sessionIssuer": {"type": "Role", "arn": f"arn:aws:iam::{ACCOUNT}:role/cleaner"},
                    "attributes": {"creationDate": "2026-03-02T09:00:02Z"},
                },
            },
        ),
        iam("CreateLoginProfile", 4, loginProfile={"userName": "dana"}),
        iam("CreateAccessKey", 5, accessKey={"accessKeyId": "AKIADANA", "userName": "dana"}),
        taken_on("AssumeRoleWithWebIdentity", web, "ASIA7", 7, provider=provider, subjectFromWebIdentityToken=subject),
        event(second=8, userIdentity=session("ASIA7", 7, delegator)),
    ]


def write(estate: Estate, logs: list[dict[str, Any]], **parts: str) -> None:
    boss = BOSS.format(may_start=parts.pop("may_start"))
    (estate.root / "workers" / "boss.yaml").write_text(boss, encoding="utf-8")
    agent = AGENT.format(issuer=ISSUER, **parts)
    (estate.root / "workers" / "agent.yaml").write_text(agent, encoding="utf-8")
    estate.put("trail", logs)


def run(estate: Estate) -> work.Summary:
    """The whole way, with the detectors of this module alone."""
    what = work.plan(load(estate.config))
    chosen = tuple(one for one in what.detectors if one.id in DETECTORS)
    assert [one.id for one in chosen] == list(DETECTORS)
    return work.run(replace(what, detectors=chosen))


def found(estate: Estate) -> set[tuple[str, str | None, str, str]]:
    """Detector, worker, entity and severity of each finding."""
    rows = estate.rows("SELECT detector, worker, entity, severity FROM findings")
    return {(row["detector"], row["worker"], row["entity"], row["severity"]) for row in rows}


def test_every_overreach_of_identity_is_found_once(tmp_path: Path) -> None:
    estate = Estate(tmp_path)
    logs = [
        *records("evil/agent", "eve@evil.example"),
        event("ListBuckets", second=6, userIdentity=user(DANA, "AKIADANA")),
        event(
            "ConsoleLogin", second=9, userIdentity=user(BOT), eventSource="signin.amazonaws.com",
            eventType="AwsConsoleSignIn", requestParameters=None, responseElements={"ConsoleLogin": "Success"},
            userAgent="Mozilla/5.0 (Macintosh)",
        ),
    ]  # fmt: skip
    write(estate, logs, mode="delegated", instantiators='"aws:service/ec2.amazonaws.com"', hops="1", iam='"Get*"',
          may_start="")  # fmt: skip
    estate.put("second", [{**logs[1], "sourceIPAddress": "198.51.100.66"}])
    estate.put("okta", token_grant(None))
    assert not run(estate).failures
    contested = {row["source"] for row in estate.rows("SELECT source FROM actions WHERE flag IS NOT NULL")}
    assert len(contested) == 1
    assert found(estate) == {
        ("wrong_instantiator", "agent", f"aws:user/{BOT}", "high"),
        ("wrong_instantiator", "agent", f"oidc:subject/{ISSUER}#repo:evil/agent:ref:refs/heads/main", "high"),
        ("wrong_starter", "boss", "worker:id/agent", "high"),
        ("chain_too_deep", "agent", f"aws:role/arn:aws:iam::{ACCOUNT}:role/cleaner", "medium"),
        ("chain_too_deep", "agent", f"aws:user/{DANA}", "low"),
        ("new_credential_or_policy", "agent", DANA, "high"),
        ("undeclared_identity", "agent", f"aws:user/{DANA}", "medium"),
        ("wrong_delegator", "agent", "mail:addr/eve@evil.example", "medium"),
        ("wrong_delegator", "agent", "oauth:client/corp.okta.example#0oa1agent", "high"),
        ("human_use", "boss", f"aws:user/{BOT}", "high"),
        ("contested_record", "agent", contested.pop(), "high"),
    }


def test_the_same_acts_within_the_manifests_are_none(tmp_path: Path) -> None:
    estate = Estate(tmp_path)
    logs = records("corp/agent", "ana@corp.example")
    write(estate, logs, mode="own", instantiators='"worker:id/boss"', hops="2", may_start="agent",
          iam="CreateLoginProfile, CreateAccessKey")  # fmt: skip
    estate.put("second", [logs[1]])
    estate.put("okta", "\n".join((token_grant(None), token_grant("00u1"))))
    assert not run(estate).failures
    assert found(estate) == set()

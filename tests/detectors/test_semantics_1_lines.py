"""Points 1 and 2 of the manifest's semantics: kinds of lines, the first match, attempts.

Line 100 is the first line of the scope, 101 the second.
"""

from typing import Any

import pytest

from tests.detectors.scope_examples import S3, Example, allow, api, check, deny, judged, manifest, named, run, web

OBJECT = "arn:aws:s3:::cases/2026/1.json"
EXAMPLES = [
    Example(web("a.example"), [allow(hosts=["a.example"])], "allow", 100, resource="a.example"),
    Example(web("b.example"), [allow(hosts=["a.example"])], "out", None, resource="b.example"),
    Example(web("a.example"), [], "out"),
    Example(web("a.example"), [allow(service=S3), allow(models=["*"]), allow(servers=["*"])], "out"),
    Example(api(), [allow(hosts=["*"])], "out"),
    Example(api(), [deny(service=S3), allow(service=S3)], "deny", 100),
    Example(api(), [allow(service=S3), deny(service=S3)], "allow", 100),
    Example(api(S3, "DeleteObject", OBJECT), [deny(service=S3, operations=["Delete*"]), allow(service=S3)], "deny", 100),
    Example(api(S3, "GetObject", OBJECT), [deny(service=S3, operations=["Delete*"]), allow(service=S3)], "allow", 101),
    Example(api(S3, "GetObject", OBJECT), [allow(resources=["arn:aws:s3:::cases/*"])], "allow", 100, resource=OBJECT),
    Example(api(account="999988887777"), [allow(service=S3, accounts=["111122223333"])], "out"),
    Example(api(region="us-east-1"), [allow(service=S3, regions=["eu-*"])], "out"),
    Example(
        {"format": "litellm", "category": "model", "model": "claude-x", "api_service": "anthropic"},
        [allow(models=["claude-*"], providers=["anthropic"])],
        "allow",
        100,
        resource="claude-x",
    ),
    Example(
        {"format": "litellm", "category": "model", "model": "claude-x", "api_service": "other"},
        [allow(models=["claude-*"], providers=["anthropic"])],
        "out",
    ),
    Example(
        {"format": "tools", "category": "tool", "account": "crm", "tool": "read_case"},
        [allow(servers=["crm"], tools=["read_*"])],
        "allow",
        100,
        resource="read_case",
    ),
    Example(
        {"format": "tools", "category": "tool", "account": "crm", "tool": "readXcase"},
        [allow(servers=["crm"], tools=["read_*"])],
        "out",
    ),
    Example({"format": "approvals", "category": "approval"}, [allow(service="*")], None),
    Example(
        {"format": "okta", "category": "token", "api_service": "okta", "api_operation": "group.user_membership.add"},
        [allow(service="okta", operations=["group.*"])],
        "allow",
        100,
    ),
    Example(api(), [allow(service=S3, operations=[])], "out"),
    # "mixed keys are an error": tests/detectors/test_manifest.py
    # "an action is judged by the lines of its kind alone"
    Example(web("s3.example"), [deny(service="*"), allow(hosts=["s3.example"])], "allow", 101),
    Example(api(), [deny(hosts=["*"]), allow(service=S3)], "allow", 101),
    Example(
        {"format": "tools", "category": "tool", "account": "crm", "tool": "read_case"},
        [deny(service="*"), deny(hosts=["*"]), deny(models=["*"]), allow(servers=["crm"])],
        "allow",
        103,
    ),
    # "first match wins"
    Example(api(S3, "GetObject"), [allow(service="x"), allow(service=S3), deny(service=S3), allow(service=S3)], "allow", 101),
    Example(web("a.example"), [deny(hosts=["b.example"]), deny(hosts=["a.*"]), allow(hosts=["*"])], "deny", 101),
    # "a denied or failed call out of scope is a finding": its verdict is that of one that succeeded
    Example(api(status="denied"), [], "out"),
    Example(api(status="failure"), [deny(service=S3)], "deny", 100),
    Example(web("a.example", status="denied"), [allow(hosts=["a.example"])], "allow", 100),
]  # fmt: skip


@pytest.fixture(scope="module")
def verdicts() -> list[dict[str, Any] | None]:
    return judged(EXAMPLES)


@pytest.mark.parametrize("at", range(len(EXAMPLES)), ids=[named(one) for one in EXAMPLES])
def test_verdict(at: int, verdicts: list[dict[str, Any] | None]) -> None:
    check(EXAMPLES[at], verdicts[at])


@pytest.mark.parametrize(
    ("status", "tried"), [("success", False), ("failure", True), ("denied", True), ("unknown", False), (None, False)]
)
def test_an_attempt_is_told_from_a_success(status: str | None, tried: bool) -> None:
    (row,) = run([api(action_uid="a0", worker="w0", status=status)], [manifest("w0", [], {})]).to_pylist()
    assert (row["verdict"], row["tried"]) == ("out", tried)

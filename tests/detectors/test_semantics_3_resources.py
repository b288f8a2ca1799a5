"""Point 3 of the manifest's semantics: the verdict per resource, containers, and what cannot be seen."""

from typing import Any

import pytest

from tests.detectors.scope_examples import ROLE, S3, Example, allow, api, check, deny, judged, named, web

GROUP = "arn:aws:logs:eu-west-1:111122223333:log-group:g"
PARAMETER = "arn:aws:ssm:eu-west-1:111122223333:parameter/"
TABLE = "arn:aws:dynamodb:eu-west-1:111122223333:table/t"
FUNCTION = "arn:aws:lambda:eu-west-1:111122223333:function:f"
STREAM = "arn:aws:kinesis:eu-west-1:111122223333:stream/s"
POINT = "arn:aws:s3:eu-west-1:111122223333:accesspoint/p"
OBJECT = "arn:aws:s3:::cases/2026/1.json"
EXAMPLES = [
    Example(
        api(S3, "CopyObject", "arn:aws:s3:::mine/a", "arn:aws:s3:::theirs/b"),
        [allow(service=S3, resources=["arn:aws:s3:::mine/*"])],
        "out",
        resource="arn:aws:s3:::theirs/b",
    ),
    Example(
        api(S3, "CopyObject", "arn:aws:s3:::secret/a", "arn:aws:s3:::else/b", "arn:aws:s3:::mine/c"),
        [deny(resources=["arn:aws:s3:::secret/*"]), allow(service=S3, resources=["arn:aws:s3:::mine/*"])],
        "deny",
        100,
        resource="arn:aws:s3:::secret/a",
    ),
    Example(
        api(S3, "GetObject", "arn:aws:s3:::cases", OBJECT),
        [allow(service=S3, resources=["arn:aws:s3:::cases/*"])],
        "allow",
        100,
        resource=OBJECT,
    ),
    Example(
        api(S3, "GetObject", OBJECT, "arn:aws:s3:::cases"),
        [allow(service=S3, resources=["arn:aws:s3:::cases/*"])],
        "allow",
        100,
        resource=OBJECT,
    ),
    # who lists a bucket asks for what is inside it
    Example(
        api(S3, "ListObjects", "arn:aws:s3:::cases"),
        [allow(service=S3, operations=["GetObject", "List*"], resources=["arn:aws:s3:::cases/*"])],
        "allow",
        100,
        resource="arn:aws:s3:::cases",
    ),
    Example(api(S3, "ListObjects", "arn:aws:s3:::cases"), [allow(resources=["arn:aws:s3:::cases"])], "allow", 100),
    Example(api(S3, "DeleteBucket", "arn:aws:s3:::cases"), [allow(resources=["arn:aws:s3:::cases/*"])], "out"),
    Example(api(S3, "ListObjects", "arn:aws:s3:::other"), [allow(resources=["arn:aws:s3:::cases/*"])], "out"),
    Example(
        api(S3, "ListObjects", "arn:aws:s3:::cases"),
        [deny(resources=["arn:aws:s3:::cases/*"]), allow(service=S3)],
        "deny",
        100,
    ),
    Example(
        api(S3, "DeleteObjects", "arn:aws:s3:::b/logs", "arn:aws:s3:::b/logs/1"),
        [allow(service=S3, resources=["arn:aws:s3:::b/logs/*"])],
        "out",
        resource="arn:aws:s3:::b/logs",
    ),
    Example(
        api(S3, "GetObject", "arn:aws:s3:::cases", "arn:aws:s3:::cases-2/x"),
        [allow(resources=["arn:aws:s3:::cases-2/*"])],
        "out",
        resource="arn:aws:s3:::cases",
    ),
    Example(
        api("logs.amazonaws.com", "GetLogEvents", GROUP, f"{GROUP}:log-stream:s"),
        [allow(resources=["arn:aws:logs:*:log-stream:*"])],
        "allow",
        100,
    ),
    Example(api(S3, "ListBuckets"), [allow(service=S3, resources=["*"])], "out"),
    Example(api(S3, "ListBuckets"), [allow(service=S3)], "allow", 100),
    # what this very record leaves out cannot be seen, though its format can show it
    Example(
        api(S3, "GetObject", request_cut=True),
        [deny(resources=["arn:aws:s3:::secret/*"]), allow(service=S3, resources=["arn:aws:s3:::cases/*"])],
        "allow",
        101,
        ["resources"],
    ),
    Example(api(S3, "PutObject", request_cut=True), [allow(operations=["GetObject"], resources=["*"])], "out"),
    Example(
        api(S3, "GetObject", OBJECT, request_cut=True), [allow(service=S3, resources=["arn:aws:s3:::mine/*"])], "out"
    ),
    Example(
        web("a.example", None, None, format="sni", dst_port=None),
        [allow(hosts=["a.example"], ports=[443], methods=["GET"], paths=["/x"])],
        "allow",
        100,
        ["ports", "methods", "paths"],
    ),
    Example(
        web("a.example", None, None, format="sni", dst_port=None),
        [deny(hosts=["a.example"], methods=["*"]), allow(hosts=["a.example"])],
        "allow",
        101,
    ),
    Example(web("a.example", None), [allow(hosts=["a.example"], methods=["GET"])], "out"),
    Example(web("a.example", path=None), [allow(hosts=["a.example"], paths=["*"])], "out"),
    Example(web(None), [allow(hosts=["*"])], "out"),
    Example(
        {"format": "okta", "category": "token", "api_service": "okta", "api_operation": "x", "account": "o.example"},
        [allow(service="okta", regions=["eu-west-1"], accounts=["o.example"])],
        "allow",
        100,
        ["regions"],
    ),
    Example(
        {"format": "okta", "category": "token", "api_service": "okta", "api_operation": "x", "account": "o.example"},
        [deny(service="okta", regions=["*"]), allow(service="okta")],
        "allow",
        101,
    ),
    # "deny fires where any resource matches", wherever it is listed
    Example(
        api(S3, "CopyObject", "arn:aws:s3:::mine/a", "arn:aws:s3:::secret/a"),
        [allow(service=S3, resources=["arn:aws:s3:::mine/*"]), deny(resources=["arn:aws:s3:::secret/*"])],
        "deny",
        101,
        resource="arn:aws:s3:::secret/a",
    ),
    # the action takes the worst: denied before not allowed before allowed
    Example(
        api(S3, "CopyObject", "arn:aws:s3:::a/1", "arn:aws:s3:::b/1", "arn:aws:s3:::c/1"),
        [allow(resources=["arn:aws:s3:::a/*"]), deny(resources=["arn:aws:s3:::c/*"])],
        "deny",
        101,
        resource="arn:aws:s3:::c/1",
    ),
    # a line without resources speaks of all of them
    Example(api(S3, "CopyObject", "arn:aws:s3:::a/1", "arn:aws:s3:::b/1"), [allow(service=S3)], "allow", 100),
    # "a listed resource that contains another listed one is not judged": so a deny on it says nothing either
    Example(
        api(S3, "GetObject", "arn:aws:s3:::cases", OBJECT),
        [deny(resources=["arn:aws:s3:::cases"]), allow(service=S3)],
        "allow",
        101,
        resource=OBJECT,
    ),
    # only where containment is real: naming a child takes no parent out of judgement
    Example(
        api("ssm.amazonaws.com", "GetParameters", f"{PARAMETER}app/master", f"{PARAMETER}app/master/x"),
        [deny(resources=[f"{PARAMETER}app/master"]), allow(resources=[f"{PARAMETER}app/*"])],
        "deny",
        100,
        resource=f"{PARAMETER}app/master",
    ),
    Example(
        api("sns.amazonaws.com", "Publish", "arn:aws:sns:eu-west-1:111122223333:t", "arn:aws:sns:eu-west-1:111122223333:t:s"),
        [allow(resources=["arn:aws:sns:*:t:s"])],
        "out",
    ),
    Example(
        api(S3, "DeleteObjects", OBJECT, f"{OBJECT}/x"),
        [deny(resources=[OBJECT]), allow(service=S3)],
        "deny",
        100,
    ),
    Example(
        api("dynamodb.amazonaws.com", "Query", TABLE, f"{TABLE}/index/by-day"),
        [allow(resources=[f"{TABLE}/index/*"])],
        "allow",
        100,
    ),
    Example(
        api("dynamodb.amazonaws.com", "Query", TABLE, f"{TABLE}/other"), [allow(resources=[f"{TABLE}/*"])], "out"
    ),
    Example(
        api("lambda.amazonaws.com", "Invoke", FUNCTION, f"{FUNCTION}:live"), [allow(resources=[f"{FUNCTION}:*"])], "allow", 100
    ),
    Example(
        api("kinesis.amazonaws.com", "SubscribeToShard", STREAM, f"{STREAM}/consumer/c:1"),
        [allow(resources=[f"{STREAM}/consumer/*"])],
        "allow",
        100,
    ),
    Example(
        api(S3, "GetObject", POINT, f"{POINT}/object/k"), [allow(resources=[f"{POINT}/object/*"])], "allow", 100
    ),
    # a container alone is judged as itself
    Example(api(S3, "GetBucketAcl", "arn:aws:s3:::cases"), [allow(resources=["arn:aws:s3:::cases/*"])], "out"),
    # a role beside the policy that it gets: names of IAM contain nothing
    Example(
        api("iam.amazonaws.com", "AttachRolePolicy", f"{ROLE}team", f"{ROLE}team/x"),
        [allow(resources=[f"{ROLE}team/*"])],
        "out",
        resource=f"{ROLE}team",
    ),
    # a wildcard in the record is text: only a pattern that admits the star itself matches it
    Example(api(S3, "PutBucketPolicy", "arn:aws:s3:::*"), [allow(resources=["arn:aws:s3:::cases*"])], "out"),
    Example(api(S3, "DeleteObjects", "arn:aws:s3:::cases/*"), [allow(resources=["arn:aws:s3:::cases/*"])], "allow", 100),
    Example(api(S3, "DeleteObjects", "arn:aws:s3:::cas?s/x"), [allow(resources=["arn:aws:s3:::cases/*"])], "out"),
    # "one that it can observe but that is null does not match", in allow and in deny
    Example(api(account=None), [allow(service=S3, accounts=["*"])], "out"),
    Example(api(region=None), [allow(service=S3, regions=["*"])], "out"),
    Example(api(account=None), [deny(service=S3, accounts=["*"]), allow(service=S3)], "allow", 101),
    Example(api(region=None), [deny(service=S3, regions=["*"]), allow(service=S3)], "allow", 101),
    Example(api(None, "GetObject"), [allow(operations=["GetObject"])], "allow", 100),
    Example(api(None, "GetObject"), [allow(service="*")], "out"),
    Example(api(S3, None), [allow(service=S3, operations=["*"])], "out"),
    # "a dimension that the format cannot observe" is named, and only where the line states it
    Example(
        web("a.example", None, None, format="sni", dst_port=None),
        [allow(hosts=["a.example"], methods=["GET"])],
        "allow",
        100,
        ["methods"],
    ),
    Example(
        {"format": "okta", "category": "token", "api_service": "okta", "api_operation": "x", "account": "o.example"},
        [allow(service="okta", resources=["*"])],
        "out",
    ),
]  # fmt: skip


@pytest.fixture(scope="module")
def verdicts() -> list[dict[str, Any] | None]:
    return judged(EXAMPLES)


@pytest.mark.parametrize("at", range(len(EXAMPLES)), ids=[named(one) for one in EXAMPLES])
def test_verdict(at: int, verdicts: list[dict[str, Any] | None]) -> None:
    check(EXAMPLES[at], verdicts[at])

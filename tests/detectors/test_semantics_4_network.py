"""Point 4 of the manifest's semantics: CONNECT, plain http, and hosts that are endpoints of allowed services."""

from typing import Any

import pytest

from tests.detectors.scope_examples import S3, Example, allow, check, deny, judged, named, tunnel, web

CASES = allow(service=S3, resources=["arn:aws:s3:::cases/*"])
POINT = "shared-111122223333.s3-accesspoint.eu-west-1.amazonaws.com"
POINT_ARN = "arn:aws:s3:eu-west-1:111122223333:accesspoint/shared"
EXAMPLES = [
    Example(tunnel("a.example"), [allow(hosts=["a.example"])], "allow", 100),
    Example(tunnel("a.example", 8443), [allow(hosts=["a.example"])], "out"),
    Example(tunnel("a.example", None), [allow(hosts=["a.example"])], "out"),
    Example(tunnel("a.example", 8443), [allow(hosts=["a.example"], ports=[8443])], "allow", 100),
    Example(tunnel("a.example", 443), [allow(hosts=["a.example"], ports=[8443])], "out"),
    Example(tunnel("a.example", 8443), [allow(hosts=["a.example"], ports=["84*"])], "allow", 100),
    Example(tunnel("a.example", 8443), [deny(hosts=["a.example"]), allow(hosts=["*"], ports=["*"])], "deny", 100),
    Example(tunnel("a.example", None, format="sni"), [allow(hosts=["a.example"])], "allow", 100, ["ports"]),
    Example(web("a.example", dst_port=8080), [allow(hosts=["a.example"])], "allow", 100),
    Example(web("a.example", dst_port=8080), [allow(hosts=["a.example"], ports=[80])], "out"),
    Example(
        tunnel("a.example"),
        [allow(hosts=["a.example"], methods=["GET"], paths=["/x"])],
        "allow",
        100,
        ["methods", "paths"],
    ),
    Example(tunnel("a.example"), [deny(hosts=["a.example"], paths=["/x"]), allow(hosts=["*"])], "allow", 101),
    Example(tunnel("a.example"), [deny(hosts=["a.example"], methods=["CONNECT"]), allow(hosts=["*"])], "deny", 100),
    Example(tunnel(f"cases.{S3}"), [allow(service=S3)], "allow", 100, resource=f"cases.{S3}"),
    Example(
        tunnel("s3.eu-west-1.amazonaws.com"),
        [allow(service=S3, operations=["Get*"], regions=["eu-west-1"])],
        "allow",
        100,
        ["operations"],
    ),
    Example(tunnel("dynamodb.eu-west-1.amazonaws.com"), [allow(service=S3)], "out"),
    Example(tunnel(f"cases.{S3}", 8443), [allow(service=S3)], "out"),
    Example(tunnel(f"cases.{S3}"), [deny(hosts=["*.amazonaws.com"]), allow(service=S3)], "deny", 100),
    Example(tunnel(f"cases.{S3}"), [deny(service=S3), allow(service=S3)], "out"),
    Example(tunnel(f"cases.{S3}"), [deny(service=S3, operations=["Delete*"]), allow(service=S3)], "allow", 101),
    Example(tunnel("sts.amazonaws.com"), [allow(service="*.amazonaws.com")], "allow", 100),
    Example(tunnel("evil.example"), [allow(service="*")], "out"),
    Example(tunnel("evil.example"), [allow(accounts=["evil.example"])], "out"),
    Example(tunnel(f"{S3}.evil.example"), [allow(service=S3)], "out"),
    Example(tunnel("corp.okta.com"), [allow(service="okta")], "allow", 100),
    Example(tunnel("corp.okta.com"), [allow(service="okta", accounts=["corp.okta.com"])], "allow", 100),
    Example(tunnel("other.okta.com"), [allow(service="okta", accounts=["corp.okta.com"])], "out"),
    Example(tunnel("login.corp.example"), [allow(service="okta", accounts=["login.corp.example"])], "allow", 100),
    Example(tunnel("api.vendor.example"), [allow(service="api.vendor.example")], "allow", 100),
    # "a CONNECT matches on host and port": a method in any case is still a CONNECT
    Example(web("a.example", "connect", None, dst_port=8443), [allow(hosts=["a.example"])], "out"),
    Example(web("a.example", "connect", None, dst_port=443), [allow(hosts=["a.example"])], "allow", 100),
    Example(web("a.example", "connect", None), [deny(methods=["CONNECT"]), allow(hosts=["*"])], "deny", 100),
    # a path that somebody wrote into a CONNECT is not seen
    Example(web("a.example", "CONNECT", "/x", dst_port=443), [allow(hosts=["*"], paths=["/y"])], "allow", 100, ["paths"]),
    # "plain http any port", also 443 and none
    Example(web("a.example", dst_port=443), [allow(hosts=["a.example"])], "allow", 100),
    Example(web("a.example", dst_port=None), [allow(hosts=["a.example"])], "allow", 100),
    Example(web("a.example", dst_port=None), [allow(hosts=["a.example"], ports=["*"])], "out"),
    # endpoints of a region, dual-stack, FIPS, virtual-hosted and behind an interface
    Example(tunnel("cases.s3.eu-west-1.amazonaws.com"), [allow(service=S3)], "allow", 100),
    Example(tunnel("s3.dualstack.us-east-1.amazonaws.com"), [allow(service=S3)], "allow", 100),
    Example(tunnel("s3-fips.us-gov-west-1.amazonaws.com"), [allow(service=S3)], "allow", 100),
    Example(tunnel("vpce-0a1-x2.kms.eu-west-1.vpce.amazonaws.com"), [allow(service="kms.amazonaws.com")], "allow", 100),
    # what the host's name shows is judged: its region
    Example(tunnel("s3.us-east-1.amazonaws.com"), [allow(service=S3, regions=["eu-*"])], "out"),
    Example(tunnel(S3), [allow(service=S3, regions=["eu-*"])], "allow", 100, ["regions"]),
    Example(tunnel("s3.us-east-1.amazonaws.com"), [deny(service=S3, regions=["us-*"]), allow(service=S3)], "out"),
    Example(tunnel(S3), [deny(service=S3, regions=["*"]), allow(service=S3)], "allow", 101),
    Example(
        tunnel("europe-west4-aiplatform.googleapis.com"),
        [allow(service="aiplatform.googleapis.com", regions=["us-central1"])],
        "out",
    ),
    # and its bucket, though not the object
    Example(tunnel(f"cases.{S3}"), [allow(service=S3, resources=["arn:aws:s3:::cases/2026/*"])], "allow", 100, ["resources"]),
    Example(tunnel(f"loot.{S3}"), [allow(service=S3, resources=["arn:aws:s3:::cases/*"])], "out"),
    Example(tunnel(f"loot.{S3}"), [allow(service=S3, resources=["*"])], "allow", 100, ["resources"]),
    Example(tunnel(S3), [allow(service=S3, resources=["arn:aws:s3:::cases/*"])], "allow", 100, ["resources"]),
    Example(tunnel(f"pay.{S3}"), [deny(resources=["arn:aws:s3:::pay/*"], service=S3), allow(service=S3)], "out"),
    Example(tunnel(f"pay.{S3}"), [deny(resources=["arn:aws:s3:::pay/x/*"], service=S3), allow(service=S3)], "allow", 101),
    # path style: the bucket is the path's first segment, where the path is seen
    Example(web("s3.eu-west-1.amazonaws.com", path="/cases/x"), [CASES], "allow", 100, ["resources"]),
    Example(web("s3.eu-west-1.amazonaws.com", path="/evil/x"), [CASES], "out"),
    Example(web("s3-eu-west-1.amazonaws.com", path="/evil"), [CASES], "out"),
    Example(web(S3, path="/evil/x"), [CASES], "out"),
    Example(web(S3, path="/evil/cases/x"), [CASES], "out"),
    Example(web(S3, path="/cases/../evil/x"), [CASES], "out"),
    Example(web(S3, path="/%65vil/x"), [CASES], "out"),
    Example(web(S3, path="//cases/x"), [CASES], "out"),
    Example(web(S3, path="/"), [CASES], "out"),
    Example(web(S3, path="/evil/x"), [allow(service=S3)], "allow", 100),
    Example(web(S3, path="/pay/x"), [deny(resources=["arn:aws:s3:::pay/*"], service=S3), allow(service=S3)], "out"),
    Example(web(S3, path="/x"), [deny(resources=["arn:aws:s3:::pay/*"], service=S3), allow(service=S3)], "allow", 101),
    Example(web("bucket.vpce-1a-2b.s3.eu-west-1.vpce.amazonaws.com", path="/evil/x"), [CASES], "out"),
    Example(web("bucket.vpce-1a-2b.s3.eu-west-1.vpce.amazonaws.com", path="/cases/x"), [CASES], "allow", 100, ["resources"]),
    Example(web("cases.s3.eu-west-1.amazonaws.com", path="/evil/x"), [CASES], "allow", 100, ["resources"]),
    Example(tunnel("bucket.vpce-1a-2b.s3.eu-west-1.vpce.amazonaws.com"), [CASES], "allow", 100, ["resources"]),
    # an access point is admitted by its own ARN, not by a bucket's
    Example(tunnel(POINT), [CASES], "out"),
    Example(web(POINT, path="/cases/x"), [CASES], "out"),
    Example(tunnel(POINT), [allow(service=S3)], "allow", 100),
    Example(tunnel(POINT), [allow(service=S3, resources=[POINT_ARN])], "allow", 100, ["resources"]),
    Example(tunnel(POINT), [allow(service=S3, resources=[f"{POINT_ARN}/object/a/*"])], "allow", 100, ["resources"]),
    Example(tunnel(POINT), [allow(service=S3, resources=[f"{POINT_ARN}-2/object/*"])], "out"),
    Example(tunnel(POINT), [allow(service=S3, resources=["arn:aws:s3:us-east-1:*:accesspoint/shared"])], "out"),
    Example(tunnel(POINT), [deny(service=S3, resources=["arn:aws:s3:*:accesspoint/*"]), allow(service=S3)], "out"),
    # a line of the network decides before the table of endpoints does
    Example(tunnel(f"cases.{S3}"), [allow(service=S3), allow(hosts=["*.amazonaws.com"])], "allow", 101),
    # hosts of customers within a provider's domain are nobody's endpoints
    Example(tunnel("s3-1.eu-west-1.elb.amazonaws.com"), [allow(service=S3), allow(service="*.amazonaws.com")], "out"),
]  # fmt: skip


@pytest.fixture(scope="module")
def verdicts() -> list[dict[str, Any] | None]:
    return judged(EXAMPLES)


@pytest.mark.parametrize("at", range(len(EXAMPLES)), ids=[named(one) for one in EXAMPLES])
def test_verdict(at: int, verdicts: list[dict[str, Any] | None]) -> None:
    check(EXAMPLES[at], verdicts[at])

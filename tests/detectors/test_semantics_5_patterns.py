"""Point 5 of the manifest's semantics: patterns, and the many spellings of hosts, methods and paths."""

from typing import Any

import pytest

from tests.detectors.scope_examples import S3, Example, allow, api, check, deny, judged, named, web

EXAMPLES = [
    Example(web("a.b.example"), [allow(hosts=["*.example"])], "allow", 100),
    Example(web("example"), [allow(hosts=["*.example"])], "out"),
    Example(web("A.EXAMPLE."), [allow(hosts=["a.example"])], "allow", 100),
    Example(web("a.example"), [allow(hosts=["A.Example."])], "allow", 100),
    Example(web("xn--bcher-kva.example"), [allow(hosts=["bücher.example"])], "allow", 100),
    Example(web("aXexample"), [allow(hosts=["a.example"])], "out"),
    Example(web("a.example.evil"), [allow(hosts=["a.example"])], "out"),
    Example(api(S3, "getobject"), [allow(service=S3, operations=["GetObject"])], "out"),
    Example(api(S3, "GetObject"), [allow(service=S3, operations=["Get?bject"])], "allow", 100),
    Example(api(S3, "GetObject", "arn:aws:s3:::a_b/100%"), [allow(resources=["arn:aws:s3:::a_b/100%"])], "allow", 100),
    Example(api(S3, "GetObject", "arn:aws:s3:::aXb/100%"), [allow(resources=["arn:aws:s3:::a_b/*"])], "out"),
    Example(api(S3, "GetObject", "arn:aws:s3:::a/100x"), [allow(resources=["arn:aws:s3:::a/100%"])], "out"),
    Example(web("a.example", path="/api/v2/x?y=/z"), [allow(hosts=["*"], paths=["/api/v2/?"])], "allow", 100),
    Example(web("a.example", path="/api/v2/../admin"), [allow(hosts=["*"], paths=["/api/v2/*"])], "out"),
    Example(web("a.example", path="/api/v2/%2e%2E/admin"), [allow(hosts=["*"], paths=["/api/v2/*"])], "out"),
    Example(web("a.example", path="/api/v2/..%2fadmin"), [allow(hosts=["*"], paths=["/api/v2/*"])], "out"),
    Example(web("a.example", path="/x/../api/v2/y"), [allow(hosts=["*"], paths=["/api/v2/*"])], "allow", 100),
    Example(web("a.example", path="/%61dmin"), [deny(hosts=["*"], paths=["/admin"]), allow(hosts=["*"])], "deny", 100),
    Example(web("a.example", path="/%61dmin%ff"), [deny(hosts=["*"], paths=["/admin*"]), allow(hosts=["*"])], "deny", 100),
    Example(web("a.example", path="/%2561dmin"), [deny(hosts=["*"], paths=["/admin"]), allow(hosts=["*"])], "allow", 101),
    Example(web("a.example", path="?q"), [allow(hosts=["*"], paths=["/"])], "allow", 100),
    # hosts: any spelling of a name or an address is that host
    Example(web("a.example.."), [allow(hosts=["a.example"])], "allow", 100),
    Example(web("bücher.example"), [allow(hosts=["xn--bcher-kva.example"])], "allow", 100),
    Example(web("BÜCHER.example"), [allow(hosts=["bücher.example"])], "allow", 100),
    Example(web("a.example:8080"), [deny(hosts=["a.example"]), allow(hosts=["*"])], "deny", 100),
    Example(web("me@a.example"), [deny(hosts=["a.example"]), allow(hosts=["*"])], "deny", 100),
    Example(web("a.example@evil.example"), [allow(hosts=["a.example"])], "out", resource="evil.example"),
    Example(web("[2001:DB8::0:1]"), [allow(hosts=["2001:db8::1"])], "allow", 100, resource="2001:db8::1"),
    Example(web("2001:db8::1"), [allow(hosts=["[2001:0db8::1]"])], "allow", 100),
    Example(web("[2001:db8::1]:8443"), [allow(hosts=["2001:db8::*"])], "allow", 100),
    Example(web("2852039166"), [deny(hosts=["169.254.169.254"]), allow(hosts=["*"])], "deny", 100),
    Example(web("0xA9.0xFE.0xA9.0xFE"), [deny(hosts=["169.254.169.254"]), allow(hosts=["*"])], "deny", 100),
    Example(web("0251.0376.0251.0376"), [deny(hosts=["169.254.*"]), allow(hosts=["*"])], "deny", 100),
    Example(web("[::ffff:169.254.169.254]"), [deny(hosts=["169.254.169.254"]), allow(hosts=["*"])], "deny", 100),
    Example(web("127.1"), [deny(hosts=["127.0.0.1"]), allow(hosts=["*"])], "deny", 100),
    Example(web("4294967296"), [deny(hosts=["0.0.0.0"]), allow(hosts=["*"])], "allow", 101),
    # methods are case-sensitive, but a deny is not got around by another case
    Example(web("a.example", "post"), [allow(hosts=["a.example"], methods=["POST"])], "out"),
    Example(web("a.example", "post"), [deny(hosts=["*"], methods=["POST"]), allow(hosts=["*"])], "deny", 100),
    # "decoded once": any case of an escape, never twice
    Example(web("a.example", path="/a%2Fb"), [allow(hosts=["*"], paths=["/a/b"])], "allow", 100),
    Example(web("a.example", path="/a%2fb"), [allow(hosts=["*"], paths=["/a/b"])], "allow", 100),
    Example(web("a.example", path="/%252e%252e/admin"), [deny(hosts=["*"], paths=["/admin"]), allow(hosts=["*"])], "allow", 101),
    Example(web("a.example", path="/%zz/../admin"), [deny(hosts=["*"], paths=["/admin"]), allow(hosts=["*"])], "deny", 100),
    # "the query dropped": also where the path in front of it is empty
    Example(web("a.example", path=""), [allow(hosts=["*"], paths=["/"])], "allow", 100),
    Example(web("a.example", path="/x?/../admin"), [allow(hosts=["*"], paths=["/x"])], "allow", 100),
    Example(web("a.example", path="/x%3Fy"), [allow(hosts=["*"], paths=["/x?y"])], "allow", 100),
    # a deny fires on what lenient servers make of a path as well
    Example(web("a.example", path="//admin"), [deny(hosts=["*"], paths=["/admin"]), allow(hosts=["*"])], "deny", 100),
    Example(web("a.example", path="/x//..//admin"), [deny(hosts=["*"], paths=["/admin"]), allow(hosts=["*"])], "deny", 100),
    Example(web("a.example", path="/admin;a/x"), [deny(hosts=["*"], paths=["/admin/*"]), allow(hosts=["*"])], "deny", 100),
    Example(web("a.example", path="/admin;a=b"), [deny(hosts=["*"], paths=["/admin"]), allow(hosts=["*"])], "deny", 100),
    Example(web("a.example", path="/x/..;/admin"), [deny(hosts=["*"], paths=["/admin"]), allow(hosts=["*"])], "deny", 100),
    Example(web("a.example", path="\\admin"), [deny(hosts=["*"], paths=["/admin"]), allow(hosts=["*"])], "deny", 100),
    Example(web("a.example", path="/x\\..\\admin"), [deny(hosts=["*"], paths=["/admin"]), allow(hosts=["*"])], "deny", 100),
    Example(web("a.example", path="/x/..%5cadmin"), [deny(hosts=["*"], paths=["/admin"]), allow(hosts=["*"])], "deny", 100),
    Example(web("a.example", path="/admin/"), [deny(hosts=["*"], paths=["/admin"]), allow(hosts=["*"])], "deny", 100),
    Example(web("a.example", path="//admin/"), [deny(hosts=["*"], paths=["/admin/*"]), allow(hosts=["*"])], "deny", 100),
    Example(web("a.example", path="/administrator"), [deny(hosts=["*"], paths=["/admin"]), allow(hosts=["*"])], "allow", 101),
    # an allow needs the plain form
    Example(web("a.example", path="//api/x"), [allow(hosts=["*"], paths=["/api/*"])], "out"),
    Example(web("a.example", path="\\api\\x"), [allow(hosts=["*"], paths=["/api/*"])], "out"),
    Example(web("a.example", path="/api/"), [allow(hosts=["*"], paths=["/api"])], "out"),
    Example(web("a.example", path="/api/a;v=1"), [allow(hosts=["*"], paths=["/api/*;v=1"])], "allow", 100),
    Example(web("a.example", path="/api//x"), [allow(hosts=["*"], paths=["/api/*"])], "allow", 100),
    # and both forms of one that climbs
    Example(web("a.example", path="/api/..;/admin"), [allow(hosts=["*"], paths=["/api/*"])], "out"),
    Example(web("a.example", path="/api/..\\admin"), [allow(hosts=["*"], paths=["/api/*"])], "out"),
    Example(web("a.example", path="/api/..%5c..%5cadmin"), [allow(hosts=["*"], paths=["/api/*"])], "out"),
    Example(web("a.example", path="/api/v1/..;/x"), [allow(hosts=["*"], paths=["/api/*"])], "allow", 100),
]  # fmt: skip


@pytest.fixture(scope="module")
def verdicts() -> list[dict[str, Any] | None]:
    return judged(EXAMPLES)


@pytest.mark.parametrize("at", range(len(EXAMPLES)), ids=[named(one) for one in EXAMPLES])
def test_verdict(at: int, verdicts: list[dict[str, Any] | None]) -> None:
    check(EXAMPLES[at], verdicts[at])

"""Whose a Squid line is: where a user name ends, and what it proves."""

from __future__ import annotations

import pytest

from tests.pipelines.formats.squid_lines import native, one


@pytest.mark.parametrize(
    ("logged", "name"),
    [
        ("jane%20doe", "jane doe"),
        ("j%c3%bcrgen", "jürgen"),
        ("a%5bb%5d%25", "a[b]%"),
        (r"corp\\bob", r"corp\bob"),
        (r"corp\\new", r"corp\new"),
        ("caf%e9", "caf%e9"),
    ],
)
def test_user_names_are_read_as_the_proxy_knows_them(logged: str, name: str):
    row = one(native(user=logged))
    assert row["principal"] == f"proxy:user/egress/{name}"
    assert (row["dst_host"], row["dst_ip"], row["url_path"]) == ("a.example", "203.0.113.10", "/x")


@pytest.mark.parametrize(
    ("logged", "name", "path"),
    [
        ("jane doe", "doe", "/x jane"),
        ("batch-7 svc", "svc", "/x batch-7"),
        ("batch-7\tsvc", "svc", "/x batch-7"),
        ("batch-7 -", None, "/x batch-7"),
        ("?q batch-7 svc", "svc", "/x "),
        ("x HIER_DIRECT/192.0.2.1 text/html svc", "svc", "/x x HIER_DIRECT/192.0.2.1 text/html"),
        ("GET http://evil.example/ root", "root", "/x GET http://evil.example/"),
    ],
)
def test_words_behind_a_url_are_the_callers_but_for_the_last(logged: str, name: str | None, path: str):
    row = one(native(user=logged), authenticated=True)
    assert row["principal"] == (name and f"proxy:user/egress/{name}")
    assert row["identity_strength"] == "asserted"
    assert (row["dst_host"], row["dst_ip"], row["url_path"]) == ("a.example", "203.0.113.10", path)


def test_a_host_ends_at_a_space():
    row = one(native(url="http://evil.test", user=".good.example/x svc"))
    assert (row["dst_host"], row["url_path"]) == ("evil.test", "/")


@pytest.mark.parametrize(
    ("logformat", "text", "name", "strength", "host"),
    [
        # The URL stands behind the name: the first word is the proxy's.
        ("%ts %un %ru", "1767607200 svc http://evil.test/ http://a.example/", "svc", "asserted", "evil.test"),
        ("%ts %un %ru", "1767607200 jane doe http://a.example/", "jane", "asserted", "a.example"),
        ("%ts %un %ru", "1767607200 svc http://a.example/", "svc", "proven", "a.example"),
        # It stands on both sides: no word is.
        ("%ts %ru %un %ru", "1767607200 http://a.example/ x svc http://a.example/ x", None, "asserted", "a.example"),
        # The URL cannot hold a space, or the name's end is marked.
        ("%ts %un %#ru", "1767607200 jane doe http://a.example/", "jane doe", "asserted", "a.example"),
        ("%ts %ru [%un]", "1767607200 http://a.example/ [jane doe]", "jane doe", "proven", "a.example"),
        ('%ts %ru "%un"', '1767607200 http://a.example/ "jane doe"', "jane doe", "proven", "a.example"),
        ("%ts %ru %#un", "1767607200 http://a.example/ jane%20doe", "jane doe", "proven", "a.example"),
    ],
)
def test_where_a_name_ends_depends_on_what_marks_it(
    logformat: str, text: str, name: str | None, strength: str, host: str
):
    row = one(text, logformat=logformat, authenticated=True)
    assert row["principal"] == (name and f"proxy:user/egress/{name}")
    assert (row["identity_strength"], row["dst_host"]) == (strength, host)


def test_a_raw_name_is_not_decoded_into_another():
    row = one("1767607200.120 %61dmin http://a.example/", logformat="%ts.%03tu %un %ru")
    assert row["principal"] == "proxy:user/egress/%61dmin"
    encoded = one("1767607200.120 jane%20doe%25 http://a.example/", logformat="%ts.%03tu %#un %ru")
    assert encoded["principal"] == "proxy:user/egress/jane doe%"


@pytest.mark.parametrize(
    "tail",
    [
        "HIER_DIRECT/203.0.113.10 text/html",
        "HIER_DIRECT/203.0.113.10   text/html  ",
        "HIER_DIRECT/203.0.113.10 text/html 902351708.872",
        r"HIER_DIRECT/203.0.113.10 text/html [X: HIER_NONE/- text/html\r\n] [HTTP/1.1 200 OK\r\n]",
        "HIER_DIRECT/203.0.113.10 HIER_NONE/-",
        "TIMEOUT_HIER_DIRECT/203.0.113.10 foo",
    ],
)
def test_what_follows_the_hierarchy_forges_nothing(tail: str):
    row = one(native(user="-", tail=tail))
    assert (row["outcome"], row["principal"], row["dst_ip"]) == ("action", None, "203.0.113.10")


def test_who_is_proven():
    said = {"authenticated": True}
    assert one(native(), **said)["identity_strength"] == "proven"
    assert one(native())["identity_strength"] == "asserted"
    assert one(native(result="TCP_DENIED/403"), **said)["identity_strength"] == "proven"
    assert one(native(result="TCP_DENIED/407"), **said)["identity_strength"] == "asserted"
    assert one(native(user="-"), **said)["identity_strength"] == "asserted"
    ident = one("1767607200.120 bob http://a.example/", logformat="%ts.%03tu %ui %ru", **said)
    assert (ident["principal"], ident["identity_strength"]) == ("proxy:user/egress/bob", "asserted")

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.formats.squid_logformat import BUILT_IN, Logformat, compiled

WORKERTRAIL = (
    "%ts.%03tu %tS %tr %>a %>p %<la %<lp %Ss/%03>Hs %>st %<st %>sh %<sh %rm %#>ru %#un %ssl::bump_mode"
    ' %#ssl::>sni %#ssl::>cert_subject "%"{User-Agent}>h" "%"{traceparent}>h" %sn'
)


def values(logformat: Logformat, line: str) -> dict[str, str] | None:
    """What the compiled pattern takes out of a line, by code and argument; null where it does not match."""
    groups = ", ".join(f"'{name}'" for name in logformat.groups)
    pattern = logformat.pattern.replace("'", "''")
    found = duckdb.execute(f"SELECT regexp_extract($line, '{pattern}', [{groups}])", {"line": line}).fetchone()[0]
    if not found["whole"]:
        return None
    return {f.code if f.argument is None else f"{f.code}{{{f.argument}}}": found[f.name] for f in logformat.fields}


def test_built_in_formats_go_by_their_names():
    assert compiled(None).line == compiled("squid").line == BUILT_IN["squid"]
    assert [field.code for field in compiled("combined").fields][-2:] == ["Ss", "Sh"]


@pytest.mark.parametrize(
    ("line", "text", "expected"),
    [
        (
            "%ts.%03tu %6tr %ru",
            "1767607200.007     12 http://a.example/",
            {"ts": "1767607200", "tu": "007", "tr": "12"},
        ),
        ("%ts.%03tu %-6tr|%ru", "1767607200.007 12    |x", {"tr": "12", "ru": "x"}),
        ("%ts %>a:%>p %ru", "1 2001:db8::1:40000 x", {">a": "2001:db8::1", ">p": "40000"}),
        ("%ts %<a:%<p %ru", "1 -:- x", {"<a": "-", "<p": "-"}),
        ("%ts %Ss/%03>Hs %ru", "1 TCP_MISS_ABORTED/000 x", {"Ss": "TCP_MISS_ABORTED", ">Hs": "000"}),
        ("%ts %http::>st %<bs %ru", "1 52 - x", {">st": "52", "<bs": "-"}),
        ('%ts "%{User-Agent}>h" %ru', r'1 "a \"b\" c\\" x', {">h{user-agent}": r"a \"b\" c\\", "ru": "x"}),
        ("%ts [%{Referer}>h] %ru", "1 [a b%5d] x", {">h{referer}": "a b%5d"}),
        ("%ts %{Referer}>h %ru", "1 a%20b x", {">h{referer}": "a%20b"}),
        ("%ts %>h{Referer} %ru", "1 a%20b x", {">h{referer}": "a%20b"}),
        ("%ts %/un %ru", '1 "a \\"b c" x', {"un": '"a \\"b c"'}),
        ("%ts %un %Ss/%>Hs %ru", "1 a b TCP_HIT/200 c TCP_MISS/404 x", {"un": "a b TCP_HIT/200 c", ">Hs": "404"}),
        (
            "%ts %tls::>sni %ssl::bump_mode %ru",
            "1 a.example bump x",
            {"ssl::>sni": "a.example", "ssl::bump_mode": "bump"},
        ),
        ("%ts %%%ru%%", "1 %x%", {"ru": "x"}),
        ("%ts%byte{9}%ru", "1\tx", {"ru": "x"}),
        ("%ts %brand_new::>code %ru", "1 whatever x", {"brand_new::>code": "whatever", "ru": "x"}),
        ("%ts %{mynote}note %sn %ru", "1 - 77 x", {"note{mynote}": "-", "sn": "77"}),
        ("%{%Y-%m-%dT%H:%M:%S%z}tl %ru", "2026-01-05T10:00:00+0100 x", {"tl": "2026-01-05T10:00:00+0100"}),
        ("[%tl] %ru", "[05/Jan/2026:10:00:00 +0100] x", {"tl": "05/Jan/2026:10:00:00 +0100"}),
        ("%tg %ru", "05/Jan/2026:10:00:00 x", {"tg": "05/Jan/2026:10:00:00"}),
        ("logformat wt %ts %ru", "1 x", {"ts": "1", "ru": "x"}),
        (BUILT_IN["squid"], "1.000      1 10.0.0.1 A/200 1 GET u - HIER_NONE/- -", {"ru": "u", "un": "-", "mt": "-"}),
    ],
)
def test_codes_and_modifiers(line: str, text: str, expected: dict[str, str]):
    found = values(compiled(line), text)
    assert found is not None
    assert {code: found[code] for code in expected} == expected


def test_the_recommended_line_reads_every_field():
    line = (
        "1767607210.512 1767607210.100 412 10.40.1.11 50122 192.0.2.1 41022 TCP_TUNNEL/200 524500 18230 120 39 CONNECT"
        ' a.example:443 svc splice a.example CN=w%20x "py" "-" 1'
    )
    found = values(compiled(WORKERTRAIL), line)
    assert found is not None
    assert (found[">st"], found["<st"], found[">sh"], found["<sh"]) == ("524500", "18230", "120", "39")
    assert (found["un"], found["ssl::>cert_subject"], found["sn"]) == ("svc", "CN=w%20x", "1")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("", "is empty"),
        ("%ts\n%ru", "one line"),
        ("%ts %ru %", r"position 9: a % without a format code; write %%"),
        ("%ts % ru", r"position 5: a % without"),
        ("%ts %{User-Agent>h %ru", r"position 6: a \{ is not closed"),
        ("%ts %{}>h %ru", r"position 6: an empty \{\}"),
        ("%ts %byte{0} %ru", "position 5: %byte needs a number from 1 to 255"),
        ("%>a %ru", r"says no time; add %ts\.%03tu"),
        ("%{%H:%M}tl %ru", "says no time"),
        ("%{%Y-%m-%d %H:%M:%S}tl %ru", "%tl needs %z"),
        ("%ts %>a", "says no destination; add %ru"),
        ("%ts %ru %credentials", "position 9: %credentials writes secrets"),
        ("%ts %ru %{Cookie}>h", r"position 9: %\{cookie\}>h writes secrets"),
        ("%ts %ru " + "x" * 5000, "at most 4000"),
    ],
)
def test_a_line_that_cannot_be_used_says_where_and_what_to_do(line: str, message: str):
    with pytest.raises(ValueError, match=message):
        compiled(line)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.sampled_from(
            [
                *"""%"'[]#/-0.69 {}()*+?\\|^$""",
                "%ts",
                "%ru",
                "%un",
                ">h",
                "{X}",
                "%{Y}>h",
                "%03tu",
                "é",
                "http::",
                "ssl::",
            ]
        ),
        max_size=14,
    ).map("".join)
)
def test_any_text_is_refused_or_compiles_to_a_pattern_that_runs(text: str):
    try:
        logformat = compiled(f"%ts {text} %ru")
    except ValueError as error:
        assert "logformat" in str(error)  # noqa: PT017
        return
    assert values(logformat, "") is None

"""Text of logs stays text, whatever it holds."""

from __future__ import annotations

from datetime import date, datetime

import pytest
from markupsafe import Markup

from pipelines.report.page import environment
from pipelines.report.text import MAX_SHOWN, NOTHING, literal, plural, shown, size, span


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, NOTHING),
        (1234567, "1,234,567"),
        (0.5, "0.5"),
        (float("nan"), NOTHING),
        (True, "yes"),
        (datetime(2026, 3, 2, 9, 0, 1, 500), "2026-03-02 09:00:01"),
        (date(2026, 3, 2), "2026-03-02"),
        (["a", None, 1000], f"a, {NOTHING}, 1,000"),
        ({"b": 1, "a": "x"}, '{"a": "x", "b": 1}'),
        ("a\x00b\u202ec\u061cd\u200be\U000e0041f\nz", "a�b�c�d�e�f�z"),
        ("<b>&amp;", "<b>&amp;"),
    ],
)
def test_values_as_people_read_them(value: object, expected: str) -> None:
    assert shown(value) == expected


def test_a_flood_is_cut_and_says_how_long_it_was() -> None:
    assert shown("x" * 1_000_000) == "x" * MAX_SHOWN + "… (1,000,000 characters)"


def test_what_plotly_would_read_as_markup_is_literal() -> None:
    assert literal("<a href='javascript:x'>&lt;b") == "&lt;a href='javascript:x'&gt;&amp;lt;b"
    assert literal("y" * 200) == "y" * 119 + "…"


@pytest.mark.parametrize(
    "text", ["<script>x</script>", '"><img src=x onerror=x>', "'onclick='x", "{{7*7}}", "{% raw %}", "</style>"]
)
def test_every_expression_of_a_template_is_escaped(text: str) -> None:
    out = environment().from_string('<p title="{{ it }}">{{ it }}</p>').render(it=text)
    assert (out.count("<"), out.count('"'), out.count("'")) == (2, 2, 0)
    assert "49" not in out
    assert Markup(out.split(">")[1].split("<")[0]).unescape() == text


def test_units() -> None:
    assert [size(one) for one in (None, 0, 999, 1000, 2_984_001_374)] == [NOTHING, "0 B", "999 B", "1 kB", "2.98 GB"]
    assert [span(one) for one in (0, 59, 3600, 90_061)] == ["0 s", "59 s", "1 h", "1 d 1 h"]
    assert [plural(1, "call"), plural(2000, "call")] == ["1 call", "2,000 calls"]

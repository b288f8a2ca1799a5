"""Log text on its way to pages: what becomes of it, case by case."""

from __future__ import annotations

import polars as pl
import pytest

from pipelines import inert


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain: text", "plain: text"),
        ("http://beacon.invalid/x.png", "http[:]//beacon.invalid/x.png"),
        ("xHTTPS://a.example and http://b.example", "xHTTPS[:]//a.example and http[:]//b.example"),
        ("data:image/png;base64,AAAA", "data[:]image/png;base64,AAAA"),
        ("metadata: none", "metadata: none"),
        ("javascript:alert(1)", "javascript[:]alert(1)"),
        ("text/html:<b>", "text/html[:]<b>"),
        ("arn:aws:s3:::cases/*", "arn:aws:s3:::cases/*"),
        ("file:///var/log/a.log", "file:///var/log/a.log"),
        ("a\x1b[2Jb\u202ec", "a\ufffd[2Jb\ufffdc"),
    ],
)
def test_addresses_lose_their_colon(text: str, shown: str) -> None:
    assert inert.defanged(text) == shown


def test_cells_keep_numbers_and_turn_nested_values_into_text() -> None:
    frame = pl.DataFrame({"n": [1, None], "text": ["http://a", None], "list": [["http://b"], None]})
    assert inert.cells(frame).to_dict(as_series=False) == {
        "n": [1, None],
        "text": ["http[:]//a", None],
        "list": ['["http[:]//b"]', None],
    }


def test_a_label_is_escaped_and_cut() -> None:
    assert inert.label('<a href="x">y</a>') == '&lt;a href="x"&gt;y&lt;/a&gt;'
    assert inert.label("x" * 100) == "x" * 59 + "…"


def test_raw_text_keeps_its_lines_and_nothing_that_misleads() -> None:
    assert inert.shown("one\ntwo\x00\x1b three http://a") == "one\ntwo\ufffd\ufffd three http://a"

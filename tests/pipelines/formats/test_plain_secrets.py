"""Strings marked by their place in a record."""

from __future__ import annotations

import json

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.formats.pieces import joined, table_of
from pipelines.formats.plain_secrets import MARK, PLAIN, Path, mark, marked, mentions
from pipelines.formats.secrets import redact


def in_data(path: Path) -> bool:
    return b"data" in path


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"data":{"a":"x","b":["y",1,{"c":"z"}]},"e":"w"}', '{"data":{"a":"plain:x","b":["plain:y",1,{"c":"plain:z"}]},"e":"w"}'),
        ('{"data" : "x" , "e":"data"}', '{"data" : "plain:x" , "e":"data"}'),
        ('{"e":["data",{"data":"x"}],"f":"y"}', '{"e":["data",{"data":"plain:x"}],"f":"y"}'),
        (r'{"data":{"a\"data":"x\\","b":"\"}"}}', r'{"data":{"a\"data":"plain:x\\","b":"plain:\"}"}}'),
        ('{"data":{"a":"","b":"plain:x","c":"hash:x","d":null}}', '{"data":{"a":"","b":"plain:x","c":"hash:x","d":null}}'),
        ('{"data":"x","data":"y"}', '{"data":"plain:x","data":"plain:y"}'),
        ("]]}}{", "]]}}{"),
    ],
)  # fmt: skip
def test_strings_at_the_place_are_marked(text: str, expected: str):
    assert mark(text.encode(), in_data, b"hash:").decode() == expected


def test_only_suspects_are_read_and_reasons_stay():
    pieces = table_of(joined([b'{"data":"x"}', b'{"data":"x","hint":1}', b"{"]), {2: "not JSON"})
    found = marked(pieces, mentions(pieces, b'"hint"'), in_data)
    assert found["raw"].to_pylist() == [b'{"data":"x"}', b'{"data":"plain:x","hint":1}', b"{"]
    assert found["reason"].to_pylist() == [None, None, "not JSON"]


def test_what_is_marked_is_replaced_and_json_stays_json():
    text = mark(rb'{"data":{"a":"x\"y","b":"\u0041"},"e":"x"}', in_data).decode()
    stored = json.loads(redact(pa.array([text]), b"k" * 32, [PLAIN])[0].as_py())
    assert stored["e"] == "x"
    assert [value.startswith("plain:hmac:") for value in stored["data"].values()] == [True, True]


VALUES = st.recursive(
    st.none() | st.integers() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["data", "a", '"']), inner, max_size=3),
)


@given(VALUES, st.booleans())
def test_json_keeps_its_shape(value: object, ascii_only: bool):
    text = json.dumps(value, ensure_ascii=ascii_only).encode()
    found = mark(text, in_data)
    json.loads(found)
    assert found.replace(MARK, b"") == text.replace(MARK, b"")


@given(st.binary(max_size=60) | st.text(alphabet='{}[]",:\\da', max_size=60).map(str.encode))
def test_nothing_else_changes(text: bytes):
    assert mark(text, bool).replace(MARK, b"") == text.replace(MARK, b"")

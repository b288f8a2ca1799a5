import io
import json
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.formats import splitting
from pipelines.formats.format import PIECES, Split
from pipelines.formats.splitting import json_values, lines

KEYS = ("Records",)


class Trickle(io.RawIOBase):
    """A stream that hands out its bytes in the given portions, over and over."""

    def __init__(self, content: bytes, portions: list[int]) -> None:
        self._left = io.BytesIO(content)
        self._portions = portions
        self._turn = 0

    def read(self, size: int = -1, /) -> bytes:
        self._turn += 1
        return self._left.read(min(size, self._portions[self._turn % len(self._portions)]))


def pieces(split: Callable[..., Iterator[Split]], content: bytes | BinaryIO, at_rest: bool = True, **more: Any):
    """All pieces as (raw, reason), and the bytes spent."""
    stream = io.BytesIO(content) if isinstance(content, bytes) else content
    found, spent = [], 0
    for batch in split(stream, at_rest, **more):
        assert batch.pieces.schema == PIECES
        assert batch.spent >= spent
        spent = batch.spent
        found += [(row["raw"], row["reason"]) for row in batch.pieces.to_pylist()]
    return found, spent


def good(*records: bytes) -> list[tuple[bytes, None]]:
    return [(record, None) for record in records]


class TestLines:
    def test_takes_lines_without_their_ends_and_no_blank_ones(self) -> None:
        assert pieces(lines, b"a b\r\n\n \t \r\nc\n\rd\n") == (good(b"a b", b"c", b"\rd"), 16)

    def test_last_line_without_newline_is_a_record_only_at_rest(self) -> None:
        assert pieces(lines, b"a\nb") == (good(b"a", b"b"), 3)
        assert pieces(lines, b"a\nb", at_rest=False) == (good(b"a"), 2)

    def test_empty_log_has_no_records(self) -> None:
        assert pieces(lines, b"") == ([], 0)

    def test_byte_order_mark_is_no_part_of_the_first_line(self) -> None:
        assert pieces(lines, b"\xef\xbb\xbfa\nb\n") == (good(b"a", b"b"), 7)

    def test_line_of_10_mb_is_one_error_with_its_first_bytes(self) -> None:
        found, spent = pieces(lines, b"a\n" + b"x" * 10_000_000 + b"\nb\n")
        assert found == [(b"a", None), (b"x" * 1024, "record longer than 4 MiB"), (b"b", None)]
        assert spent == 10_000_005

    def test_line_longer_than_many_chunks_is_skipped_in_bounded_memory(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("pipelines.formats.text_stream.CHUNK", 64)
        content = b"a\n" + b"x" * 10_000 + b"\nb\n"
        found, spent = pieces(lines, content, max_record=100)
        assert [why for _, why in found] == [None, "record longer than 100 bytes", None]
        assert len(found[1][0]) < 200
        assert spent == len(content)
        assert pieces(lines, content[:-3], at_rest=False, max_record=100) == (good(b"a"), 2)

    @settings(deadline=None)
    @given(
        st.lists(st.binary(max_size=30).filter(lambda line: b"\n" not in line and b"\r" not in line and line.strip())),
        st.lists(st.integers(1, 40), min_size=1),
    )
    def test_any_portions_give_the_same_lines(self, records: list[bytes], portions: list[int]) -> None:
        content = b"header of plain text that is long enough to be text\n" * 60 + b"".join(r + b"\n" for r in records)
        found, spent = pieces(lines, Trickle(content, portions))  # type: ignore[arg-type]
        assert [raw for raw, _ in found[60:]] == records
        assert spent == len(content)

    @settings(deadline=None)
    @given(st.binary(max_size=200), st.integers(0, 200))
    def test_what_is_unspent_and_what_follows_give_the_rest(self, tail: bytes, cut: int) -> None:
        content = b"some plain text to begin with\n" * 60 + tail.replace(b"\0", b"0") + b"\n"
        cut = min(cut + 1800, len(content))
        first, spent = pieces(lines, content[:cut], at_rest=False)
        second, _ = pieces(lines, b"x\n" * 500 + content[spent:])
        whole, _ = pieces(lines, content)
        assert first + second[500:] == whole

    def test_nul_run_of_a_truncated_log_does_not_hide_what_follows(self) -> None:
        assert pieces(lines, b"\0" * 100_000 + b"a\nb\n") == (good(b"a", b"b"), 100_004)

    def test_single_control_bytes_do_not_hide_a_log(self) -> None:
        found, _ = pieces(lines, b"GET /\0\x01 HTTP/1.1 " * 2 + b"\n" + b"plain text\n" * 40)
        assert len(found) == 41


class TestBinary:
    @pytest.mark.parametrize("split", [lines, json_values])
    @pytest.mark.parametrize(
        "content",
        [
            b"\x7fELF\x02\x01\x01" + b"\0" * 50 + b"text" * 10,
            bytes(range(256)) * 50,
            b"PAR1\x15\x04\x15\x10\0\0\0" * 30,
            b"\0" * 5000,
            '{"a": 1}'.encode("utf-16"),
        ],
    )
    def test_is_one_error(self, split: Callable[..., Iterator[Split]], content: bytes) -> None:
        found, spent = pieces(split, content)
        assert len(found) == 1
        assert found[0][0] == content[:1024] or not content.strip(b"\0")
        assert found[0][1].startswith("not text: ")
        assert spent == len(content)


OBJECTS = st.dictionaries(
    st.text(max_size=5),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
        max_leaves=6,
    ),
    max_size=5,
).filter(lambda record: "Records" not in record)
INDENTS = st.sampled_from([None, 0, 1, 4])
PACKINGS: dict[str, Callable[[list[bytes]], bytes]] = {
    "lines": lambda records: b"".join(record + b"\n" for record in records),
    "array": lambda records: b"[" + b",\n ".join(records) + b"]",
    "container": lambda records: b'{"Records":[' + b",".join(records) + b"]}",
    "more": lambda records: b'{"v": [1], "Records": [' + b" , ".join(records) + b'], "n": {"Records": 1}}',
    "two containers": lambda records: b'{"Records":[' + b",".join(records[:2]) + b']}{"Records":['
    + b",".join(records[2:]) + b"]}",
    "container lines": lambda records: b"".join(b'{"Records":[' + record + b"]}\n" for record in records),
    "one after the other": b"".join,
}  # fmt: skip


class TestJson:
    @settings(max_examples=300, deadline=None)
    @given(
        st.lists(OBJECTS, min_size=1, max_size=6),
        st.sampled_from(sorted(PACKINGS)),
        INDENTS,
        st.booleans(),
        st.lists(st.integers(1, 60), min_size=1),
    )
    def test_every_packing_gives_the_records_in_order(
        self, records: list[Any], packing: str, indent: int | None, ascii_only: bool, portions: list[int]
    ) -> None:
        if packing in ("lines", "container lines"):
            indent = None
        dumped = [json.dumps(record, indent=indent, ensure_ascii=ascii_only) for record in records]
        texts = [text.encode(errors="surrogatepass") for text in dumped]
        texts = [text for text in texts if b"\xed" not in text] or [b"{}"]
        content = PACKINGS[packing](texts)
        found, spent = pieces(json_values, Trickle(content, portions), keys=KEYS)  # type: ignore[arg-type]
        assert found == good(*texts)
        assert spent == len(content)

    @settings(max_examples=200, deadline=None)
    @given(st.lists(OBJECTS, min_size=2, max_size=8), st.data())
    def test_growing_file_gives_the_same_records_in_two_pulls(self, records: list[Any], data: st.DataObject) -> None:
        content = b"".join(json.dumps(record).encode() + b"\n" for record in records)
        cut = data.draw(st.integers(1, len(content)))
        first, spent = pieces(json_values, content[:cut], at_rest=False, keys=KEYS)
        second, end = pieces(json_values, content[spent:], keys=KEYS) if spent < len(content) else ([], 0)
        assert first + second == pieces(json_values, content, keys=KEYS)[0]
        assert spent + end == len(content)

    def test_complete_last_line_is_taken_though_it_may_grow(self) -> None:
        assert pieces(json_values, b'{"a":1}\n{"b":2}', at_rest=False) == (good(b'{"a":1}', b'{"b":2}'), 15)
        assert pieces(json_values, b'{"a":1}\n{"b":2', at_rest=False) == (good(b'{"a":1}'), 8)

    def test_unfinished_container_waits_until_it_is_at_rest(self) -> None:
        content = b'{"Records":[{"a":1},{"a":"tru'
        assert pieces(json_values, content, at_rest=False, keys=KEYS) == ([], 0)
        assert pieces(json_values, content, keys=KEYS) == (
            [(b'{"a":1}', None), (b'{"a":"tru', "truncated: the object ends inside a record")],
            len(content),
        )

    def test_container_that_is_not_closed_is_an_error_of_its_own(self) -> None:
        found, _ = pieces(json_values, b'{"Records":[{"a":1},', keys=KEYS)
        assert found == [(b'{"a":1}', None), (b"", "truncated: the object ends before it is closed")]

    def test_empty_object_is_an_error_and_an_empty_container_is_none(self) -> None:
        assert pieces(json_values, b"", keys=KEYS) == ([(b"", "empty object")], 0)
        assert pieces(json_values, b"", at_rest=False, keys=KEYS) == ([], 0)
        assert pieces(json_values, b"") == ([], 0)
        assert pieces(json_values, b'{"Records":[]}', keys=KEYS) == ([], 14)

    def test_second_array_under_the_same_key_hides_nothing(self) -> None:
        found, _ = pieces(json_values, b'{"Records":[{"a":1}],"Records":[{"a":2}]}', keys=KEYS)
        assert found == good(b'{"a":1}', b'{"a":2}')

    def test_record_that_has_the_key_with_no_array_is_itself(self) -> None:
        assert pieces(json_values, b'{"Records":"none","a":1}\n', keys=KEYS)[0] == good(b'{"Records":"none","a":1}')

    def test_elements_that_are_no_objects_are_errors(self) -> None:
        found, _ = pieces(json_values, b'[1,"x",{"a":1},null,[2]]')
        assert found == [(raw, None if raw[:1] == b"{" else "not a JSON object") for raw in
                         (b"1", b'"x"', b'{"a":1}', b"null", b"[2]")]  # fmt: skip

    def test_object_that_is_too_large_is_one_error(self) -> None:
        content = b'{"Records":[' + b",".join([b'{"a":1}'] * 100) + b"]}"
        found, spent = pieces(json_values, content, keys=KEYS, max_object=500)
        assert found == [(content, "object larger than 500 bytes")]
        assert spent == len(content)

    def test_batches_are_bounded(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(splitting, "CHUNK", 1000)
        content = b'{"Records":[' + b",".join([b'{"a":"%s"}' % (b"x" * 92)] * 100) + b"]}"
        sizes = [batch.pieces.num_rows for batch in json_values(io.BytesIO(content), True, KEYS)]
        assert sum(sizes) == 100
        assert max(sizes) <= 10


BAD = {
    "unbalanced quote": (b'{"id":"500","t":"x"y"}', "invalid JSON: "),
    "open quote": (b'{"id":"500","t":"x}', "invalid JSON: "),
    "missing bracket": (b'{"id":"500","t":[1}', "invalid JSON: "),
    "no value": (b'{"id":"500","t":}', "invalid JSON: "),
    "invalid UTF-8": (b'{"id":"500","t":"\xff\xfe"}', "invalid UTF-8 at byte 17"),
    "control character": (b'{"id":"500","t":"\x01"}', "invalid JSON: "),
    "nested 100,000 deep": (b'{"id":"500","t":' + b"[" * 100_000 + b"]" * 100_000 + b"}", "nested deeper than 500"),
    "nested 501 deep": (b'{"id":"500","t":' + b"[" * 500 + b"]" * 500 + b"}", "nested deeper than 500"),
    "10 MB": (b'{"id":"500","t":"' + b"x" * 10_000_000 + b'"}', "record longer than 4 MiB"),
    "no object": (b"[500]", "not a JSON object"),
}


class TestOneBadRecordOfAThousand:
    @pytest.mark.parametrize("packing", ["lines", "array", "container"])
    @pytest.mark.parametrize("bad", sorted(BAD))
    def test_keeps_the_others(self, packing: str, bad: str) -> None:
        record, reason = BAD[bad]
        if packing == "lines" and bad == "no object":
            record = b"500"
        fine = [b'{"id":"%d","inner":[{"id":1},{"id":2}],"text":"a \\"quoted\\" },{ text"}' % n for n in range(1000)]
        content = PACKINGS[packing]([*fine[:500], record, *fine[501:]])
        found, spent = pieces(json_values, content, keys=KEYS)
        assert [raw for raw, why in found if why is None] == fine[:500] + fine[501:]
        assert [(raw[:20], why[: len(reason)]) for raw, why in found if why] == [(record[:20], reason)]
        assert spent == len(content)

    @pytest.mark.parametrize("packing", sorted(PACKINGS))
    def test_lone_surrogate_and_nan_are_no_fault(self, packing: str) -> None:
        records = [b'{"id":"%d"}' % n for n in range(1000)]
        records[500:502] = [b'{"id":"\\ud800 \\\\ud800 \\udc00\\ud83d\\ude00"}', b'{"id":NaN}']
        assert pieces(json_values, PACKINGS[packing](records), keys=KEYS)[0] == good(*records)

    @pytest.mark.parametrize("packing", ["array", "container"])
    def test_in_the_first_and_the_last_place(self, packing: str) -> None:
        fine = [b'{"id":"%d"}' % n for n in range(10)]
        bad = b'{"id":"x"y"}'
        found, _ = pieces(json_values, PACKINGS[packing]([bad, *fine, bad]), keys=KEYS)
        assert found[1:-1] == good(*fine)
        assert found[0][0] == bad
        assert found[-1][0].startswith(bad)
        assert all(why.startswith("invalid JSON: ") for _, why in (found[0], found[-1]))

    @settings(max_examples=200, deadline=None)
    @given(st.binary(max_size=20), st.integers(0, 40), st.sampled_from(["lines", "array", "container"]))
    def test_whatever_is_written_into_one_record_the_ones_before_it_stay(
        self, noise: bytes, at: int, packing: str
    ) -> None:
        fine = [b'{"eventID":"%d","eventName":"GetObject","n":[1,{"x":"y"}]}' % n for n in range(40)]
        broken = fine[20][:at] + noise + fine[20][at + len(noise) :]
        content = PACKINGS[packing]([*fine[:20], broken, *fine[21:]])
        found, spent = pieces(json_values, content, keys=KEYS)
        assert [raw for raw, why in found if why is None][:20] == fine[:20]
        assert spent == len(content)

    @settings(max_examples=200, deadline=None)
    @given(st.binary(max_size=300))
    def test_no_input_makes_it_fail(self, content: bytes) -> None:
        for prefix in (b"", b"{", b"[", b'{"Records":[', b'{"a":1}\n', b'[{"a":"'):
            for at_rest in (True, False):
                _, spent = pieces(json_values, prefix + content, at_rest=at_rest, keys=KEYS)
                assert spent <= len(prefix + content)
                assert spent == len(prefix + content) or not at_rest


def test_reasons_are_text() -> None:
    batch = next(iter(json_values(io.BytesIO(b"nonsense\n"), True)))
    assert batch.pieces.schema.field("reason").type == pa.string()

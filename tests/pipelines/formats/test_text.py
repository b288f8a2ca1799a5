import json
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.formats.text import clean, mend_surrogates


def binary(*rows: bytes | None) -> pa.LargeBinaryArray:
    return pa.array(rows, pa.large_binary())


class TestClean:
    @settings(deadline=None)
    @given(st.lists(st.text() | st.none()))
    def test_valid_text_stays_byte_for_byte(self, rows: list[str | None]) -> None:
        rows = [row if row is None else row.encode(errors="replace").decode() for row in rows]
        cleaned = clean(pa.array([row if row is None else row.encode() for row in rows], pa.large_binary()))
        assert cleaned["raw"].to_pylist() == rows
        assert cleaned["reason"].null_count == len(rows)

    @settings(deadline=None)
    @given(st.lists(st.binary()))
    def test_result_is_always_valid_and_only_bad_rows_change(self, rows: list[bytes]) -> None:
        cleaned = clean(pa.array(rows, pa.large_binary()))
        cleaned.validate(full=True)
        for row, raw, reason in zip(rows, cleaned["raw"].to_pylist(), cleaned["reason"].to_pylist(), strict=True):
            assert raw == row.decode(errors="replace")
            assert (reason is None) == (raw.encode() == row)

    def test_says_where_the_first_bad_byte_is(self) -> None:
        cleaned = clean(binary(b"abc\xffdef", None, b"ok"))
        assert cleaned["raw"].to_pylist() == ["abc\ufffddef", None, "ok"]
        assert cleaned["reason"].to_pylist() == ["invalid UTF-8 at byte 3", None, None]

    def test_a_slice_is_cleaned_as_itself(self) -> None:
        assert clean(binary(b"\xff", b"a", b"b").slice(1))["raw"].to_pylist() == ["a", "b"]

    def test_nul_goes_through_parquet_and_duckdb(self, tmp_path: Path) -> None:
        cleaned = clean(binary(b"a\0b", b'{"a":"x\\u0000y"}'))
        pq.write_table(cleaned, tmp_path / "nul.parquet")
        read = duckdb.execute("SELECT raw FROM read_parquet(?)", [str(tmp_path / "nul.parquet")]).fetchall()
        assert read == [("a\0b",), ('{"a":"x\\u0000y"}',)]
        assert duckdb.execute("SELECT ? ->> '$.a'", [read[1][0]]).fetchone() == ("x\0y",)


class TestMendSurrogates:
    def test_lone_ones_go_and_pairs_and_escaped_backslashes_stay(self) -> None:
        rows = [
            r'{"a":"\ud800"}', r'{"a":"\uDFFFx"}', r'{"a":"\ud83d\ude00"}', r'{"a":"\\ud800"}', r'{"a":"\\\ud800"}',
            r'{"a":"\ud800\ud83d\ude00\udc00"}', r'{"a":"\u0041"}', None, "plain",
        ]  # fmt: skip
        mended = mend_surrogates(pa.array(rows, pa.string()))
        assert mended.type == pa.string()
        assert mended.to_pylist() == [
            r'{"a":"\ufffd"}', r'{"a":"\ufffdx"}', r'{"a":"\ud83d\ude00"}', r'{"a":"\\ud800"}', r'{"a":"\\\ufffd"}',
            r'{"a":"\ufffd\ud83d\ude00\ufffd"}', r'{"a":"\u0041"}', None, "plain",
        ]  # fmt: skip

    def test_without_any_the_very_same_column_comes_back(self) -> None:
        rows = pa.array(["a", r"\u0041", None])
        assert mend_surrogates(rows) is rows

    @settings(deadline=None)
    @given(st.lists(st.dictionaries(st.text(max_size=3), st.text(st.characters(exclude_categories=[])))))
    def test_what_is_mended_duckdb_can_read(self, records: list[dict[str, str]]) -> None:
        rows = pa.array([json.dumps(record) for record in records], pa.string())
        mended = pa.table({"raw": mend_surrogates(rows)})
        assert mended.num_rows == duckdb.sql("SELECT raw FROM mended WHERE json_valid(raw)").to_arrow_table().num_rows
        for record, raw in zip(records, mended["raw"].to_pylist(), strict=True):
            as_pairs = json.dumps(record, ensure_ascii=True)
            again = json.dumps(json.loads(raw))
            assert again == as_pairs or "\\ufffd" in again

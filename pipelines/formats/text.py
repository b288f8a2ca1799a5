"""Text that DuckDB and Parquet can hold: UTF-8 checked and mended, a column at a time.

NUL characters, raw or as `\\u0000` escapes, are valid UTF-8 and valid JSON. DuckDB, Arrow and Parquet
carry them, so they are left alone.
"""

from __future__ import annotations

import re
from typing import cast

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

Strings = pa.StringArray | pa.LargeStringArray

CLEANED = pa.schema({"raw": pa.string(), "reason": pa.string()})

_SURROGATE_HINT = r"\\u[dD][89a-fA-F]"
_ESCAPE = re.compile(
    r"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(u[dD][89a-fA-F][0-9a-fA-F]{2})|.)", re.DOTALL
)
"""One escape of a JSON string, a surrogate pair taken whole; group 1 is a surrogate without its partner."""


def invalid_utf8(text: bytes) -> str | None:
    """Why `text` is no UTF-8 (`invalid UTF-8 at byte N`, N from 0), or None."""
    try:
        text.decode()
    except UnicodeDecodeError as error:
        return f"invalid UTF-8 at byte {error.start}"
    return None


def clean(raw: pa.LargeBinaryArray) -> pa.Table:
    """Bytes to text: a table of CLEANED, row for row.

    Valid UTF-8 stays byte for byte. In other rows each invalid sequence becomes U+FFFD, and `reason`
    says where the first one stood; nulls stay null.
    """
    try:
        return pa.table([raw.cast(pa.string()), pa.nulls(len(raw), pa.string())], schema=CLEANED)
    except pa.ArrowInvalid:
        rows = raw.to_pylist()
    texts = [None if row is None else row.decode(errors="replace") for row in rows]
    reasons = [None if row is None else invalid_utf8(row) for row in rows]
    return pa.table([pa.array(texts, pa.string()), pa.array(reasons, pa.string())], schema=CLEANED)


def mend_surrogates(raw: Strings) -> Strings:
    """JSON texts in which each lone surrogate escape (`\\ud800` without its partner) is `\\ufffd` instead.

    To DuckDB a lone surrogate makes the whole text invalid JSON, so a caller could hide a record with
    one. Only rows that hold a surrogate escape are rewritten. An escaped backslash before `ud800` is
    no escape. Used just before extraction; what is stored keeps the original.
    """
    suspects = pl.Series(raw.cast(pa.large_string())).str.contains(_SURROGATE_HINT).fill_null(value=False)
    rows = suspects.arg_true().to_arrow()
    if len(rows) == 0:
        return raw
    mended = [mend_surrogate(text or "") for text in raw.take(rows).to_pylist()]
    return replaced(raw, suspects, pl.Series(mended, dtype=pl.String))


def replaced(raw: Strings, rows: pl.Series, texts: pl.Series) -> Strings:
    """`raw` with `texts`, one after the other, in the rows that the mask `rows` picks."""
    return cast(Strings, pc.replace_with_mask(raw, rows.to_arrow(), texts.to_arrow().cast(raw.type)))


def mend_surrogate(text: str) -> str:
    """`mend_surrogates` for one text."""
    return _ESCAPE.sub(lambda escape: "\\ufffd" if escape[1] else escape[0], text)

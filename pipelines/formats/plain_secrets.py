"""Secrets under names that nobody knows beforehand: the members of a Kubernetes Secret, what a vault hands out.

No pattern can tell them from other text, only their place in the record can. `marked` writes `plain:` in front of each
string at such a place, and PLAIN finds them by that. All else stays byte for byte.
"""

from __future__ import annotations

import re
from collections.abc import Callable

import polars as pl
import pyarrow as pa

from pipelines.formats.format import Secret
from pipelines.formats.pieces import joined, table_of

PLAIN = Secret(r'"plain:((?:[^"\\]|\\.)+)"')
"""What a format that marks its secrets so lists among them."""

MARK = b"plain:"
_TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*"|[{}\[\]:,]', re.DOTALL)

Path = tuple[bytes, ...]
Place = Callable[[Path], bool]
"""Whether a string at this path of keys, from the outermost (arrays add none), is a secret."""


def marked(pieces: pa.Table, suspects: pl.Series, is_secret: Place, keep: bytes = b"\0") -> pa.Table:
    """A table of PIECES with the secrets of the rows `suspects` marked, but for values that begin with `keep`."""
    rows = suspects.arg_true().to_list()
    if not rows:
        return pieces
    raws: list[bytes] = pl.Series(pieces["raw"]).to_list()
    for row in rows:
        raws[row] = mark(raws[row], is_secret, keep)
    reasons = {row: reason for row, reason in enumerate(pieces["reason"].to_pylist()) if reason is not None}
    return table_of(joined(raws), reasons)


def mark(text: bytes, is_secret: Place, keep: bytes = b"\0") -> bytes:
    """One JSON record with its secrets marked. Text that is no JSON is read as far as it looks like it."""
    parts: list[bytes] = []
    keys: list[bytes | None] = []  # of each open object the key that is being read, of each array none
    done, naming = 0, False
    for token in _TOKEN.finditer(text):
        word = token[0]
        if word in (b"{", b"["):
            keys.append(b"" if word == b"{" else None)
            naming = word == b"{"
        elif word in (b"}", b"]"):
            if keys:
                keys.pop()
            naming = False
        elif word == b",":
            naming = bool(keys) and keys[-1] is not None
        elif word == b":":
            naming = False
        elif naming:
            keys[-1] = word[1:-1]
        elif not word.startswith((b'"' + MARK, b'""', b'"' + keep)) and is_secret(
            tuple(key for key in keys if key is not None)
        ):
            at = token.start() + 1
            parts += [text[done:at], MARK]
            done = at
    return b"".join([*parts, text[done:]])


def mentions(pieces: pa.Table, *words: bytes) -> pl.Series:
    """Which rows hold any of the words."""
    raw = pl.Series(pieces["raw"])
    found = pl.repeat(value=False, n=len(raw), eager=True)
    for word in words:
        found |= raw.bin.contains(word)
    return found

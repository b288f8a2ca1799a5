"""Seeded draws by the column: equal seeds give equal worlds, and each branch has a stream of its own."""

from __future__ import annotations

import hashlib

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

Draws = np.random.Generator
_BASE32 = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
_BASE62 = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_HEX = b"0123456789abcdef"
_PAIRS = np.frombuffer("".join(f"{byte:02x}" for byte in range(256)).encode(), np.uint16)


def draws(seed: int, *branch: str | int) -> Draws:
    """The stream of one branch (a worker, a day, a purpose) of the world of `seed`."""
    name = "/".join(map(str, (seed, *branch)))
    return np.random.Generator(np.random.PCG64(int.from_bytes(hashlib.sha256(name.encode()).digest()[:16], "big")))


def sizes(stream: Draws, least: float, most: float, count: int) -> npt.NDArray[np.int64]:
    """Sizes with a long tail: log-uniform between the two."""
    return np.exp(stream.uniform(np.log(max(least, 1)), np.log(max(most, 1)), count)).astype(np.int64)


def spelled(stream: Draws, letters: bytes, length: int, count: int, prefix: str = "") -> pl.Series:
    """`count` words of `length` of the letters, each behind `prefix`."""
    picked = np.frombuffer(letters, np.uint8)[stream.integers(0, len(letters), (count, length), np.uint8)]
    head = np.frombuffer(prefix.encode(), np.uint8)
    return _words(np.hstack([np.broadcast_to(head, (count, len(head))), picked]) if prefix else picked)


def _words(letters: npt.NDArray[np.uint8]) -> pl.Series:
    """A row of ASCII letters a word, without a Python object a word."""
    count, length = letters.shape
    ends = pa.py_buffer((np.arange(count + 1, dtype=np.int64) * length).tobytes())
    text = pa.LargeStringArray.from_buffers(count, ends, pa.py_buffer(np.ascontiguousarray(letters).tobytes()))
    return pl.Series(text, dtype=pl.String)


def hexes(stream: Draws, length: int, count: int) -> pl.Series:
    """Words of hexadecimal digits."""
    return spelled(stream, _HEX, length, count)


def base62(stream: Draws, length: int, count: int, prefix: str = "") -> pl.Series:
    """Words of digits and letters."""
    return spelled(stream, _BASE62, length, count, prefix)


def aws_ids(stream: Draws, prefix: str, count: int) -> pl.Series:
    """Access key ids (`AKIA`, `ASIA`) or unique ids (`AROA`, `AIDA`): the prefix and 16 characters."""
    return spelled(stream, _BASE32, 16, count, prefix)


def uuids(stream: Draws, count: int) -> pl.Series:
    """Random UUIDs (version 4)."""
    drawn = np.frombuffer(stream.bytes(16 * count), np.uint8)
    digits = _PAIRS[drawn].view(np.uint8).reshape(count, 32)
    text = np.full((count, 36), ord("-"), np.uint8)
    for into, since, until in ((0, 0, 8), (9, 8, 12), (14, 12, 16), (19, 16, 20), (24, 20, 32)):
        text[:, into : into + until - since] = digits[:, since:until]
    text[:, 14] = ord("4")
    text[:, 19] = np.frombuffer(b"89ab", np.uint8)[drawn.reshape(count, 16)[:, 8] & 3]
    return _words(text)

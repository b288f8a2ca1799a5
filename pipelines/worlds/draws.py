"""Seeded draws by the column: equal seeds give equal worlds, and each branch has a stream of its own."""

from __future__ import annotations

import hashlib

import numpy as np
import numpy.typing as npt
import polars as pl

Draws = np.random.Generator
_BASE32 = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
_BASE62 = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_HEX = b"0123456789abcdef"


def draws(seed: int, *branch: str | int) -> Draws:
    """The stream of one branch (a worker, a day, a purpose) of the world of `seed`."""
    name = "/".join(map(str, (seed, *branch)))
    return np.random.Generator(np.random.PCG64(int.from_bytes(hashlib.sha256(name.encode()).digest()[:16], "big")))


def sizes(stream: Draws, least: float, most: float, count: int) -> npt.NDArray[np.int64]:
    """Sizes with a long tail: log-uniform between the two."""
    return np.exp(stream.uniform(np.log(max(least, 1)), np.log(max(most, 1)), count)).astype(np.int64)


def spelled(stream: Draws, letters: bytes, length: int, count: int, prefix: str = "") -> pl.Series:
    """`count` words of `length` of the letters, each behind `prefix`."""
    picked = np.frombuffer(letters, np.uint8)[stream.integers(0, len(letters), (count, length))]
    words = np.ascontiguousarray(picked).view(f"S{length}").ravel()
    return (
        pl.Series(words.astype(f"U{length}"), dtype=pl.String).str.replace("^", prefix)
        if prefix
        else pl.Series(words.astype(f"U{length}"), dtype=pl.String)
    )


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
    text = pl.DataFrame({"h": hexes(stream, 32, count)})["h"]
    variant = pl.Series(np.array(list("89ab"))[stream.integers(0, 4, count)], dtype=pl.String)
    return pl.select(
        pl.concat_str(
            [
                text.str.slice(0, 8), pl.lit("-"), text.str.slice(8, 4), pl.lit("-4"), text.str.slice(13, 3),
                pl.lit("-"), variant, text.str.slice(17, 3), pl.lit("-"), text.str.slice(20, 12),
            ]
        )
    ).to_series()  # fmt: skip

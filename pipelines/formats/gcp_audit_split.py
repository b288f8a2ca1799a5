"""Google Cloud log entries out of what carries them: lines, arrays, `entries`, and Pub/Sub messages.

A Pub/Sub message holds its entry as base64 in `message.data`. It is opened here, before secrets are looked for: what
is base64 can hide any. A message whose data is no JSON object stays as it is, and is an error with a reason.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import BinaryIO

import polars as pl
import pyarrow as pa

from pipelines.formats import one_batch
from pipelines.formats.format import Split
from pipelines.formats.splitting import json_values

CONTAINERS = ("entries", "receivedMessages")
"""Keys whose arrays are entries: of the Logging API's answer, and of a Pub/Sub pull."""

_OPENED = """
    SELECT position, opened FROM (
        SELECT position,
               CASE WHEN json_valid(raw) THEN TRY(decode(from_base64(coalesce(
                   json_extract_string(raw, '$.message.data'), json_extract_string(raw, '$.data'))))) END AS opened
        FROM messages)
    WHERE json_valid(opened) AND regexp_matches(opened, '^\\s*\\{')
    ORDER BY position
"""
"""A row a message whose data is a JSON object."""


def entries(stream: BinaryIO, at_rest: bool) -> Iterator[Split]:
    """One record an entry, whatever it came in."""
    for split in json_values(stream, at_rest, keys=CONTAINERS):
        yield Split(_unwrapped(split.pieces), split.spent)


def _unwrapped(pieces: pa.Table) -> pa.Table:
    """Pieces in which each Pub/Sub message is replaced by the entry that it holds."""
    frame = pl.DataFrame(
        {"position": range(pieces.num_rows), "raw": pl.Series(pieces["raw"]), "reason": pl.Series(pieces["reason"])},
        schema_overrides={"position": pl.Int64},
    )
    raw = pl.col("raw").bin
    held = frame.filter(raw.contains(b'"data"') & ~raw.contains(b"rotoPayload") & pl.col("reason").is_null())
    if held.is_empty():
        return pieces
    messages = held.select("position", pl.col("raw").cast(pl.String, strict=False))
    with one_batch.connect() as connection:
        connection.register("messages", messages.to_arrow())
        opened = connection.execute(_OPENED).pl()
    if opened.is_empty():
        return pieces
    judged = _judged(opened["opened"])
    if judged.height != opened.height:
        return pieces  # two readers disagree on what is one value: the messages stay closed, and are errors
    entry = opened.select("position").hstack(judged)
    return frame.update(entry, on="position").sort("position").select("raw", "reason").to_arrow().cast(pieces.schema)


def _judged(texts: pl.Series) -> pl.DataFrame:
    """The opened entries as pieces, too long and too deep ones with their reason: each is one line again."""
    lines = texts.str.replace_all(r"[\r\n]+", " ").to_list()
    stream = io.BytesIO("\n".join([*lines, ""]).encode())
    found = pa.concat_tables([split.pieces for split in json_values(stream, at_rest=True)])
    return pl.DataFrame({name: pl.Series(found[name]) for name in ("raw", "reason")})

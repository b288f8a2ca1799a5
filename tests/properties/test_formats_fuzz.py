"""Every format over mutated samples: nothing stops it, nothing takes for ever, and no record is lost.

A mutation is of the bytes of a whole sample file, so that `split` meets it too. In a long run
(`--hypothesis-profile=long`) 100,000 mutated records are read, spread over the samples; else a few of each.
"""

from __future__ import annotations

import io
import random
import time
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import settings

from pipelines.formats import text
from pipelines.formats.format import ACTIONS_OUT, GRANTS_OUT
from pipelines.ingest.parse import parse_records
from pipelines.lake.duckdb_engine import DuckDBEngines
from pipelines.settings import Source
from tests.machine import ROOT
from tests.pipelines.formats.samples import Sample, pieces, samples, table

LONG, SHORT = 100_000, 40
"""Mutated records: of all samples together in a long run, of each sample else."""
A_BATCH = 400
"""Records that a format is given at once: what a batch costs, a format costs mostly once."""
SECONDS = 60.0
"""What a batch may take on a busy machine; it takes a tenth of a second."""

NASTY = (
    b"\x00", b"\xff\xfe", b"\xed\xa0\x80", b"\\ud800", b"\\u0000", b'"', b"\\", b"\n", b"\r\n", b"\t", b"{", b"}", b"[",
    b"]", b",", b":", b"null", b"-", b"(null)", b"HIDDEN_DUE_TO_SECURITY_REASONS", b"-1", b"1e999", b"99999999999999999999",
    b"NaN", b"9999-12-31T23:59:59Z", b"0000-00-00T00:00:00Z", b"2026-02-30T25:61:61+99:99", b"\xe2\x80\xae", b"'; DROP TABLE records; --",
    b"<script>", b"%00", b"%", b"%zz", b"{0}%s", b"\x1b[2J", b"[::1]", b"fe80::1%eth0", b"http://a@b@c:99999/", b" " * 300, b"(" * 300,
    b"[" * 2000, b"\xf0\x9f\x92\xa5", b"true", b"{}", b"[]", b'""', b"arn:aws:iam::1:role/x", b"#fields\tts", b"#",
)  # fmt: skip
"""Pieces of text that have broken parsers before."""


def mutated(content: bytes, dice: random.Random) -> bytes:
    """The content with one to four changes: bytes put in, taken out, doubled, swapped or cut off."""
    for _ in range(dice.randint(1, 4)):
        at, to = sorted(dice.randrange(len(content) + 1) for _ in range(2))
        to = min(to, at + dice.choice((1, 4, 30)))
        match dice.randrange(6):
            case 0:
                content = content[:at] + dice.choice(NASTY) + content[at:]
            case 1:
                content = content[:at] + dice.choice(NASTY) + content[to:]
            case 2:
                content = content[:at] + content[to:]
            case 3:
                content = content[:to] + content[at:to] + content[to:]
            case 4:
                content = content[:at] + bytes([dice.randrange(256)]) + content[at + 1 :]
            case _:
                content = content[:at] if dice.random() < 0.1 else content[:at] + content[at:].replace(b":", b"", 1)
    return content


def records(one: Sample, dice: random.Random, wanted: int) -> list[str]:
    """So many records out of mutated copies of a sample's file, as ingest would hand them to the format."""
    content, found = one.file.read_bytes(), list[bytes]()
    while len(found) < wanted:
        split = pieces(one, io.BytesIO(mutated(content, dice)))
        assert all(reason is None or reason.strip() for _, reason in split)
        found += [raw for raw, reason in split if reason is None] or [b"x"]
    cleaned = text.clean(pa.array(found[:wanted], pa.large_binary()))
    return [raw for raw in cleaned["raw"].to_pylist() if raw is not None]


def read(one: Sample, raws: list[str]) -> None:
    """Give the records to the format as ingest does, and see that each comes back once with an outcome."""
    source = Source("s", one.format, "corp", "*", ROOT, one.options, keep_secrets=False)
    started = time.monotonic()
    told, given = parse_records(DuckDBEngines(), Path(), source, table(raws))
    assert time.monotonic() - started < SECONDS
    assert sorted(told["record_id"].to_pylist(), key=int) == [str(at) for at in range(len(raws))]
    for outcome, reason, moment in zip(
        *(told[name].to_pylist() for name in ("outcome", "reason", "time")), strict=True
    ):
        assert outcome in {"action", "skipped", "error"}
        assert (reason is None) == (outcome == "action")
        assert (moment is not None) or outcome != "action"
    assert set(ACTIONS_OUT.names) <= set(told.column_names)
    assert given.schema == GRANTS_OUT
    assert set(given["kind"].to_pylist()) <= {"issue", "revoke"}
    assert None not in given["child_uid"].to_pylist()


EVERY = samples()


@pytest.mark.parametrize("one", EVERY, ids=[one.id for one in EVERY])
def test_a_mutated_sample_stops_nothing_and_loses_nothing(one: Sample) -> None:
    long = settings.get_current_profile_name() == "long"
    left = -(-LONG // len(EVERY)) if long else SHORT
    dice = random.Random(None if long else one.id)
    while left > 0:
        now = min(left, A_BATCH)
        raws = records(one, dice, now)
        try:
            read(one, raws)
        except Exception as error:  # tell which record it was: a batch holds hundreds
            for raw in raws:
                try:
                    read(one, [raw])
                except Exception as alone:
                    alone.add_note(f"{one.id}: {raw!r}"[:4000])
                    raise
            error.add_note(f"{one.id}: only the {len(raws)} records together")
            raise
        left -= now

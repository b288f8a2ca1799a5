"""Ingest rates by format: stage (a) without its commit, records to actions and grants, secrets replaced.

    python -m benchmarks.formats [--records 100000] [--only squid okta]

Each sample below data/samples is repeated to so many records, then split, redacted and read in one process, by one
thread. *Splitting alone* is the same bytes split into lines, or JSON values, with nothing done to them: the least that
any format can cost. The table goes into docs/measured.md.
"""

from __future__ import annotations

import argparse
import io
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from pipelines.formats import secrets, splitting, text
from pipelines.formats.format import Split
from pipelines.ingest.parse import parse_records
from pipelines.lake.duckdb_engine import DuckDBEngines
from pipelines.settings import Source
from tests.machine import ROOT
from tests.pipelines.formats.samples import Sample, pieces, samples

KEY = bytes(range(32))
REPEATS = 3
"""Each time is the least of so many: what else the machine did only adds."""


@dataclass(frozen=True)
class Rate:
    """What a sample cost: seconds of CPU for so many records."""

    name: str
    records: int
    bytes: int
    splitting: float
    reading: float

    def row(self) -> str:
        ratio = self.reading / self.splitting
        return (
            f"| {self.name} | {self.records:,} | {self.bytes / self.records:,.0f} | {self.records / self.reading:,.0f} "
            f"| {self.bytes / self.reading / 1e6:,.0f} | {ratio:,.1f} |"
        )


HEAD = """\
| sample | records | bytes a record | records a second | MB a second | times splitting alone |
|---|---|---|---|---|---|"""


def repeated(one: Sample, records: int) -> bytes:
    """The sample's records again and again: about so many.

    A record of several lines is a line with its log's header (Zeek's), which stands once at the beginning, or JSON,
    which is written on one line.
    """
    with one.file.open("rb") as stream:
        found = [raw for raw, reason in pieces(one, stream) if reason is None]
    headers = [raw.rpartition(b"\n")[0] + b"\n" for raw in found if raw.startswith(b"#")]
    lines = [raw.rpartition(b"\n")[2] if raw.startswith(b"#") else raw.replace(b"\n", b" ") for raw in found]
    return b"".join(headers[:1]) + (b"\n".join(lines) + b"\n") * (records // len(found))


def least(work: Callable[[], object]) -> float:
    """Seconds of CPU of the cheapest of REPEATS runs."""
    times = []
    for _ in range(REPEATS):
        started = time.process_time()
        work()
        times.append(time.process_time() - started)
    return min(times)


def spent(splits: Iterator[Split]) -> pa.ChunkedArray[pa.LargeBinaryScalar]:
    """The records of a stream."""
    tables = [split.pieces for split in splits]
    whole = pa.concat_tables(tables)
    return whole.filter(pc.is_null(whole["reason"]))["raw"]


def _is_json(content: bytes) -> bool:
    """Whether the first line is JSON: Envoy's lines of text begin with a bracket too."""
    try:
        json.loads(content.partition(b"\n")[0])
    except ValueError:
        return False
    return True


def measure(one: Sample, records: int) -> Rate:
    """Split, clean, redact and read a sample's records; and split them alone."""
    content = repeated(one, records)
    source = Source("s", one.format, "corp", "*", ROOT, one.options, keep_secrets=False)
    plain = splitting.json_values if _is_json(content) else splitting.lines
    count = 0

    def whole() -> None:
        nonlocal count
        raw = text.clean(
            pa.chunked_array(spent(one.format.split(io.BytesIO(content), True, one.options))).combine_chunks()
        )
        count = raw.num_rows
        redacted = secrets.redact(raw["raw"].combine_chunks(), KEY, one.format.secrets, spaced=one.format.spaced)
        ids = pa.array(range(count), pa.int64()).cast(pa.string())
        same = {"source": "s", "realm": "corp"}
        names = {name: pa.repeat(pa.scalar(value, pa.string()), count) for name, value in same.items()}
        parse_records(DuckDBEngines(), Path(), source, pa.table({"record_id": ids, **names, "raw": redacted}))

    reading = least(whole)
    alone = least(lambda: spent(plain(io.BytesIO(content), True)))
    return Rate(one.id, count, len(content), alone, reading)


def main() -> None:
    """Print a row a sample."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=100_000)
    parser.add_argument("--only", nargs="*", default=(), help="formats; all unless given")
    asked = parser.parse_args()
    print(HEAD)
    for one in samples():
        if not asked.only or one.kind in asked.only:
            print(measure(one, asked.records).row(), flush=True)


if __name__ == "__main__":
    main()

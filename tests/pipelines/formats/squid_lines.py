"""Squid lines for tests, and what is read from them."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
from hypothesis import strategies as st

from pipelines.formats import squid
from pipelines.formats.format import ACTIONS_OUT, RECORDS_IN
from pipelines.formats.squid import SquidOptions

ROOT = Path(__file__).resolve().parents[3]


SAMPLES = ROOT / "data/samples/squid"


WORKERTRAIL = (
    "%ts.%03tu %tS %tr %>a %>p %<la %<lp %Ss/%03>Hs %>st %<st %>sh %<sh %rm %#>ru %#un %ssl::bump_mode"
    ' %#ssl::>sni %#ssl::>cert_subject "%"{User-Agent}>h" "%"{traceparent}>h" %sn'
)


def table(lines: list[str]) -> pa.Table:
    count = len(lines)
    return pa.table([[str(i) for i in range(count)], ["proxy"] * count, ["egress"] * count, lines], schema=RECORDS_IN)


def read(lines: list[str], **options: Any) -> list[dict[str, Any]]:
    """The rows in the lines' order."""
    found = squid.actions(table(lines), SquidOptions(**options))
    assert found.schema == ACTIONS_OUT
    rows = {int(row["record_id"]): row for row in found.to_pylist()}
    assert len(rows) == found.num_rows == len(lines)
    return [rows[i] for i in range(len(lines))]


def native(
    *,
    url: str = "http://a.example/x",
    user: str = "svc",
    method: str = "GET",
    result: str = "TCP_MISS/200",
    client: str = "10.0.0.1",
    tail: str = "HIER_DIRECT/203.0.113.10 text/html",
) -> str:
    return f"1767607200.120     42 {client} {result} 1830 {method} {url} {user} {tail}"


def one(line: str, **options: Any) -> dict[str, Any]:
    return read([line], **options)[0]


def _plain(value: Any) -> Any:
    return value.isoformat(sep=" ", timespec="milliseconds") if isinstance(value, datetime) else value


_MODES = "%ts.%03tu %Ss/%03>Hs %rm %ru %ssl::bump_mode"


HOSTILE = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)


PARTS = st.sampled_from(
    [
        "1767607200.120",
        "10.0.0.1",
        "TCP_MISS/200",
        "99999999999999999999",
        "-",
        "http://a/",
        "%00",
        "[",
        "\x1b[2J",
        "'; DROP TABLE records; --",
    ]
)

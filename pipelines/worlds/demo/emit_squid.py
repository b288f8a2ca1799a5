"""Proxy transactions written by Squid under `LOGFORMAT`, one file a day, in the order in which they ended.

Source: the `logformat` and `access_log` directives of Squid's configuration manual.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from pathlib import Path

from pipelines.worlds.demo.clock import date_of
from pipelines.worlds.demo.events import ProxyLine
from pipelines.worlds.demo.truth import Written

LOGFORMAT = "%ts.%03tu %6tr %>a %Ss/%03>Hs %<st %rm %ru %un %Sh/%<a %mt %>st"


def text(line: ProxyLine) -> str:
    """The line, without its end."""
    seconds, thousandths = divmod(line.ended_at, 1_000)
    return (
        f"{seconds}.{thousandths:03} {line.elapsed:6} {line.client} {line.tag}/{line.status:03} {line.bytes_in} "
        f"{line.method} {line.url} {line.user} {line.hierarchy} {line.mime} {line.bytes_out}"
    )


def write(folder: Path, root: Path, lines: list[ProxyLine]) -> list[Written]:
    """Write `access-YYYY-MM-DD.log` files; a line is known by the SHA-256 of its text."""
    days: dict[str, list[tuple[str, ProxyLine]]] = defaultdict(list)
    for ended_at, line_text, line in sorted(
        ((line.ended_at, text(line), line) for line in lines), key=lambda row: row[:2]
    ):
        days[f"{date_of(ended_at):%Y-%m-%d}"].append((line_text, line))
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for day, rows in sorted(days.items()):
        path = folder / f"access-{day}.log"
        path.write_bytes("".join(f"{line_text}\n" for line_text, _ in rows).encode())
        relative = path.relative_to(root).as_posix()
        for ordinal, (line_text, line) in enumerate(rows):
            name = hashlib.sha256(line_text.encode()).hexdigest()
            written.append(Written("squid", relative, ordinal, name, line.ended_at, line.label))
    return written

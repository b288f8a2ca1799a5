"""What a whole run costs, against the way of working that Zircolite publishes, in a small version of our own.

    python -m benchmarks.run [--records 100000] [--rules 100]

The baseline reads the objects, flattens each record to one row of an SQLite table in memory, a column a path, and
runs each Sigma rule as a SELECT. The product pulls the same objects with custody, binds them to workers, judges them
by manifest, catalogue and the same Sigma rules, and writes findings with frozen evidence. CPU and peak memory of each,
in processes of their own, and the ratio product to baseline.
"""

from __future__ import annotations

import argparse
import gzip
import json
import sqlite3
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.ingest import estate
from benchmarks.objects import child

FAMILIES = ("Delete", "Create", "Put", "Update", "Attach", "Detach", "Stop", "Disable", "Modify", "List")
RULE = """title: {name}
id: {number:08}-0000-4000-8000-000000000000
description: of a benchmark
status: experimental
level: low
logsource: {{product: aws, service: cloudtrail}}
detection:
  selection:
    eventSource: {source}
    eventName|startswith: {verb}
    userAgent|contains: {agent}
  condition: selection
"""
PRODUCT = "import sys; from pipelines.cli.main import main; sys.argv[0] = 'workertrail'; main()"


def rules(count: int) -> list[tuple[str, str, str]]:
    """So many rules: service, beginning of the operation, part of the user agent. None of them ever matches."""
    return [(f"service{at}.amazonaws.com", FAMILIES[at % len(FAMILIES)], "sdk") for at in range(count)]


def flattened(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """The leaves of a record by their path."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from flattened(inner, f"{path}.{key}" if path else key)
    else:
        yield path, json.dumps(value) if isinstance(value, list) else value


def baseline(folder: Path, count: int) -> None:
    """Every record into one SQLite table, then a SELECT a rule."""
    rows = [
        dict(flattened(record))
        for file in sorted((folder / "logs").glob("*.json.gz"))
        for record in json.loads(gzip.decompress(file.read_bytes()))["Records"]
    ]
    columns = sorted({name for row in rows for name in row})
    connection = sqlite3.connect(":memory:")
    connection.execute(f"CREATE TABLE logs ({', '.join(f'[{name}] TEXT COLLATE NOCASE' for name in columns)})")
    slots = ", ".join("?" * len(columns))
    connection.executemany(f"INSERT INTO logs VALUES ({slots})", ([row.get(name) for name in columns] for row in rows))
    for source, verb, agent in rules(count):
        connection.execute(
            "SELECT * FROM logs WHERE eventSource = ? AND eventName LIKE ? AND userAgent LIKE ?",
            (source, f"{verb}%", f"%{agent}%"),
        ).fetchall()


def main() -> None:
    """Print both costs and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=100_000)
    parser.add_argument("--rules", type=int, default=100)
    parser.add_argument("--baseline", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.baseline:
        baseline(asked.baseline, asked.rules)
        return
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        config, expanded = estate(root, asked.records)
        (root / "rules").mkdir()
        for number, (source, verb, agent) in enumerate(rules(asked.rules)):
            text = RULE.format(name=f"rule {number}", number=number, source=source, verb=verb, agent=agent)
            (root / "rules" / f"rule_{number:03}.yml").write_text(text, encoding="utf-8")
        config.write_text(config.read_text(encoding="utf-8") + "rules: [rules]\n", encoding="utf-8")
        one = [sys.executable, "-m", "benchmarks.run", "--baseline", str(root), "--rules", str(asked.rules)]
        least, least_memory = child(one)
        cost, memory = child([sys.executable, "-c", PRODUCT, "--config", str(config), "run"])
    print(f"{asked.records:,} records ({expanded / 1e6:,.0f} MB expanded), {asked.rules} Sigma rules")
    print(f"SQLite, a SELECT a rule  {least:6.1f} s CPU, {least_memory:,.0f} MB at most")
    print(f"workertrail run          {cost:6.1f} s CPU, {memory:,.0f} MB at most")
    print(f"ratio                    {cost / least:6.2f}")


if __name__ == "__main__":
    main()

"""What stage (a) costs: CloudTrail from gzipped objects to committed records, actions and grants with custody hashes,
against `gunzip | sha256sum` over the same objects.

    python -m benchmarks.ingest [--records 500000]

The goal is a ratio of CPU time of at most 6 (4 later). The stage runs in a process of its own, whose peak memory is
printed. What the program needs before it pulls anything (its modules, reading and checking the detectors) is printed
beside it, and is no part of the stage.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from benchmarks.objects import ACCOUNT, child, floor, write_objects

CONFIG = """
lake: {catalog: "sqlite:lake/catalog.sqlite", data: lake/files}
workers: workers
sources: [{name: trail, format: cloudtrail, from: "logs/*.json.gz"}]
"""
MANIFEST = f"""
worker: worker-1
owner: team@corp.example
identities: ["aws:role/arn:aws:iam::{ACCOUNT}:role/worker-1"]
scope: [{{allow: {{service: s3.amazonaws.com}}}}]
"""
STAGE_A = """
import sys
import time
from pathlib import Path
from pipelines import run
from pipelines.settings import load
plan = run.plan(load(Path(sys.argv[1])))
begun = time.process_time()
summary = run.ingest_all(plan)
Path(sys.argv[3]).write_text(repr(time.process_time() - begun))
assert summary.pulled.records == summary.pulled.actions == int(sys.argv[2]), summary.pulled
"""


def estate(root: Path, records: int) -> tuple[Path, int]:
    """An estate of so many records below `root`: its configuration, and the bytes that its objects expand to."""
    for folder in ("logs", "workers"):
        (root / folder).mkdir()
    (root / "workertrail.yaml").write_text(CONFIG, encoding="utf-8")
    (root / "workers" / "worker-1.yaml").write_text(MANIFEST, encoding="utf-8")
    return root / "workertrail.yaml", write_objects(root / "logs", records)


def main() -> None:
    """Print both costs and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=500_000)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        config, expanded = estate(Path(name), asked.records)
        least = floor(Path(name) / "logs")
        told = Path(name) / "cost"
        whole, memory = child([sys.executable, "-c", STAGE_A, str(config), str(asked.records), str(told)])
        cost = float(told.read_text())
    print(f"{asked.records:,} records, {expanded / 1e6:,.0f} MB expanded")
    print(f"gunzip | sha256sum  {least:6.1f} s CPU")
    print(f"start               {whole - cost:6.1f} s CPU")
    print(f"stage (a)           {cost:6.1f} s CPU, {memory:,.0f} MB at most")
    print(f"ratio               {cost / least:6.2f}")


if __name__ == "__main__":
    main()

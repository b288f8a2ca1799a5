"""What pulling costs: CPU of finding, expanding, splitting, hashing, redacting and spooling gzipped CloudTrail
objects, against `gunzip | sha256sum` over the same files.

    python -m benchmarks.pull [--records 500000] [--profile]

The goal is a ratio below 3.
"""

from __future__ import annotations

import argparse
import cProfile
import pstats
import tempfile
import time
from datetime import datetime
from pathlib import Path

from benchmarks.objects import floor, write_objects
from pipelines.formats import all_formats
from pipelines.pull.checkpoints import Checkpoints
from pipelines.pull.files import pull
from pipelines.settings import Source


def measure(folder: Path, spool: Path) -> tuple[float, int]:
    """Seconds of CPU that pulling the folder takes, and the records."""
    cloudtrail = all_formats()["cloudtrail"]
    source = Source("trail", cloudtrail, "trail", "*.json.gz", folder, cloudtrail.options(), keep_secrets=False)
    before = time.process_time()
    records = 0
    for item in pull(source, Checkpoints(), spool, key=b"k" * 32, now=datetime(2030, 1, 1)):
        records += item.records
        if item.spool_file:
            item.spool_file.unlink()
    return time.process_time() - before, records


def main() -> None:
    """Print both costs and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=500_000)
    parser.add_argument("--profile", action="store_true")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder, spool = Path(name) / "logs", Path(name) / "spool"
        folder.mkdir()
        expanded = write_objects(folder, asked.records)
        least = floor(folder)
        profile = cProfile.Profile()
        if asked.profile:
            profile.enable()
        cost, records = measure(folder, spool)
        profile.disable()
        if asked.profile:
            pstats.Stats(profile).sort_stats("tottime").print_stats(25)
    print(f"{records:,} records, {expanded / 1e6:,.0f} MB expanded")
    print(f"gunzip | sha256sum  {least:6.1f} s CPU")
    print(f"pull                {cost:6.1f} s CPU")
    print(f"ratio               {cost / least:6.2f}")


if __name__ == "__main__":
    main()

"""`make spark`: a small world from logs to findings on a Spark master with two workers, on loopback."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

from benchmarks.spark_cluster import cluster

FOLDER = Path("data/spark")
WORLD = ("--seed", "3", "--workers", "6", "--days", "14", "--events", "3000")


def configure(config: Path, master: str, **conf: str) -> None:
    """Make a configuration name the Spark engine."""
    lines = [line for line in config.read_text(encoding="utf-8").splitlines() if not line.startswith("engine:")]
    spark = json.dumps({"master": master, "conf": {"spark.executor.memory": "512m", **conf}})
    config.write_text("\n".join([*lines, "engine: spark", f"spark: {spark}", ""]), encoding="utf-8")


def main() -> int:
    """Write the world, run it, and say what was found; the exit code of the run."""
    shutil.rmtree(FOLDER, ignore_errors=True)
    command = [str(Path(sys.executable).parent / "workertrail")]
    config = FOLDER / "world" / "workertrail.yaml"
    subprocess.run([*command, "world", "--out", str(FOLDER / "world"), *WORLD], check=True)
    with cluster(FOLDER / "cluster") as running:
        configure(config, running.master)
        ran = subprocess.run([*command, "--config", str(config), "run"], check=False)
    if ran.returncode == 0:
        subprocess.run([*command, "--config", str(config), "findings"], check=True)
    return ran.returncode


if __name__ == "__main__":
    sys.exit(main())

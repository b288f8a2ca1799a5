"""What a world costs on each engine, stage by stage, and where the time goes.

    python -m benchmarks.engines [--events 20000] [--demo] [--master local[2]]

Both engines run the same logs into a lake of their own, in a process of their own each, one after the other; their
tables are then compared. The events of a world make somewhat more records. Spark's start is counted in stage (a).
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from pipelines import run as work
from pipelines.lake.configured import EngineChoice
from pipelines.lake.duckdb_engine import DuckDBEngine
from pipelines.settings import load
from pipelines.worlds import story, write
from pipelines.worlds.demo import build
from pipelines.worlds.size import Size
from tests.end_to_end import lakes

VERBS = ("let", "query", "each", "lend", "append", "hand_over")


def measure(config: Path, choice: EngineChoice) -> dict[str, Any]:
    """Run a world once: seconds of each stage and each verb, and how many records there were."""
    spent: Counter[str] = Counter()
    calls: Counter[str] = Counter()
    engine: type = DuckDBEngine
    if choice.name == "spark":
        from pipelines.lake.spark_engine import SparkEngine  # noqa: PLC0415

        engine = SparkEngine
    for verb in VERBS:
        setattr(engine, verb, _timed(getattr(engine, verb), verb, spent, calls))
    what = work.plan(replace(load(config), engine=choice))
    stages: dict[str, float] = {}
    records = 0
    for name, stage in (("a", work.ingest_all), ("b", work.stitch_all), ("c", work.detect_all)):
        started = time.monotonic()
        told = stage(what)
        stages[name] = time.monotonic() - started
        if isinstance(told, work.Summary):
            records = told.pulled.records
        for failure in getattr(told, "failures", ()):
            print(f"{choice.name}: {failure.detector}: {failure.error}", file=sys.stderr)
    return {"records": records, "stages": stages, "verbs": {verb: [calls[verb], spent[verb]] for verb in calls}}


def _timed(method: Callable[..., Any], name: str, spent: Counter[str], calls: Counter[str]) -> Callable[..., Any]:
    """The method, whose seconds are counted; what one calls of the others counts as its own."""
    depth = [0]

    def timed(*arguments: Any, **named: Any) -> Any:
        started = time.monotonic()
        depth[0] += 1
        try:
            return method(*arguments, **named)
        finally:
            depth[0] -= 1
            if not depth[0]:
                spent[name] += time.monotonic() - started  # type: ignore[assignment]
                calls[name] += 1

    return timed


def show(name: str, told: dict[str, Any]) -> None:
    """Print one engine's figures."""
    stages = told["stages"]
    total = sum(stages.values())
    each = ", ".join(f"({stage}) {seconds:.1f} s" for stage, seconds in stages.items())
    print(f"{name:7} {total:7.1f} s, {told['records'] / total:10,.0f} records a second; {each}")
    verbs = ", ".join(f"{verb} {calls} in {seconds:.1f} s" for verb, (calls, seconds) in told["verbs"].items())
    print(f"        {verbs}")


def main() -> None:
    """Write the world, run it on both engines, print what it took, and fail where their tables differ."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=20_000)
    parser.add_argument("--workers", type=int, default=20)
    parser.add_argument("--days", type=int, default=28)
    parser.add_argument("--demo", action="store_true", help="the demo world instead")
    parser.add_argument("--master", default="local[2]")
    parser.add_argument("--memory", default="2g", help="of Spark's driver")
    parser.add_argument("--child", nargs=2, metavar=("CONFIG", "ENGINE"), help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.child:
        choice = EngineChoice(asked.child[1], asked.master, {"spark.driver.memory": asked.memory})
        print(json.dumps(measure(Path(asked.child[0]), choice)))
        return
    with tempfile.TemporaryDirectory() as name:
        worlds = {engine: Path(name) / engine for engine in ("duckdb", "spark")}
        _world(worlds["duckdb"], asked)
        shutil.copytree(worlds["duckdb"], worlds["spark"])
        for engine, world in worlds.items():
            command = [sys.executable, "-m", "benchmarks.engines", "--master", asked.master, "--memory", asked.memory]
            child = [*command, "--child", str(world / "workertrail.yaml"), engine]
            said = subprocess.run(child, check=True, stdout=subprocess.PIPE, text=True).stdout
            show(engine, json.loads(said.splitlines()[-1]))
        lakes.assert_equal(worlds["duckdb"], worlds["spark"])
        print("the tables of both are equal")


def _world(folder: Path, asked: argparse.Namespace) -> None:
    if asked.demo:
        build.write(folder)
        return
    size = Size(0, asked.workers, asked.days, asked.events)
    write.write(size, story.tell(size), folder, replay=False, told=lambda _day: None)


if __name__ == "__main__":
    main()

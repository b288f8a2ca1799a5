"""Spark that cannot be had, or is lost in the middle: a clear error or a finished run, and the lake never between."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.spark_cluster import cluster, executors
from benchmarks.spark_world import configure
from pipelines import run as work
from pipelines import schema
from pipelines.lake import spark_session
from pipelines.lake.configured import EngineChoice
from pipelines.lake.engines import EngineError
from pipelines.settings import load
from tests.end_to_end import lakes
from tests.end_to_end.small import Estate, assume, event, squid_line
from tests.engines import SMALL, need_spark
from tests.machine import ROOT


@pytest.fixture
def estate(tmp_path: Path) -> Estate:
    made = Estate(tmp_path / "estate")
    made.put("trail", [event(second=second) for second in range(5)] + [assume("ASIANEXT", second=50)])
    made.put("egress", squid_line() * 2)
    return made


def on_spark(estate: Estate, master: str) -> work.Summary:
    return work.run(work.plan(replace(load(estate.config), engine=EngineChoice("spark", master, SMALL))))


def rows(estate: Estate) -> int:
    return sum(lakes.counts(estate.root).values()) if load(estate.config).lake.exists else 0


@pytest.fixture
def _not_started(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if no Spark were running in this process yet."""
    monkeypatch.setattr(spark_session, "_started", {})


@pytest.mark.usefixtures("_not_started")
def test_without_java_the_run_says_what_to_install(estate: Estate, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", str(estate.root))
    with pytest.raises(EngineError, match="there is no java on the PATH: install Debian's openjdk-17-jre-headless"):
        on_spark(estate, "local[1]")
    assert rows(estate) == 0


@pytest.mark.usefixtures("_not_started")
def test_a_java_home_that_is_none_is_named(estate: Estate, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JAVA_HOME", str(estate.root))
    with pytest.raises(EngineError, match=re.escape(f"JAVA_HOME is {estate.root}, which has no bin/java")):
        on_spark(estate, "local[1]")


@pytest.mark.usefixtures("_not_started")
@pytest.mark.parametrize(
    ("says", "told"),
    [('openjdk version "11.0.2" 2019-01-15', "is 11"), ('java version "1.8.0_301"', "is 8"), ("what?", "'what?'")],
)
def test_a_wrong_java_is_named(estate: Estate, monkeypatch: pytest.MonkeyPatch, says: str, told: str) -> None:
    program = estate.root / "bin" / "java"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\necho '{says}' >&2\n", encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setenv("JAVA_HOME", str(estate.root))
    with pytest.raises(EngineError, match=rf"needs Java 17 or 21; .*{re.escape(told)}"):
        on_spark(estate, "local[1]")


@pytest.mark.usefixtures("_not_started")
def test_a_master_that_does_not_answer_is_named(estate: Estate) -> None:
    need_spark()
    with pytest.raises(EngineError, match=r"the Spark master spark://127\.0\.0\.1:1 does not answer"):
        on_spark(estate, "spark://127.0.0.1:1")
    assert rows(estate) == 0


def test_only_the_engine_s_own_files_import_pyspark() -> None:
    importing = {
        str(file.relative_to(ROOT))
        for folder in ("pipelines", "detectors", "notebooks")
        for file in (ROOT / folder).rglob("*.py")
        if re.search(r"^\s*(from|import) (pyspark|py4j)", file.read_text(encoding="utf-8"), re.MULTILINE)
    }
    assert importing == {f"pipelines/lake/spark_{name}.py" for name in ("engine", "files", "session")}


def test_the_engine_of_one_machine_loads_no_pyspark() -> None:
    told = "import sys, pipelines.run; print(any(name.startswith(('pyspark', 'py4j')) for name in sys.modules))"
    said = subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, check=True, cwd=ROOT)
    assert said.stdout.strip() == "False"


STAGE_A = """
import sys
from pathlib import Path
from pipelines import run
from pipelines.settings import load
run.ingest_all(run.plan(load(Path(sys.argv[1]))))
"""


def test_an_executor_that_dies_does_not_end_the_run(estate: Estate, tmp_path: Path) -> None:
    """Two workers on loopback; one executor is killed while stage (a) runs, and the tables are those of DuckDB."""
    need_spark()
    here = tmp_path / "here"
    shutil.copytree(estate.root, here)
    with cluster(tmp_path / "cluster") as running:
        configure(estate.config, running.master, **SMALL)
        command = [sys.executable, "-c", STAGE_A, str(estate.config)]
        run = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=ROOT)
        before = set(executors())
        killed = _kill_one(run, before)
        said, _ = run.communicate(timeout=600)
    assert killed
    assert run.returncode == 0, said
    assert Estate(here).pull().unreadable == ()
    for table in (schema.ACTIONS, schema.GRANTS, schema.ACTS_AS):
        assert lakes.content(here, table) == lakes.content(estate.root, table) != []


def _kill_one(run: subprocess.Popen[str], before: set[int]) -> bool:
    """Kill one of the run's executors once both work."""
    while run.poll() is None:
        mine = [pid for pid in executors() if pid not in before]
        if len(mine) >= 2:
            time.sleep(3)  # both have begun to work
            os.kill(mine[0], signal.SIGKILL)
            return True
        time.sleep(0.2)
    return False

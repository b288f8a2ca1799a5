"""The Spark session: one a process, with the settings under which Spark's SQL means what DuckDB's does."""

from __future__ import annotations

import logging
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

from pipelines.lake.engines import ROWS_A_BATCH, EngineError

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

JAVA = (17, 21)
"""The versions of Java that Spark 4 runs on (https://spark.apache.org/docs/latest/)."""

MASTER_WAIT_SECONDS = 5.0
EXECUTOR_WAIT_SECONDS = 60.0
"""A master without a free worker would let a job wait for ever."""

SEMANTICS: Mapping[str, str] = {
    "spark.sql.ansi.enabled": "true",  # overflow and bad casts fail, as in DuckDB
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.timestampType": "TIMESTAMP_NTZ",
    "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
    "spark.sql.caseSensitive": "false",
    "spark.sql.legacy.timeParserPolicy": "CORRECTED",
}
"""What a configuration cannot change: results would differ."""

DEFAULTS: Mapping[str, str] = {
    "spark.app.name": "workertrail",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.log.level": "OFF",  # what goes wrong is raised, and told once
    "spark.sql.execution.arrow.maxRecordsPerBatch": str(ROWS_A_BATCH),
    "spark.sql.parquet.compression.codec": "zstd",
    # A cached query's text is never shown, and a plan of many columns takes longer to print than to run.
    "spark.sql.maxPlanStringLength": "2000",
    "spark.hadoop.fs.permissions.umask-mode": "077",
    "spark.hadoop.mapreduce.fileoutputcommitter.marksuccessfuljobs": "false",
    "spark.hadoop.parquet.enable.summary-metadata": "false",
}


@dataclass(frozen=True)
class Spark:
    """How Spark is started: the master's address, and what else its configuration says."""

    master: str = "local[*]"
    conf: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_local(self) -> bool:
        return self.master.startswith("local")


_STARTING = Lock()
_started: dict[str, SparkSession] = {}


def session(how: Spark) -> SparkSession:
    """A session of its own (names, settings) of this process's Spark. Raises EngineError where it cannot be had."""
    with _STARTING:
        root = _started.get("root")
        if root is None or is_lost(root):
            _started.clear()
            root = _started["root"] = _start(how)
    return root.newSession()


def is_lost(running: SparkSession) -> bool:
    """Whether Spark has stopped: its master gave the application up, or the JVM is gone."""
    with _quiet():
        return bool(running.sparkContext._jsc.sc().isStopped())
    return True


def _quiet() -> suppress:
    """What is asked of a JVM that may be gone: Py4J raises errors of many kinds."""
    return suppress(Exception)


def _start(how: Spark) -> SparkSession:
    _need_java()
    _need_master(how.master)
    try:
        from pyspark.errors import PySparkException  # noqa: PLC0415
        from pyspark.sql import SparkSession  # noqa: PLC0415
    except ImportError as error:
        msg = f"engine: spark needs pyspark: pip install 'workertrail[spark]' ({error})"
        raise EngineError(msg) from error
    os.umask(0o077)  # the JVM's files are the owner's alone
    # Only spark-submit reads spark.pyspark.python; a driver that is Python already asks the environment.
    os.environ["PYSPARK_PYTHON"] = how.conf.get("spark.pyspark.python", sys.executable)
    builder = SparkSession.builder.master(how.master)
    for key, value in {**DEFAULTS, **_of_place(how), **how.conf, **SEMANTICS}.items():
        builder = builder.config(key, value)
    logging.getLogger("SQLQueryContextLogger").setLevel(logging.CRITICAL)  # pyspark tells of errors that it raises
    try:
        running = builder.getOrCreate()
    except (PySparkException, OSError, RuntimeError) as error:
        msg = f"Spark does not start with the master {how.master}: {str(error).splitlines()[0]}"
        raise EngineError(msg) from error
    except Exception as error:  # Py4J's own, raised through the gateway
        msg = f"Spark does not start with the master {how.master}: {type(error).__name__}: {_first_line(error)}"
        raise EngineError(msg) from error
    if not how.is_local:
        _need_executor(running, how.master)
    return running


def _first_line(error: Exception) -> str:
    lines = [line for line in str(error).splitlines() if line.strip()]
    return lines[1].strip(": ") if len(lines) > 1 else "".join(lines)


def _of_place(how: Spark) -> dict[str, str]:
    """On one machine nothing listens to others, and work is spread no wider than there are cores."""
    found: dict[str, str] = {}
    if how.is_local or "//127.0.0.1" in how.master or "//localhost" in how.master:
        found |= {"spark.driver.host": "127.0.0.1", "spark.driver.bindAddress": "127.0.0.1"}
    if how.is_local:
        found["spark.sql.shuffle.partitions"] = str(os.cpu_count() or 2)
    return found


def java() -> str:
    """The java program that Spark will take. Raises EngineError where there is none."""
    home = os.environ.get("JAVA_HOME")
    found = str(Path(home) / "bin" / "java") if home else shutil.which("java")
    if found is None or not os.access(found, os.X_OK):
        where = f"JAVA_HOME is {home}, which has no bin/java" if home else "there is no java on the PATH"
        msg = f"engine: spark needs Java {JAVA[0]} and {where}: install Debian's openjdk-17-jre-headless"
        raise EngineError(msg)
    return found


def _need_java() -> None:
    program = java()
    try:
        said = subprocess.run([program, "-version"], capture_output=True, text=True, timeout=30, check=False).stderr
    except (OSError, subprocess.TimeoutExpired) as error:
        msg = f"{program} does not run: {error}"
        raise EngineError(msg) from error
    match = re.search(r'version "(?:1\.)?(\d+)', said)
    if match is None or int(match[1]) not in JAVA:
        have = match[1] if match else f"something that says {said.strip()[:60]!r}"
        needed = " or ".join(map(str, JAVA))
        msg = f"engine: spark needs Java {needed}; {program} is {have}: set JAVA_HOME to the right one"
        raise EngineError(msg)


def _need_master(master: str) -> None:
    """A standalone master that nobody listens at would be tried for minutes."""
    match = re.fullmatch(r"spark://(.+):(\d+)", master.split(",", maxsplit=1)[0])
    if match is None:
        return
    try:
        socket.create_connection((match[1].strip("[]"), int(match[2])), timeout=MASTER_WAIT_SECONDS).close()
    except OSError as error:
        msg = f"the Spark master {master} does not answer: {error}"
        raise EngineError(msg) from error


def _need_executor(running: SparkSession, master: str) -> None:
    until = time.monotonic() + EXECUTOR_WAIT_SECONDS
    while time.monotonic() < until:
        with _quiet():
            context: Any = running.sparkContext._jsc.sc()
            if context.getExecutorMemoryStatus().size() > 1:  # the driver counts as one
                return
        if is_lost(running):
            break
        time.sleep(0.2)
    with _quiet():
        running.stop()
    msg = f"the Spark master {master} gave no executor within {EXECUTOR_WAIT_SECONDS:.0f} s: has it a free worker?"
    raise EngineError(msg)

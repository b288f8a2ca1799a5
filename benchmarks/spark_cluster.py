"""A Spark master with two workers of one core each on loopback, for as long as it is needed."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from pipelines.lake import spark_session

START_SECONDS = 60.0


@dataclass
class Cluster:
    """Where the master listens, and the workers' process ids."""

    master: str
    workers: list[int] = field(default_factory=list)


@contextmanager
def cluster(folder: Path, workers: int = 2, memory: str = "1g") -> Iterator[Cluster]:
    """Run a cluster whose logs and work lie in `folder`. Raises EngineError or OSError where none can be."""
    spark_session.java()
    import pyspark  # noqa: PLC0415

    home = Path(next(iter(pyspark.__path__)))
    port = _free_port()
    running = Cluster(f"spark://127.0.0.1:{port}")
    folder.mkdir(parents=True, exist_ok=True)
    started: list[subprocess.Popen[bytes]] = []
    environment = os.environ | {
        "SPARK_HOME": str(home), "SPARK_LOCAL_IP": "127.0.0.1", "SPARK_WORKER_DIR": str(folder / "work"),
        "SPARK_MASTER_OPTS": "-Dspark.master.rest.enabled=false", "PYSPARK_PYTHON": sys.executable,
        "SPARK_DAEMON_MEMORY": "256m",
    }  # fmt: skip

    def start(name: str, *arguments: str) -> subprocess.Popen[bytes]:
        with (folder / f"{name}.log").open("wb") as log:
            command = [str(home / "bin" / "spark-class"), *arguments]
            # A session of its own, so that executors can be ended with their worker.
            one = subprocess.Popen(
                command, env=environment, stdout=log, stderr=log, start_new_session=True, umask=0o077
            )
        started.append(one)
        return one

    deploy = "org.apache.spark.deploy"
    try:
        start("master", f"{deploy}.master.Master", "--host", "127.0.0.1", "--port", str(port), "--webui-port", "0")
        _wait_for(port)
        for number in range(workers):
            worker = start(
                f"worker-{number}", f"{deploy}.worker.Worker", "--host", "127.0.0.1", "--cores", "1",
                "--memory", memory, "--webui-port", "0", running.master,
            )  # fmt: skip
            running.workers.append(worker.pid)
        yield running
    finally:
        for one in reversed(started):
            os.killpg(one.pid, signal.SIGTERM)
        for one in started:
            try:
                one.wait(timeout=10)
            except subprocess.TimeoutExpired:
                os.killpg(one.pid, signal.SIGKILL)
                one.wait()


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def _wait_for(port: int) -> None:
    until = time.monotonic() + START_SECONDS
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            if time.monotonic() > until:
                raise
            time.sleep(0.2)
        else:
            return


def executors() -> list[int]:
    """The process ids of the executors that run on this machine for this user's clusters."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            said = (entry / "cmdline").read_bytes() if entry.name.isdigit() else b""
        except OSError:
            continue
        if b"CoarseGrainedExecutorBackend" in said and b"bin/java" in said.split(b"\0")[0]:
            found.append(int(entry.name))
    return found

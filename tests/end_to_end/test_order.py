"""Truths 1 to 3 on a world: order, repetition and interruption change nothing that counts."""

from __future__ import annotations

import gzip
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.end_to_end.lakes import assert_equal, counts, run

ROOT = Path(__file__).resolve().parents[2]
ISSUING = {
    "AssumeRole", "AssumeRoleWithWebIdentity", "AssumeRoleWithSAML", "GetSessionToken", "GetFederationToken",
    "CreateAccessKey",
}  # fmt: skip


@pytest.fixture(scope="module")
def once(week: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The week, run in one go: what every other way must end in."""
    out = tmp_path_factory.mktemp("once") / "world"
    shutil.copytree(week, out)
    os.environ.setdefault("WORKERTRAIL_DEMO_SECRET", "whsec_QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVowMTIzNDU=")
    run(out)
    return out


def test_a_second_run_over_the_same_files_adds_nothing(once: Path) -> None:
    before = counts(once)
    again = run(once)
    assert counts(once) == before
    assert again.pulled.objects == 0
    assert again.stitched is None
    assert again.findings is None


@pytest.mark.parametrize("late_first", [False, True])
def test_two_runs_in_either_order_end_as_one(once: Path, world: Path, late_first: bool, tmp_path: Path) -> None:
    files = sorted(file for file in (world / "logs").rglob("*") if file.is_file())
    held = files[::2] if late_first else files[1::2]
    _away(held, world, tmp_path / "held")
    run(world)
    _back(held, world, tmp_path / "held")
    run(world)
    assert_equal(once, world)


def test_issuing_records_that_come_last_change_nothing_in_the_end(once: Path, world: Path, tmp_path: Path) -> None:
    late = {}
    for file in sorted((world / "logs" / "cloudtrail").rglob("*.json.gz")):
        records = json.loads(gzip.decompress(file.read_bytes()))["Records"]
        issuing = [record for record in records if record["eventName"] in ISSUING]
        if issuing:
            _write(file, [record for record in records if record["eventName"] not in ISSUING])
            late[file.with_name("late-" + file.name)] = issuing
    assert late
    run(world)
    for file, records in late.items():
        _write(file, records)
    run(world)
    assert_equal(once, world)


def test_an_event_that_comes_by_two_trails_is_one_action(once: Path) -> None:
    from pipelines.settings import load  # noqa: PLC0415

    with load(once / "workertrail.yaml").lake.reading() as connection:
        told_again = connection.execute("SELECT count(*) FROM records WHERE outcome = 'duplicate'").fetchall()[0][0]
        uids, distinct = connection.execute(
            "SELECT count(action_uid), count(DISTINCT action_uid) FROM actions"
        ).fetchall()[0]
    assert told_again > 0
    assert uids == distinct


KILLER = """
import os, signal, sys
from pathlib import Path
from pipelines.lake.duckdb_engine import DuckDBEngine
from pipelines import run as work
from pipelines.settings import load

world, table = Path(sys.argv[1]), sys.argv[2]
real = DuckDBEngine.let

def let(self, name, source):
    real(self, name, source)
    if name == table:
        os.kill(os.getpid(), signal.SIGKILL)

DuckDBEngine.let = let
work.run(work.plan(load(world / "workertrail.yaml")))
"""


@pytest.mark.parametrize("table", ["new_actions", "primaries", "decided", "chained", "verdicts", "touched"])
def test_a_run_killed_in_a_stage_goes_on_as_if_unbroken(once: Path, world: Path, table: str) -> None:
    killed = subprocess.run([sys.executable, "-c", KILLER, str(world), table], cwd=ROOT, check=False)
    assert killed.returncode == -signal.SIGKILL
    run(world)
    assert_equal(once, world)


def _write(file: Path, records: list[object]) -> None:
    file.write_bytes(gzip.compress(json.dumps({"Records": records}).encode(), mtime=0))


def _away(files: list[Path], world: Path, store: Path) -> None:
    for file in files:
        target = store / file.relative_to(world)
        target.parent.mkdir(parents=True, exist_ok=True)
        file.rename(target)


def _back(files: list[Path], world: Path, store: Path) -> None:
    for file in files:
        (store / file.relative_to(world)).rename(file)

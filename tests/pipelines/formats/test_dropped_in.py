"""A new log format is one file: put beside the others, it is found, read, attributed and judged, and told of."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

from tests.machine import ROOT

DOORS = '''
"""Doors: who opened which, a line each."""

from __future__ import annotations

import pyarrow as pa

from pipelines.formats import one_batch
from pipelines.formats.format import ACTIONS_OUT, GRANTS_OUT, Format, Options, Secret, rows
from pipelines.formats.splitting import lines
from pipelines.identifiers import Sql


def split(stream, at_rest, options):
    return lines(stream, at_rest)


def actions(records, options):
    with one_batch.connect() as connection:
        connection.register("records", records)
        found = connection.execute(
            f"""
            SELECT record_id, CASE WHEN time IS NULL THEN 'error' ELSE 'action' END AS outcome,
                   CASE WHEN time IS NULL THEN 'no line of a door' END AS reason, time,
                   'logged' AS time_kind, 'doors' AS api_service, 'open' AS api_operation,
                   {Sql.uid("doors:badge", "w[2]", "realm")} AS principal, 'proven' AS identity_strength,
                   w[3] AS resource_uid, 'success' AS status
            FROM (SELECT *, try_cast(w[1] AS TIMESTAMP) AS time
                  FROM (SELECT *, string_split(raw, ' ') AS w FROM records))
            """
        ).to_arrow_table()
    return rows(found, ACTIONS_OUT)


def grants(records, options):
    return GRANTS_OUT.empty_table()


FORMAT = Format(
    name="doors",
    category="cloud",
    observes=frozenset({"time", "api_service", "api_operation", "principal", "resource_uid", "status"}),
    id_scope="none",
    split=split,
    actions=actions,
    grants=grants,
    secrets=(Secret("pin:([0-9]+)"),),
    spaced=True,
)
'''

CONFIG = """
lake: {catalog: "sqlite:lake/catalog.sqlite", data: lake/files}
workers: workers
sources: [{name: lobby, format: doors, realm: hq, from: "logs/*"}]
"""
MANIFEST = """
worker: cleaning-robot
owner: facilities@corp.example
identities: ["doors:badge/hq/robot"]
scope: [{allow: {service: doors, resources: ["floor-*"]}}]
"""
LOG = """\
2026-01-05T10:00:00 robot floor-1
2026-01-05T10:00:05 robot vault pin:4711
2026-01-05T10:00:09 visitor floor-1
battery low
"""
RUN = """
import json, sys
from pathlib import Path
from pipelines import run
from pipelines.settings import load
settings = load(Path(sys.argv[1]))
summary = run.run(run.plan(settings))
with settings.lake.reading() as connection:
    ask = lambda sql: connection.execute(sql).fetchall()
    told = {
        "counts": [summary.pulled.records, summary.pulled.actions, summary.pulled.errors],
        "workers": ask("SELECT t.worker, t.strength, count(*) FROM actions JOIN attributions AS t USING (action_uid)"
                       " WHERE t.worker IS NOT NULL GROUP BY ALL"),
        "found": ask("SELECT worker, detector, entity FROM findings WHERE detector = 'out_of_scope'"),
        "reasons": ask("SELECT reason FROM records WHERE outcome = 'error'"),
        "secrets": ask("SELECT count(*) FROM records WHERE contains(raw, '4711')"),
    }
print(json.dumps(told))
"""


def test_one_file_is_a_format(tmp_path: Path) -> None:
    # A copy of the two packages, so that no test that runs beside this one finds the format too.
    for package in ("pipelines", "detectors"):
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "pipelines" / "formats" / "doors.py").write_text(DOORS, encoding="utf-8")
    for folder, name, text in (("workers", "robot.yaml", MANIFEST), ("logs", "lobby.log", LOG)):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / name).write_text(text, encoding="utf-8")
    (tmp_path / "workertrail.yaml").write_text(CONFIG, encoding="utf-8")
    command = [sys.executable, "-c", RUN, "workertrail.yaml"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1]) == {
        "counts": [4, 3, 1],
        "workers": [["cleaning-robot", "proven", 2]],
        "found": [["cleaning-robot", "out_of_scope", "vault"]],
        "reasons": [["no line of a door"]],
        "secrets": [[0]],
    }

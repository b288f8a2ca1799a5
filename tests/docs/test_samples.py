"""The example manifests are those of the workers in the sample logs: one run of ./workertrail.yaml attributes them."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import duckdb
import pytest

from pipelines import run as work
from pipelines.settings import load
from tests.machine import ROOT


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A connection that reads the lake after one run over the samples, as they lie in the repository."""
    root: Path = tmp_path_factory.mktemp("clone")
    shutil.copy(ROOT / "workertrail.yaml", root)
    for name in ("samples", "workers"):
        shutil.copytree(ROOT / "data" / name, root / "data" / name)
    settings = load(root / "workertrail.yaml")
    summary = work.run(work.plan(settings))
    assert not summary.failures
    assert not summary.unreadable
    with settings.lake.reading() as connection:
        yield connection


def test_every_example_worker_has_its_actions(lake: duckdb.DuckDBPyConnection) -> None:
    rows = lake.sql(
        """
        SELECT t.worker, a.source, t.strength, count(*) FROM actions AS a JOIN attributions AS t USING (action_uid)
        WHERE a.is_primary AND t.worker IS NOT NULL GROUP BY ALL ORDER BY ALL
        """
    ).fetchall()
    assert rows == [
        ("finance-agent", "egress", "proven", 2),
        ("finance-agent", "egress-detailed", "proven", 1),
        ("release-agent", "trail", "proven", 4),
        ("support-agent", "egress-detailed", "inferred", 1),
        ("support-agent", "okta", "asserted", 1),
        ("support-agent", "okta", "proven", 1),
    ]
    manifests = {file.stem for file in (ROOT / "data" / "workers").glob("*.yaml")}
    assert {worker for worker, *_ in rows} == manifests


def test_who_is_nobodys_has_no_example(lake: duckdb.DuckDBPyConnection) -> None:
    rows = lake.sql(
        """
        SELECT DISTINCT a.principal FROM actions AS a JOIN attributions AS t USING (action_uid)
        WHERE a.is_primary AND t.worker IS NULL ORDER BY ALL
        """
    ).fetchall()
    assert [principal for (principal,) in rows] == [
        "oauth:client/corp.okta.example#wlp1research",
        "okta:user/corp.okta.example/00u1alice",
        "okta:user/corp.okta.example/00u2bob",
        "proxy:user/egress/agent",  # what the native format surely tells of `support agent`
        "proxy:user/egress/jürgen%",
        "proxy:user/egress/svc-research",
    ]


def test_what_the_examples_do_not_allow_is_found(lake: duckdb.DuckDBPyConnection) -> None:
    found = lake.sql(
        "SELECT worker, detector, severity, entity FROM findings WHERE status = 'open' ORDER BY ALL"
    ).fetchall()
    key = "arn:aws:iam::111122223333:user/backup-bot"
    assert found == [
        ("finance-agent", "out_of_scope", "medium", "upload.example"),
        ("release-agent", "new_credential_or_policy", "medium", key),
        ("release-agent", "out_of_scope", "high", key),
    ]

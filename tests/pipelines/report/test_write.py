"""The report of a small estate: what is in it, that it repeats, and who may read it."""

from __future__ import annotations

import json
import re
import stat
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from pipelines.cli.root import workertrail
from pipelines.lake import dialect
from pipelines.lake.duckdb_engine import DuckDBEngine
from pipelines.lake.store import LakeError
from pipelines.report.contents import Contents, Origin, gather
from pipelines.report.selection import Bounds, Selection, period_of
from pipelines.report.write import Written, write
from pipelines.settings import load
from tests.end_to_end.small import Estate
from tests.pipelines.report.estate import BOLD, IMAGE, SCRIPT

NOW = datetime(2026, 3, 4, 12)


@pytest.fixture(scope="module")
def asked() -> list[str]:
    """Every SQL text that the report of the estate asks."""
    return []


@pytest.fixture(scope="module")
def contents(estate: Estate, asked: list[str]) -> Iterator[Contents]:
    settings = load(estate.config)
    with settings.lake.reading() as connection:
        engine = DuckDBEngine(connection, on_sql=asked.append)
        selection = period_of(connection, Selection())
        yield gather(engine, settings.sources, selection, Bounds(), Origin(1, NOW, "0", "again"))


def written(estate: Estate, out: Path, **more: Any) -> Written:
    settings = load(estate.config)
    return write(settings.lake, out, sources=settings.sources, now=NOW, **more)


def command(estate: Estate, *arguments: str) -> Any:
    return CliRunner().invoke(workertrail, ["--config", str(estate.config), "report", *arguments])


def test_a_line_of_scope_tells_how_often_it_decided(contents: Contents) -> None:
    [agent] = contents.workers
    assert [(line.effect, line.text, line.place, line.actions, line.tried) for line in agent.lines] == [
        ("deny", "service s3.amazonaws.com · operations Delete*", "workers/agent.yaml:10", 1, 1),
        ("allow", f"service s3.amazonaws.com · operations Get*, {BOLD}", "workers/agent.yaml:11", 6, 0),
        ("allow", "service dynamodb.amazonaws.com", "workers/agent.yaml:12", 0, 0),
        ("allow", "hosts *.example", "workers/agent.yaml:13", 1, 0),
    ]
    assert agent.lines[1].last_at == datetime(2026, 3, 3, 10)


def test_what_no_line_allows_is_listed_with_an_example(contents: Contents) -> None:
    [agent] = contents.workers
    assert {(one["kind"], one["what"], one["actions"]) for one in agent.beyond} == {
        ("api", "sts.amazonaws.com", 1),
        ("api", f"{BOLD}.amazonaws.com", 1),
        ("net", "far.invalid", 1),
    }


def test_identities_are_seen_or_not(contents: Contents) -> None:
    [agent] = contents.workers
    assert {one["uid"]: one["actions"] for one in agent.declared} == {
        "aws:role/arn:aws:iam::111122223333:role/agent": 9,
        "proxy:user/egress/svc-agent": 2,
        "proxy:user/egress/svc-idle": 0,
    }
    assert agent.undeclared == []


def test_limits_tell_the_fullest_window(contents: Contents) -> None:
    [agent] = contents.workers
    assert [(one.measure, one.at_most, one.fullest, one.over, one.figure is None) for one in agent.limits] == [
        ("calls", "3", "6", 1, False),
        ("destinations", "1", "2", 1, False),
        ("secrets", "5", None, 0, True),
        ("hops", "4", "0", 0, False),
    ]


def test_a_finding_answers_the_questions(contents: Contents) -> None:
    found = {
        finding.row["entity"]: finding for finding in contents.findings if finding.row["detector"] == "out_of_scope"
    }
    denied = next(finding for finding in found.values() if "denies" in finding.row["title"])
    assert (denied.row["worker"], denied.row["strength"], denied.row["verdict"]) == ("agent", "proven", "deny")
    assert (denied.row["file"], denied.row["line"]) == ("workers/agent.yaml", 10)
    assert re.fullmatch("[0-9a-f]{64}", denied.evidence[0]["object_sha256"])
    assert denied.row["is_drawn"]
    assert {tag.name for tag in denied.tags} >= {"ASI02 Tool Misuse and Exploitation"}


def test_a_chain_is_drawn_with_its_evidence_and_hops(contents: Contents) -> None:
    chain = next(one for one in contents.chains if one.row["actions"] == 8)
    assert chain.drawn == 8
    assert [row["operation"] for row in chain.rows if row["cited"] and row["status"] == "denied"] == ["DeleteObject"]
    assert [hop["mechanism"] for hop in chain.hops] == ["acts as"]


def test_the_overview_counts_what_was_read_and_what_is_silent(contents: Contents) -> None:
    sources = {row["source"]: row for row in contents.overview.sources}
    assert [(name, row["records"], row["actions"], row["reported"]) for name, row in sources.items()] == [
        ("egress", 3, 3, 3), ("okta", 0, 0, 0), ("second", 0, 0, 0), ("trail", 9, 9, 9),
    ]  # fmt: skip
    assert {(row["source"], row["strength"], row["actions"]) for row in contents.overview.strengths} == {
        ("trail", "proven", 9), ("egress", "proven", 2), ("egress", "none", 1),
    }  # fmt: skip
    assert [row["reason"] for row in contents.overview.unattributed] == [
        f"no manifest declares proxy:user/egress/{IMAGE}"
    ]
    assert sum(row["seen"] for row in contents.coverage.covered) == 11


def test_every_query_is_portable(contents: Contents, asked: list[str]) -> None:
    assert len(contents.findings) > 3
    assert len(asked) > 40
    for sql in asked:
        dialect.spark(sql)


def test_equal_lakes_give_equal_files_for_the_owner_alone(estate: Estate, tmp_path: Path) -> None:
    first = written(estate, tmp_path / "report.html")
    content = first.file.read_bytes()
    (tmp_path / "report.html").chmod(0o644)
    second = written(estate, tmp_path / "report.html", snapshot=first.snapshot)
    assert second.file.read_bytes() == content
    assert stat.S_IMODE(second.file.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [second.file]
    assert content.count(b"plotly.js v") == 1


def test_a_period_and_a_worker_narrow_it(estate: Estate, tmp_path: Path) -> None:
    selection = Selection(datetime(2026, 3, 3), datetime(2026, 3, 4))
    narrow = written(estate, tmp_path / "day.html", selection=selection)
    assert (narrow.findings, narrow.chains_drawn) == (0, 1)
    nobody = written(estate, tmp_path / "nobody.html", selection=Selection(worker=f"x' OR '1'='1{SCRIPT}"))
    assert (nobody.findings, nobody.workers, nobody.chains_drawn) == (0, 0, 0)
    assert SCRIPT not in nobody.file.read_text(encoding="utf-8")


def test_what_is_left_out_is_counted(estate: Estate, tmp_path: Path) -> None:
    bounds = Bounds(findings=2, evidence=1, chains=9, other_chains=0, points=3, rows=1, workers=1)
    few = written(estate, tmp_path / "few.html", bounds=bounds)
    text = few.file.read_text(encoding="utf-8")
    assert few.findings_told == 2
    assert f"The 2 worst of {few.findings} findings are told here" in text
    assert "3 of 8 actions are drawn" in text
    assert "2 more are left out here." in text


def test_the_command_repeats_itself(estate: Estate, tmp_path: Path) -> None:
    done = command(estate, "--out", str(tmp_path / "one.html"), "--until", "2026-03-02", "--json")
    assert done.exit_code == 0, done.output
    summary = json.loads(done.stdout)
    assert summary["until"] == "2026-03-03T00:00:00.000000Z"
    again = re.search("The same again: <code>(.*?)</code>", (tmp_path / "one.html").read_text(encoding="utf-8"))
    assert again is not None
    words = again.group(1).split(" ")
    words[words.index("--out") + 1] = str(tmp_path / "two.html")
    repeated = CliRunner().invoke(workertrail, words[1:])
    assert repeated.exit_code == 0, repeated.output
    one, two = ((tmp_path / name).read_text(encoding="utf-8") for name in ("one.html", "two.html"))
    assert one == two.replace("--out two.html", "--out one.html")


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--out", "{tmp}/absent/report.html"], "does not exist"),
        (["--out", "{tmp}"], "is a directory"),
        (["--out", "{tmp}/r.html", "--since", "yesterday"], "is no time; write 2026-03-02"),
        (["--out", "{tmp}/r.html", "--since", "2026-03-03", "--until", "2026-03-02"], "must be before"),
        (["--out", "{tmp}/r.html", "--snapshot", "999999"], "999999"),
    ],
)
def test_what_cannot_be_done_is_said(estate: Estate, tmp_path: Path, arguments: list[str], complaint: str) -> None:
    done = command(estate, *(word.format(tmp=tmp_path) for word in arguments))
    assert done.exit_code != 0
    assert complaint in done.output + str(done.exception)
    assert list(tmp_path.iterdir()) == []


def test_a_lake_that_is_not_there_is_said(estate: Estate, tmp_path: Path) -> None:
    lake = load(estate.config).lake
    with pytest.raises(LakeError):
        write(type(lake)(tmp_path / "none.sqlite", tmp_path / "files"), tmp_path / "r.html")
    assert not (tmp_path / "r.html").exists()

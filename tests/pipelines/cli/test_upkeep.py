"""What keeps a lake trustworthy and small: `verify`, `maintain`, `coverage` and `worker` over one estate."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pipelines import gaps, schema, usage
from pipelines.settings import load
from tests.end_to_end.small import Estate, assume, event, squid_line
from tests.pipelines.cli.conftest import Type


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Estate:
    """Three runs, so that tables have several files: a worker's calls, a person's, and lines that name nobody."""
    made = Estate(tmp_path_factory.mktemp("estate"))
    made.put("trail", [event(second=n) for n in range(6)] + [assume("ASIANEXT", second=50)])
    made.run()
    made.put(
        "egress",
        squid_line() + squid_line(1, url="http://far.invalid/x") + squid_line(2, user="ana", url="http://b.example/"),
    )
    made.run()
    made.put("egress", squid_line(9, user="-") * 2 + squid_line(11, user="bo"))
    made.put("trail", [event("ListQueues", second=70, eventSource="sqs.amazonaws.com", requestParameters=None)])
    made.run()
    return made


@pytest.fixture
def estate(built: Estate) -> Iterator[Estate]:
    """The estate; what a test does to its logs and its ledger is undone."""
    kept = built.root / "kept"
    shutil.copytree(built.root / "logs", kept)
    yield built
    shutil.rmtree(built.root / "logs")
    kept.rename(built.root / "logs")


def checked(typed: Type, estate: Estate, *words: str) -> tuple[int, dict[str, Any]]:
    done = typed("--config", estate.config, "verify", "--json", *words)
    return done.code, json.loads(done.out)


def states(found: dict[str, Any]) -> list[str]:
    return [one["state"] for one in found["objects"]]


def write(estate: Estate, sql: str) -> None:
    with load(estate.config).lake.writing() as writer:
        writer.connection.execute(sql)


def test_a_ledger_that_holds(estate: Estate, typed: Type) -> None:
    code, found = checked(typed, estate)
    assert code == 0
    assert states(found) == ["holds"] * 4
    assert found["problems"] == []
    assert estate.rows("SELECT DISTINCT verified FROM objects") == [{"verified": True}]
    text = typed("--config", estate.config, "verify").out
    assert "ledger   4 entries, 0 problems" in text
    assert f"head     {found['head']}" in text
    assert checked(typed, estate, "--head", found["head"])[0] == 0
    assert checked(typed, estate, "--head", "0" * 64)[0] == 0, "the head of an empty ledger was one once"


def test_a_log_that_was_altered_is_named(estate: Estate, typed: Type) -> None:
    file = estate.root / "logs" / "trail" / "0001.log"
    content = file.read_bytes()
    file.write_bytes(content.replace(b"GetObject", b"PutObject", 1))
    code, found = checked(typed, estate)
    assert code == 1
    assert states(found) == ["changed", "holds", "holds", "holds"]
    assert hashlib.sha256(content).hexdigest() in found["problems"][0]
    assert estate.rows("SELECT verified FROM objects ORDER BY ledger_seq")[0] == {"verified": False}
    file.write_bytes(content[:-10])
    assert "the file ends at byte" in checked(typed, estate)[1]["problems"][0]


def test_rotated_logs_break_nothing(estate: Estate, typed: Type) -> None:
    trail = estate.root / "logs" / "trail"
    (trail / "0001.log").unlink()
    code, found = checked(typed, estate)
    assert (code, states(found)[0]) == (0, "absent")
    assert estate.rows("SELECT verified FROM objects ORDER BY ledger_seq")[0] == {"verified": None}
    assert "1 no longer there" in typed("--config", estate.config, "verify").out


@pytest.mark.parametrize(
    ("harm", "mend", "said"),
    [
        ("bytes = bytes + 1", "bytes = bytes - 1", "ledger: entry 2"),
        ("skipped = skipped + 1", "skipped = skipped - 1", "are not"),
    ],
)
def test_a_ledger_that_was_altered_is_noticed(estate: Estate, typed: Type, harm: str, mend: str, said: str) -> None:
    write(estate, f"UPDATE lake.objects SET {harm} WHERE ledger_seq = 1")
    code, found = checked(typed, estate)
    write(estate, f"UPDATE lake.objects SET {mend} WHERE ledger_seq = 1")
    assert code == 1
    assert said in found["problems"][0]
    assert checked(typed, estate)[0] == 0


def test_a_head_that_is_gone_is_noticed(estate: Estate, typed: Type) -> None:
    code, found = checked(typed, estate, "--head", "ab" * 32)
    assert code == 1
    assert found["problems"] == [f"ledger: no entry has the hash {'ab' * 32}: entries were cut off or altered since it was noted"]  # fmt: skip


def content(estate: Estate) -> dict[str, list[dict[str, Any]]]:
    return {table.name: sorted(estate.rows(f'SELECT * FROM "{table.name}"'), key=repr) for table in schema.TABLES}


def files(estate: Estate) -> set[Path]:
    return {file for file in (estate.root / "lake" / "files").rglob("*") if file.is_file()}


def test_maintain_changes_no_row_and_leaves_few_files(estate: Estate, typed: Type) -> None:
    config = ("--config", estate.config)
    for _ in range(3):
        write(estate, "INSERT INTO lake.deliveries (alert_uid, attempt) SELECT 'a', n FROM range(40) AS t(n)")
    write(estate, "DELETE FROM lake.deliveries WHERE attempt < 10")
    before, old = content(estate), files(estate)
    folder = estate.root / "lake" / "files" / "main" / "deliveries"
    orphan, young = folder / "left-behind.parquet", folder / "being-written.parquet"
    for file in (orphan, young):
        file.write_bytes(b"PAR1")
    long_ago = time.time() - 3 * 86_400
    os.utime(orphan, (long_ago, long_ago))
    kept = json.loads(typed(*config, "maintain", "--json").out)
    assert kept["snapshots_expired"] == 0
    assert kept["orphans_deleted"] == 1
    assert old <= files(estate), "kept snapshots need them"
    waiting = json.loads(typed(*config, "maintain", "--json", "--keep-days", "0").out)
    assert waiting["files_waiting"] >= 3, "a query may still read what no snapshot needs since just now"
    assert old <= files(estate)
    done = json.loads(typed(*config, "maintain", "--json", "--keep-days", "0", "--grace-minutes", "0").out)
    assert waiting["snapshots_expired"] > 3
    assert (done["snapshots_kept"], done["snapshots_expired"]) == (1, 0)
    assert done["files_deleted"] >= waiting["files_waiting"]
    assert content(estate) == before
    deliveries = next(one for one in kept["tables"] if one["table"] == "deliveries")
    assert (deliveries["before"]["files"], deliveries["after"]["files"]) == (3, 1)
    assert deliveries["after"]["delete_files"] == 0
    mine = {file for file in old if file.parent.name == "deliveries"}
    assert len(mine) >= 3
    assert not mine & files(estate)
    assert not orphan.exists()
    assert young.exists()
    young.unlink()
    assert done["folder_after"]["files"] < kept["folder_after"]["files"]
    held = files(estate)
    text = typed(*config, "maintain", "--keep-days", "0", "--grace-minutes", "0").out
    assert "every table is compact already" in text
    assert "snapshots: 0 expired, 1 kept" in text
    assert files(estate) == held
    assert "has expired; there are" in typed(*config, "query", "SELECT 1", "--snapshot", "1").err
    assert content(estate) == before
    assert typed(*config, "verify").code == 0


def test_coverage_tells_strengths_and_what_would_attribute_more(estate: Estate, typed: Type) -> None:
    found = json.loads(typed("--config", estate.config, "coverage", "--json").out)
    by_source = {row["source"]: row for row in found["sources"]}
    assert by_source["trail"] == {"source": "trail", "actions": 8, "strengths": {"proven": 8}}
    assert by_source["egress"] == {"source": "egress", "actions": 6, "strengths": {"none": 4, "proven": 2}}
    told = {(gap["kind"], gap["about"]): gap for gap in found["gaps"]}
    assert set(told) == {("undeclared", "proxy:user"), ("unnamed", "egress")}
    assert told["undeclared", "proxy:user"]["actions"] == 2
    assert told["undeclared", "proxy:user"]["examples"] == ["proxy:user/egress/ana (1)", "proxy:user/egress/bo (1)"]
    assert told["unnamed", "egress"]["actions"] == 2
    assert told["unnamed", "egress"]["advice"].startswith("let the proxy of egress ask its users")
    own = json.loads(typed("--config", estate.config, "coverage", "--worker", "agent", "--json").out)
    assert [(row["source"], row["actions"]) for row in own["sources"]] == [("egress", 2), ("trail", 8)]
    assert own["gaps"] == []
    text = typed("--config", estate.config, "coverage").out
    assert "what would attribute more" in text


def test_the_log_that_tells_an_issuer_is_named() -> None:
    gap = gaps._gap(
        {"kind": "issuer", "about": "aws:key in account 111122223333", "category": "cloud", "actions": 5,
         "sources": ["trail"], "of_names": 1, "examples": [{"name": "aws:key/ASIA1", "actions": 5}]}
    )  # fmt: skip
    assert gap.advice == (
        "add as a source CloudTrail management events (STS and IAM, every region) of the account that issued it;"
        " aws:key was used in account 111122223333"
    )
    assert gap.examples == ("aws:key/ASIA1 (5)",)


@pytest.mark.parametrize(
    ("about", "kind", "closable"),
    [("okta:user", "people", False), ("aws:service", "service", False), ("aws:role", "undeclared", True)],
)
def test_people_and_the_clouds_own_services_are_no_gap(about: str, kind: str, closable: bool) -> None:
    row = {
        "kind": "undeclared",
        "about": about,
        "category": None,
        "actions": 1,
        "sources": [],
        "of_names": 0,
        "examples": None,
    }
    gap = gaps._gap(row)
    assert (gap.kind, gap.can_be_closed) == (kind, closable)


def test_worker_tells_declared_against_used(estate: Estate, typed: Type) -> None:
    use = usage.of_worker(load(estate.config).lake, load(estate.config).sources, "agent", days=30)
    assert use is not None
    assert use.manifest is not None
    assert (use.manifest["file"], use.manifest["owner"]) == ("workers/agent.yaml", "team@corp.example")
    assert estate.rows("SELECT count(*) AS n FROM attributions WHERE worker = 'agent'") == [{"n": use.actions}]
    assert {row["uid"]: row["strengths"] for row in use.identities} == {
        "aws:role/arn:aws:iam::111122223333:role/agent": {"proven": 8},
        "proxy:user/egress/svc-agent": {"proven": 2},
    }
    assert [(row["effect"], row["line_says"], row["line"], row["actions"]) for row in use.lines] == [
        ("allow", "service s3.amazonaws.com", 8, 6),
        ("allow", "hosts *.example", 9, 1),
    ]
    outside = {(row["operation"], row["what"]): row["actions"] for row in use.outside}
    assert outside == {
        ("ListQueues", "sqs.amazonaws.com"): 1,
        ("GET", "far.invalid"): 1,
        ("AssumeRole", "sts.amazonaws.com"): 1,
    }
    assert sum(use.verdicts.values()) == use.actions
    assert {row["finding_uid"] for row in use.findings} == {
        row["finding_uid"]
        for row in estate.rows("SELECT finding_uid FROM findings WHERE worker = 'agent' AND status = 'open'")
    }
    assert use.chains
    text = typed("--config", estate.config, "worker", "agent").out
    for part in (
        "owner        team@corp.example",
        "8 proven",
        "workers/agent.yaml:8",
        "outside the scope (3 kinds of call)",
    ):
        assert part in text


def test_all_workers_are_listed_and_an_unknown_one_is_an_error(estate: Estate, typed: Type) -> None:
    rows = json.loads(typed("--config", estate.config, "worker", "--json").out)
    assert [(row["worker"], row["declared"], row["actions"], row["proven"]) for row in rows] == [
        ("agent", True, 10, 10)
    ]
    done = typed("--config", estate.config, "worker", "nobody")
    assert (done.code, done.out) == (1, "")
    assert "no worker 'nobody'" in done.err

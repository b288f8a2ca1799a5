"""The commands as a user types them, over the sample configuration and a small estate."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.end_to_end.small import Estate, assume, event, squid_line
from tests.machine import ROOT
from tests.pipelines.cli.conftest import Type

WORKERTRAIL = str(Path(sys.executable).with_name("workertrail"))


def run(*arguments: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    return subprocess.run([WORKERTRAIL, *arguments], cwd=cwd, capture_output=True, text=True, check=False, timeout=300)


def ok(*arguments: str, cwd: Path = ROOT) -> str:
    done = run(*arguments, cwd=cwd)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def estate(tmp_path_factory: pytest.TempPathFactory) -> Estate:
    made = Estate(tmp_path_factory.mktemp("estate"))
    nasty = "evil\x1b[2J[bold red]x[/]"
    made.put("trail", [event(second=second) for second in range(5)] + [assume("ASIANEXT", second=50)])
    made.put("trail", [event("DeleteTrail", second=70, eventSource="cloudtrail.amazonaws.com", userAgent=nasty,
                             requestParameters={"name": nasty})])  # fmt: skip
    made.put("egress", squid_line() + squid_line(1, url="http://far.invalid/\x07x"))
    done = run("--config", str(made.config), "run", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["pulled"]["records"] == 9
    return made


COMMANDS = (
    "ack", "alerts", "chain", "check", "coverage", "dagster", "demo", "findings", "init", "maintain", "query", "reopen",
    "report", "run", "show", "suppress", "verify", "worker",
)  # fmt: skip


def test_help_is_useful(typed: Type) -> None:
    text = ok("--help")
    for command in COMMANDS:
        assert f"\n  {command} " in text
        assert len(typed(command, "--help").out) > 150


def test_check_of_the_sample_configuration() -> None:
    found = json.loads(ok("check", "--json"))
    assert {row["source"]: row["files"] for row in found["sources"]} == {
        "trail": 2, "egress": 1, "egress-detailed": 1, "okta": 1,
    }  # fmt: skip
    assert set(found["detectors"]) >= {"out_of_scope", "use_after_end", "log_tampering"}
    assert len(found["workers"]) == 3


def test_findings_show_and_chain(estate: Estate) -> None:
    config = ("--config", str(estate.config))
    found = json.loads(ok(*config, "findings", "--json"))
    tampering = next(row for row in found if row["detector"] == "log_tampering")
    assert tampering["severity"] == "critical"
    drawn = ok(*config, "show", tampering["finding_uid"][:8])
    for part in ("CRITICAL", "who, hop by hop", "aws:key/ASIAEXAMPLE1", "acts", "sha256", "evidence"):
        assert part in drawn
    shown = json.loads(ok(*config, "show", tampering["finding_uid"], "--json"))
    assert shown["attribution"]["worker"] == "agent"
    assert shown["evidence"][0]["action"]["api_operation"] == "DeleteTrail"
    assert json.loads(shown["evidence"][0]["raw"])["eventName"] == "DeleteTrail"
    chain = ok(*config, "chain", tampering["chain_id"])
    assert "GetObject" in chain
    assert json.loads(ok(*config, "chain", tampering["chain_id"], "--json"))["chain"]["worker"] == "agent"
    for text in (drawn, chain, ok(*config, "findings")):
        assert "\x1b[2J" not in text
        assert "\x07" not in text


def test_an_unknown_uid_is_an_error(estate: Estate) -> None:
    done = run("--config", str(estate.config), "show", "nothing")
    assert done.returncode != 0
    assert "no finding 'nothing'" in done.stderr


def test_query_in_its_formats(estate: Estate) -> None:
    config = ("--config", str(estate.config))
    sql = "SELECT worker, count(*) AS n FROM attributions WHERE worker IS NOT NULL GROUP BY worker"
    assert json.loads(ok(*config, "query", sql, "--json")) == [{"worker": "agent", "n": 9}]
    assert ok(*config, "query", sql, "--format", "csv") == "worker,n\nagent,9\n"
    assert "agent" in ok(*config, "query", sql)
    assert ok(*config, "query", "SELECT '=1+1' AS x", "--format", "csv") == "x\n'=1+1\n"
    assert json.loads(ok(*config, "query", "SELECT count(*) AS n FROM actions", "--snapshot", "1", "--json")) == [
        {"n": 0}
    ]
    done = run(*config, "query", "DROP TABLE actions")
    assert done.returncode == 2


def test_a_second_run_says_that_there_is_nothing_new(estate: Estate) -> None:
    text = ok("--config", str(estate.config), "run")
    assert "pulled   0 objects" in text
    assert "detected nothing new" in text


def bad(estate: Estate, tmp_path: Path, old: str, new: str, file: str) -> subprocess.CompletedProcess[str]:
    other = Estate(tmp_path)
    path = other.root / file
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")
    done = run("--config", str(other.config), "run")
    assert not (other.root / "lake").exists()
    return done


@pytest.mark.parametrize(
    ("file", "old", "new", "said"),
    [
        ("workertrail.yaml", "workers: workers", "workers: workers\nworkrs: x", "workertrail.yaml:4: workrs: unknown key"),
        ("workertrail.yaml", "logs/okta/*", "nowhere/*", "workertrail.yaml:8: sources[3].from: the folder"),
        ("workers/agent.yaml", "owner:", "ownr:", "agent.yaml:3: ownr: unknown key 'ownr'; did you mean 'owner'?"),
        ("workers/agent.yaml", "scope:", "limits: [{measure: calls, at_most: 1, per: 1x}]\nscope:", "agent.yaml:7: limits"),
        ("workers/agent.yaml", "  - proxy:user/egress/svc-agent", "  - aws:role/arn:aws:iam::111122223333:role/agent", ":6: "),
    ],
)  # fmt: skip
def test_a_mistake_stops_the_run_before_it_starts(
    estate: Estate, tmp_path: Path, file: str, old: str, new: str, said: str
) -> None:
    done = bad(estate, tmp_path, old, new, file)
    assert done.returncode == 2
    assert said in done.stderr

"""What a new user runs into: no configuration, no permission, the wrong format, a changed manifest, a wrong name."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pipelines import gaps, usage
from pipelines.cli import drawing
from pipelines.lake.store import Lake
from pipelines.settings import load
from tests.end_to_end.small import Estate, event, squid_line
from tests.pipelines.cli.conftest import Type

BOUNDS = """\
networks: ["192.0.2.0/24"]
schedule: ["Mon-Fri 06:00-20:00 Europe/Berlin"]
delegators: ["mail:addr/*@corp.example"]
"""
LONG = "x" * 500


@pytest.fixture(scope="module")
def estate(tmp_path_factory: pytest.TempPathFactory) -> Estate:
    """Seventeen findings of one worker, a call that its own role allows, and a manifest with more bounds than scope."""
    made = Estate(tmp_path_factory.mktemp("estate"))
    manifest = made.root / "workers" / "agent.yaml"
    manifest.write_text(manifest.read_text(encoding="utf-8") + BOUNDS, encoding="utf-8")
    calls = [event("DeleteTrail", second=n, eventSource="cloudtrail.amazonaws.com",
                   requestParameters={"name": f"t{n}", "note": LONG}) for n in range(20)]  # fmt: skip
    made.put("trail", [*calls, event(second=50)])
    made.run()
    return made


def test_without_a_configuration_it_says_what_to_do(
    typed: Type, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = typed("findings")
    assert (done.code, done.out) == (2, "")
    assert done.err == (
        "Error: there is no workertrail.yaml here: `workertrail init` writes one, or name yours with --config\n"
    )


def test_version(typed: Type) -> None:
    assert typed("--version").out.startswith("workertrail ")


@pytest.mark.parametrize("words", [("findings",), ("run",)])
def test_what_may_not_be_read_is_one_line(
    estate: Estate, typed: Type, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    def refuse(lake: Lake) -> bool:
        raise PermissionError(13, "Permission denied", str(lake.catalog))

    monkeypatch.setattr(Lake, "exists", property(refuse))
    done = typed("--config", estate.config, *words)
    assert (done.code, done.out) == (2, "")
    assert done.err == (
        f"{load(estate.config).lake.catalog}: permission denied: run this as the path's owner"
        " (a lake is its owner's alone), or give this user access\n"
    )


@pytest.mark.parametrize(("key", "said"), [("workers: workers", "2: workers"), ("rules: [a, b]", "9: rules[0]")])
def test_a_missing_folder_is_told_at_its_key(tmp_path: Path, typed: Type, key: str, said: str) -> None:
    made = Estate(tmp_path)
    text = made.config.read_text(encoding="utf-8").replace("workers: workers\n", "").strip()
    lines = text.splitlines()
    lines.insert(1 if key.startswith("workers") else len(lines), key.replace(": workers", ": nowhere"))
    made.config.write_text("\n".join(lines) + "\n", encoding="utf-8")
    (tmp_path / "data" / "workers").mkdir(parents=True)
    done = typed("--config", made.config, "check")
    assert done.code == 2
    place = len(lines) if key.startswith("rules") else 2
    assert f"{made.config}:{place}: {said.split(': ')[1]}: the folder {tmp_path}" in done.err


def test_a_source_of_another_format_fails_the_run(tmp_path: Path, typed: Type) -> None:
    made = Estate(tmp_path)
    file = made.put("trail", '{"eventType": "user.session.start", "uuid": "u"}\n' * 2)
    made.put("egress", squid_line())
    done = typed("--config", made.config, "run")
    assert done.code == 1
    said = next(line for line in done.out.splitlines() if line.startswith("no record of source "))
    assert said.startswith("no record of source trail could be read as cloudtrail: is it the right format?")
    assert said.endswith(file.name)
    made.put("trail", [event()])
    made.put("trail", '{"eventType": "user.session.start", "uuid": "v"}\n')
    again = typed("--config", made.config, "run")
    assert again.code == 0, "one record was read: the format is right"


def test_a_changed_manifest_says_from_when_it_counts(tmp_path: Path, typed: Type) -> None:
    made = Estate(tmp_path)
    manifest = made.root / "workers" / "agent.yaml"
    first = typed("--config", made.config, "run").out
    assert "manifest of" not in first
    text = manifest.read_text(encoding="utf-8")
    manifest.write_text(text + "purpose: reads\n", encoding="utf-8")
    told = typed("--config", made.config, "run").out
    assert (
        "manifest of agent changed: it counts from now on; to judge the past too, write `effective_from: DATE`" in told
    )
    manifest.write_text(text + "purpose: writes\neffective_from: 2026-01-01\n", encoding="utf-8")
    assert "manifest of" not in typed("--config", made.config, "run").out


@pytest.mark.parametrize(
    "words",
    [
        ("show", "zzz"),
        ("worker", "zzz"),
        ("ack", "zzz", "--reason", "x"),
        ("suppress", "zzz", "--reason", "x", "--until", "7d"),
        ("reopen", "zzz", "--reason", "x"),
        ("report", "--worker", "zzz", "--out", "REPORT"),
    ],
)
def test_what_is_unknown_is_told_alike(estate: Estate, typed: Type, words: tuple[str, ...]) -> None:
    out = estate.root / "report.html"
    done = typed("--config", estate.config, *(out if word == "REPORT" else word for word in words))
    assert (done.code, done.out) == (1, "")
    assert done.err.startswith("Error: no ")
    assert "'zzz'" in done.err
    assert not out.exists()


def test_no_uid_is_no_finding(estate: Estate, typed: Type) -> None:
    done = typed("--config", estate.config, "ack", "", "--reason", "x")
    assert (done.code, done.err) == (1, "Error: no finding ''\n")
    assert estate.rows("SELECT count(*) AS n FROM reviews") == [{"n": 0}]


def test_a_detector_that_does_not_exist(estate: Estate, typed: Type) -> None:
    done = typed("--config", estate.config, "findings", "--detector", "log_tempering")
    assert (done.code, done.err) == (1, "Error: no detector 'log_tempering'; did you mean log_tampering?\n")
    assert typed("--config", estate.config, "findings", "--detector", "behaviour").out == "no finding is like that\n"


def test_findings_are_limited_and_have_their_explanation_as_data(estate: Estate, typed: Type) -> None:
    every = json.loads(typed("--config", estate.config, "findings", "--json").out)
    assert len(every) > 15
    assert all(isinstance(row["explanation"], dict) for row in every)
    shown = typed("--config", estate.config, "findings", "--limit", "2").out
    assert shown.splitlines()[-1] == f"and {len(every) - 2} findings more (--limit shows more)"
    assert len(json.loads(typed("--config", estate.config, "findings", "--json", "--limit", "2").out)) == 2


def test_show_prints_raw_records_cut(estate: Estate, typed: Type) -> None:
    row = json.loads(typed("--config", estate.config, "findings", "--detector", "log_tampering", "--json").out)[0]
    drawn = typed("--config", estate.config, "show", row["finding_uid"]).out
    (raw,) = [line for line in drawn.splitlines() if '"eventVersion": "1.11"' in line]
    assert raw.endswith(" … (--json shows all)")
    assert len(raw.strip()) == drawing.RAW_LENGTH + len(" … (--json shows all)")
    assert "evidence (1 of the finding's actions is frozen)" in drawn


def test_a_worker_is_told_on_a_few_screens(estate: Estate, typed: Type) -> None:
    text = typed("--config", estate.config, "worker", "agent").out
    use = usage.of_worker(load(estate.config).lake, load(estate.config).sources, "agent", 30)
    assert use is not None
    assert f"open findings (15 of {len(use.findings)}; findings --worker agent shows all)" in text
    assert len(text.split("open findings")[1].splitlines()) == 16
    for part in (
        "networks     192.0.2.0/24",
        "schedule     Mon,Tue,Wed,Thu,Fri 06:00-20:00 Europe/Berlin",
        "delegators   mail:addr/",
    ):
        assert part in text
    decided = {
        effect: sum(row["actions"] for row in use.lines if row["effect"] == effect) for effect in ("allow", "deny")
    }
    assert decided == {effect: use.verdicts.get(effect, 0) for effect in decided}


def test_an_earlier_manifest_and_an_own_role_have_rows(tmp_path: Path, typed: Type) -> None:
    made = Estate(tmp_path)
    manifest = made.root / "workers" / "agent.yaml"
    again = event("AssumeRole", second=9, eventSource="sts.amazonaws.com",
                  requestParameters={"roleArn": "arn:aws:iam::111122223333:role/agent", "roleSessionName": "r"},
                  resources=[{"ARN": "arn:aws:iam::111122223333:role/agent", "type": "AWS::IAM::Role"}])  # fmt: skip
    made.put("trail", [event(), again])
    made.run()
    assert "what the worker is: a role among its identities" in typed("--config", made.config, "worker", "agent").out
    manifest.write_text(manifest.read_text(encoding="utf-8") + "purpose: reads\n", encoding="utf-8")
    made.run()
    made.put("trail", [event(second=20, eventTime="2099-01-01T00:00:00Z")])
    made.run()
    assert (
        "by an earlier version of the manifest"
        in typed("--config", made.config, "worker", "agent", "--days", "90000").out
    )


def test_an_empty_outbox(estate: Estate, typed: Type) -> None:
    assert typed("--config", estate.config, "alerts", "list").out == "nothing in the outbox\n"
    assert typed("--config", estate.config, "alerts", "list", "--json").out == "[]\n"


def test_lines_of_csv_end_in_lf(estate: Estate, typed: Type) -> None:
    assert typed("--config", estate.config, "query", "SELECT 1 AS x", "--format", "csv").out == "x\n1\n"


def test_a_feature_is_a_line() -> None:
    assert drawing._lines("features", [{"text": "a"}, {"text": "b"}]) == ["a", "b"]
    assert drawing._lines("clients", ["a", "b"]) == ["a, b"]


def test_coverage_asks_for_no_one_off_session_to_be_declared(tmp_path: Path) -> None:
    made = Estate(tmp_path)
    bare = {"type": "AssumedRole", "accountId": "111122223333"}
    made.put("trail", [event(second=n, userIdentity={**bare, "principalId": f"AROAX:run-{n}"}) for n in range(3)])
    made.run()
    names = [name for gap in gaps.coverage(load(made.config).lake).gaps for name in gap.examples]
    assert not [name for name in names if ":run-" in name], names

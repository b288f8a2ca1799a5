"""What a person at a terminal meets: narrow tables, closed pipes, interruptions, waiting, and messages."""

from __future__ import annotations

import fcntl
import logging
import os
import pty
import re
import struct
import subprocess
import sys
import termios
import threading
from pathlib import Path

import pytest

from pipelines.alerts.states import states
from pipelines.cli.context import Context, counted
from pipelines.cli.drawing import size, told
from pipelines.lake import lock
from pipelines.lake.lock import held, holder
from tests.end_to_end.small import Estate, event
from tests.pipelines.cli.conftest import Type

WORKERTRAIL = str(Path(sys.executable).with_name("workertrail"))
ALERTS = '\nalerts: [{name: siem, type: webhook, url: "http://127.0.0.1:9/x", secret: "env:TERMINAL_SECRET"}]\n'


@pytest.fixture(scope="module")
def estate(tmp_path_factory: pytest.TempPathFactory) -> Estate:
    made = Estate(tmp_path_factory.mktemp("estate"))
    made.config.write_text(made.config.read_text(encoding="utf-8") + ALERTS, encoding="utf-8")
    calls = [event("DeleteTrail", second=n, eventSource="cloudtrail.amazonaws.com",
                   requestParameters={"name": f"a-trail-with-a-long-name-{n}"}) for n in range(30)]  # fmt: skip
    made.put("trail", calls)
    made.run()
    return made


def on_terminal(*words: object, columns: int = 80) -> str:
    """What a command writes to a terminal of so many columns, without colours."""
    own, others = pty.openpty()
    fcntl.ioctl(others, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    environment = {**os.environ, "TERM": "xterm"}
    for name in ("COLUMNS", "NO_COLOR", "CI"):
        environment.pop(name, None)
    with subprocess.Popen([WORKERTRAIL, *map(str, words)], stdout=others, stderr=others, env=environment) as program:
        os.close(others)
        text = b""
        while True:
            try:
                more = os.read(own, 65_536)
            except OSError:  # the other end is closed
                break
            if not more:
                break
            text += more
    os.close(own)
    assert program.returncode == 0, text
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text.decode()).replace("\r\n", "\n")


def test_80_columns_show_uids_that_show_takes(estate: Estate, typed: Type) -> None:
    config = ("--config", estate.config)
    lines = on_terminal(*config, "findings").splitlines()
    assert max(map(len, lines)) <= 80
    short = [line.split()[0] for line in lines if re.match(r"[0-9a-f]{8}", line)]
    uids = [row["finding_uid"] for row in estate.rows("SELECT finding_uid FROM findings WHERE status <> 'resolved'")]
    assert len(short) == len(uids) > 10
    assert all(sum(uid.startswith(one) for uid in uids) == 1 for one in short)
    assert typed(*config, "show", short[0]).code == 0
    for uid in uids:
        assert uid in typed(*config, "findings").out, "no terminal: whole uids"
    drawn = on_terminal(*config, "show", short[0])
    whole = next(uid for uid in uids if uid.startswith(short[0]))
    assert f"{whole}  revision 1, open" in drawn
    assert re.search(r"^      sha256 [0-9a-f]{64}$", drawn, re.MULTILINE)


def test_alerts_are_listed_and_put_back_by_the_beginning_of_their_uid(estate: Estate, typed: Type) -> None:
    config = ("--config", estate.config)
    lines = on_terminal(*config, "alerts", "list").splitlines()
    assert max(map(len, lines)) <= 80
    uid = states(Context(estate.config).read)["alert_uid"].to_pylist()[0]
    assert any(line.startswith(str(uid)[:8]) for line in lines)
    done = typed(*config, "alerts", "discard", str(uid)[:10], "--reason", "a drill")
    assert (done.code, done.out) == (0, "1 alert discarded\n"), done.err
    assert typed(*config, "alerts", "retry", str(uid)[:10]).out == "1 alert put back\n"
    assert "more than one alert begins with" in typed(*config, "alerts", "retry", "").err


def test_a_reader_that_has_enough_is_no_fault(estate: Estate) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    try:
        for words in (("show", _any(estate)), ("findings", "--json"), ("query", "SELECT 1")):
            command = [WORKERTRAIL, "--config", str(estate.config), *words]
            done = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, text=True, check=False)
            assert (done.returncode, done.stderr) == (141, "")
    finally:
        os.close(writing)


def _any(estate: Estate) -> str:
    return str(estate.rows("SELECT finding_uid FROM findings LIMIT 1")[0]["finding_uid"])


INTERRUPTED = """
import sys

class Interrupts:
    def find_spec(self, name, *_):
        if name == "{module}":
            raise KeyboardInterrupt

sys.meta_path.insert(0, Interrupts())
sys.argv = ["workertrail", "--help"]
from pipelines.cli.main import main
main()
"""


@pytest.mark.parametrize("module", ["duckdb", "pipelines.cli.worker"])
def test_an_interruption_while_it_starts_is_answered_in_a_line(module: str) -> None:
    text = INTERRUPTED.format(module=module)
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=False)
    assert done.returncode == 130
    assert done.stderr.startswith("interrupted: ")
    assert len(done.stderr.splitlines()) == 1


def test_who_waits_for_the_lock_says_for_whom(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(lock, "SILENT_SECONDS", 0.01)
    monkeypatch.setattr(sys, "argv", ["/somewhere/workertrail", "--config", "x.yaml", "run"])
    file, said, got = tmp_path / "writer.lock", threading.Event(), threading.Event()
    monkeypatch.setattr(lock.log, "warning", lambda *words: (logging.getLogger().warning(*words), said.set()))

    def second() -> None:
        with held(file):
            got.set()

    with held(file):
        waiter = threading.Thread(target=second)
        waiter.start()
        assert said.wait(60)
        assert not got.is_set()
        assert holder(file).startswith(f"process {os.getpid()} (workertrail run, since 20")
    waiter.join(60)
    assert got.is_set()
    assert f"process {os.getpid()} (workertrail run" in caplog.text
    assert holder(file) == "another process", "the note is gone with the lock"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("", ), "the query is empty: write one SELECT"),
        (("SELECT 1; SELECT 2", ), "one SELECT is run at a time"),
        (("SELECT 1", "--snapshot", "99999"), "there is no snapshot 99999 yet; there are 0 to "),
    ],
)  # fmt: skip
def test_a_query_that_cannot_be_run_says_why(estate: Estate, typed: Type, words: tuple[str, ...], said: str) -> None:
    done = typed("--config", estate.config, "query", *words)
    assert done.code == 2
    assert said in done.err


@pytest.mark.parametrize(
    ("key", "value", "shown"),
    [
        ("at_most_bytes", 200000000.0, "200 MB (200,000,000 bytes)"),
        ("bytes", 2984001374.0, "2.98 GB (2,984,001,374 bytes)"),
        ("bytes_out", 999, "999 bytes"),
        ("calls_with_known_bytes_out", 48, "48"),
        ("per_seconds", 3600, "3,600"),
        ("confidence", 1.0, "1"),
        ("p_value", 0.000123456, "0.0001235"),
        ("clients", ["boto3", "x"], "boto3, x"),
        ("seen", {"bytes_in": 1500.0, "calls": 3}, "bytes_in 1.5 kB (1,500 bytes); calls 3"),
        ("foreign", False, "false"),
    ],
)
def test_explanations_have_units(key: str, value: object, shown: str) -> None:
    assert told(key, value) == shown


def test_words_are_counted() -> None:
    assert (counted(1, "worker"), counted(1200, "worker"), counted(2, "entry", "entries")) == ("1 worker", "1,200 workers", "2 entries")  # fmt: skip
    assert size(0) == "0 bytes"


def test_init_writes_what_check_accepts_and_overwrites_nothing(
    tmp_path: Path, typed: Type, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = typed("init")
    assert done.code == 0, done.err
    written = {file.name: file.read_text(encoding="utf-8") for file in tmp_path.rglob("*.yaml")}
    assert set(written) == {"workertrail.yaml", "example-agent.yaml"}
    checked = typed("check")
    assert checked.code == 0, checked.err
    assert "1 worker, " in checked.out
    assert " Sigma rule" in checked.out
    noted = [line for line in checked.out.splitlines() if line.startswith("warning: ")]
    assert len(noted) == 3, "nothing but that there are no logs yet"
    assert all("no file matches" in line for line in noted)
    again = typed("init")
    assert again.code == 1
    assert "overwrites nothing" in again.err
    assert {file.name: file.read_text(encoding="utf-8") for file in tmp_path.rglob("*.yaml")} == written

"""Dagster's page, as a user opens it: the main job is materialised by clicking, and its checks are read."""

from __future__ import annotations

import os
import re
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Watched
from tests.end_to_end.small import Estate, assume, event, squid_line

START_SECONDS = 180
RUN_MS = 240_000
PAGE_MS = 120_000
STOP_SECONDS = 90
"""How long to wait at most where the machine has much else to do; a quiet one needs a tenth of it."""


@dataclass(frozen=True)
class Dagster:
    """`workertrail dagster` at work: its address, and what it was started over."""

    url: str
    estate: Estate


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def of_session(session: int) -> list[int]:
    """The processes of a session that still run (field 6 of /proc/PID/stat, proc(5)); zombies have ended."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            state, _parent, _group, of = (folder / "stat").read_text().rsplit(")", 1)[1].split()[:4]
        except OSError:
            continue
        if int(of) == session and state != "Z":
            found.append(int(folder.name))
    return found


def ended(process: int, seconds: float) -> bool:
    """Wait until a process has ended (pidfd_open(2)); whether it did in time."""
    try:
        handle = os.pidfd_open(process)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([handle], [], [], max(seconds, 0))[0])
    finally:
        os.close(handle)


def stop(started: subprocess.Popen[str]) -> None:
    """End it as a service manager does, and see that all that it started ends by itself."""
    started.send_signal(signal.SIGTERM)
    deadline = time.monotonic() + STOP_SECONDS
    try:
        started.wait(STOP_SECONDS)
        left = [process for process in of_session(started.pid) if not ended(process, deadline - time.monotonic())]
    finally:
        for process in of_session(started.pid):
            os.kill(process, signal.SIGKILL)
    assert left == []


@pytest.fixture(scope="module")
def dagster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dagster]:
    root = tmp_path_factory.mktemp("estate")
    estate = Estate(root)
    estate.put("trail", [event(second=second) for second in range(20)] + [assume("ASIANEXT", second=50)])
    estate.put("egress", squid_line() * 3 + squid_line(url="http://elsewhere.invalid/") + "no line of squid\n")
    port = free_port()
    command = [str(Path(sys.executable).with_name("workertrail")), "--config", str(estate.config)]
    started = subprocess.Popen(
        [*command, "dagster", "--port", str(port), "--home", str(root / "home")],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True,
        env={**os.environ, "NO_COLOR": "1"},
    )  # fmt: skip
    serving, said = threading.Event(), []

    def listen() -> None:
        for line in started.stdout or ():
            said.append(line)
            if "Serving dagster-webserver" in line:
                serving.set()

    threading.Thread(target=listen, daemon=True).start()
    try:
        assert serving.wait(START_SECONDS), "".join(said)
        yield Dagster(f"http://127.0.0.1:{port}", estate)
    finally:
        stop(started)


def test_the_main_job_is_materialised_on_the_page_and_its_checks_pass(dagster: Dagster, watched: Watched) -> None:
    page = watched.page
    page.set_default_timeout(PAGE_MS)
    page.goto(f"{dagster.url}/locations/pipelines.definitions/jobs/main")
    page.get_by_role("button", name="Materialize all").click()
    page.get_by_role("link", name="View", exact=True).click()
    expect(page).to_have_url(re.compile(r"/runs/[0-9a-f-]{36}"), timeout=PAGE_MS)
    expect(page.get_by_text(re.compile(r"^(Success|Failure)$")).first).to_be_visible(timeout=RUN_MS)
    expect(page.get_by_text("Success", exact=True).first).to_be_visible()

    page.goto(f"{dagster.url}/assets/egress/records?view=checks")
    expect(page.get_by_text("Checks (3)")).to_be_visible(timeout=PAGE_MS)
    page.get_by_text("every_record_accounted_for", exact=True).first.click()
    expect(page.get_by_text("This is a blocking asset check.")).to_be_visible(timeout=PAGE_MS)
    expect(page.get_by_text("Passed", exact=True).first).to_be_visible()
    for asset, passed in (("chains", 1), ("findings", 2)):
        page.goto(f"{dagster.url}/assets/{asset}?view=checks")
        expect(page.get_by_text(f"Checks ({passed})")).to_be_visible(timeout=PAGE_MS)
        expect(page.get_by_text("Succeeded", exact=True)).to_have_count(passed, timeout=PAGE_MS)
        expect(page.get_by_text("Passed", exact=True).first).to_be_visible(timeout=PAGE_MS)

    assert dagster.estate.rows("SELECT count(*) AS n FROM actions") == [{"n": 25}]
    assert watched.elsewhere == []
    assert watched.errors == []

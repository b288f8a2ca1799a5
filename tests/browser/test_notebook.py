"""The notebooks as an analyst opens them: in a browser, over logs that try to be more than text."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Page, expect

from pipelines.settings import CONFIG_VARIABLE
from tests.browser.conftest import Watched
from tests.end_to_end.small import Estate
from tests.machine import ROOT
from tests.notebooks.hostile import hostile_estate

START_TRIES = 9
"""Each waits twice as long as the one before: two minutes in all, where a quiet machine needs two seconds."""
PAGE_MS = 90_000
"""How long to wait at most where the machine has much else to do; a quiet one needs a tenth of it."""


@pytest.fixture(scope="module")
def estate(tmp_path_factory: pytest.TempPathFactory) -> Estate:
    return hostile_estate(tmp_path_factory.mktemp("estate"))


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


@contextmanager
def served(name: str, config: Path, home: Path) -> Iterator[str]:
    """`marimo run` of a notebook, with a home of its own; its address."""
    port = free_port()
    log = home / "marimo.log"
    with log.open("w") as said:
        server = subprocess.Popen(
            [sys.executable, "-m", "marimo", "run", str(ROOT / "notebooks" / f"{name}.py"), "--headless", "--host",
             "127.0.0.1", "--port", str(port)],
            stdout=said, stderr=said, cwd=home,
            env={**os.environ, CONFIG_VARIABLE: str(config), "HOME": str(home), "XDG_CONFIG_HOME": str(home)},
        )  # fmt: skip
    url = f"http://127.0.0.1:{port}/"
    try:
        with httpx.Client(transport=httpx.HTTPTransport(retries=START_TRIES)) as client:
            assert client.get(f"{url}health").status_code == 200, log.read_text()
        yield url
    finally:
        server.terminate()
        server.wait(60)


def assert_inert(watched: Watched) -> None:
    """No text of a log ran, became markup, or made the page ask another host for something."""
    assert [frame.evaluate("window.owned") for frame in watched.page.frames if frame.evaluate("window.owned")] == []
    assert watched.page.get_by_role("heading", name="owned").count() == 0
    assert watched.elsewhere == []
    assert watched.errors == []


def assert_asks_nobody_else(page: Page) -> None:
    """Even where a log's text became a picture, its host would not be asked: the page's policy forbids it."""
    refused = """() => new Promise(resolve => {
        document.addEventListener("securitypolicyviolation", event => resolve(event.blockedURI), {once: true});
        document.body.appendChild(document.createElement("img")).src = "http://beacon.invalid/seen.png";
    })"""
    assert page.evaluate(refused) == "http://beacon.invalid/seen.png"


def opened(page: Page, url: str) -> None:
    page.set_default_timeout(PAGE_MS)
    expect.set_options(timeout=PAGE_MS)
    page.goto(url)


def test_a_finding_is_followed_to_its_raw_records(estate: Estate, watched: Watched, tmp_path: Path) -> None:
    page = watched.page
    with served("1_findings", estate.config, tmp_path) as url:
        opened(page, url)
        expect(page.get_by_text("findings, the worst first")).to_be_visible()
        row = page.get_by_role("row").filter(has_text="role/cleaner").filter(has_text="out_of_scope")
        row.get_by_role("checkbox").click()
        expect(page.locator("pre").filter(has_text="who, hop by hop")).to_contain_text("operation   AssumeRole")
        raw = page.locator("pre").filter(has_text='"eventName":')
        expect(raw).to_have_count(1)
        expect(raw).to_contain_text("roleSessionName")
        expect(page.locator("pre").filter(has_text="sha256 ")).to_have_count(1)
        page.get_by_label("detector").select_option("log_tampering")
        expect(page.get_by_text("7 findings, the worst first")).to_be_visible()
        expect(page.locator("pre").filter(has_text="who, hop by hop")).to_contain_text("<img src=x onerror=")
        assert_inert(watched)


def test_a_workers_days_are_drawn(estate: Estate, watched: Watched, tmp_path: Path) -> None:
    page = watched.page
    with served("2_worker", estate.config, tmp_path) as url:
        opened(page, url)
        frame = page.frame_locator("iframe")
        expect(frame.locator(".main-svg").first).to_be_visible()
        expect(frame.locator(".js-plotly-plot")).to_have_count(3)
        expect(frame.locator(".js-plotly-plot").nth(2)).to_contain_text("far.invalid:80")
        assert frame.locator(".js-plotly-plot .bars path").count() > 3
        expect(page.get_by_text("Used, and not declared.")).to_be_visible()
        assert_inert(watched)


def test_a_query_that_writes_is_refused_on_the_page(estate: Estate, watched: Watched, tmp_path: Path) -> None:
    page = watched.page
    with served("3_query", estate.config, tmp_path) as url:
        opened(page, url)
        expect(page.get_by_text("proven").first).to_be_visible()
        page.get_by_role("textbox", name="one SELECT").fill("SELECT user_agent FROM actions ORDER BY 1")
        page.get_by_role("textbox", name="one SELECT").blur()
        expect(page.get_by_text("http[:]//beacon.invalid/seen.png").first).to_be_visible()
        page.get_by_role("textbox", name="one SELECT").fill("DELETE FROM actions")
        page.get_by_role("textbox", name="one SELECT").blur()
        expect(page.get_by_text("nothing that writes")).to_be_visible()
        assert_inert(watched)
        assert_asks_nobody_else(page)
    assert estate.rows("SELECT count(*) AS n FROM actions")[0]["n"] > 0

"""A headless Chromium for pages that the product makes; what a page complains of or asks the network for is kept."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, Request, sync_playwright

from tests.machine import program

QUIET = (
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-quic",
    "--no-first-run", "--disable-gpu", "--no-sandbox",
)  # fmt: skip
LOOPBACK = {"127.0.0.1", "localhost", ""}


@dataclass
class Watched:
    """A page, with the errors that it logged and the addresses that it asked for."""

    page: Page
    errors: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def heard(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.errors.append(message.text)

    def asked(self, request: Request) -> None:
        self.requests.append(request.url)

    @property
    def elsewhere(self) -> list[str]:
        """Requests that would have left this machine."""
        inner = ("data", "blob", "about", "file")
        return [
            url for url in self.requests if urlsplit(url).scheme not in inner and urlsplit(url).hostname not in LOOPBACK
        ]


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """One Chromium for all browser tests of a process."""
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=program("chromium"), args=list(QUIET))
        yield chromium
        chromium.close()


@pytest.fixture
def watched(browser: Browser) -> Iterator[Watched]:
    """An empty page in a profile of its own, 1280 by 900, in UTC; uncaught exceptions count as errors."""
    context = browser.new_context(viewport={"width": 1280, "height": 900}, timezone_id="UTC", locale="en-GB")
    page = context.new_page()
    found = Watched(page)
    page.on("console", found.heard)
    page.on("pageerror", lambda error: found.errors.append(str(error)))
    page.on("request", found.asked)
    yield found
    context.close()

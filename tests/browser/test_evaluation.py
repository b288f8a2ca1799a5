"""The page of `workertrail evaluate` in a browser: it asks for nothing, complains of nothing, and draws its figures."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import expect

from pipelines.evaluate.page import write
from tests.browser.conftest import Watched
from tests.end_to_end.small import Estate
from tests.pipelines.evaluate import worlds

HOSTILE = "<img src=x onerror=alert(1)>"


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    estate = Estate(tmp_path_factory.mktemp("evaluated"))
    worlds.logs(estate)
    estate.run()
    truth = worlds.write(tmp_path_factory.mktemp("truth"), worlds.changed(read_1={"worker": HOSTILE}))
    out = tmp_path_factory.mktemp("page") / "page.html"
    write(worlds.measured(estate, truth), out, told=HOSTILE)
    return out


def test_figures_are_drawn_and_names_are_text(watched: Watched, page: Path) -> None:
    watched.page.goto(page.as_uri())
    for name in ("reliability", "recall", "ranking"):
        expect(watched.page.locator(f"[data-figure=figure-{name}] svg.main-svg").first).to_be_visible()
    expect(watched.page.locator(".when")).to_have_text(HOSTILE)
    assert watched.errors == []
    assert {url.split("#")[0] for url in watched.requests} == {page.as_uri()}


def test_every_table_is_reached_by_a_click(watched: Watched, page: Path) -> None:
    watched.page.goto(page.as_uri())
    for link in watched.page.locator("nav a").all()[1:]:
        link.click()
        expect(watched.page.locator("main > section:visible h1")).to_have_text(link.inner_text())
        expect(watched.page.locator("main > section:visible table")).to_be_visible()
    expect(watched.page.locator("td", has_text=HOSTILE).first).to_be_attached()
    assert watched.errors == []

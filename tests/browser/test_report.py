"""The report in a browser: opened from disk, it asks for nothing, complains of nothing, and log text is inert."""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path

import pytest
from playwright.sync_api import expect

from pipelines.report.write import write
from pipelines.settings import load
from tests.browser.conftest import Watched
from tests.pipelines.report.estate import BOLD, CLOSING, ENTITY, IMAGE, LINK, SCRIPT, TEMPLATE, hostile

SECTIONS = {
    "Overview": "overview",
    "Findings": "findings",
    "Chains": "chains",
    "Coverage": "coverage",
    "agent": "worker-agent",
}


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of the hostile estate."""
    settings = load(hostile(tmp_path_factory.mktemp("estate")).config)
    out = tmp_path_factory.mktemp("report") / "report.html"
    write(settings.lake, out, sources=settings.sources, now=datetime(2026, 3, 4, 12))
    return out


@pytest.fixture
def opened(watched: Watched, report: Path) -> Watched:
    """The report, just opened; a dialog fails the test."""
    watched.page.on("dialog", lambda dialog: (watched.errors.append(f"dialog: {dialog.message}"), dialog.dismiss()))
    watched.page.goto(report.as_uri())
    return watched


def visit(opened: Watched, name: str) -> None:
    opened.page.locator(f"nav a[href='#{SECTIONS[name]}']").click()
    expect(opened.page.locator(f"main > section#{SECTIONS[name]}")).to_be_visible()


def quiet(opened: Watched, report: Path) -> None:
    """It never complained, and asked for nothing but itself."""
    assert opened.errors == []
    assert {url.split("#")[0] for url in opened.requests} == {report.as_uri()}


def test_every_section_is_reached_by_a_click_and_alone(opened: Watched, report: Path) -> None:
    for name, section in SECTIONS.items():
        visit(opened, name)
        shown = opened.page.locator("main > section:visible")
        assert [one.get_attribute("id") for one in shown.all()] == [section]
        expect(opened.page.locator("nav a[aria-current=page]")).to_have_attribute("href", f"#{section}")
        opened.page.mouse.wheel(0, 10_000)
        opened.page.wait_for_timeout(200)
    quiet(opened, report)


def test_the_way_back_goes_through_the_sections(opened: Watched) -> None:
    visit(opened, "Findings")
    visit(opened, "Coverage")
    opened.page.go_back()
    expect(opened.page.locator("#findings")).to_be_visible()
    opened.page.go_back()
    expect(opened.page.locator("#overview")).to_be_visible()


def test_a_link_to_a_finding_opens_it(opened: Watched, report: Path) -> None:
    opened.page.locator("#overview .worst a").first.click()
    finding = opened.page.locator("tbody.finding.open")
    expect(finding).to_have_count(1)
    expect(finding).to_be_in_viewport()
    expect(finding.get_by_text("Which worker")).to_be_visible()
    expect(finding.locator(".evidence .hash").first).to_have_text(re.compile("^[0-9a-f]{64}$"))
    opened.page.goto(f"{report.as_uri()}#{finding.get_attribute('id')}")
    expect(opened.page.locator("tbody.finding.open")).to_have_count(1)


def test_a_finding_is_opened_with_the_keyboard(opened: Watched) -> None:
    visit(opened, "Findings")
    button = opened.page.locator("tbody.finding .head button").first
    button.focus()
    opened.page.keyboard.press("Enter")
    expect(button).to_have_attribute("aria-expanded", "true")
    expect(opened.page.get_by_text("On whose authority").first).to_be_visible()
    opened.page.keyboard.press("Enter")
    expect(button).to_have_attribute("aria-expanded", "false")


def test_findings_are_filtered(opened: Watched) -> None:
    visit(opened, "Findings")
    rows = opened.page.locator("tbody.finding:visible")
    everything = rows.count()
    opened.page.fill("#filter-text", "DeleteObject")
    expect(rows).to_have_count(1)
    expect(opened.page.locator("#filter-count")).to_have_text(f"1 of {everything} findings")
    opened.page.fill("#filter-text", "")
    opened.page.select_option("#filter-severity", "high")
    severities = {one.get_attribute("data-severity") for one in rows.all()}
    assert severities <= {"critical", "high"}
    assert 0 < rows.count() < everything
    opened.page.select_option("#filter-severity", "")
    opened.page.select_option("#filter-detector", "out_of_scope")
    assert {one.get_attribute("data-detector") for one in rows.all()} == {"out_of_scope"}
    opened.page.fill("#filter-text", "no finding says this")
    expect(rows).to_have_count(0)
    expect(opened.page.locator("#filter-none")).to_be_visible()


def test_a_chain_and_a_limit_are_really_drawn(opened: Watched, report: Path) -> None:
    visit(opened, "Chains")
    chain = opened.page.locator("#chains .plot").first
    expect(chain.locator("svg.main-svg").first).to_be_visible()
    expect(chain.locator(".scatterlayer .point").first).to_be_attached()
    visit(opened, "agent")
    limit = opened.page.locator("#worker-agent .plot").first
    limit.scroll_into_view_if_needed()
    expect(limit.locator(".barlayer .point path").first).to_be_attached()
    expect(limit.locator(".shapelayer path")).to_be_attached()
    quiet(opened, report)


def test_hostile_text_is_shown_and_does_nothing(opened: Watched, report: Path) -> None:
    page = opened.page
    for name in SECTIONS:
        visit(opened, name)
        for place in page.locator("main > section:visible .plot").all():
            place.scroll_into_view_if_needed()
            expect(place.locator("svg.main-svg").first).to_be_visible()
    for details in page.locator("details").all():
        details.evaluate("one => { one.open = true; }")
    text = page.evaluate("document.getElementById('main').textContent")
    for hostile_text in (SCRIPT, CLOSING, IMAGE, TEMPLATE, BOLD, LINK, ENTITY):
        assert hostile_text in text
    assert "a\ufffdb\ufffdc\ufffdd" in text
    assert not re.search("[\x00\u202e\u061c]", text)
    assert page.evaluate("window.pwned") is None
    assert page.locator("img, iframe, object, embed, base, link, form[action], main b >> text=bold").count() == 0
    assert {link.get_attribute("href")[:1] for link in page.locator("a[href]").all()} == {"#"}
    assert page.locator("script:not([type])").count() == 2
    assert page.locator("svg a, svg script").count() == 0
    # Heat maps are pictures that plotly paints itself.
    pictures = page.evaluate("[...document.querySelectorAll('svg image')].map(one => one.href.baseVal.slice(0, 15))")
    assert set(pictures) == {"data:image/png;"}
    quiet(opened, report)


def test_labels_of_figures_show_log_text_literally(opened: Watched) -> None:
    visit(opened, "Chains")
    chain = opened.page.locator("#chains .plot").filter(has_text="bold")
    chain.first.scroll_into_view_if_needed()
    labels = chain.first.locator(".ytick text").all_text_contents()
    assert f"{BOLD}.amazonaws.com" in labels
    point = chain.first.locator(".scatterlayer .point")
    told = set()
    shown = opened.page.locator(".hoverlayer .hovertext")
    for one in point.all():
        # A label that is still there from the point before must not be taken for this one's.
        opened.page.mouse.move(0, 0)
        expect(shown).to_have_count(0)
        one.hover(force=True)
        shown.first.wait_for()
        told.add(" ".join(opened.page.locator(".hoverlayer text").all_text_contents()))
    assert any(LINK in text for text in told), told


@pytest.mark.parametrize("width", [1280, 700, 360])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_never_scrolls_sideways(opened: Watched, width: int, scheme: str) -> None:
    opened.page.emulate_media(color_scheme=scheme)
    opened.page.set_viewport_size({"width": width, "height": 900})
    for name in SECTIONS:
        visit(opened, name)
        assert opened.page.evaluate("document.documentElement.scrollWidth") <= width, name
    assert opened.errors == []
    ink, paper = opened.page.evaluate(
        "['color', 'backgroundColor'].map(one => getComputedStyle(document.documentElement)[one])"
    )
    assert (brightness(ink) > brightness(paper)) is (scheme == "dark")


def brightness(colour: str) -> int:
    return sum(map(int, re.findall(r"\d+", colour)[:3]))


def test_every_table_has_headers_and_every_figure_a_name(opened: Watched) -> None:
    page = opened.page
    assert page.evaluate("[...document.querySelectorAll('table')].every(one => one.querySelector('th[scope=col]'))")
    assert page.evaluate(
        "[...document.querySelectorAll('.plot')].every(one => one.getAttribute('aria-label').length > 9)"
    )
    assert page.evaluate(
        "[...document.querySelectorAll('section')].every(one => one.querySelectorAll('h1').length === 1)"
    )
    ids = page.evaluate("[...document.querySelectorAll('[id]')].map(one => one.id)")
    assert len(ids) == len(set(ids))


def test_a_theme_that_changes_recolours_what_is_drawn(opened: Watched) -> None:
    opened.page.emulate_media(color_scheme="light")
    figure = opened.page.locator("#overview .plot").first
    label = figure.locator(".xtick text").first
    expect(label).to_be_visible()
    before = label.evaluate("one => getComputedStyle(one).fill")
    opened.page.emulate_media(color_scheme="dark")
    expect(label).not_to_have_css("fill", before)

"""Make the README's pictures: the report, a chain in the terminal, and Dagster's asset graph, all of the demo.

Each picture shows what the product itself prints or serves; nothing is drawn by hand. Needs Chromium.
"""

from __future__ import annotations

import argparse
import json
import os
import pty
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from playwright.sync_api import Page, sync_playwright
from rich.console import Console
from rich.text import Text

ROOT = Path(__file__).resolve().parents[1]
WORKERTRAIL = str(Path(sys.executable).with_name("workertrail"))
MOST_BYTES = 300_000
"""A picture's size at most: git keeps every version of it."""

COLUMNS = 150
"""Characters a line of the terminal."""

GRAPH_SECONDS = 180
"""How long Dagster may take to serve its page."""

CHAIN = """
    WITH walked AS (SELECT chain_root, max(hops) AS hops FROM bindings WHERE NOT chain_by_day GROUP BY chain_root)
    SELECT c.chain_id
    FROM chains AS c JOIN findings AS f ON f.chain_id = c.chain_id JOIN walked AS w ON w.chain_root = c.root_uid
    WHERE f.severity = 'critical' AND c.strength = 'proven'
    ORDER BY w.hops DESC, c.actions, c.chain_id LIMIT 1
"""
"""The chain with a critical finding whose credentials have the most hops."""

SVG = """<svg class="rich-terminal" viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">
<style>
.{unique_id}-matrix {{ font-family: ui-monospace, Menlo, Consolas, "DejaVu Sans Mono", monospace;
  font-size: {char_height}px; line-height: {line_height}px; font-variant-east-asian: full-width; }}
{styles}
</style>
<defs><clipPath id="{unique_id}-clip-terminal"><rect x="0" y="0" width="{terminal_width}" height="{terminal_height}" />
</clipPath>{lines}</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}<g class="{unique_id}-matrix">{matrix}</g></g>
</svg>
"""
"""Rich's own frame without the fonts that it would load from a network."""


def main() -> None:
    """Make the pictures that are asked for, and fail where one is too large."""
    makers: dict[str, Callable[[Path, Path], None]] = {"report": report, "chain": chain, "graph": graph}
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pictures", nargs="*", choices=[*makers, []], help="which; all unless named")
    parser.add_argument("--demo", type=Path, help="a folder that `workertrail demo` has filled; made anew unless given")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "pictures")
    asked = parser.parse_args()
    asked.out.mkdir(parents=True, exist_ok=True)
    with demo(asked.demo) as config:
        for name in asked.pictures or makers:
            makers[name](config, asked.out)
    for file in sorted(asked.out.iterdir()):
        size = file.stat().st_size
        print(f"{file}  {size:,} bytes")
        if size > MOST_BYTES:
            sys.exit(f"{file} is larger than {MOST_BYTES:,} bytes")


@contextmanager
def demo(given: Path | None) -> Iterator[Path]:
    """The configuration of a demo's world that the pipeline has run over."""
    with tempfile.TemporaryDirectory() as folder:
        out = given or Path(folder) / "demo"
        if given is None:
            subprocess.run([WORKERTRAIL, "demo", "--out", str(out)], check=True)
        yield out.resolve() / "workertrail.yaml"


@contextmanager
def page(width: int, height: int) -> Iterator[Page]:
    """An empty page in light colours."""
    program = shutil.which("chromium") or sys.exit("the program chromium is not installed")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-gpu"])
        made = browser.new_page(viewport={"width": width, "height": height}, color_scheme="light", timezone_id="UTC")
        yield made
        browser.close()


def report(config: Path, out: Path) -> None:
    """`report.png`: the overview; `finding.png`: the worst finding with the most hops, opened."""
    with tempfile.TemporaryDirectory() as folder, page(1280, 860) as shown:
        file = Path(folder) / "report.html"
        workertrail(config, "report", "--out", str(file))
        shown.goto(file.as_uri())
        shown.locator("#overview .plot svg.main-svg").first.wait_for()
        shown.wait_for_timeout(500)
        shown.screenshot(path=out / "report.png")
        shown.goto(f"{file.as_uri()}#findings")
        hops = shown.locator("tbody.finding").evaluate_all(
            "all => all.map(one => one.querySelectorAll('.hops li').length)"
        )
        opened = shown.locator("tbody.finding").nth(hops.index(max(hops)))
        opened.locator(".head button").click()
        opened.scroll_into_view_if_needed()
        opened.evaluate("one => one.scrollIntoView()")
        # Below the answers lies the evidence, with paths of this machine.
        box = opened.locator(".answers").bounding_box() or sys.exit("the finding has no answers")
        height = min(box["y"] + box["height"], 860)
        shown.screenshot(path=out / "finding.png", clip={"x": 0, "y": 0, "width": 1280, "height": height})


def chain(config: Path, out: Path) -> None:
    """`chain.svg`: a chain with a critical finding and the most hops, as a terminal shows it."""
    [[uid]] = [row.values() for row in json.loads(workertrail(config, "query", CHAIN, "--json"))]
    command = ["chain", uid[:8]]
    console = Console(record=True, width=COLUMNS, file=open(os.devnull, "w", encoding="utf-8"), force_terminal=True)  # noqa: SIM115
    console.print(Text.assemble(("$ ", "dim"), f"workertrail {' '.join(command)}"))
    console.print(Text.from_ansi(in_terminal([WORKERTRAIL, "--config", str(config), *command])))
    svg = console.export_svg(title="workertrail", code_format=SVG, unique_id="chain")
    (out / "chain.svg").write_text(svg, encoding="utf-8")


def workertrail(config: Path, *arguments: str) -> str:
    """What a command prints."""
    done = subprocess.run(
        [WORKERTRAIL, "--config", str(config), *arguments], check=True, capture_output=True, text=True
    )
    return done.stdout


def in_terminal(command: list[str]) -> str:
    """What a command prints on a terminal, colours and all."""
    ours, theirs = pty.openpty()
    environment = {**os.environ, "COLUMNS": str(COLUMNS), "LINES": "50", "TERM": "xterm-256color"}
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=theirs, env=environment)
    os.close(theirs)
    heard = bytearray()
    with suppress(OSError):  # a terminal whose other end is closed gives an error at its end
        while part := os.read(ours, 65_536):
            heard += part
    os.close(ours)
    if child.wait():
        sys.exit(f"{' '.join(command)} failed")
    return heard.decode().replace("\r\n", "\n").rstrip("\n")


def graph(config: Path, out: Path) -> None:
    """`graph.png`: the asset graph on Dagster's page."""
    with dagster(config) as address, page(2000, 640) as shown:
        shown.goto(f"{address}/asset-groups", wait_until="networkidle")
        shown.locator("svg foreignObject").first.wait_for(timeout=60_000)
        shown.get_by_text("Hide navigation").click()
        shown.locator("button:has([aria-label=panel_show_right])").last.click()
        shown.mouse.move(700, 120)
        shown.keyboard.press("Alt+e")  # expands every group
        shown.wait_for_timeout(5_000)
        shown.screenshot(path=out / "graph.png")


@contextmanager
def dagster(config: Path) -> Iterator[str]:
    """Dagster on a free port of loopback, in a home of its own, ended with all that it started."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    with tempfile.TemporaryDirectory() as home:
        command = [WORKERTRAIL, "--config", str(config), "dagster", "--port", str(port), "--home", home]
        log = Path(home) / "dagster.log"
        with log.open("wb") as told:
            child = subprocess.Popen(command, stdout=told, stderr=told, start_new_session=True)
        try:
            serving(address, child, log)
            yield address
        finally:
            with suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGINT)
            try:
                child.wait(timeout=30)
            except subprocess.TimeoutExpired:
                os.killpg(child.pid, signal.SIGKILL)
                child.wait()


def serving(address: str, child: subprocess.Popen[bytes], log: Path) -> None:
    """Wait until the page is served."""
    end = time.monotonic() + GRAPH_SECONDS
    while time.monotonic() < end:
        if child.poll() is not None:
            sys.exit(f"dagster ended: {log.read_text(encoding='utf-8', errors='replace')[-2000:]}")
        with suppress(OSError), urllib.request.urlopen(f"{address}/server_info", timeout=5):
            return
        time.sleep(1)
    sys.exit(f"dagster served nothing within {GRAPH_SECONDS} s")


if __name__ == "__main__":
    main()

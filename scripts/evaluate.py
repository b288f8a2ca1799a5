"""Write, run and measure worlds of many seeds; of the reporting seeds, write docs/measured.md.

Seeds 0 to 19 are for tuning, 100 to 139 for reporting: no code and no constant may be chosen by looking at the second
range. So the page of these shows no example, and no single incident.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from pipelines.cli.context import as_json
from pipelines.evaluate import measures, tallies
from pipelines.evaluate import truth as truths
from pipelines.evaluate.measures import Measures
from pipelines.evaluate.sections import Section, sections
from pipelines.evaluate.tallies import Tallies
from pipelines.settings import load

ROOT = Path(__file__).resolve().parents[1]
PROGRAM = ROOT / ".venv" / "bin" / "workertrail"
PAGE = ROOT / "docs" / "measured.md"
REPORTING = range(100, 140)
WORKERS, DAYS, EVENTS, JOBS = 20, 21, 25_000, 2
"""The size of each world of `make evaluate`, and how many are made at once: forty end
within ten minutes on two cores that have nothing else to do."""

TELLING = {"Incidents that were missed", "Errors of attribution"}
"""Tables that show single incidents and actions: of tuning seeds alone."""


@dataclass(frozen=True)
class Asked:
    """Which worlds."""

    seeds: tuple[int, ...]
    workers: int
    days: int
    events: int
    jobs: int
    keep: Path | None = None

    @property
    def is_report(self) -> bool:
        return all(seed in REPORTING for seed in self.seeds)

    def world(self, seed: int, out: Path) -> list[str]:
        sizes = ["--workers", str(self.workers), "--days", str(self.days), "--events", str(self.events)]
        return [str(PROGRAM), "world", "--out", str(out), "--seed", str(seed), *sizes]

    @property
    def again(self) -> str:
        first, last = self.seeds[0], self.seeds[-1]
        span = f"{first}-{last}" if self.seeds == tuple(range(first, last + 1)) else ",".join(map(str, self.seeds))
        return f"scripts/evaluate --seeds {span} --workers {self.workers} --days {self.days} --events {self.events}"


def main() -> None:
    """Measure what was asked for; the page is written where all seeds are reporting ones."""
    options = argparse.ArgumentParser(prog="scripts/evaluate", description=__doc__)
    options.add_argument("--seeds", default="100-139", help="first-last, or seeds between commas (%(default)s)")
    options.add_argument("--workers", type=int, default=WORKERS, help="(%(default)s)")
    options.add_argument("--days", type=int, default=DAYS, help="(%(default)s)")
    options.add_argument("--events", type=int, default=EVENTS, help="of each world (%(default)s)")
    options.add_argument("--jobs", type=int, default=JOBS, help="worlds at once (%(default)s)")
    options.add_argument("--keep", type=Path, help="leave the worlds below this folder (else they are taken away)")
    options.add_argument("--page", type=Path, default=PAGE, help="of reporting seeds (%(default)s)")
    options.add_argument("--json", type=Path, help="write the measures there as JSON, too")
    given = options.parse_args()
    asked = Asked(_seeds(given.seeds), given.workers, given.days, given.events, given.jobs, given.keep)
    found = measures.measure(tallies.together(worlds(asked)))
    if given.json:
        given.json.write_text(as_json(measures.plain(found), indent=1) + "\n", encoding="utf-8")
    if asked.is_report:
        given.page.write_text(page(found, asked), encoding="utf-8")
        print(f"{given.page}: written")
    else:
        print("\n".join(markdown(section) for section in sections(found)))


def worlds(asked: Asked) -> list[Tallies]:
    """The tallies of each seed; a world that cannot be made or run ends everything, with what its command said."""
    with ThreadPoolExecutor(asked.jobs) as pool:
        return list(pool.map(lambda seed: one(asked, seed), asked.seeds))


def one(asked: Asked, seed: int) -> Tallies:
    """Write, run and measure one world, and take it away again where it is not to be kept."""
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(prefix=f"workertrail-{seed}-") as folder:
        out = (asked.keep or Path(folder)).absolute() / f"world-{seed}"
        _command(asked.world(seed, out))
        _command([str(PROGRAM), "--config", str(out / "workertrail.yaml"), "run"])
        made = tallies.tally(load(out / "workertrail.yaml"), truths.read(out / "truth"))
    print(f"seed {seed}: {time.monotonic() - begun:.0f} s", file=sys.stderr, flush=True)
    return made


def _command(words: list[str]) -> None:
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(words)} ended with {done.returncode}:\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}")


def _seeds(text: str) -> tuple[int, ...]:
    seeds: list[int] = []
    for part in text.split(","):
        first, _, last = part.partition("-")
        seeds.extend(range(int(first), int(last or first) + 1))
    return tuple(seeds)


INTRODUCTION = """\
# What was measured

Made by {command}: each seed is a world with known truth, written by `workertrail world`, run by
`workertrail run` and measured by `workertrail evaluate`; here all of them are counted together. Every world has
{workers} workers, {days} days and about {events:,} events.

Seeds 0 to 19 are for tuning, seeds 100 to 139 for reporting: no code and no constant may be chosen by looking at the
second range, so this page shows no single incident or action. For tuning, `scripts/evaluate --seeds 0-4` prints the
same tables with what was missed and what was wrongly attributed.

In brackets stand the counts that a share is of, and Wilson's interval of 95 %. `-` means that there was nothing to
measure. Delivery is taken to be done when a scheduled run begins: what a source holds back comes on top of a delay.
"""

HOW = """\
## How it is measured

- A record of the truth meets an action of the lake by its own id (eventID, uuid, or the hash of a line). Equal copies
  and cross-account twins count once.
- Precision of a strength is over all actions that have it, people's included. Recall is over true worker actions;
  "where the issuing record was delivered" leaves out those whose credential's issuing no log shows.
- The calibration error is the mean distance between the confidence and the share that is right, over twentieths of the
  confidence, weighted by their actions.
- Purity: of the actions in chains, those of their chain's commonest true run (worker). Completeness: of the actions of
  true runs, those in the one chain that holds most of their run.
- An incident is caught by an open finding above `info` that lists one of its events and names a worker of it. A finding
  above `info` is false where it lists no event of an incident, or where it names a worker who had no part in it. An
  incident whose source was silent throughout left no record, and is counted apart.
- Area under precision and recall: open findings of every severity are read by severity, then by the confidence of the
  attribution, then by p-value (those without one last); equal ones are one step. At each step precision is the share of
  the findings read so far that are right, recall the share of incidents that one of them is on. The area is the sum of
  precision times gained recall, so what is never found costs area.
- Time to detection runs in event time from an incident's first event to its first finding above `info`: to the end of
  the finding's window where that lies after all its evidence, else to the first event of the incident that it lists. An
  hourly run that begins after that finds it; the first run after the incident's first event is number 1.
"""


def page(found: Measures, asked: Asked) -> str:
    """The text of docs/measured.md."""
    whole = (asked.seeds, asked.workers, asked.days, asked.events) == (tuple(REPORTING), WORKERS, DAYS, EVENTS)
    command = f"`make evaluate` (`{asked.again}`)" if whole else f"`{asked.again}`"
    head = INTRODUCTION.format(command=command, workers=asked.workers, days=asked.days, events=asked.events)
    return "\n".join([head, *(markdown(section) for section in shown(found)), HOW])


def shown(found: Measures) -> Iterator[Section]:
    """The tables that tell nothing of single incidents and actions."""
    return (section for section in sections(found) if section.title not in TELLING)


def markdown(section: Section) -> str:
    """A table in Markdown; no cell can end it."""
    rows = (section.columns, ("---",) * len(section.columns), *section.rows)
    lines = ("| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in row) + " |" for row in rows)
    return "\n".join((f"## {section.title}", "", f"{section.note[0].upper()}{section.note[1:]}.", "", *lines, ""))


if __name__ == "__main__":
    main()

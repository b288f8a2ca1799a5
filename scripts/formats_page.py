"""docs/formats.md: what each log format proves and cannot see, from the formats themselves and their samples.

The page is made of what lies in the repository. What became of real logs, which do not, is measured where they are
(`--measure`) into docs/formats_real.tsv; the page shows that file, and a test compares it with the logs.
"""

from __future__ import annotations

import argparse
import importlib
import inspect
import io
import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from typing import Any

from pipelines.formats import all_formats
from pipelines.formats.format import ACTIONS_OUT, Format
from tests.pipelines.formats.samples import FOLDER, Sample, pieces, samples, table

ROOT = Path(__file__).resolve().parents[1]
SHARED = ROOT.parent / "shared" / "data"
MEASURED = ROOT / "docs" / "formats_real.tsv"

INTRODUCTION = """\
# The log formats

Made from the formats and their samples by `scripts/formats-page`; a test compares the two. A format is one file in
`pipelines/formats/`, found by being there. The samples lie below `data/samples/`, each in the folder of its format.

A record becomes an action, is skipped, or is an error; whatever is no action has a reason, which `workertrail query`
finds in `records`. *Filled* counts the columns of `actions` that the samples fill, of those that the format can fill at
all. Grants are counted by what they say: a credential issued, or one that ended.
"""


@dataclass(frozen=True)
class Outcome:
    """What became of the records of some logs."""

    records: int
    actions: int
    skipped: int
    errors: int
    issued: int
    revoked: int
    filled: frozenset[str]

    def __add__(self, other: Outcome) -> Outcome:
        numbers = [mine + theirs for mine, theirs in zip(astuple(self)[:-1], astuple(other)[:-1], strict=True)]
        return Outcome(*numbers, self.filled | other.filled)


NOTHING = Outcome(0, 0, 0, 0, 0, 0, frozenset())


def outcome(one: Sample, read: list[tuple[bytes, str | None]]) -> Outcome:
    """What a format makes of pieces; a piece with a reason is a record that is an error."""
    raws = [raw.decode(errors="replace") for raw, reason in read if reason is None]
    acts = one.format.actions(table(raws), one.options)
    made = one.format.grants(table(raws), one.options)
    ends, kinds = Counter(acts["outcome"].to_pylist()), Counter(made["kind"].to_pylist())
    filled = {name for name in ACTIONS_OUT.names if acts[name].null_count < acts.num_rows}
    return Outcome(
        len(read), ends["action"], ends["skipped"], ends["error"] + len(read) - len(raws), kinds["issue"],
        kinds["revoke"], frozenset(filled & one.format.observes),
    )  # fmt: skip


_OF_FILE: dict[Path, Outcome] = {}


def of_file(one: Sample) -> Outcome:
    """What a format makes of one file; each file is read once."""
    if one.file not in _OF_FILE:
        with one.file.open("rb") as stream:
            _OF_FILE[one.file] = outcome(one, pieces(one, stream))
    return _OF_FILE[one.file]


@dataclass(frozen=True)
class Told:
    """What a format's module says of it: its first line, and the paragraphs of the convention."""

    title: str
    paragraphs: dict[str, str]


PARAGRAPHS = ("Proves", "Cannot see", "Sources")


def told(name: str) -> Told:
    """The docstring of a format's module, taken apart. A paragraph that it lacks is left out."""
    module = importlib.import_module(f"pipelines.formats.{name}")
    text = inspect.cleandoc(module.__doc__ or "")
    title, *rest = text.split("\n\n")
    found = {}
    for paragraph in rest:
        begun = re.match(r"(Proves|Cannot see|Source)s?\b[:,] ", paragraph)
        if begun:
            name = "Sources" if begun[1] == "Source" else begun[1]
            found[name] = " ".join(paragraph[begun.end() :].split())
    return Told(" ".join(title.split()), found)


def lacking() -> list[str]:
    """The formats whose modules do not say what they prove and cannot see."""
    return [name for name in sorted(all_formats()) if {"Proves", "Cannot see"} - set(told(name).paragraphs)]


def by_format() -> dict[str, list[Sample]]:
    """The samples of each format."""
    found: dict[str, list[Sample]] = {name: [] for name in sorted(all_formats())}
    for one in samples():
        found[one.kind].append(one)
    return found


def _grants(found: Outcome) -> str:
    said = [f"{found.issued} issued"] if found.issued else []
    said += [f"{found.revoked} ended"] if found.revoked else []
    return ", ".join(said) or "none"


def _observes(one: Format, of: list[Sample]) -> frozenset[str]:
    return frozenset().union(*(sample.format.observes for sample in of)) if of else one.observes


def overview(found: dict[str, list[Sample]]) -> Iterator[str]:
    """A row a format."""
    yield "| format | category | records | actions | skipped | errors | filled | grants |"
    yield "|---|---|---|---|---|---|---|---|"
    for name, of in found.items():
        total = sum((of_file(one) for one in of), NOTHING)
        category = "several" if total.filled and "category" in total.filled else all_formats()[name].category
        category = "as mapped" if all_formats()[name].made else category
        yield (
            f"| [{name}](#{name}) | {category} | {total.records} | {total.actions} | {total.skipped} | {total.errors} "
            f"| {len(total.filled)} of {len(_observes(all_formats()[name], of))} | {_grants(total)} |"
        )


def section(name: str, of: list[Sample]) -> Iterator[str]:
    """What one format says of itself, what its samples fill, and what is an error in them."""
    said = told(name)
    yield f"## {name}\n"
    yield f"{_escaped(said.title)}\n"
    for paragraph in PARAGRAPHS:
        if paragraph in said.paragraphs:
            yield f"*{paragraph}:* {_escaped(said.paragraphs[paragraph])}\n"
    total = sum((of_file(one) for one in of), NOTHING)
    seen = [column for column in ACTIONS_OUT.names if column in total.filled]
    can = [column for column in ACTIONS_OUT.names if column in _observes(all_formats()[name], of) - total.filled]
    yield f"*Samples:* {', '.join(f'`{one.file.relative_to(FOLDER)}`' for one in of) or 'none'}.\n"
    yield f"*Filled:* {', '.join(f'`{column}`' for column in seen) or 'nothing'}.\n"
    if can:
        yield f"*Filled by other records:* {', '.join(f'`{column}`' for column in can)}.\n"


def _escaped(text: str) -> str:
    """Text outside of code spans whose signs Markdown would take for markup."""
    parts = re.split(r"(`[^`]*`)", text)
    return "".join(part if at % 2 else re.sub(r"([<>*_|])", r"\\\1", part) for at, part in enumerate(parts))


@dataclass(frozen=True)
class Real:
    """What became of real logs of one kind: `logs` says which, below the folder of real logs."""

    format: str
    logs: str
    records: int
    actions: int
    skipped: int
    errors: int
    issued: int
    revoked: int
    filled: int
    reasons: str


def _whole(*patterns: str) -> Callable[[], Iterable[bytes]]:
    """Files as they are."""
    return lambda: (file.read_bytes() for pattern in patterns for file in sorted(SHARED.glob(pattern)))


def _panther(kind: str) -> Callable[[], Iterable[bytes]]:
    """The events of one log type of panther-analysis, a line each."""

    def events() -> Iterator[bytes]:
        lines = (SHARED / "panther-analysis" / "panther_tests.jsonl").read_text(encoding="utf-8").splitlines()
        cases = [json.loads(line) for line in lines]
        yield "\n".join(json.dumps(case["event"]) for case in cases if case["log_type"] == kind).encode()

    return events


_FIREWALL = '%ts.%03tu %>a:%>p %{Host}>h %<a:%<p %rv %rm %>Hs %Ss:%Sh %ru "%{User-Agent}>h"'
"""The logformat that gh-aw-firewall writes into its squid.conf."""

_REAL: tuple[tuple[str, str, dict[str, Any], Callable[[], Iterable[bytes]]], ...] = (
    ("auth0", "panther-analysis Auth0.Events", {}, _panther("Auth0.Events")),
    ("azure_activity", "panther-analysis Azure.MonitorActivity", {}, _panther("Azure.MonitorActivity")),
    ("bedrock_invocation", "panther-analysis AWS.BedrockModelInvocation", {}, _panther("AWS.BedrockModelInvocation")),
    ("cloudtrail", "crowdsec-hub/aws-cloudtrail", {}, _whole("crowdsec-hub/aws-cloudtrail/*.log")),
    ("cloudtrail", "panther-analysis AWS.CloudTrail", {}, _panther("AWS.CloudTrail")),
    ("cloudtrail", "plaso", {}, _whole("plaso/aws_cloudtrail.jsonl")),
    ("cloudtrail", "stratus-red-team", {}, _whole("stratus-red-team/aws.*.json")),
    ("cloudtrail", "traildiscover", {}, _whole("traildiscover/*.cloudtrail")),
    ("entra_audit", "panther-analysis Azure.Audit", {}, _panther("Azure.Audit")),
    ("entra_signin", "panther-analysis Azure.Audit", {}, _panther("Azure.Audit")),
    ("envoy", "crowdsec-hub/envoy-logs", {}, _whole("crowdsec-hub/envoy-logs/*.log")),
    ("gcp_audit", "gcp-security-analytics", {}, _whole("gcp-security-analytics/*.json")),
    ("gcp_audit", "panther-analysis GCP.AuditLog", {}, _panther("GCP.AuditLog")),
    ("github", "panther-analysis GitHub.Audit", {}, _panther("GitHub.Audit")),
    ("haproxy", "crowdsec-hub/haproxy-logs", {}, _whole("crowdsec-hub/haproxy-logs/*.log")),
    ("keycloak", "crowdsec-hub/keycloak-logs", {}, _whole("crowdsec-hub/keycloak-logs/*.log")),
    ("kubernetes", "crowdsec-hub/k8s-audit-pod-exec-file", {}, _whole("crowdsec-hub/k8s-audit-pod-exec-file/*.log")),
    ("kubernetes", "panther-analysis Amazon.EKS.Audit", {}, _panther("Amazon.EKS.Audit")),
    ("litellm", "crowdsec-hub/litellm-logs", {}, _whole("crowdsec-hub/litellm-logs/*.log")),
    ("litellm", "litellm", {}, _whole("litellm/spend_logs_payload.json")),
    ("okta", "panther-analysis Okta.SystemLog", {}, _panther("Okta.SystemLog")),
    ("otel_genai", "openinference", {}, _whole("openinference/*.json")),
    ("s3_access", "panther-analysis AWS.S3ServerAccess", {}, _panther("AWS.S3ServerAccess")),
    ("squid", "gh-aw-firewall", {"logformat": _FIREWALL}, _whole("gh-aw-firewall/access.log")),
    ("squid", "squid", {}, _whole("squid/*.log")),
    ("zeek", "otrf-zeek-apt29 conn", {}, _whole("otrf-zeek-apt29/*_conn.log")),
    ("zeek", "otrf-zeek-apt29 http", {}, _whole("otrf-zeek-apt29/*_http.log")),
    ("zeek", "otrf-zeek-apt29 ssl", {}, _whole("otrf-zeek-apt29/*_ssl.log")),
)
"""Format, which logs, the source's options, and how to read them."""


def measured() -> list[Real]:
    """What becomes of the real logs; only of formats that are there."""
    return [_real(*entry) for entry in _REAL if entry[0] in all_formats()]


def _real(name: str, logs: str, options: dict[str, Any], read: Callable[[], Iterable[bytes]]) -> Real:
    plain = all_formats()[name]
    given = plain.options.model_validate(options)
    one = Sample(FOLDER / name, plain.of(given), given)
    read_all = [piece for content in read() for piece in pieces(one, io.BytesIO(content))]
    total = outcome(one, read_all)
    raws = [raw.decode(errors="replace") for raw, reason in read_all if reason is None]
    reasons = Counter(one.format.actions(table(raws), one.options)["reason"].to_pylist())
    reasons.update(reason for _, reason in read_all)
    del reasons[None]
    said = "; ".join(f"{number} x {_short(reason)}" for reason, number in sorted(reasons.items()))
    numbers = astuple(total)[:-1]
    return Real(name, logs, *numbers, filled=len(total.filled), reasons=said)


def _short(reason: str) -> str:
    return " ".join(reason.replace("|", "/").replace(";", ",").split())[:120]


def written(rows: list[Real]) -> str:
    """docs/formats_real.tsv: one row a log, tab-separated."""
    lines = ["\t".join(field.name for field in fields(Real))]
    lines += ["\t".join(map(str, astuple(row))) for row in rows]
    return "\n".join(lines) + "\n"


def stored() -> list[dict[str, str]]:
    """The rows of docs/formats_real.tsv."""
    if not MEASURED.exists():
        return []
    head, *lines = MEASURED.read_text(encoding="utf-8").splitlines()
    return [dict(zip(head.split("\t"), line.split("\t"), strict=True)) for line in lines]


def real_logs() -> Iterator[str]:
    """A row a real log that was read."""
    yield "## Real logs\n"
    yield "Logs that nobody on this project wrote, which tests read where they lie beside the repository; they are no"
    yield "part of it. `scripts/formats-page --measure` writes these figures, and a test compares them with the logs."
    yield "Events of panther-analysis are another product's test cases: many are cut down to the few keys that its"
    yield "rules read. A reason stands with the number of its records.\n"
    yield "| format | logs | records | actions | skipped | errors | filled | issued | ended | not actions, and why |"
    yield "|---|---|---|---|---|---|---|---|---|---|"
    for row in stored():
        yield (
            f"| {row['format']} | {row['logs']} | {row['records']} | {row['actions']} | {row['skipped']} "
            f"| {row['errors']} | {row['filled']} | {row['issued']} | {row['revoked']} | {_escaped(row['reasons'])} |"
        )


def page() -> str:
    """The whole page."""
    found = by_format()
    parts = [INTRODUCTION, "\n".join(overview(found)) + "\n", "\n".join(real_logs()) + "\n"]
    parts += ["\n".join(section(name, of)) for name, of in found.items()]
    return "\n".join(parts)


def main() -> None:
    """Print the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--measure", action="store_true", help="read the real logs anew, and write docs/formats_real.tsv"
    )
    if parser.parse_args().measure:
        MEASURED.write_text(written(measured()), encoding="utf-8")
    print(page(), end="")


if __name__ == "__main__":
    main()

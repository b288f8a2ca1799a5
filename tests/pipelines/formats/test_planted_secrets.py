"""No secret of any format is stored: planted into every sample, and then looked for in all that a run leaves behind.

Of a JSON sample every text of every record gets a secret behind it, in a form that people and programs write them in,
and every record such members as hold them. Of other samples every URL and path of every line gets one into its query or
in front of its host. What a format alone knows to be secret is the matter of its own tests, and of `OWN`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from pipelines import run as work
from pipelines import schema
from pipelines.report.write import write
from pipelines.settings import Settings, load
from tests.machine import ROOT
from tests.pipelines.formats.samples import Sample, records, samples

MARK = "zQplanted"
AT_MOST = 80
"""Records with plants of each kind, of one sample: samples are small, and each plant is another place."""

PLACES = (
    " https://host.example/x?access_token={}&n=1",
    " https://host.example/x?n=1&X-Amz-Credential=AKIAEXAMPLE&X-Amz-Signature={}",
    " https://account.blob.example/x?sv=2024&sig={}",
    " https://bob:{}@host.example/x",
    " Authorization: Bearer {}",
    " Authorization: Basic {}=",
    ' {{"password": "{}"}}',
    ' {{"secretAccessKey": "{}", "sessionToken": "x"}}',
    " client_secret={}&grant_type=client_credentials",
    " ghp_{}",
    " sk-{}",
    " eyJhbGciOiJSUzI1NiJ9.{}.c2lnbmF0dXJl",
    " -----BEGIN RSA PRIVATE KEY-----{}-----END RSA PRIVATE KEY-----",
)
"""What is written behind a text: where any log may hold a secret."""

MEMBERS = ("password", "client_secret", "access_token", "refreshToken", "secretAccessKey", "private_key", "x-api-key")
"""Members that a JSON object gets: names that mean a secret wherever they stand."""

QUERIES = ("access_token={}", "X-Amz-Signature={}", "sig={}", "client_secret={}", "password={}", "api_key={}")
"""Parameters that a URL in a line gets."""

OWN: dict[str, tuple[str, ...]] = {
    "squid": ("1767607200.120 41 10.40.1.11 TCP_MISS/200 1 GET http://h.example/?code={} - HIER_DIRECT/192.0.2.1 text/html",),
    "okta": ('{{"debugContext":{{"debugData":{{"stateToken":"{}","requestUri":"/x?login_hint_token={}"}}}}}}',),
    "ocsf": ('{{"http_request":{{"http_headers":[{{"name":"Authorization","value":"Bearer {}"}}]}}}}',
             '{{"http_cookies":[{{"name":"sid","value":"{}"}}]}}'),
    "approvals": ('{{"id":"a","comment":"x","approval_token":"{}"}}',),
    "mapping:gateway": ('{{"request":{{"headers":{{"X-Gateway-Key":"{}"}}}}}}',),
}  # fmt: skip
"""Further records of a format, each with a secret where that format alone has one."""


@dataclass
class Planter:
    """Makes secrets, each another one."""

    made: int = 0
    of: str = field(default="")

    def __call__(self) -> str:
        self.made += 1
        return f"{MARK}{self.made:06d}Xw7LmK2pRt9Q"


def json_plants(raw: dict[str, Any], new: Planter) -> Iterator[dict[str, Any]]:
    """The record once for each of its texts, with a secret behind it; and once with the members."""
    for at, (path, text) in enumerate(_texts(raw)):
        copy = json.loads(json.dumps(raw))
        _put(copy, path, text + PLACES[at % len(PLACES)].format(new()))
        yield copy
    yield raw | {name: new() for name in MEMBERS}


def _texts(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], str]]:
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, dict | list):
        items = value.items() if isinstance(value, dict) else enumerate(value)
        for key, inner in items:
            yield from _texts(inner, (*path, key))


def _put(value: Any, path: tuple[Any, ...], text: str) -> None:
    for key in path[:-1]:
        value = value[key]
    value[path[-1]] = text


_PLACE = re.compile(r"""(?:https?://[^\s"'<>,|\]}]+|(?<=[\s"])/[^\s"'<>,|\]}]*)""")


def line_plants(raw: str, new: Planter) -> Iterator[str]:
    """The line once for each of its URLs and paths, with a secret in its query; and before the host of a URL."""
    for at, match in enumerate(_PLACE.finditer(raw)):
        found = match[0]
        joint = "&" if "?" in found else "?"
        yield raw[: match.start()] + found + joint + QUERIES[at % len(QUERIES)].format(new()) + raw[match.end() :]
        if "://" in found and "@" not in found:
            secret = found.replace("://", f"://bob:{new()}@", 1)
            yield raw[: match.start()] + secret + raw[match.end() :]


def planted(one: Sample, new: Planter) -> list[str]:
    """The records of a sample with secrets in them, spread over all of its places."""
    found: list[str] = []
    for raw in records(one):
        try:
            value = json.loads(raw)
        except ValueError:
            found += line_plants(raw, new)
        else:
            found += [json.dumps(each) for each in json_plants(value, new)] if isinstance(value, dict) else []
    every = max(1, -(-len(found) // AT_MOST))
    return found[::every] + [
        text.replace("{}", new()).replace("{{", "{").replace("}}", "}") for text in OWN.get(one.format.name, ())
    ]


REALMS = {"okta": "corp.okta.example", "squid": "egress"}


@pytest.fixture(scope="module")
def left(tmp_path_factory: pytest.TempPathFactory) -> tuple[Settings, dict[str, int]]:
    """The settings of an estate after a run over all samples with their plants; records by format."""
    root: Path = tmp_path_factory.mktemp("planted")
    new, sources, count = Planter(), [], dict[str, int]()
    for at, one in enumerate(samples()):
        folder = root / "logs" / f"s{at}"
        folder.mkdir(parents=True)
        lines = planted(one, new)
        if not lines:
            continue
        (folder / one.file.name).write_text("\n".join(lines) + "\n", encoding="utf-8")
        count[one.kind] = count.get(one.kind, 0) + len(lines)
        sources.append(
            {"name": f"s{at}", "format": one.kind, "from": f"logs/s{at}/*", "realm": REALMS.get(one.kind, "corp")}
            | one.settings
        )
    alerts = [{"name": "siem", "type": "webhook", "url": "https://siem.example.com/hook", "secret": "env:SIEM_SECRET",
               "min_severity": "info"}]  # fmt: skip
    config = {"lake": {"catalog": "sqlite:lake/catalog.sqlite", "data": "lake/files"},
              "workers": str(ROOT / "data" / "workers"), "sources": sources, "alerts": alerts}  # fmt: skip
    (root / "workertrail.yaml").write_text(json.dumps(config), encoding="utf-8")
    settings = load(root / "workertrail.yaml")
    summary = work.run(work.plan(settings))
    assert summary.failures == ()
    return settings, count


def test_every_format_has_plants(left: tuple[Settings, dict[str, int]]) -> None:
    _, count = left
    assert set(count) == {one.kind for one in samples()}
    assert min(count.values()) >= 3


def test_no_table_of_the_lake_holds_one(left: tuple[Settings, dict[str, int]]) -> None:
    settings, count = left
    with settings.lake.reading() as connection:
        kept = connection.execute("SELECT count(*) FROM records WHERE contains(raw, 'hmac:')").fetchone()
        assert kept
        assert kept[0] >= sum(count.values()) * 0.9, "the plants were read"
        # A place that a format does not know shows itself with its format and its neighbourhood.
        seen = connection.execute(
            f"SELECT DISTINCT format, substr(raw, strpos(raw, '{MARK}') - 60, 70) FROM records"
            f" WHERE contains(raw, '{MARK}') ORDER BY ALL LIMIT 20"
        ).fetchall()
        assert seen == []
        for table in schema.TABLES:
            rows = connection.execute(f'SELECT * FROM "{table.name}"').to_arrow_table().to_pylist()
            assert [row for row in rows if MARK in repr(row)][:1] == [], table.name


def test_there_were_findings_and_payloads_to_look_at(left: tuple[Settings, dict[str, int]]) -> None:
    settings, _ = left
    with settings.lake.reading() as connection:
        for table in ("actions", "grants", "findings", "evidence", "alerts"):
            found = connection.execute(f'SELECT count(*) FROM "{table}"').fetchone()
            assert found
            assert found[0] > 0, table


def test_no_file_of_the_lake_holds_one(left: tuple[Settings, dict[str, int]]) -> None:
    settings, _ = left
    files = [file for file in settings.lake.catalog.parent.rglob("*") if file.is_file()]
    assert files
    assert [file.name for file in files if MARK.encode() in file.read_bytes()] == []


def test_the_report_holds_none(left: tuple[Settings, dict[str, int]], tmp_path: Path) -> None:
    settings, _ = left
    out = tmp_path / "report.html"
    told = write(settings.lake, out, sources=settings.sources)
    assert told.findings > 0
    assert MARK not in out.read_text(encoding="utf-8")

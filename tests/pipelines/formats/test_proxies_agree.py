"""Agreement, field by field, with what another parser expects of the same real lines (crowdsec-hub, `*.assert`)."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.machine import shared
from tests.pipelines.formats.proxy_lines import read

_EXPECTED = re.compile(
    r'^results\["s01-parse"\]\["[\w-]+/(?:envoy|haproxy)-logs"\]\[(\d+)\]\.Evt\.Meta\["(\w+)"\] == "(.*)"$',
    re.MULTILINE,
)
_COLUMNS = {
    "http_verb": "http_method",
    "http_path": "url_path",
    "http_status": "status_code",
    "http_user_agent": "user_agent",
    "source_ip": "src_ip",
}

DISAGREE: dict[str, set[tuple[int, str]]] = {
    # That parser takes the address from X-Forwarded-For, which is what a caller wrote.
    "envoy": {(3, "source_ip"), (4, "source_ip"), (8, "source_ip"), (9, "source_ip")},
    "haproxy": set(),
}


@pytest.mark.parametrize("name", ["envoy", "haproxy"])
def test_fields_agree_but_for_those_that_are_explained(name: str):
    folder = shared(f"crowdsec-hub/{name}-logs")
    rows = read(name, next(folder.glob("*.log")).read_text().splitlines())
    expected = [
        (int(at), field, text.replace('\\"', '"').split("?")[0] if field == "http_path" else text)
        for at, field, text in _EXPECTED.findall((folder / "parser.assert").read_text())
        if field in _COLUMNS
    ]
    assert len(expected) >= 8
    differ: set[tuple[int, str]] = set()
    for at, field, text in expected:
        value: Any = rows[at][_COLUMNS[field]]
        if rows[at]["outcome"] == "action" and (value or "") != text.removeprefix("-"):
            differ.add((at, field))
    assert differ == DISAGREE[name]

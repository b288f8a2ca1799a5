"""A mapping's columns: each decision that the YAML file can state, on records of one's own."""

from __future__ import annotations

import io
import json
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.located import Problems
from pipelines.detect import provide
from pipelines.formats import mapping
from pipelines.formats.format import ACTIONS_OUT, GRANTS_OUT
from pipelines.formats.mapping import MappingOptions
from pipelines.formats.mapping_checks import load
from pipelines.formats.mapping_layout import Layout
from pipelines.lake.duckdb_engine import DuckDBEngine
from pipelines.settings import Source
from pipelines.settings import load as load_settings
from tests.pipelines.formats.samples import FOLDER, expected, records, sample, table, told

SMALL = {"name": "x", "category": "cloud", "time": {"from": "$.t"}}
T = "2026-01-05T10:00:00Z"


def options(**more: Any) -> MappingOptions:
    return MappingOptions(mapping=Layout.model_validate(SMALL | more))


def rows(raws: list[Any], **more: Any) -> list[dict[str, Any]]:
    texts = [raw if isinstance(raw, str) else json.dumps(raw) for raw in raws]
    found = mapping.actions(table(texts), options(**more))
    assert found.schema == ACTIONS_OUT
    assert found.num_rows == len(texts)
    return sorted(found.to_pylist(), key=lambda row: int(row["record_id"]))


def row(raw: Any, **more: Any) -> dict[str, Any]:
    return rows([raw], **more)[0]


@pytest.mark.parametrize("name", ["gateway.log", "broker.csv", "tools.log"])
def test_the_samples_give_the_expected_actions_and_grants(name: str):
    one = sample(FOLDER / "mapping" / name)
    assert told(one, records(one)) == expected(one)


def test_the_format_takes_on_the_mappings_name_category_and_what_it_fills():
    one = sample(FOLDER / "mapping" / "gateway.log")
    assert (one.format.name, one.format.category, one.format.id_scope) == ("mapping:gateway", "proxy", "realm")
    assert {"bytes_out", "dst_host", "dst_port", "url_path", "principal", "identity_strength"} <= one.format.observes
    assert {"api_service", "region", "delegator", "tool"} & one.format.observes == set()
    assert sample(FOLDER / "mapping" / "broker.csv").format.id_scope == "none"


@pytest.mark.parametrize(
    ("text", "time", "precision", "how"),
    [
        (T, datetime(2026, 1, 5, 10), "1s", {}),
        ("2026-01-05 12:00:00.250+02:00", datetime(2026, 1, 5, 10, 0, 0, 250000), "1ms", {}),
        ("2026-01-05T10:00:00.123456789Z", datetime(2026, 1, 5, 10, 0, 0, 123456), "1us", {}),
        ("2026-01-05T10:00:00", datetime(2026, 1, 5, 9), "1s", {"zone": "Europe/Berlin"}),
        ("2026-07-05T10:00:00", datetime(2026, 7, 5, 8), "1s", {"zone": "Europe/Berlin"}),
        (T, datetime(2026, 1, 5, 10), "1s", {"zone": "Europe/Berlin"}),
        (1767607200, datetime(2026, 1, 5, 10), "1s", {"format": "unix"}),
        ("1767607200.5", datetime(2026, 1, 5, 10, 0, 0, 500000), "1ms", {"format": "unix"}),
        (1767607200500, datetime(2026, 1, 5, 10, 0, 0, 500000), "1ms", {"format": "unix_ms"}),
        (1767607200500001, datetime(2026, 1, 5, 10, 0, 0, 500001), "1us", {"format": "unix_us"}),
        (1767607200500001999, datetime(2026, 1, 5, 10, 0, 0, 500002), "1us", {"format": "unix_ns"}),
        ("05/Jan/2026:11:00:00 +0100", datetime(2026, 1, 5, 10), "1s", {"format": "%d/%b/%Y:%H:%M:%S %z"}),
        ("05.01.2026 11:00:00.250000", datetime(2026, 1, 5, 10, 0, 0, 250000), "1us",
         {"format": "%d.%m.%Y %H:%M:%S.%f", "zone": "Europe/Berlin"}),
    ],
)  # fmt: skip
def test_times(text: Any, time: datetime, precision: str, how: dict[str, str]):
    found = row({"t": text}, time={"from": "$.t", "is": "start", **how})
    assert (found["time"], found["time_precision"], found["time_kind"]) == (time, precision, "start")


@pytest.mark.parametrize("text", ["2026-01-05T10:00:00", "soon", "2026-13-05T10:00:00Z", -5, 1e300, {"a": 1}, None, ""])
def test_what_is_no_time_is_an_error_that_names_the_field(text: Any):
    found = row({"t": text})
    assert found["outcome"] == "error"
    assert found["reason"] in {
        "the field $.t is missing or has no text",
        "the field $.t is no time of the form iso8601 with a zone (the mapping gives none)",
    }


@pytest.mark.parametrize(("seen_by", "out", "back"), [("server", 2, 1), ("caller", 1, 2)])
def test_bytes_are_as_the_caller_sees_them(seen_by: str, out: int, back: int):
    sizes = {"sent": "$.sent", "received": "$.got", "seen_by": seen_by}
    found = row({"t": T, "sent": 1, "got": "2"}, bytes=sizes)
    assert (found["bytes_out"], found["bytes_in"]) == (out, back)
    unknown = row({"t": T, "sent": "-", "got": -1}, bytes=sizes)
    assert (unknown["bytes_out"], unknown["bytes_in"]) == (None, None)


@pytest.mark.parametrize(
    ("url", "host", "port", "path"),
    [
        ("https://User@API.Example:8443/a/b?token=x#y", "api.example", 8443, "/a/b"),
        ("http://trusted.example@evil.example/x", "evil.example", 80, "/x"),
        ("https://[2001:DB8::1]/x", "2001:db8::1", 443, "/x"),
        ("api.example:443", "api.example", 443, None),
        ("/only/a/path?x", None, None, "/only/a/path"),
        ("-", None, None, None),
    ],
)
def test_urls(url: str, host: str | None, port: int | None, path: str | None):
    found = row({"t": T, "u": url}, url="$.u")
    assert (found["dst_host"], found["dst_port"], found["url_path"]) == (host, port, path)


@pytest.mark.parametrize(
    ("written", "host", "port"),
    [("A.Example:81", "a.example", 81), ("[::1]:81", "::1", 81), ("2001:db8::1", "2001:db8::1", None)],
)
def test_a_host_header_has_its_port(written: str, host: str, port: int | None):
    found = row({"t": T, "h": written}, columns={"dst_host": "$.h"})
    assert (found["dst_host"], found["dst_port"]) == (host, port)


def test_identities_hold_the_realm_encoded_and_null_words_name_nobody():
    columns = {
        "principal": {"from": ["$.a", "$.b"], "identity": "proxy:user/{realm}/{}"},
        "principal_type": {"value": "u"},
    }
    given = table(
        [json.dumps({"t": T, "a": a, "b": b}) for a, b in ((None, "x/y%"), ("-", "-"), ({"c": 1}, [1]))], "a/b"
    )
    found = sorted(mapping.actions(given, options(columns=columns)).to_pylist(), key=lambda one: one["record_id"])
    assert [one["principal"] for one in found] == ["proxy:user/a%2Fb/x/y%", None, None]
    assert [one["principal_type"] for one in found] == ["u", None, None]


@pytest.mark.parametrize(
    ("authenticated", "code", "strength"),
    [(True, "200", "proven"), (True, "407", "asserted"), (True, "401", "asserted"), (False, "200", "asserted")],
)
def test_a_name_is_proven_only_where_the_mapping_says_that_it_was_checked(
    authenticated: bool, code: str, strength: str
):
    columns = {
        "principal": {"from": "$.u", "identity": "proxy:user/{realm}/{}"},
        "status": {"from": "$.c", "http": True},
        "status_code": "$.c",
    }
    found = row({"t": T, "u": "svc", "c": code}, authenticated=authenticated, columns=columns)
    assert found["identity_strength"] == strength


def test_a_failed_login_proves_no_name():
    columns = {
        "principal": {"from": "$.u", "identity": "crm:user/{realm}/{}"},
        "obtains": {"value": "self"},
        "status": {"from": "$.r", "values": {"ok": "success", "no": "denied"}, "otherwise": "failure"},
    }
    found = rows([{"t": T, "u": "a", "r": r} for r in ("ok", "no", "?")], authenticated=True, columns=columns)
    assert [(one["status"], one["identity_strength"]) for one in found] == [
        ("success", "proven"), ("denied", "asserted"), ("failure", "asserted"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("code", "status"),
    [
        (200, "success"),
        (302, "success"),
        (403, "denied"),
        (404, "failure"),
        (0, "unknown"),
        (None, "unknown"),
        ("x", "unknown"),
    ],
)
def test_a_status_out_of_an_http_code(code: Any, status: str):
    assert row({"t": T, "c": code}, columns={"status": {"from": "$.c", "http": True}})["status"] == status


def test_words_that_are_not_ours_are_no_status():
    assert row({"t": T, "s": "fine"}, columns={"status": "$.s"})["status"] == "unknown"
    assert row({"t": T, "s": "fine"}, columns={"supervised": "$.s"})["supervised"] is None


def test_lists_of_resources_and_a_single_one():
    columns = {"resources": ["$.many", "$.one"]}
    shape = {"resources": {"from": columns["resources"]}}
    found = rows([{"t": T, "many": ["a", None, "b"]}, {"t": T, "one": "c"}, {"t": T}], columns=shape)
    assert [one["resources"] for one in found] == [["a", "b"], ["c"], None]


def test_csv_cells_are_quoted_or_not():
    shape = {"read": "csv", "csv": {"columns": ["t", "a", "b"]}, "time": {"from": "t"}}
    columns = {"api_service": "a", "api_operation": "b"}
    found = rows([f'{T},"x, ""y""",z', f"{T},,", f'{T},"a" b,c', f"{T},1", "t,a,b"], **shape, columns=columns)
    assert [(one["outcome"], one["api_service"], one["api_operation"]) for one in found] == [
        ("action", 'x, "y"', "z"), ("action", None, None), ("error", None, None), ("error", None, None),
        ("skipped", None, None),
    ]  # fmt: skip
    tabs = {"read": "csv", "csv": {"columns": ["t", "a"], "delimiter": "\t"}, "time": {"from": "t"}}
    assert row(f"{T}\tx,y", **tabs, columns={"api_service": "a"})["api_service"] == "x,y"


def test_a_caller_cannot_close_a_pattern_early():
    shape = {
        "read": "pattern",
        "pattern": r'(?P<t>\S+) (?P<user>\S+) "(?P<url>(?:[^"\\]|\\.)*)" (?P<code>[0-9]+)',
        "time": {"from": "t"},
    }
    columns = {"principal": {"from": "user", "identity": "proxy:user/{realm}/{}"}, "status_code": "code"}
    found = rows([f'{T} svc "/a\\" 200" 403', f'{T} svc "/a" 200" 403'], **shape, columns=columns)
    assert [(one["outcome"], one["status_code"]) for one in found] == [("action", "403"), ("error", None)]


GRANT = {
    "mechanism": "made",
    "parent": {"from": "$.by", "identity": "crm:user/{realm}/{}"},
    "child": {"from": "$.key", "identity": "crm:key/{realm}/{}"},
    "where": [{"field": "$.what", "is": ["key.create", "key.copy"]}],
}


def test_grants_need_both_ends_a_match_and_success():
    raws = [
        {"t": T, "what": "key.create", "by": "a", "key": "k1", "s": "success"},
        {"t": T, "what": "key.copy", "by": "a", "key": "k2", "s": "denied"},
        {"t": T, "what": "key.create", "key": "k3", "s": "success"},
        {"t": T, "what": "key.read", "by": "a", "key": "k1", "s": "success"},
        {"t": "never", "what": "key.create", "by": "a", "key": "k4", "s": "success"},
    ]
    found = mapping.grants(table([json.dumps(raw) for raw in raws]), options(grants=[GRANT], columns={"status": "$.s"}))
    assert found.schema == GRANTS_OUT
    (only,) = found.to_pylist()
    assert (only["record_id"], only["kind"], only["strength"]) == ("0", "issue", "asserted")
    assert (only["parent_uid"], only["child_uid"]) == ("crm:user/corp/a", "crm:key/corp/k1")


def test_values_and_names_with_quotes_are_data():
    columns = {
        "api_service": {"value": "it's"},
        "error": {"from": '$."o\'x y"', "values": {"a'b": "c'd"}},
        "principal": {"from": "$.u", "identity": "x:y/o'z/{}"},
    }
    found = row({"t": T, "o'x y": "a'b", "u": "'; DROP TABLE records; --"}, columns=columns)
    assert (found["api_service"], found["error"]) == ("it's", "c'd")
    assert found["principal"] == "x:y/o'z/'; DROP TABLE records; --"


def test_skipped_records_say_why():
    found = row({"t": T, "k": "ping"}, skip=[{"field": "$.k", "is": "ping", "reason": "a heartbeat"}])
    assert (found["outcome"], found["reason"]) == ("skipped", "a heartbeat")


def test_containers_are_opened():
    text = json.dumps({"items": [{"t": T}, {"t": T}], "next": None}).encode()
    found = [s.pieces.num_rows for s in mapping.split(io.BytesIO(text), True, options(records=["items"]))]
    assert sum(found) == 2


MAPPINGS = {name: sample(FOLDER / "mapping" / name) for name in ("gateway.log", "broker.csv", "tools.log")}
HOSTILE = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)


@settings(max_examples=30, deadline=None)
@given(st.sampled_from(sorted(MAPPINGS)), st.data())
def test_no_record_crashes_or_is_lost(name: str, data: st.DataObject):
    one = MAPPINGS[name]
    raws = data.draw(st.lists(st.one_of(HOSTILE, st.sampled_from(records(one))), min_size=1, max_size=4))
    at = data.draw(st.integers(0, len(raws) - 1))
    cut = data.draw(st.integers(0, len(raws[at])))
    raws[at] = raws[at][:cut] + data.draw(HOSTILE) + raws[at][cut:]
    found = one.format.actions(table(raws), one.options)
    assert sorted(found["record_id"].to_pylist(), key=int) == [str(n) for n in range(len(raws))]
    for outcome, reason in zip(found["outcome"].to_pylist(), found["reason"].to_pylist(), strict=True):
        assert outcome in {"action", "error", "skipped"}
        assert (reason is None) == (outcome == "action")
    assert set(one.format.grants(table(raws), one.options)["record_id"].to_pylist()) <= set(
        found["record_id"].to_pylist()
    )


BROKEN = [
    ("nmae: x\ncategory: cloud\ntime: {from: $.t}\n", 1, "nmae", "unknown key 'nmae'; did you mean 'name'?"),
    ("name: x\ncategory: clowd\ntime: {from: $.t}\n", 2, "category", "must be"),
    ("name: x\ncategory: cloud\ntime: {from: t}\n", 3, "time.from", "'t' is no JSON path such as"),
    ("name: x\ncategory: cloud\ntime:\n  from: $.t\n  zone: Berlin\n", 5, "time.zone", "'Berlin' is no zone"),
    ("name: x\ncategory: cloud\ntime: {from: $.t, format: '%H:%M'}\n", 3, "time.format", "has no %z"),
    ("name: x\ncategory: cloud\ntime: {from: $.t, format: epoch}\n", 3, "time.format", "'epoch' is none of iso8601"),
    ("name: x\ncategory: cloud\ntime: {from: $.t, format: '%Q', zone: UTC}\n", 3, "time.format", "is no strptime line"),
    ("name: x\ncategory: cloud\nread: csv\ntime: {from: t}\n", 3, "read", "needs the key `csv`"),
    ("name: x\ncategory: cloud\nread: csv\ncsv: {columns: [when]}\ntime: {from: whem}\n", 5, "time.from", "no field 'whem'; did you mean 'when'?"),
    ("name: x\ncategory: cloud\nread: pattern\npattern: '(?P<t>.*'\ntime: {from: t}\n", 4, "pattern", "is no regular expression"),
    ("name: x\ncategory: cloud\nread: pattern\npattern: '(?P<t>.*)(?=x)'\ntime: {from: t}\n", 4, "pattern", "is no regular expression"),
    ("name: x\ncategory: cloud\nread: pattern\npattern: '(?P<t>.*) (x)'\ntime: {from: t}\n", 4, "pattern", "name every group"),
    ("name: x\ncategory: cloud\npattern: '(?P<t>.*)'\ntime: {from: $.t}\n", 3, "pattern", "belongs to `read: pattern`"),
    ("name: x\ncategory: cloud\ntime: {from: $.t}\ncolumns:\n  principle: $.u\n", 5, "columns.principle", "did you mean 'principal'?"),
    ("name: x\ncategory: cloud\ntime: {from: $.t}\ncolumns:\n  bytes_out: $.u\n", 5, "columns.bytes_out", "the key `bytes` says it"),
    ("name: x\ncategory: cloud\ntime: {from: $.t}\ncolumns:\n  principal: $.u\n", 5, "columns.principal", "needs the key `identity`"),
    ("name: x\ncategory: cloud\ntime: {from: $.t}\ncolumns:\n  principal: {from: $.u, identity: joe}\n", 5, "columns.principal.identity", "is no identifier"),
    ("name: x\ncategory: cloud\ntime: {from: $.t}\ncolumns:\n  status: {from: $.s, values: {ok: fine}}\n", 5, "columns.status", "'fine' is none of success"),
    ("name: x\ncategory: cloud\ntime: {from: $.t}\ncolumns:\n  error: {from: $.s, value: x}\n", 5, "columns.error", "needs either"),
    ("name: x\ncategory: cloud\ntime: {from: $.t}\ngrants:\n  - mechanism: m\n    child: {from: $.c, identity: 'a:b/{}'}\n", 5, "grants[0]", "needs a `parent`"),
    ("name: x\ncategory: cloud\ntime: {from: $.t}\ngrants:\n  - mechanism: m\n    kind: revoke\n    strength: proven\n    child: {from: $.c, identity: 'a:b/{}'}\n", 7, "grants[0].strength", "authenticated: true"),
    ("name: x\ncategory: cloud\ntime: {from: $.t}\nsecrets: {patterns: ['pin=[0-9]+']}\n", 4, "secrets.patterns[0]", "needs a group"),
    ("name: x\ncategory: cloud\ntime: {from: $.t}\nbytes: {seen_by: server}\n", 4, "bytes", "neither `sent` nor `received`"),
    ("name: [x\n", 2, "", "is not YAML"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "line", "key", "said"), BROKEN, ids=[f"{case[2]}-{at}" for at, case in enumerate(BROKEN)]
)
def test_a_mistake_is_named_with_its_file_and_line(text: str, line: int, key: str, said: str, tmp_path: Path):
    file = tmp_path / "x.yaml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(Problems) as caught:
        load(file)
    found = [(one.file, one.line, one.key) for one in caught.value.problems if said in one.message]
    assert (str(file), line) in {one[:2] for one in found}
    assert any(one[2].startswith(key) for one in found)


def test_the_run_stops_at_a_broken_mapping_before_it_starts(tmp_path: Path):
    for folder in ("workers", "logs"):
        (tmp_path / folder).mkdir()
    (tmp_path / "broken.yaml").write_text("name: x\ncategory: cloud\ntime: {from: $.t}\ncolumns:\n  nobody: $.u\n")
    config = tmp_path / "workertrail.yaml"
    config.write_text(
        "workers: workers\nsources:\n  - {name: a, format: mapping, mapping: broken.yaml, from: logs/*}\n"
        "  - {name: b, format: mapping, mapping: missing.yaml, from: logs/*}\n"
        "  - {name: c, format: mapping, from: logs/*}\n"
    )
    with pytest.raises(Problems) as caught:
        load_settings(config)
    told_of = [(Path(one.file).name, one.line, one.key) for one in caught.value.problems]
    assert told_of == [
        ("broken.yaml", 5, "columns.nobody"), ("missing.yaml", 1, ""), ("workertrail.yaml", 5, "sources[2]"),
    ]  # fmt: skip


def test_two_hundred_columns_are_no_burden():
    names = [f"c{at}" for at in range(200)]
    shape = {"read": "csv", "csv": {"columns": names}, "time": {"from": "c0"}}
    line = ",".join([T, *['"a,b"'] * 198, "end"])
    assert row(line, **shape, columns={"error": "c199"})["error"] == "end"
    assert isinstance(mapping.actions(table([]), options()), pa.Table)


def test_scope_knows_what_a_mapping_shows():
    """What it does not show is unseen; of the plain format `mapping` everything could be."""
    one = sample(FOLDER / "mapping" / "gateway.log")
    engine = DuckDBEngine(duckdb.connect())
    engine.let("observes", provide._observes([Source("gw", one.format, "corp", "*", FOLDER, one.options, False)]))
    seen = engine.query("SELECT \"column\" FROM observes WHERE format = 'mapping:gateway'")["column"].to_pylist()
    assert set(seen) == one.format.observes

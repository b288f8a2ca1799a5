"""Truth 2: of every object, at any time, records = actions + errors + duplicates + skipped; and all are counted."""

from __future__ import annotations

import gzip
import json
from collections import Counter

from hypothesis import example, given
from hypothesis import strategies as st

from pipelines import run as work
from tests.properties.bounds import examples
from tests.properties.estates import Estate, estate
from tests.properties.records import Key, call, squid_line
from tests.properties.schedules import schedules
from tests.properties.worlds import World, worlds, written


def assert_accounted(made: Estate, pulled: work.Counts) -> None:
    """The ledger, the records and what the runs said agree."""
    assert work.unaccounted(made.lake) == []
    ledger = made.rows(
        "SELECT coalesce(sum(records), 0) AS records, coalesce(sum(actions), 0) AS actions,"
        " coalesce(sum(errors), 0) AS errors, coalesce(sum(duplicates), 0) AS duplicates,"
        " coalesce(sum(skipped), 0) AS skipped FROM objects"
    )[0]
    assert ledger == {name: getattr(pulled, name) for name in ledger}
    outcomes = {row["outcome"]: row["n"] for row in made.rows("SELECT outcome, count(*) AS n FROM records GROUP BY 1")}
    assert outcomes == {
        name: pulled_of
        for name, pulled_of in {
            "action": pulled.actions,
            "error": pulled.errors,
            "duplicate": pulled.duplicates,
            "skipped": pulled.skipped,
        }.items()
        if pulled_of
    }
    silent = "SELECT record_id FROM records WHERE outcome <> 'action' AND (reason IS NULL OR reason = '')"
    assert made.rows(silent) == []


def expected_actions(world: World) -> int:
    """Counted from the records alone: an event an id and content, a request an equal line of the file with most of them."""
    events = {
        (one.source == "okta", json.dumps(json.loads(one.text), sort_keys=True))
        for one in world.told
        if one.source != "egress"
    }
    lines: Counter[str] = Counter()
    for file in world.files:
        if file.source == "egress":
            content = gzip.decompress(file.content) if file.content.startswith(b"\x1f\x8b") else file.content
            lines |= Counter(line for line in content.decode().splitlines() if not is_challenge(line))
    return len(events) + lines.total()


def is_challenge(line: str) -> bool:
    """A proxy that asks for a name tells of no action."""
    fields = line.split()
    return fields[3].endswith("/407") and fields[7] == "-"


@examples(10)
@given(st.data(), worlds())
def test_after_every_run_all_records_are_accounted_for(data: st.DataObject, world: World) -> None:
    schedule = data.draw(schedules(world))
    pulled = work.Counts()
    with estate() as one:
        for run in range(schedule.runs):
            one.before(schedule, run)
            pulled += work.ingest_all(one.plan()).pulled
            pulled = work.Counts(**{**vars(pulled), "known_objects": 0})
            assert_accounted(one, pulled)
        assert pulled.errors == 0
        assert pulled.actions == expected_actions(world)
        if not schedule.renamed and not schedule.copied:
            distinct = {(file.source, file.content): file.records for file in world.files}
            growing = any(file.growing for file in world.files)
            assert growing or pulled.records == sum(distinct.values())


GOOD = json.dumps(call(Key("ASIA1", "role", "agent"), "s3", "GetObject", 1))
ODD_VALUES = (
    b"null", b"true", b"0", b"-1e999999", b"9" * 5000, b'"text"', b'""', b"[]", b"{}", b'{"eventID":null}',
    b"[" * 3000 + b"]" * 3000, b'{"a":' * 2000 + b"1" + b"}" * 2000,
    GOOD.replace("Boto3", "\\ud800 \\udfff \\u0000").encode(),
    GOOD.encode().replace(b"Boto3", b"\xff\xfe\xc0\x80"),
    GOOD.replace('"eventTime": "2026', '"eventTime": "99999').encode(),
    GOOD.replace('"eventID": "', '"eventID": 7, "eventID": "').encode(),
    GOOD.replace('"eventName": "GetObject"', '"eventName": ["GetObject"]').encode(),
    GOOD.replace('"userIdentity": {', '"userIdentity": "root", "x": {').encode(),
)  # fmt: skip
"""JSON values that are no good record, or only just: each is one record all the same."""


@examples(10)
@given(st.lists(st.sampled_from([GOOD.encode(), *ODD_VALUES]), min_size=1, max_size=8), st.booleans(), st.booleans())
def test_every_element_of_a_container_is_a_record(elements: list[bytes], packed: bool, by_line: bool) -> None:
    content = b"\n".join(elements) + b"\n" if by_line else b'{"Records":[' + b",".join(elements) + b"]}"
    with estate() as one:
        one.put("trail", "1.log", gzip.compress(content) if packed else content)
        pulled = work.ingest_all(one.plan()).pulled
        assert pulled.records == len(elements)
        assert_accounted(one, pulled)
        assert (pulled.actions > 0) >= (GOOD.encode() in elements)


PLAIN = [squid_line(second, "svc-agent", "GET", "http://api.example/").encode() for second in range(20)]
"""Enough text that a file which begins with it is taken for text."""
BYTES = st.binary(min_size=1, max_size=60).filter(lambda line: line.strip() and b"\n" not in line)


@examples(10)
@given(st.lists(BYTES, max_size=8))
@example([b"\x00", b"\xff\xfe \xf0\x9f", b"x" * 70_000, b"\xef\xbb\xbf", b"\x1f\x8b"])
def test_every_line_is_a_record(lines: list[bytes]) -> None:
    with estate() as one:
        for source in ("egress", "okta"):
            one.put(source, "1.log", b"".join(line + b"\n" for line in [*PLAIN, *lines]))
        pulled = work.ingest_all(one.plan()).pulled
        assert_accounted(one, pulled)
        assert pulled.actions >= len(PLAIN)
        held = one.rows("SELECT source, records FROM objects WHERE source = 'egress'")
        assert held == [{"source": "egress", "records": len(PLAIN) + len(lines)}]


GOOD_ONES = [json.dumps(call(Key("ASIA1", "role", "agent"), "s3", "GetObject", second)) for second in range(4)]
CONTAINER = written("trail", GOOD_ONES, "container")


@examples(10)
@given(st.integers(1, len(CONTAINER) - 3), st.booleans())
def test_what_stands_before_a_cut_is_kept(cut: int, packed: bool) -> None:
    content = CONTAINER[:cut]
    whole = sum(CONTAINER.index(text.encode()) + len(text) <= cut for text in GOOD_ONES)
    with estate() as one:
        one.put("trail", "1.log", gzip.compress(content) if packed else content)
        pulled = work.ingest_all(one.plan()).pulled
        assert pulled.actions == whole
        assert pulled.errors >= 1
        assert_accounted(one, pulled)


@examples(10)
@given(
    st.dictionaries(st.sampled_from(["trail", "egress", "okta"]), st.binary(max_size=300), min_size=1), st.booleans()
)
def test_no_bytes_stop_a_run(contents: dict[str, bytes], whole_run: bool) -> None:
    with estate() as one:
        for source, content in contents.items():
            one.put(source, "1.log", content)
        one.put("second", "1.log", CONTAINER)
        summary = one.run() if whole_run else work.ingest_all(one.plan())
        assert summary.pulled.actions == len(GOOD_ONES)
        assert summary.failures == ()
        assert_accounted(one, summary.pulled)

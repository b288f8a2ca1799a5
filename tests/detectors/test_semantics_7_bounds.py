"""Point 7 of the manifest's semantics: what bounds mean in base units (bytes, seconds, naive UTC), and when they hold.

The windows themselves are tested with the detectors that count in them.
"""

from datetime import datetime
from typing import Any

import duckdb
import pytest

from detectors.manifest_model import MEASURES, Manifest
from detectors.manifest_tables import BEGINNING, END, tables, version_of
from pipelines.lake.duckdb_engine import DuckDBEngine
from tests.detectors.scope_examples import S3, allow, api, deny, manifest, run


def told(**more: Any) -> dict[str, Any]:
    body = {"worker": "w1", "owner": "o", "identities": ["aws:role/w1"], "scope": [], **more}
    return {name: table.to_pylist() for name, table in tables([version_of(Manifest.model_validate(body))]).items()}


VALID: dict[str, tuple[dict[str, str], datetime | None, datetime | None]] = {
    "nothing said is no bound": ({}, None, None),
    "a day begins at midnight in UTC": ({"from": "2026-03-01"}, datetime(2026, 3, 1), None),
    "until is inclusive: the whole of its day": ({"until": "2026-03-01"}, None, datetime(2026, 3, 2)),
    "also the last of a month of leap years": ({"until": "2028-02-29"}, None, datetime(2028, 3, 1)),
    "and the whole of its microsecond": ({"until": "2026-03-01T12:00:00Z"}, None, datetime(2026, 3, 1, 12, 0, 0, 1)),
    "in other zones it is brought to UTC": (
        {"from": "2026-03-01T00:30:00+02:00"},
        datetime(2026, 2, 28, 22, 30),
        None,
    ),
    "one day is from it until it": (
        {"from": "2026-03-01", "until": "2026-03-01"},
        datetime(2026, 3, 1),
        datetime(2026, 3, 2),
    ),
}


@pytest.mark.parametrize("name", VALID)
def test_validity(name: str) -> None:
    valid, live_from, live_until = VALID[name]
    (row,) = told(valid=valid)["manifest_versions"]
    assert (row["live_from"], row["live_until"]) == (live_from, live_until)


LIMITS: list[tuple[dict[str, Any], tuple[float, int | None]]] = [
    ({"measure": "calls", "at_most": 5, "per": "1h"}, (5, 3600)),
    ({"measure": "denied", "at_most": 0, "per": "1d"}, (0, 86_400)),
    ({"measure": "bytes_out", "at_most": "200MB", "per": "1h"}, (2e8, 3600)),
    ({"measure": "bytes_out_net", "at_most": "1.5kB", "per": "90s"}, (1500, 90)),
    ({"measure": "bytes_out_store", "at_most": "1MiB", "per": "1w"}, (1_048_576, 604_800)),
    ({"measure": "destinations", "at_most": 3, "per": "7d"}, (3, 604_800)),
    ({"measure": "secrets", "at_most": 2, "per": "15m"}, (2, 900)),
    ({"measure": "tokens", "at_most": 100_000, "per": "1d"}, (1e5, 86_400)),
    ({"measure": "spend", "at_most": 2.5, "per": "1d"}, (2.5, 86_400)),
    ({"measure": "token_lifetime", "at_most": "1h"}, (3600, None)),
    ({"measure": "hops", "at_most": 4}, (4, None)),
]


@pytest.mark.parametrize(("limit", "expected"), LIMITS, ids=[str(limit["measure"]) for limit, _ in LIMITS])
def test_limits(limit: dict[str, Any], expected: tuple[float, int | None]) -> None:
    (row,) = told(limits=[limit])["limits"]
    assert (row["at_most"], row["per_seconds"]) == expected


def test_every_measure_of_the_design_has_its_example() -> None:
    assert {limit["measure"] for limit, _ in LIMITS} == set(MEASURES)


JANUARY, MARCH, APRIL = (datetime(2026, month, 1) for month in (1, 3, 4))
IN_FORCE: dict[str, tuple[list[tuple[str, datetime | None, datetime]], list[tuple[str, datetime, datetime]]]] = {
    # name, effective_from, recorded_at
    "the first from the beginning": ([("one", None, MARCH)], [("one", BEGINNING, END)]),
    "also where it says when it begins: nothing goes unjudged": ([("one", MARCH, MARCH)], [("one", BEGINNING, END)]),
    "each until the next": (
        [("one", None, JANUARY), ("two", MARCH, MARCH), ("three", APRIL, APRIL)],
        [("one", BEGINNING, MARCH), ("two", MARCH, APRIL), ("three", APRIL, END)],
    ),
    "one that is recorded late for an earlier time": (
        [("one", None, JANUARY), ("two", MARCH, APRIL)],
        [("one", BEGINNING, MARCH), ("two", MARCH, END)],
    ),
    "the one that is recorded last replaces all from its start on": (
        [("one", None, JANUARY), ("two", APRIL, APRIL), ("three", MARCH, APRIL.replace(day=2))],
        [("one", BEGINNING, MARCH), ("three", MARCH, END)],
    ),
    "one that is still to come is withdrawn by the next": (
        [("one", None, JANUARY), ("two", APRIL, JANUARY.replace(day=2)), ("three", MARCH, MARCH)],
        [("one", BEGINNING, MARCH), ("three", MARCH, END)],
    ),
    "back to an older document": (
        [("one", None, JANUARY), ("two", MARCH, MARCH), ("one", APRIL, APRIL)],
        [("one", BEGINNING, MARCH), ("two", MARCH, APRIL), ("one", APRIL, END)],
    ),
    "a change for all of the past": (
        [("one", MARCH, MARCH), ("two", JANUARY, APRIL)],
        [("one", BEGINNING, JANUARY), ("two", JANUARY, END)],
    ),
}


@pytest.mark.parametrize("name", IN_FORCE)
def test_which_version_is_in_force_when(name: str) -> None:
    recorded, expected = IN_FORCE[name]
    versions = [
        version_of(
            Manifest.model_validate(
                {"worker": "w1", "owner": owner, "identities": ["aws:role/w1"], "scope": []}
            ).placed(f"{owner}.yaml", {}),
            since,
            at,
        )
        for owner, since, at in recorded
    ]
    for order in (versions, list(reversed(versions))):
        rows = tables(order)["manifest_versions"].to_pylist()
        assert [(row["owner"], row["valid_from"], row["valid_to"]) for row in rows] == expected
        assert [row["file"] for row in rows] == [f"{owner}.yaml" for owner, _, _ in expected]


def test_each_action_is_held_against_the_version_that_is_in_force_at_its_time() -> None:
    lax, strict = manifest("w1", [allow(service=S3)], {}), manifest("w1", [deny(service=S3)], {})
    actions = [
        api(action_uid="a1", worker="w1", manifest_sha=lax.sha256),
        api(action_uid="a2", worker="w1", manifest_sha=strict.sha256),
    ]
    rows = run(actions, [lax, strict], DuckDBEngine(duckdb.connect())).to_pylist()
    assert [row["verdict"] for row in rows] == ["allow", "deny"]

"""Queries over a few rows: rows in, expected rows out."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from itertools import pairwise
from typing import Any

import duckdb
import pytest

from pipelines import usage
from pipelines.lake.duckdb_engine import DuckDBEngine
from pipelines.report import queries_chains, queries_limits, queries_workers
from pipelines.report.selection import Bounds, Selection

NEVER = "CAST(NULL AS TIMESTAMP)"
DAY = Selection(datetime(2026, 3, 2), datetime(2026, 3, 3))


@pytest.fixture
def engine() -> Iterator[DuckDBEngine]:
    with duckdb.connect() as connection:
        yield DuckDBEngine(connection)


def let(engine: DuckDBEngine, name: str, columns: str, *rows: str) -> None:
    engine.let(name, f"SELECT * FROM (VALUES {', '.join(rows)}) AS given({columns})")


def at(clock: str) -> str:
    return f"TIMESTAMP '2026-03-02 {clock}'"


def rows(engine: DuckDBEngine, sql: str) -> list[tuple[Any, ...]]:
    return [tuple(row.values()) for row in engine.query(sql).to_pylist()]


def limit(engine: DuckDBEngine, measure: str, per_seconds: int) -> None:
    let(engine, "shown_limits", "worker, measure, per_seconds", f"('w', '{measure}', CAST({per_seconds} AS BIGINT))")


def sent(engine: DuckDBEngine, *actions: tuple[str, str, int | None, str | None]) -> None:
    let(
        engine,
        "attributed",
        "worker, time, category, status, bytes_out, dst_host, dst_ip, tokens_in, tokens_out, api_service, api_operation,"
        " resource_uid, resources",
        *(
            f"('w', {at(clock)}, '{category}', 'success', CAST({'NULL' if size is None else size} AS BIGINT),"
            f" {'NULL' if host is None else repr(host)}, CAST(NULL AS VARCHAR),"
            " CAST(NULL AS BIGINT), CAST(NULL AS BIGINT), 'x', 'y', CAST(NULL AS VARCHAR), CAST(NULL AS VARCHAR[]))"
            for clock, category, size, host in actions
        ),
    )


def levels(engine: DuckDBEngine) -> list[tuple[str, float]]:
    engine.let("amounts", queries_limits.amounts_sql())
    found = rows(engine, queries_limits.summed_levels_sql(DAY) + " ORDER BY bin")
    return [(row[3].strftime("%H"), row[4]) for row in found]


def test_a_window_slides_and_is_fullest_where_the_most_lies_within_it(engine: DuckDBEngine) -> None:
    limit(engine, "bytes_out_net", 3600)
    sent(
        engine,
        ("09:30:00", "proxy", 300, None),
        ("10:20:00", "proxy", 300, None),
        ("10:30:00", "proxy", 100, None),
        ("10:40:00", "proxy", None, None),
        ("10:40:00", "cloud", 9999, None),
        ("23:00:00", "proxy", 5, None),
    )
    assert levels(engine) == [("09", 300.0), ("10", 600.0), ("23", 5.0)]


def test_what_is_an_hour_old_has_left_the_window(engine: DuckDBEngine) -> None:
    limit(engine, "bytes_out_net", 3600)
    sent(engine, ("09:00:00", "proxy", 300, None), ("10:00:00", "proxy", 300, None))
    assert levels(engine) == [("09", 300.0), ("10", 300.0)]


def test_bytes_out_is_the_larger_of_network_and_store(engine: DuckDBEngine) -> None:
    limit(engine, "bytes_out", 3600)
    sent(engine, ("09:00:00", "proxy", 300, None), ("09:01:00", "cloud", 900, None), ("09:02:00", "proxy", 300, None))
    assert levels(engine) == [("09", 900.0)]


def test_calls_count_every_action(engine: DuckDBEngine) -> None:
    limit(engine, "calls", 60)
    sent(engine, *((f"09:00:{second:02}", "cloud", None, None) for second in range(5)))
    assert levels(engine) == [("09", 5.0)]


def test_a_host_counts_once_however_often_it_is_met(engine: DuckDBEngine) -> None:
    limit(engine, "destinations", 3600)
    sent(
        engine,
        ("09:00:00", "proxy", None, "a.example"),
        ("09:30:00", "proxy", None, "A.example"),
        ("10:10:00", "proxy", None, "b.example"),
        ("10:40:00", "proxy", None, "c.example"),
        ("10:45:00", "cloud", None, None),
    )
    engine.let("things", queries_limits.things_sql())
    found = rows(engine, queries_limits.distinct_levels_sql(DAY) + " ORDER BY bin")
    # At 10:10 the window still holds a.example of 09:30; at 10:40 it does not.
    assert [(row[3].hour, row[4]) for row in found] == [(9, 1.0), (10, 2.0)]


def test_a_secret_is_what_was_handed_out_with_or_without_its_suffix(engine: DuckDBEngine) -> None:
    limit(engine, "secrets", 3600)
    name = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:crm"
    read = "'secretsmanager.amazonaws.com', 'GetSecretValue'"
    none = "CAST(NULL AS VARCHAR)"
    let(
        engine, "attributed",
        "worker, time, category, status, api_service, api_operation, resource_uid, resources, dst_host, dst_ip",
        f"('w', {at('09:00:00')}, 'cloud', 'success', {read}, '{name}', CAST([] AS VARCHAR[]), {none}, {none})",
        f"('w', {at('09:01:00')}, 'cloud', 'success', {read}, {none}, ['{name}-a1B2c3', 'arn:aws:kms:x:1:key/k'], {none}, {none})",
        f"('w', {at('09:02:00')}, 'cloud', 'denied', {read}, '{name}-other', CAST([] AS VARCHAR[]), {none}, {none})",
    )  # fmt: skip
    engine.let("things", queries_limits.things_sql())
    assert {row[3] for row in rows(engine, "SELECT * FROM things")} == {name}
    assert [row[4] for row in rows(engine, queries_limits.distinct_levels_sql(DAY))] == [1.0]


def test_the_life_of_a_token_and_the_hops_of_a_chain(engine: DuckDBEngine) -> None:
    let(engine, "shown_limits", "worker, measure, per_seconds", "('w', 'token_lifetime', NULL)", "('w', 'hops', NULL)")
    let(
        engine, "bindings", "uid, worker, valid_from, valid_to",
        f"('k1', 'w', {NEVER}, {at('12:00:00')})",
        f"('k1', 'other', {at('12:00:00')}, {NEVER})",
        f"('k2', 'other', {NEVER}, {NEVER})",
    )  # fmt: skip
    let(
        engine, "grants", "child_uid, kind, issued_at, expires_at",
        f"('k1', 'issue', {at('09:00:00')}, {at('09:30:00')})",
        f"('k1', 'revoke', {at('09:00:00')}, {at('23:30:00')})",
        f"('k1', 'issue', {at('12:00:00')}, {at('22:30:00')})",
        f"('k2', 'issue', {at('09:00:00')}, {at('19:30:00')})",
    )  # fmt: skip
    let(engine, "chains", "worker, started_at, hops", f"('w', {at('09:00:00')}, 2)", f"('w', {at('09:10:00')}, 3)")
    found = rows(engine, queries_limits.credential_levels_sql(DAY))
    assert {(row[1], row[4]) for row in found} == {("token_lifetime", 1800.0), ("hops", 3.0)}


def members(engine: DuckDBEngine, count: int, cited: set[int]) -> None:
    let(
        engine, "members", "chain_id, action_uid, time, status, lane, cited",
        *(
            f"('c', 'a{nth:03}', {at(f'09:{nth // 60:02}:{nth % 60:02}')}, 'success', 'lane{nth % 12}', {nth in cited})"
            for nth in range(count)
        ),
    )  # fmt: skip
    engine.let("lanes", queries_chains.lanes_sql())


def test_a_long_chain_is_drawn_by_its_evidence_and_an_even_sample(engine: DuckDBEngine) -> None:
    members(engine, 200, cited={7, 8, 9})
    drawn = [row["action_uid"] for row in engine.query(queries_chains.points_sql(Bounds(points=20))).to_pylist()]
    assert len(drawn) == 20
    assert {"a007", "a008", "a009"} <= set(drawn)
    assert max(int(later[1:]) - int(one[1:]) for one, later in pairwise(drawn)) <= 20


def test_beyond_the_busiest_lanes_the_rest_share_one(engine: DuckDBEngine) -> None:
    members(engine, 60, cited=set())
    lanes = {row["drawn_lane"] for row in engine.query("SELECT * FROM lanes").to_pylist()}
    assert len(lanes) == queries_chains.MAX_LANES + 1
    assert "other systems" in lanes


def hop(child: str, parent: str) -> str:
    return f"[{{'from': '{child}', 'to': '{parent}', 'mechanism': 'm', 'evidence': 'e', 'strength': 'proven'}}]"


def moved(engine: DuckDBEngine) -> None:
    """A key that led up to one role until noon, and to another from then on."""
    let(
        engine, "bindings", "uid, path, valid_from, valid_to",
        f"('key', {hop('key', 'former')}, {NEVER}, {at('12:00:00')})",
        f"('key', {hop('key', 'later')}, {at('12:00:00')}, {NEVER})",
    )  # fmt: skip


def test_names_are_those_that_a_key_led_up_to_at_the_time(engine: DuckDBEngine) -> None:
    moved(engine)
    let(engine, "chosen_workers", "worker", "('w')")
    let(
        engine, "reported", "worker, bound_uid, principal, strength, time",
        f"('w', 'key', 'p', 'proven', {at('11:00:00')})",
        f"('w', 'key', 'p', 'proven', {at('11:30:00')})",
        f"('w', 'key', 'p', 'proven', {at('12:00:00')})",
        f"('w', 'unbound', 'p', 'proven', {at('13:00:00')})",
    )  # fmt: skip
    used = {row[1]: row[2] for row in rows(engine, queries_workers.used_names_sql())}
    assert used == {"key": 3, "p": 4, "former": 2, "later": 1, "unbound": 1}
    named = {row[0]: row[2] for row in rows(engine, usage.NAMES_USED)}
    assert named == {"key": 3, "p": 4, "former": 2, "later": 1}


def test_a_drawn_chain_shows_the_hops_of_its_time(engine: DuckDBEngine) -> None:
    moved(engine)
    let(
        engine, "members", "chain_id, bound_uid, time", f"('c1', 'key', {at('11:00:00')})",
        f"('c2', 'key', {at('12:00:00')})", f"('c2', 'key', {at('12:30:00')})",
    )  # fmt: skip
    let(engine, "actions", "action_uid, time, source", f"('e', {at('08:00:00')}, 'trail')")
    hops = engine.query(queries_chains.hops_sql()).to_pylist()
    assert [(row["chain_id"], row["parent"], row["of"]) for row in hops] == [("c1", "former", 1), ("c2", "later", 1)]


def test_declared_and_undeclared_names(engine: DuckDBEngine) -> None:
    let(engine, "chosen_workers", "worker", "('w')")
    let(engine, "bindings", "uid, path, valid_from, valid_to", f"('key', {hop('key', 'role')}, {NEVER}, {NEVER})")
    let(
        engine, "reported", "worker, bound_uid, principal, time",
        f"('w', 'key', 'role', {at('09:00:00')})",
        f"('w', 'key', 'role', {at('10:00:00')})",
        f"('w', 'team-1', 'team-1', {at('11:00:00')})",
        f"('w', 'key', 'stranger', {at('12:00:00')})",
    )  # fmt: skip
    let(
        engine, "all_identities_latest", "worker, uid, uid_like, is_pattern, shared",
        "('w', 'role', 'role', false, false)",
        "('w', 'team-*', 'team-%', true, true)",
        "('w', 'idle', 'idle', false, false)",
    )  # fmt: skip
    engine.let("used_names", queries_workers.used_names_sql())
    assert [row[:4] for row in rows(engine, queries_workers.declared_sql())] == [
        ("w", "idle", False, 0),
        ("w", "role", False, 3),
        ("w", "team-*", True, 1),
    ]
    assert [row[:3] for row in rows(engine, queries_workers.undeclared_sql(Bounds()))] == [("w", "stranger", 1)]


@pytest.mark.parametrize(("days", "step"), [(None, 1), (10, 1), (35, 3), (90, 6), (200, 12), (400, 24), (4000, 168)])
def test_a_longer_period_has_coarser_steps(days: int | None, step: int) -> None:
    since = datetime(2026, 1, 1)
    until = None if days is None else datetime.fromordinal(since.toordinal() + days)
    assert Selection(since, until).step_hours == step


@pytest.mark.parametrize(
    ("days", "expected"),
    [(10, "2026-03-05 14:00"), (35, "2026-03-05 12:00"), (400, "2026-03-05 00:00"), (4000, "2026-03-02 00:00")],
)
def test_a_step_begins_where_the_day_or_week_does(engine: DuckDBEngine, days: int, expected: str) -> None:
    since = datetime(2026, 3, 1)
    selection = Selection(since, datetime.fromordinal(since.toordinal() + days))
    [(found,)] = rows(engine, f"SELECT {selection.bin(chr(116))} FROM (SELECT TIMESTAMP '2026-03-05 14:59:59' AS t)")
    assert found.strftime("%Y-%m-%d %H:%M") == expected

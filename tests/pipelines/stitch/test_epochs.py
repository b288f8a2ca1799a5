"""Bindings where an identity passes from worker to worker: who had it when, in as few rows as say so."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import duckdb
import pyarrow as pa
import sqlglot

from detectors.glob import is_pattern, like
from detectors.manifest_claims import CLAIMS
from detectors.manifest_tables import BEGINNING, END
from pipelines import schema
from pipelines.lake.duckdb_engine import DuckDBEngine
from pipelines.lake.views import attributions_sql
from pipelines.stitch.chains import chain
from pipelines.stitch.epochs import bind_over_time
from tests.pipelines.stitch.test_bindings import ROLE, USER, acts, grant

MARCH, APRIL = datetime(2026, 3, 1), datetime(2026, 4, 1)
KEY, OTHER_KEY = "aws:key/ASIA1", "aws:key/AKIA2"


def claim(uid: str, worker: str, since: datetime = BEGINNING, until: datetime = END) -> dict[str, Any]:
    known = {"uid": uid, "uid_like": like(uid), "is_pattern": is_pattern(uid), "worker": worker, "shared": False}
    return {**known, "valid_from": since, "valid_to": until}


def bound(claims: list[dict[str, Any]], heard: list[str] | None = None) -> list[tuple[Any, ...]]:
    """Rows of `bound` where one session acts as ROLE and another key belongs to USER."""
    engine = DuckDBEngine(duckdb.connect(), (heard if heard is not None else []).append)
    engine.let("grants", pa.Table.from_pylist([grant(ROLE, KEY)], schema=schema.GRANTS.arrow))
    engine.let("acts_as", pa.Table.from_pylist([acts(KEY, ROLE), acts(OTHER_KEY, USER)], schema=schema.ACTS_AS.arrow))
    engine.let("actions", schema.ACTIONS.arrow.empty_table())
    engine.let("identity_claims", pa.Table.from_pylist(claims, schema=CLAIMS))
    bind_over_time(engine)
    rows = engine.query("SELECT * FROM bound ORDER BY uid, valid_from NULLS FIRST")
    assert rows.schema.names == schema.BINDINGS.arrow.names
    return [(row["uid"], row["valid_from"], row["valid_to"], row["worker"]) for row in rows.to_pylist()]


def test_where_nothing_moves_bindings_have_no_bounds() -> None:
    assert bound([claim(ROLE, "a"), claim(USER, "b")]) == [
        (OTHER_KEY, None, None, "b"),
        (KEY, None, None, "a"),
        (ROLE, None, None, "a"),
        (USER, None, None, "b"),
    ]


def test_all_that_goes_back_to_an_identity_moves_with_it_and_nothing_else() -> None:
    assert bound([claim(ROLE, "a", until=MARCH), claim(ROLE, "b", MARCH), claim(USER, "b")]) == [
        (OTHER_KEY, None, None, "b"),
        (KEY, None, MARCH, "a"),
        (KEY, MARCH, None, "b"),
        (ROLE, None, MARCH, "a"),
        (ROLE, MARCH, None, "b"),
        (USER, None, None, "b"),
    ]


def test_there_and_back_again() -> None:
    moves = [claim(ROLE, "a", until=MARCH), claim(ROLE, "b", MARCH, APRIL), claim(ROLE, "a", APRIL)]
    assert [row for row in bound(moves) if row[0] == ROLE] == [
        (ROLE, None, MARCH, "a"),
        (ROLE, MARCH, APRIL, "b"),
        (ROLE, APRIL, None, "a"),
    ]


def test_a_move_of_another_identity_leaves_one_row() -> None:
    moves = [claim(USER, "a", until=MARCH), claim(USER, "b", MARCH, APRIL), claim(USER, "c", APRIL), claim(ROLE, "a")]
    assert [row for row in bound(moves) if row[0] in {ROLE, KEY}] == [(KEY, None, None, "a"), (ROLE, None, None, "a")]


def test_a_chain_has_the_root_that_it_had_at_its_time() -> None:
    engine = DuckDBEngine(duckdb.connect())
    engine.let("grants", pa.Table.from_pylist([grant(OTHER_KEY, KEY)], schema=schema.GRANTS.arrow))
    engine.let("acts_as", pa.Table.from_pylist([acts(KEY, ROLE), acts(OTHER_KEY, USER)], schema=schema.ACTS_AS.arrow))
    uses = [
        {"action_uid": str(day), "is_primary": True, "time": datetime(2026, 3, day), "format": "cloudtrail",
         "credential_uid": KEY, "principal": ROLE, "identity_strength": "proven"}
        for day in (1, 8)
    ]  # fmt: skip
    engine.let("actions", pa.Table.from_pylist(uses, schema=schema.ACTIONS.arrow))
    engine.let("inferred", schema.INFERRED.arrow.empty_table())
    # At first both names are a's, so a's run goes up to OTHER_KEY; then OTHER_KEY's user is b's.
    moves = [claim(ROLE, "a"), claim(USER, "a", until=datetime(2026, 3, 5)), claim(USER, "b", datetime(2026, 3, 5))]
    engine.let("identity_claims", pa.Table.from_pylist(moves, schema=CLAIMS))
    bind_over_time(engine)
    engine.let("attributed_all", attributions_sql(bindings="bound"))
    chain(engine)
    chains = engine.query("SELECT worker, root_uid, hops, parent_chain_id FROM chained ORDER BY started_at").to_pylist()
    assert [(row["worker"], row["root_uid"]) for row in chains] == [("a", OTHER_KEY), ("a", KEY)]
    assert [row["parent_chain_id"] is None for row in chains] == [True, False]


def test_every_statement_renders() -> None:
    heard: list[str] = []
    bound([claim(ROLE, "a", until=MARCH), claim(ROLE, "b", MARCH)], heard)
    assert any("bound_in_epochs" in sql for sql in heard)
    for sql in heard:
        sqlglot.transpile(sql, read="duckdb", write="spark", unsupported_level=sqlglot.ErrorLevel.RAISE)

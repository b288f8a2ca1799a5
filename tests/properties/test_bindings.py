"""Bindings of generated evidence: only what is touched changes, and every path is made of the evidence."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import duckdb
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from detectors.manifest_tables import IDENTITIES
from pipelines import schema
from pipelines.lake.duckdb_engine import DuckDBEngine
from pipelines.stitch.bindings import bind
from tests.properties.bounds import examples

Row = dict[str, Any]
ROLES = ("agent", "cleaner", "deploy")
STRENGTHS = st.sampled_from(["proven", "proven", "asserted"])


@st.composite
def evidence(draw: st.DrawFn, world: str) -> tuple[list[Row], list[Row]]:
    """Grants between keys, and what keys say of themselves; names of one `world` never meet those of another."""
    keys = [f"aws:key/{world}{number}" for number in range(6)]
    roles = [f"aws:role/{world}-{role}" for role in ROLES]
    grants, acts = [], []
    for number, (parent, child) in enumerate(draw(st.lists(st.tuples(*[st.sampled_from(keys)] * 2), max_size=8))):
        uid = f"cloudtrail:{world}-grant-{number}"
        grants.append(
            {
                "grant_uid": uid, "action_uid": uid, "kind": "issue", "mechanism": "AssumeRole", "parent_uid": parent,
                "child_uid": child, "principal": draw(st.sampled_from([None, *roles])),
                "issued_at": datetime(2026, 3, 2, 9) + timedelta(minutes=draw(st.integers(0, 3))),
                "strength": draw(STRENGTHS),
            }
        )  # fmt: skip
    for number, key in enumerate(draw(st.lists(st.sampled_from(keys), max_size=6))):
        acts.append(
            {
                "credential_uid": key, "session_uid": None, "principal": draw(st.sampled_from(roles)),
                "strength": draw(STRENGTHS), "evidence": f"cloudtrail:{world}-use-{number}",
                "first_seen": datetime(2026, 3, 2, 9, number),
            }
        )  # fmt: skip
    return grants, acts


def bound(*parts: tuple[Sequence[Row], Sequence[Row]]) -> dict[str, Row]:
    """The bindings of some evidence, by name. Each world's roles `agent` and `cleaner` are declared."""
    grants, acts = ([row for part in parts for row in part[which]] for which in (0, 1))
    identities = [
        {"uid": f"aws:role/{world}-{role}", "uid_like": "", "is_pattern": False, "worker": f"{world}-{role}", "shared": False}
        for world in ("a", "b")
        for role in ROLES[:2]
    ]  # fmt: skip
    actions = [{"action_uid": row["action_uid"], "is_primary": True} for row in grants]
    with duckdb.connect() as connection:
        engine = DuckDBEngine(connection)
        engine.let("grants", pa.Table.from_pylist(grants, schema=schema.GRANTS.arrow))
        engine.let("acts_as", pa.Table.from_pylist(acts, schema=schema.ACTS_AS.arrow))
        engine.let("actions", pa.Table.from_pylist(actions, schema=schema.ACTIONS.arrow))
        engine.let("identities", pa.Table.from_pylist(identities, schema=IDENTITIES))
        bind(engine)
        return {row["uid"]: row for row in engine.query("SELECT * FROM bound").to_pylist()}


@examples(20)
@given(evidence("a"), evidence("b"))
def test_evidence_of_other_names_changes_nothing(one: Any, other: Any) -> None:
    alone, together = bound(one), bound(one, other)
    assert {uid: row for uid, row in together.items() if uid in alone} == alone
    assert set(together) == set(alone) | set(bound(other))


@examples(20)
@given(evidence("a"))
def test_every_hop_of_a_path_is_evidence_and_the_weakest_decides(one: Any) -> None:
    told = {(row["parent_uid"], row["child_uid"], row["action_uid"]) for row in one[0]}
    told |= {(row["principal"], row["child_uid"], row["action_uid"]) for row in one[0]}
    told |= {(row["principal"], row["credential_uid"], row["evidence"]) for row in one[1]}
    for uid, row in bound(one).items():
        owner = f"aws:role/{row['worker']}"
        reached, weakest = {uid}, "proven"
        for hop in row["path"]:
            assert hop["from"] in reached
            assert (hop["to"], hop["from"], hop["evidence"]) in told
            if owner not in reached and hop["strength"] == "asserted":
                weakest = "asserted"
            reached.add(hop["to"])
        if row["worker"] is None:
            assert (row["strength"], bool(row["reason"])) == ("none", True)
        else:
            assert (row["strength"], owner in reached) == (weakest, True)


def test_a_grant_that_is_only_asserted_proves_no_principal() -> None:
    """An OAuth token's grant is asserted, and names the client as parent and as principal."""
    role = "aws:role/a-agent"
    grant = {
        "grant_uid": "g", "action_uid": "okta:1", "kind": "issue", "mechanism": "app.oauth2.token.grant",
        "parent_uid": role, "child_uid": "aws:key/a1", "principal": role, "issued_at": datetime(2026, 3, 2, 9),
        "strength": "asserted",
    }  # fmt: skip
    assert bound(([grant], []))["aws:key/a1"]["strength"] == "asserted"

"""Bindings read like examples: grants and records in, the worker with strength and path out."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.glob import is_pattern, like
from detectors.manifest_tables import IDENTITIES
from pipelines import schema
from pipelines.lake.duckdb_engine import DuckDBEngine
from pipelines.stitch.bindings import bind

T = datetime(2026, 3, 2, 9)
ROLE = "aws:role/arn:aws:iam::111122223333:role/agent"
USER = "aws:user/arn:aws:iam::111122223333:user/ci"


def grant(parent: str | None, child: str, *, minute: int = 0, **more: Any) -> dict[str, Any]:
    row = {
        "action_uid": f"cloudtrail:{parent}->{child}",
        "kind": "issue",
        "mechanism": "AssumeRole",
        "parent_uid": parent,
        "child_uid": child,
        "issued_at": T + timedelta(minutes=minute),
        "strength": "proven",
        **more,
    }
    return {"grant_uid": f"{row['action_uid']}/{row['mechanism']}", **row}


def acts(credential: str | None, principal: str | None, session: str | None = None, **more: Any) -> dict[str, Any]:
    return {
        "credential_uid": credential,
        "session_uid": session,
        "principal": principal,
        "strength": "proven",
        "evidence": f"cloudtrail:use-of-{credential or session or principal}",
        "first_seen": T,
        **more,
    }


def identity(uid: str, worker: str, *, shared: bool = False) -> dict[str, Any]:
    return {"uid": uid, "uid_like": like(uid), "is_pattern": is_pattern(uid), "worker": worker, "shared": shared}


def bindings(
    grants: list[dict[str, Any]] = [],  # noqa: B006
    acts_as: list[dict[str, Any]] = [],  # noqa: B006
    identities: list[dict[str, Any]] = [],  # noqa: B006
    actions: list[dict[str, Any]] = [],  # noqa: B006
) -> dict[str, dict[str, Any]]:
    engine = DuckDBEngine(duckdb.connect())
    engine.let("grants", pa.Table.from_pylist(grants, schema=schema.GRANTS.arrow))
    engine.let("acts_as", pa.Table.from_pylist(acts_as, schema=schema.ACTS_AS.arrow))
    engine.let("actions", pa.Table.from_pylist(actions, schema=schema.ACTIONS.arrow))
    engine.let("identities", pa.Table.from_pylist(identities, schema=IDENTITIES))
    bind(engine)
    rows = engine.query("SELECT * FROM bound").select(schema.BINDINGS.arrow.names).to_pylist()
    assert len({row["uid"] for row in rows}) == len(rows)
    return {row["uid"]: row for row in rows}


def test_a_declared_principal_is_its_worker() -> None:
    bound = bindings(acts_as=[acts(None, ROLE)], identities=[identity(ROLE, "agent")])
    assert bound[ROLE]["worker"] == "agent"
    assert (bound[ROLE]["strength"], bound[ROLE]["confidence"], bound[ROLE]["hops"]) == ("proven", 1.0, 0)
    assert bound[ROLE]["chain_by_day"]


def test_a_session_whose_issuing_record_is_missing_still_reaches_its_role() -> None:
    bound = bindings(acts_as=[acts("aws:key/ASIA1", ROLE, "aws:session/A:x@t")], identities=[identity(ROLE, "agent")])
    key = bound["aws:key/ASIA1"]
    assert (key["worker"], key["strength"], key["hops"]) == ("agent", "proven", 0)
    assert key["chain_root"] == "aws:session/A:x@t"
    assert [(hop["mechanism"], hop["to"]) for hop in key["path"]] == [("acts as", ROLE)]


def test_a_path_names_each_hop_once() -> None:
    bound = bindings(acts_as=[acts("aws:key/AKIA1", USER)], identities=[identity(USER, "ci-bot")])
    assert [hop["to"] for hop in bound["aws:key/AKIA1"]["path"]] == [USER]


def test_the_nearest_declared_identity_owns_and_the_walk_goes_on() -> None:
    bound = bindings(
        grants=[grant("aws:key/AKIAUP", "aws:key/ASIA1", principal=ROLE)],
        acts_as=[acts("aws:key/ASIA1", ROLE), acts("aws:key/AKIAUP", USER)],
        identities=[identity(ROLE, "agent"), identity(USER, "ci-bot")],
    )
    key = bound["aws:key/ASIA1"]
    assert (key["worker"], key["via_workers"], key["root_uid"], key["hops"]) == ("agent", ["ci-bot"], USER, 1)
    assert key["chain_root"] == "aws:key/ASIA1"
    assert bound["aws:key/AKIAUP"]["worker"] == "ci-bot"


def test_role_chaining_has_one_chain() -> None:
    subject = "oidc:subject/ci.example#repo:corp/app"
    bound = bindings(
        grants=[
            grant(subject, "aws:key/ASIA1", principal=ROLE, mechanism="AssumeRoleWithWebIdentity"),
            grant("aws:key/ASIA1", "aws:key/ASIA2", minute=1, principal="aws:role/deploy"),
        ],
        acts_as=[acts("aws:key/ASIA2", "aws:role/deploy")],
        identities=[identity(subject, "release-bot")],
    )
    second = bound["aws:key/ASIA2"]
    assert (second["worker"], second["strength"], second["hops"]) == ("release-bot", "proven", 2)
    assert second["chain_root"] == "aws:key/ASIA1"
    assert [hop["to"] for hop in second["path"]] == ["aws:key/ASIA1", subject]
    assert not second["chain_by_day"]


def test_a_key_made_for_somebody_else_is_never_proven() -> None:
    made = grant(
        "aws:key/AKIAEVIL", "aws:key/AKIANEW", mechanism="CreateAccessKey", principal=USER, strength="asserted"
    )
    creation = [{"action_uid": made["action_uid"], "obtains": "other"}]
    use = [acts("aws:key/AKIANEW", USER), acts("aws:key/AKIAEVIL", "aws:user/evil")]
    for_owner = bindings([made], use, [identity(USER, "ci-bot")], creation)["aws:key/AKIANEW"]
    assert (for_owner["worker"], for_owner["strength"]) == ("ci-bot", "asserted")
    of_creator = bindings([made], use, [identity("aws:user/evil", "evil-bot")], creation)["aws:key/AKIANEW"]
    assert (of_creator["worker"], of_creator["strength"]) == ("evil-bot", "asserted")


@pytest.mark.parametrize(("name", "worker", "strength"), [("a-bot", "a-bot", "asserted"), ("zz", None, "ambiguous")])
def test_a_shared_role_is_decided_by_a_name_only_as_asserted(name: str, worker: str | None, strength: str) -> None:
    bound = bindings(
        acts_as=[acts("aws:key/ASIA1", ROLE, session_name=name)],
        identities=[identity(ROLE, "a-bot", shared=True), identity(ROLE, "b-bot", shared=True)],
    )
    key = bound["aws:key/ASIA1"]
    assert (key["worker"], key["strength"]) == (worker, strength)
    if worker is None:
        assert key["candidates"] == [
            {"worker": "a-bot", "probability": 0.5},
            {"worker": "b-bot", "probability": 0.5},
        ]
        assert key["confidence"] == 0.5


def test_a_session_name_that_looks_like_a_worker_changes_nothing_elsewhere() -> None:
    bound = bindings(
        acts_as=[acts("aws:key/ASIA1", ROLE, session_name="b-bot"), acts(None, "aws:role/b")],
        identities=[identity(ROLE, "a-bot"), identity("aws:role/b", "b-bot")],
    )
    assert (bound["aws:key/ASIA1"]["worker"], bound["aws:key/ASIA1"]["strength"]) == ("a-bot", "proven")


def test_a_sole_declarer_of_a_shared_identity_is_inferred() -> None:
    bound = bindings(acts_as=[acts(None, ROLE)], identities=[identity(ROLE, "a-bot", shared=True)])
    assert (bound[ROLE]["worker"], bound[ROLE]["strength"], bound[ROLE]["confidence"]) == ("a-bot", "inferred", 0.9)


def test_another_hop_decides_between_those_who_share() -> None:
    bound = bindings(
        grants=[grant("aws:key/AKIAUP", "aws:key/ASIA1", principal=ROLE)],
        acts_as=[acts("aws:key/AKIAUP", USER)],
        identities=[
            identity(ROLE, "a-bot", shared=True),
            identity(ROLE, "b-bot", shared=True),
            identity(USER, "b-bot"),
        ],
    )
    assert (bound["aws:key/ASIA1"]["worker"], bound["aws:key/ASIA1"]["strength"]) == ("b-bot", "proven")


def test_nobody_is_named_with_a_reason() -> None:
    bound = bindings(grants=[grant("aws:key/ASIAUP", "aws:key/ASIA1")], acts_as=[acts("aws:key/ASIA9", ROLE)])
    assert bound["aws:key/ASIA1"]["reason"] == "no record tells who issued aws:key/ASIAUP"
    assert bound["aws:key/ASIA9"]["reason"] == f"no manifest declares {ROLE}"
    assert bound["aws:key/ASIA9"]["strength"] == "none"


def test_a_circle_of_evidence_ends() -> None:
    bound = bindings(grants=[grant("aws:key/A", "aws:key/B"), grant("aws:key/B", "aws:key/A")])
    assert bound["aws:key/A"]["reason"] == "the evidence runs in a circle"


def test_the_delegator_is_carried_along_with_the_weakest_hop() -> None:
    bound = bindings(
        grants=[
            grant("aws:key/P", "aws:key/Q", delegator="mail:addr/ann@corp.example"),
            grant("aws:key/Q", "aws:key/R", strength="asserted"),
        ],
        acts_as=[acts("aws:key/P", ROLE)],
        identities=[identity(ROLE, "agent")],
    )
    assert bound["aws:key/R"]["delegator"] == "mail:addr/ann@corp.example"
    assert bound["aws:key/R"]["delegator_strength"] == "asserted"
    assert bound["aws:key/P"]["delegator"] is None


def test_of_several_issuing_records_the_strongest_then_the_earliest_counts() -> None:
    bound = bindings(
        grants=[
            grant("aws:principal/AIDA1", "aws:key/C", minute=0, strength="asserted"),
            grant("aws:key/P2", "aws:key/C", minute=2),
            grant("aws:key/P1", "aws:key/C", minute=1),
        ],
    )
    assert [hop["to"] for hop in bound["aws:key/C"]["path"]] == ["aws:key/P1"]


def test_a_pattern_declares_what_it_matches() -> None:
    subject = "oidc:subject/ci.example#repo:corp/app:ref:main"
    bound = bindings(
        grants=[grant(subject, "aws:key/K")],
        identities=[identity("oidc:subject/ci.example#repo:corp/app:*", "ci")],
    )
    assert bound["aws:key/K"]["worker"] == "ci"


@given(st.lists(st.tuples(st.integers(0, 12), st.integers(0, 12)), max_size=30), st.randoms())
@settings(max_examples=10, deadline=None)
def test_the_order_of_evidence_does_not_matter(pairs: list[tuple[int, int]], shuffler: Any) -> None:
    grants = [grant(f"aws:key/{a}", f"aws:key/{b}", minute=i) for i, (a, b) in enumerate(dict.fromkeys(pairs))]
    identities = [identity("aws:key/3", "three"), identity("aws:key/7", "seven")]
    once = bindings(grants, identities=identities)
    shuffler.shuffle(grants)
    assert bindings(grants, identities=identities) == once


def test_a_long_chain_is_walked_in_few_rounds() -> None:
    length = 20_000
    grants = [grant(f"aws:key/{i}", f"aws:key/{i + 1}") for i in range(length)]
    bound = bindings(grants, identities=[identity("aws:key/0", "first")])
    last = bound[f"aws:key/{length}"]
    assert (last["worker"], last["hops"], len(last["path"])) == ("first", length, 64)


def test_a_session_opened_with_a_key_made_for_somebody_else_is_never_proven() -> None:
    made = grant(
        "aws:key/AKIAEVIL", "aws:key/AKIANEW", mechanism="CreateAccessKey", principal=USER, strength="asserted"
    )
    opened = grant("aws:key/AKIANEW", "aws:key/ASIANEW", mechanism="GetSessionToken", principal=USER)
    bound = bindings(
        [made, opened],
        [acts("aws:key/AKIANEW", USER), acts("aws:key/ASIANEW", USER)],
        [identity(USER, "ci-bot")],
        [{"action_uid": made["action_uid"], "obtains": "other"}],
    )
    assert (bound["aws:key/ASIANEW"]["worker"], bound["aws:key/ASIANEW"]["strength"]) == ("ci-bot", "asserted")


def test_a_failed_login_in_a_session_takes_nothing_over() -> None:
    session = "okta:session/corp/S1"
    bound = bindings(
        acts_as=[
            acts(None, "okta:user/corp/mallory", session),
            acts(None, "okta:user/corp/victim", session, strength="asserted"),
        ],
        identities=[identity("okta:user/corp/victim", "agent")],
    )
    assert bound[session]["worker"] is None


def test_two_sessions_of_one_name_in_one_second_are_nobody_s_for_sure() -> None:
    """A use that logs no key may belong to either: the earlier one is taken, as `asserted`."""
    session = "aws:session/AROAHUB:run@2026-03-02T09:00:00Z"
    one, other = "aws:key/ASIAONE", "aws:key/ASIAOTHER"
    known = bindings(
        [grant(one, session), grant(other, session, minute=1)],
        [acts(one, ROLE), acts(other, USER)],
        [identity(ROLE, "agent"), identity(USER, "ci")],
    )[session]
    assert (known["worker"], known["strength"]) == ("agent", "asserted")
    assert known["path"][0]["strength"] == "asserted"


def test_one_session_that_two_accounts_tell_of_is_proven() -> None:
    """The other account's twin names the caller otherwise; it is one deed, told twice."""
    session = "aws:session/AROAHUB:run@2026-03-02T09:00:00Z"
    mine, theirs = grant("aws:key/ASIAONE", session), grant("aws:principal/AROAONE:run", session)
    told = [
        {"action_uid": mine["action_uid"], "deed_uid": "twin", "is_primary": True},
        {"action_uid": theirs["action_uid"], "deed_uid": "twin", "is_primary": False},
    ]
    known = bindings([mine, theirs], [acts("aws:key/ASIAONE", ROLE)], [identity(ROLE, "agent")], told)[session]
    assert (known["worker"], known["strength"]) == ("agent", "proven")


@pytest.mark.parametrize("minutes", [(0, 1), (1, 0)], ids=["caller's first", "twin first"])
def test_of_twins_the_callers_copy_leads_up(minutes: tuple[int, int]) -> None:
    """The twin's copy has no key of the caller, and its principal is an id that nobody declares."""
    session = "aws:session/AROAHUB:run@2026-03-02T09:00:00Z"
    mine = grant("aws:key/ASIAONE", session, minute=minutes[0])
    theirs = grant("aws:principal/AROAONE:run", session, minute=minutes[1])
    told = [
        {"action_uid": mine["action_uid"], "deed_uid": "twin", "is_primary": True},
        {"action_uid": theirs["action_uid"], "deed_uid": "twin", "is_primary": False},
    ]
    known = bindings([mine, theirs], [acts("aws:key/ASIAONE", ROLE)], [identity(ROLE, "agent")], told)[session]
    assert [hop["to"] for hop in known["path"]][:1] == ["aws:key/ASIAONE"]

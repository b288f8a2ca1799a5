"""Okta events in, grants out: tokens, sessions, and what ends them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from tests.pipelines.formats.okta_events import ALICE, AS_GRANT, CLIENT, GRANT, ORG, TOKEN, event, granted, read


def test_a_grant_at_the_orgs_server():
    (row,) = granted(event(GRANT, actor=CLIENT, target=[ALICE, TOKEN]))
    assert row == {
        "record_id": "0",
        "kind": "issue",
        "mechanism": GRANT,
        "parent_uid": f"oauth:client/{ORG}#0oa1support",
        "child_uid": f"oauth:token/{ORG}#AT.1",
        "principal": f"oauth:client/{ORG}#0oa1support",
        "delegator": f"okta:user/{ORG}/00u1alice",
        "delegator_strength": "proven",
        "issued_at": datetime(2026, 1, 5, 10, 0, 0, 120000),
        "expires_at": datetime(2026, 1, 5, 11),
        "strength": "asserted",
    }


@pytest.mark.parametrize(
    "named",
    [
        {"target": [TOKEN, {"id": "aus1", "type": "AuthorizationServer"}]},
        {"target": [TOKEN], "debugContext": {"debugData": {"requestUri": "/oauth2/aus1/v1/token"}}},
        {"target": [TOKEN], "debugContext": {"debugData": {"flattened": {"url": "/oauth2/aus1/v1/token?"}}}},
        {"target": [TOKEN], "debugContext.debugData.requestUri": "/oauth2/aus1/v1/token"},
    ],
)
def test_a_grant_at_a_custom_server_names_it_as_issuer(named: dict[str, Any]):
    (row,) = granted(event(AS_GRANT, actor=CLIENT, **named))
    assert row["child_uid"] == f"oauth:token/{ORG}/oauth2/aus1#AT.1"
    assert row["delegator"] is None


def test_a_user_as_actor_is_the_delegator_of_the_client():
    seen = event(GRANT, client={"id": "0oa1support"}, target=[TOKEN])
    (row,) = granted(seen)
    assert (row["parent_uid"], row["delegator"]) == (f"oauth:client/{ORG}#0oa1support", f"okta:user/{ORG}/00u1alice")
    action = read([seen])[0]
    assert (action["principal"], action["delegator"]) == (row["parent_uid"], row["delegator"])


def test_an_id_jag_is_a_token_for_the_user():
    jag = {"id": "IJ.1", "type": "id_jag"}
    actor = {"id": "wlp1", "type": "WorkloadIdentityPrincipal"}
    (row,) = granted(event("app.oauth2.token.grant.id_jag", actor=actor, target=[jag, ALICE]))
    assert (row["parent_uid"], row["child_uid"]) == (f"oauth:client/{ORG}#wlp1", f"oauth:token/{ORG}#IJ.1")
    assert row["delegator"] == f"okta:user/{ORG}/00u1alice"


def test_several_tokens_are_several_grants():
    tokens = [TOKEN, {"id": "ID.1", "type": "IdToken"}, {"id": "RT.1", "type": "refresh_token", "detailEntry": None}]
    rows = granted(event(GRANT, actor=CLIENT, target=tokens))
    assert [row["child_uid"].rpartition("#")[2] for row in rows] == ["AT.1", "ID.1", "RT.1"]
    assert [row["expires_at"] is None for row in rows] == [False, True, True]


def test_what_failed_grants_nothing():
    assert granted(event(GRANT, actor=CLIENT, target=[TOKEN], result="FAILURE")) == []
    assert granted(event("user.session.start", result="FAILURE")) == []


@pytest.mark.parametrize("kind", ["user.session.start", "user.authentication.sso"])
def test_sessions_are_their_users(kind: str):
    (row,) = granted(event(kind))
    assert (row["parent_uid"], row["child_uid"]) == (f"okta:user/{ORG}/00u1alice", f"okta:session/{ORG}/102session1")
    assert row["strength"] == "proven"


def test_api_tokens():
    (row,) = granted(event("system.api_token.create", target=[{"id": "00T1", "type": "Token"}]))
    assert (row["parent_uid"], row["child_uid"]) == (f"okta:user/{ORG}/00u1alice", f"okta:token/{ORG}/00T1")
    assert row["strength"] == "proven"
    bob = {"id": "00u2bob", "type": "User"}
    (row,) = granted(event("system.api_token.create", target=[{"id": "00T1", "type": "Token"}, bob]))
    assert (row["principal"], row["strength"]) == (f"okta:user/{ORG}/00u2bob", "asserted")


@pytest.mark.parametrize(
    ("kind", "target", "child"),
    [
        ("app.oauth2.token.revoke", TOKEN, f"oauth:token/{ORG}#AT.1"),
        ("app.oauth2.as.token.revoke", TOKEN, f"oauth:token/{ORG}#AT.1"),
        ("system.api_token.revoke", {"id": "00T1", "type": "Token"}, f"okta:token/{ORG}/00T1"),
        ("user.lifecycle.deactivate", {"id": "00u9", "type": "User"}, f"okta:user/{ORG}/00u9"),
        ("user.lifecycle.suspend", {"id": "00u9", "type": "User"}, f"okta:user/{ORG}/00u9"),
        ("application.lifecycle.deactivate", {"id": "0oa9", "type": "AppInstance"}, f"oauth:client/{ORG}#0oa9"),
        ("application.lifecycle.delete", {"id": "0oa9", "type": "AppInstance"}, f"oauth:client/{ORG}#0oa9"),
        ("user.session.end", ALICE, f"okta:session/{ORG}/102session1"),
        ("user.session.clear", ALICE, f"okta:session/{ORG}/102session1"),
    ],
)
def test_revocations(kind: str, target: dict[str, Any], child: str):
    (row,) = granted(event(kind, target=[target]))
    assert (row["kind"], row["child_uid"], row["mechanism"]) == ("revoke", child, kind)


def test_clearing_anothers_sessions_does_not_end_ones_own():
    assert granted(event("user.session.clear", target=[{"id": "00u9", "type": "User"}])) == []
    assert granted(event("user.lifecycle.unsuspend", target=[{"id": "00u9", "type": "User"}])) == []

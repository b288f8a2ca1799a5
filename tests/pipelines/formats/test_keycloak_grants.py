"""Keycloak events in, grants out."""

from __future__ import annotations

from datetime import datetime

from pipelines.formats.keycloak import FORMAT
from tests.pipelines.formats.format_rows import granted
from tests.pipelines.formats.test_keycloak import ALICE, CLIENT, ISSUER, LOGIN, PREFIX, SERVER, admin, event


def token(name: str) -> str:
    return f"oauth:token/{ISSUER}#{name}"


def test_a_token_from_an_assertion():
    details = {
        "client_assertion_id": "j1",
        "client_assertion_issuer": "https://k8s.example",
        "token_id": "t1",
        "access_token_expiration_time": "1767610800",
    }
    (issued,) = granted(FORMAT, [event(details=details)], SERVER)
    assert (issued["parent_uid"], issued["child_uid"]) == ("oauth:token/k8s.example#j1", token("t1"))
    assert (issued["principal"], issued["strength"]) == (CLIENT, "proven")
    assert issued["expires_at"] == datetime(2026, 1, 5, 11)


def test_tokens_of_a_code_are_the_clients_for_the_user():
    rows = granted(FORMAT, [event("CODE_TO_TOKEN", details={"token_id": "t1", "refresh_token_id": "r1"})], SERVER)
    assert [(row["parent_uid"], row["child_uid"], row["delegator"]) for row in rows] == [
        (CLIENT, token("r1"), ALICE),
        (CLIENT, token("t1"), ALICE),
    ]


def test_a_refresh_chain():
    details = {"token_id": "t2", "refresh_token_id": "r1", "updated_refresh_token_id": "r2"}
    rows = granted(FORMAT, [event("REFRESH_TOKEN", details=details)], SERVER)
    assert [(row["kind"], row["parent_uid"], row["child_uid"]) for row in rows] == [
        ("issue", token("r1"), token("r2")),
        ("issue", token("r1"), token("t2")),
        ("revoke", None, token("r1")),
    ]
    kept = {**details, "updated_refresh_token_id": "r1"}
    assert [row["kind"] for row in granted(FORMAT, [event("REFRESH_TOKEN", details=kept)], SERVER)] == [
        "issue",
        "issue",
    ]


def test_an_exchanged_token_is_the_exchanging_clients():
    details = {"token_id": "t3", "subject_token_client_id": "console"}
    (issued,) = granted(FORMAT, [event("TOKEN_EXCHANGE", details=details)], SERVER)
    assert (issued["parent_uid"], issued["child_uid"], issued["delegator"]) == (CLIENT, token("t3"), ALICE)


def test_an_impersonated_session_is_the_administrators():
    details = {"impersonator": "carol", "impersonator_realm": "master"}
    (issued,) = granted(FORMAT, [event("IMPERSONATE", details=details)], SERVER)
    assert issued["parent_uid"] == "keycloak:username/sso.corp.example%2Frealms%2Fmaster/carol"
    assert (issued["child_uid"], issued["delegator"]) == (f"oidc:session/{ISSUER}#s1", ALICE)


def test_sessions_begin_and_end():
    began, ended = granted(FORMAT, [event("LOGIN"), event("LOGOUT")], SERVER)
    assert (began["kind"], began["parent_uid"], ended["kind"]) == ("issue", ALICE, "revoke")
    assert began["child_uid"] == ended["child_uid"] == f"oidc:session/{ISSUER}#s1"


def test_what_ends_a_token_a_user_or_a_session():
    ends = [
        event("REVOKE_GRANT", details={"token_id": "t1"}),
        admin("DELETE", "USER", "users/u9"),
        admin("DELETE", "USER_SESSION", "sessions/s9"),
    ]
    assert [(row["kind"], row["child_uid"]) for row in granted(FORMAT, ends, SERVER)] == [
        ("revoke", token("t1")),
        ("revoke", f"oidc:subject/{ISSUER}#u9"),
        ("revoke", f"oidc:session/{ISSUER}#s9"),
    ]


def test_an_administrators_line_does_not_say_in_which_realm():
    line = (
        'operationType="DELETE", realmId="m", realmName="master", clientId="c", userId="carol", ipAddress="10.0.0.2", '
        'resourceType="USER", resourcePath="users/u9"'
    )
    assert granted(FORMAT, [PREFIX + line], SERVER, quoted=True) == []


def test_what_failed_grants_nothing():
    failed = [
        event("CLIENT_LOGIN_ERROR", error="invalid_client", details={"token_id": "t1"}),
        event("LOGIN_ERROR", error="user_not_found"),
        event("LOGOUT_ERROR", error="x"),
        admin(error="access_denied"),
    ]
    assert granted(FORMAT, failed, SERVER) == []


def test_lines_prove_where_they_are_quoted():
    for line, options, strength in (
        (PREFIX + LOGIN, {"quoted": True}, "proven"),
        (PREFIX + LOGIN, {}, "asserted"),
        (PREFIX + LOGIN.replace('"', ""), {"quoted": True}, "asserted"),
    ):
        (issued,) = granted(FORMAT, [line], SERVER, **options)
        assert (issued["child_uid"], issued["strength"]) == (f"oidc:session/{ISSUER}#s1", strength)

"""Security event tokens in, actions and what ended out."""

from __future__ import annotations

import base64
import hashlib
import json
from datetime import datetime
from functools import cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from pipelines.formats.caep import FORMAT
from tests.pipelines.formats.format_rows import (
    SAMPLES,
    damaged,
    expected,
    granted,
    of_sample,
    pieces,
    read,
    redacted,
    survives,
)

ISSUER = "https://idp.corp.example/"
CAEP = "https://schemas.openid.net/secevent/caep/event-type/"
RISC = "https://schemas.openid.net/secevent/risc/event-type/"
REVOKED = f"{CAEP}session-revoked"
SESSION = {"format": "opaque", "id": "s1"}
USER = {"format": "iss_sub", "iss": ISSUER, "sub": "alice"}
KEYS: list[dict[str, str]] = json.loads((SAMPLES / "caep/tokens.options.json").read_text())["keys"]
TOKENS = (SAMPLES / "caep/tokens.txt").read_text().split()


def claims(kind: str = REVOKED, subject: Any = None, detail: Any = None, **changes: Any) -> dict[str, Any]:
    """The claims of a token with one event."""
    told = detail if detail is not None else {"event_timestamp": 1767607200}
    return {
        "iss": ISSUER,
        "jti": "set-1",
        "iat": 1767607260,
        "sub_id": subject or SESSION,
        "events": {kind: told},
        **changes,
    }


def encoded(value: Any) -> str:
    text = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(text).rstrip(b"=").decode()


def unsigned(value: dict[str, Any], signature: bytes = b"", **header: Any) -> str:
    return f"{encoded({'typ': 'secevent+jwt', 'alg': 'RS256', **header})}.{encoded(value)}.{encoded(signature)}"


@cache
def _key_pair() -> tuple[int, int]:
    """A modulus of 2,048 bits and its private exponent, of Mersenne primes, whose factors everybody knows."""
    p, q = 2**1279 - 1, 2**2203 - 1
    return p * q, pow(65537, -1, (p - 1) * (q - 1))


def signed(value: dict[str, Any], **header: Any) -> tuple[str, dict[str, str]]:
    """A token, and the key that verifies it."""
    modulus, secret = _key_pair()
    size = (modulus.bit_length() + 7) // 8
    text = unsigned(value, **header).rpartition(".")[0]
    digest = bytes.fromhex("3031300d060960864801650304020105000420") + hashlib.sha256(text.encode()).digest()
    message = b"\0\1" + b"\xff" * (size - len(digest) - 3) + b"\0" + digest
    signature = pow(int.from_bytes(message), secret, modulus).to_bytes(size)
    return f"{text}.{encoded(signature)}", {"kty": "RSA", "n": encoded(modulus.to_bytes(size)), "e": "AQAB"}


def records(data: str, **options: Any) -> list[str]:
    found = pieces(FORMAT, data.encode(), **options)
    assert [reason for _, reason in found if reason] == []
    return [raw for raw, _ in found]


def one(value: dict[str, Any], **options: Any) -> dict[str, Any]:
    (row,) = read(FORMAT, records(json.dumps(value)), "signals", **options)
    return row


def ended(value: dict[str, Any], **options: Any) -> list[str]:
    return [row["child_uid"] for row in granted(FORMAT, records(json.dumps(value)), "signals", **options)]


@pytest.mark.parametrize("file", ["tokens.txt", "decoded.json"])
def test_the_samples_give_the_expected_actions_and_grants(file: str):
    assert of_sample(FORMAT, file, "signals") == expected(FORMAT, file)


def test_a_token_that_a_key_verifies_is_proven():
    token, key = signed(claims())
    (row,) = granted(FORMAT, records(token, keys=[key]), "signals", keys=[key])
    assert (row["kind"], row["child_uid"], row["strength"]) == ("revoke", "oidc:session/idp.corp.example#s1", "proven")
    assert row["issued_at"] == datetime(2026, 1, 5, 10)


def test_without_a_key_a_token_is_asserted():
    token, key = signed(claims())
    other = {**key, "kid": "another"}
    for told, options in ((token, {}), (signed(claims(), kid="k1")[0], {"keys": [other]})):
        found = records(told, **options)
        (row,) = granted(FORMAT, found, "signals")
        assert row["strength"] == "asserted"
        assert read(FORMAT, found, "signals")[0]["native_id"] == "unverified:set-1"


@pytest.mark.parametrize("how", ["changed", "no signature", "none", "hs256", "short", "another key"])
def test_a_signature_that_does_not_hold_ends_nothing(how: str):
    token, key = signed(claims())
    header, _, signature = token.split(".")
    told = {
        "changed": f"{header}.{encoded(claims(jti='set-2'))}.{signature}",
        "no signature": f"{token.rpartition('.')[0]}.",
        "none": unsigned(claims(), alg="none"),
        "hs256": unsigned(claims(), b"x" * 32, alg="HS256"),
        "short": token[:-8],
        "another key": token,
    }[how]
    keys = KEYS if how == "another key" else [key]
    found = records(told, keys=[{**each, "kid": None} for each in keys])
    assert granted(FORMAT, found, "signals") == []
    (row,) = read(FORMAT, found, "signals")
    assert (row["status"], row["outcome"], row["identity_strength"]) == ("failure", "action", "asserted")


def test_a_decoded_token_cannot_say_that_it_was_verified():
    (row,) = granted(FORMAT, records(json.dumps({"verified": True, **claims()}), keys=KEYS), "signals")
    assert row["strength"] == "asserted"


def test_weak_keys_are_refused():
    for key in ({"n": encoded(b"\xff" * 128)}, {"n": KEYS[0]["n"], "e": "Ag"}, {"n": "!"}):
        with pytest.raises(ValidationError):
            FORMAT.options.model_validate({"keys": [key]})


def test_tokens_come_as_lines_and_in_the_answer_to_a_poll():
    poll = json.dumps({"sets": dict(enumerate(TOKENS)), "moreAvailable": False})
    assert records(poll, keys=KEYS) == records("\n".join(TOKENS), keys=KEYS)
    assert len(records("\n".join(TOKENS))) == len(TOKENS)


def test_each_event_of_a_token_is_a_record():
    both = {REVOKED: {"event_timestamp": 1767607200}, f"{RISC}account-disabled": {"subject": USER}}
    rows = read(FORMAT, records(json.dumps(claims(events=both, sub_id=None))), "signals")
    assert [(row["native_id"], row["api_operation"]) for row in rows] == [
        ("unverified:set-1", "session-revoked"),
        ("unverified:set-1#1", "account-disabled"),
    ]


@pytest.mark.parametrize(
    ("subject", "uids"),
    [
        (SESSION, ["oidc:session/idp.corp.example#s1"]),
        ({"format": "complex", "user": USER, "session": SESSION}, ["oidc:session/idp.corp.example#s1"]),
        ({"user": USER, "session": SESSION}, ["oidc:session/idp.corp.example#s1"]),
        ({"format": "jwt_id", "iss": "https://as.example", "jti": "t1"}, ["oauth:token/as.example#t1"]),
        ({"format": "saml_assertion_id", "issuer": "x", "assertion_id": "_a1"}, ["saml:assertion/_a1"]),
        (USER, []),
        ({"format": "email", "email": "a@corp.example"}, []),
        ({"format": "phone_number", "phone_number": "+1"}, []),
        ("alice", []),
    ],
)
def test_what_a_revocation_ends(subject: Any, uids: list[str]):
    assert ended(claims(subject=subject)) == uids


def test_the_subject_of_older_drafts_stands_in_the_event():
    old = {"subject": {"subject_type": "iss_sub", "iss": ISSUER, "sub": "alice"}, "session_id": "s1"}
    value = claims(detail=old)
    del value["sub_id"]
    assert one(value)["resources"] == ["oidc:session/idp.corp.example#s1", "oidc:subject/idp.corp.example#alice"]


@pytest.mark.parametrize(
    ("subject", "uid"),
    [
        (USER, "oidc:subject/idp.corp.example#alice"),
        ({"format": "email", "email": "Alice@Corp.example"}, "mail:addr/alice@corp.example"),
        ({"format": "account", "uri": "acct:alice@corp.example"}, "mail:addr/alice@corp.example"),
        ({"format": "uri", "uri": "spiffe://corp.example/ns/a"}, "spiffe:id/spiffe://corp.example/ns/a"),
        ({"format": "opaque", "id": "u1"}, "oidc:subject/idp.corp.example#u1"),
        ({"format": "aliases", "identifiers": [USER]}, "oidc:subject/idp.corp.example#alice"),
    ],
)
def test_whose_account_was_disabled(subject: Any, uid: str):
    assert ended(claims(f"{RISC}account-disabled", subject)) == [uid]


def test_subjects_of_okta():
    both = {"user": {**USER, "iss": "https://corp.okta.example"}, "session": {"format": "opaque", "id": "102s"}}
    value = claims(subject=both, iss="https://corp.okta.example/oauth2/default")
    assert ended(value, system="okta") == ["okta:session/corp.okta.example/102s"]
    assert "okta:user/corp.okta.example/alice" in one(value, system="okta")["resources"]


def test_a_changed_credential_ends_nothing():
    value = claims(f"{CAEP}credential-change", USER, {"change_type": "revoke", "initiating_entity": "user"})
    assert ended(value) == []
    assert (one(value)["activity"], one(value)["principal"]) == ("Delete", "oidc:subject/idp.corp.example#alice")
    assert (one(value)["identity_strength"], one(value)["status_code"]) == ("asserted", "user")


@pytest.mark.parametrize(
    ("stamp", "time", "precision"),
    [
        (1767607200, datetime(2026, 1, 5, 10), "1s"),
        (1767607200123, datetime(2026, 1, 5, 10, 0, 0, 123000), "1ms"),
        (None, datetime(2026, 1, 5, 10, 1), "1s"),
    ],
)
def test_seconds_and_milliseconds_are_told_apart(stamp: int | None, time: datetime, precision: str):
    found = one(claims(detail={"event_timestamp": stamp}))
    assert (found["time"], found["time_precision"], found["time_kind"]) == (time, precision, "logged")


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (claims(jti=None), 'the claim "jti"'),
        (claims(events={}), 'the claim "events"'),
        (claims(iss=None), 'the claim "iss"'),
        (claims(iat=None, detail={}), 'the claim "iat"'),
        (claims(detail={"event_timestamp": "soon"}), 'the key "event_timestamp"'),
    ],
)
def test_errors_name_the_claim(value: dict[str, Any], reason: str):
    found = one(value)
    assert (found["outcome"], found["reason"].startswith(reason)) == ("error", True)


def test_messages_about_the_stream_are_skipped():
    about = claims("https://schemas.openid.net/secevent/ssf/event-type/verification")
    assert one(about)["outcome"] == "skipped"


@pytest.mark.parametrize(
    "line", ["garbage", "a.b.c", f"{encoded([1])}.{encoded({})}.", f"{encoded({})}.{encoded([])}."]
)
def test_what_is_no_token_has_a_reason_and_stays_readable(line: str):
    ((raw, reason),) = pieces(FORMAT, line.encode())
    assert reason
    assert raw


def test_secrets_are_replaced():
    about = claims("https://schemas.openid.net/secevent/ssf/event-type/verification", detail={"state": "PLANTED"})
    kept = claims(detail={"event_timestamp": 1767607200, "note": f"token {TOKENS[0]} of alice"})
    for value in (about, kept):
        (raw,) = records(json.dumps(value))
        stored = redacted(FORMAT, raw)
        assert "PLANTED" not in stored
        assert TOKENS[0].split(".")[1] not in stored
    assert read(FORMAT, [stored], "signals")[0]["outcome"] == "action"


SAMPLE = (SAMPLES / "caep/tokens.txt").read_bytes()
DECODED = (SAMPLES / "caep/decoded.json").read_bytes()


@settings(max_examples=20, deadline=None)
@given(damaged(SAMPLE) | damaged(DECODED) | st.binary(max_size=60))
def test_whatever_comes_no_record_is_lost(data: bytes):
    survives(FORMAT, data, "signals", keys=KEYS)

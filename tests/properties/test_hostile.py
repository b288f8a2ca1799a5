"""Truth 4, as far as generated text goes: no text stops a run, no name that a caller chose proves anything, and
no secret is stored."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from pipelines import schema
from tests.properties.bounds import examples
from tests.properties.estates import estate
from tests.properties.records import Key, Record, call, issuing, okta_client, okta_event, okta_user, squid_line
from tests.properties.worlds import written

TEXTS = st.one_of(
    st.text(max_size=30),
    st.text(st.characters(categories=["Cc", "Cs", "Cf", "Zl", "Zp"]), max_size=6),
    st.sampled_from(
        ["'; DROP TABLE actions; --", "\x1b[2J\x1b]0;own\x07", "<script>alert(1)</script>", "=cmd|' /C calc'!A0", "{0}%s",
         "../../etc/passwd", "x" * 5000, "\x00", "\u202e", "arn:aws:iam::111122223333:role/cleaner", "null", "[1]", "{}"]
    ),
)  # fmt: skip
AGENT = Key("ASIA1", "role", "agent")


@st.composite
def said(draw: st.DrawFn) -> Record:
    """A call whose every field that a caller can reach holds any text."""
    text = st.one_of(
        TEXTS, TEXTS, st.none(), st.integers(), st.lists(TEXTS, max_size=2), st.dictionaries(TEXTS, TEXTS, max_size=2)
    )
    key = Key("ASIA1", "role", "agent", session_name=draw(TEXTS))
    fields = {
        "userAgent": draw(text),
        "errorMessage": draw(text),
        "sourceIPAddress": draw(text),
        "requestParameters": draw(
            st.dictionaries(st.sampled_from(["bucketName", "key", "userName", "roleArn", "names", "tags"]), text)
        ),
        "responseElements": draw(st.one_of(st.none(), st.dictionaries(TEXTS, text, max_size=2))),
        "additionalEventData": draw(st.dictionaries(st.sampled_from(["bytesTransferredIn", "x"]), text)),
    }
    record = call(
        key, draw(st.sampled_from(["s3", "sts", "iam"])), draw(st.sampled_from(["GetObject", "AssumeRole"])), 5
    )
    record["userIdentity"]["sessionContext"]["sourceIdentity"] = draw(text)
    return record | fields | {"eventID": draw(st.uuids()).hex}


@examples(10)
@given(st.lists(said(), min_size=1, max_size=4), TEXTS, TEXTS, TEXTS)
def test_no_text_in_any_field_stops_a_run_or_is_lost(calls: list[Record], agent: str, name: str, path: str) -> None:
    event = okta_event(1, "user.session.start", 5, {**okta_user("ci"), "displayName": name, "alternateId": name})
    event["client"]["userAgent"]["rawUserAgent"] = agent
    plain = call(AGENT, "cloudtrail", "StopLogging", 9)
    line = squid_line(3, "svc-agent", "GET", "http://far.invalid/" + "".join(path.split()))
    with estate() as one:
        one.put("trail", "1.log", written("trail", [json.dumps(record) for record in [*calls, plain]], "container"))
        one.put("okta", "1.log", written("okta", [json.dumps(event)], "lines"))
        one.put("egress", "1.log", line.encode("utf-8", "surrogatepass"))
        summary = one.run()
        assert summary.failures == ()
        pulled = summary.pulled
        assert (pulled.records, pulled.actions, pulled.errors) == (len(calls) + 3, len(calls) + 3, 0)
        assert one.rows("SELECT 1 FROM findings WHERE detector = 'log_tampering'")


def dressed_as(name: str) -> tuple[list[Record], list[Record], list[str]]:
    """What a stranger can put into the logs who writes a worker's name wherever a caller may write: calls, token
    events, requests."""
    stranger = Key("AKIASTRANGER", "user", "mallory")
    session = Key("ASIASTRANGER", "role", "deploy", session_name=name, made_at=20)
    taken = issuing(stranger, session)
    taken["requestParameters"] |= {"sourceIdentity": name, "tags": [{"key": name, "value": name}]}
    dressed: dict[str, Any] = {"userAgent": name, "requestParameters": {"bucketName": name, "key": name}}
    calls = [
        taken,
        *(call(key, "s3", "GetObject", 30 + index, **dressed) for index, key in enumerate((stranger, session))),
    ]
    calls[-1]["userIdentity"]["sessionContext"]["sourceIdentity"] = name
    failed = call(
        Key("ASIAWRONG", "role", name), "s3", "GetObject", 40, errorCode="InvalidClientTokenId", errorMessage=name
    )
    login = {
        **okta_event(1, "user.session.start", 50, okta_user("ci")),
        "outcome": {"result": "FAILURE", "reason": name},
    }
    other = okta_event(2, "system.log.read", 51, okta_client("stranger") | {"displayName": name, "alternateId": name})
    other["client"]["userAgent"]["rawUserAgent"] = name
    lines = [
        squid_line(60, f"svc-{name}", "GET", f"http://{name}.example/{name}", status=407),
        squid_line(61, "-", "GET", f"http://svc-{name}@{name}.example/{name}?user=svc-{name}"),
    ]
    return [*calls, failed], [login, other], lines


@examples(3)
@given(st.sampled_from(["agent", "cleaner", "ci-bot"]), st.booleans())
def test_a_name_that_a_caller_chose_proves_nothing(name: str, twice: bool) -> None:
    calls, tokens, lines = dressed_as(name)
    with estate() as one:
        one.put("trail", "1.log", written("trail", [json.dumps(record) for record in calls], "container"))
        if twice:
            one.run()
        one.put("okta", "1.log", written("okta", [json.dumps(record) for record in tokens], "lines"))
        one.put("egress", "1.log", written("egress", lines, "lines"))
        one.run()
        assert len(one.rows("SELECT * FROM attributions")) == len(calls) + len(tokens) + len(lines)
        assert one.rows("SELECT * FROM attributions WHERE worker IS NOT NULL AND strength = 'proven'") == []


SECRETS = st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789", min_size=24, max_size=40).map(
    "zQ".__add__
)


@examples(4)
@given(SECRETS, st.booleans())
def test_a_secret_is_stored_nowhere(secret: str, by_line: bool) -> None:
    child = Key("ASIA2", "role", "cleaner", made_at=10)
    taken = issuing(AGENT, child)
    taken["responseElements"]["credentials"] |= {"sessionToken": secret, "secretAccessKey": secret}
    presigned = call(AGENT, "s3", "GetObject", 20, requestParameters={"bucketName": "b", "X-Amz-Signature": secret})
    presigned["userAgent"] = f"curl https://b.example/?X-Amz-Signature={secret}&x=1"
    named = call(AGENT, "cloudtrail", "StopLogging", 30, errorMessage=f"Authorization: Bearer {secret}")
    login = okta_event(1, "user.session.start", 50, okta_user("ci"))
    login["debugContext"] = {"debugData": {"requestUri": f"/oauth2/v1/token?client_secret={secret}&code={secret}"}}
    line = squid_line(60, "svc-agent", "GET", f"http://user:{secret}@far.invalid/x?access_token={secret}&sig={secret}")
    with estate() as one:
        shape = "lines" if by_line else "container"
        one.put("trail", "1.log", written("trail", [json.dumps(record) for record in (taken, presigned, named)], shape))
        one.put("okta", "1.log", written("okta", [json.dumps(login)], "lines"))
        one.put("egress", "1.log", line.encode())
        assert one.run().pulled.actions == 5
        held = {table.name: repr(one.rows(f"SELECT * FROM {table.name}")) for table in schema.TABLES}
        assert {name for name, text in held.items() if secret in text} == set()
        assert "hmac:" in held["records"]
        assert held["findings"] != "[]"

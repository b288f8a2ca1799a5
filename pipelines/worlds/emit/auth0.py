"""What the token issuer did as an Auth0 log stream gives it, one event a line, one file a day.

It tells of the same happenings as Okta's log does, so a world has one of the two: worlds are written without it unless
it is asked for (`ALTERNATIVE`). Sources: the schemas of auth0/auth0-log-schemas and the Management API's paths.
"""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from pipelines.worlds.emit.emitter import Emitter
from pipelines.worlds.emit.json_text import constant, moment, obj, pair, string, text, when
from pipelines.worlds.estate import Estate

_GRANTS = """CASE WHEN grant_type LIKE '%client_credentials' THEN 'eccft'
    WHEN grant_type LIKE '%refresh_token' THEN 'ertft' WHEN grant_type LIKE '%token-exchange' THEN 'ecte'
    WHEN user_id IS NULL THEN 'eccft' ELSE 'eacft' END"""
_TYPE = f"""CASE kind WHEN 'token_granted' THEN 's' || {_GRANTS} WHEN 'token_refused' THEN 'f' || {_GRANTS}
    WHEN 'token_revoked' THEN 'srrt' WHEN 'login' THEN 's' WHEN 'login_failed' THEN 'fp' ELSE 'sapi' END"""
_MANAGED = """kind NOT IN ('token_granted', 'token_refused', 'token_revoked', 'login', 'login_failed')"""
_PATH = """CASE kind WHEN 'key_created' THEN '/api/v2/clients/' || target_id || '/credentials'
    WHEN 'app_created' THEN '/api/v2/clients' WHEN 'app_granted' THEN '/api/v2/client-grants'
    WHEN 'member_added' THEN '/api/v2/organizations/' || target_id || '/members'
    WHEN 'policy_changed' THEN '/api/v2/guardian/policies' WHEN 'log_exported' THEN '/api/v2/jobs/users-exports'
    ELSE '/api/v2/' || replace(kind, '.', '/') END"""
_METHOD = "CASE kind WHEN 'policy_changed' THEN 'put' ELSE 'post' END"
_REQUEST = obj(
    text("method", _METHOD),
    text("path", _PATH),
    text("ip", "address"),
    pair("auth", obj(
        pair("user", when("user_id IS NOT NULL", obj(text("user_id", "user_id"), text("email", "user_mail")))),
        constant("strategy", '"jwt"'),
        pair("credentials", obj(text("jti", "transaction"))),
    )),
)  # fmt: skip
_STATUS = """CASE WHEN reason IS NOT NULL THEN '403' WHEN kind IN ('policy_changed', 'log_exported') THEN '200'
    ELSE '201' END"""
_CALL = obj(pair("request", _REQUEST), pair("response", obj(pair("statusCode", _STATUS))))
_TOKEN = obj(text("access_token_jti", "token_id"), constant("actions", '{"executions":[]}'))
_DETAILS = f"""CASE WHEN {_MANAGED} THEN {_CALL} WHEN kind = 'token_granted' THEN {_TOKEN}
    WHEN kind = 'token_revoked' THEN {obj(text("credential_id", "token_id"))}
    WHEN kind = 'login' THEN {obj(text("session_id", "session"))} ELSE '{{}}' END"""
_WHY = f"""CASE WHEN kind = 'login_failed' THEN coalesce(reason, 'Wrong email or password.')
    WHEN kind = 'token_refused' THEN coalesce(reason, 'Unauthorized')
    WHEN {_MANAGED} THEN replace(kind, '_', ' ') END"""

_DATA = obj(
    text("date", moment("logged_at", 3)),
    text("type", f"({_TYPE})"),
    text("description", _WHY),
    pair("client_id", f"coalesce({string('client_id')}, 'null')"),
    text("client_name", "coalesce(client_name, '')"),
    text("user_id", "coalesce(user_id, '')"),
    text("user_name", "user_mail"),
    text("ip", "address"),
    text("client_ip", "address"),
    text("user_agent", "agent"),
    text("audience", "CASE WHEN kind LIKE 'token_%' THEN 'https://api.corp.example/' END"),
    text("scope", "scopes"),
    pair("details", _DETAILS),
    text("log_id", "event"),
)

TEXT = obj(text("log_id", "event"), pair("data", _DATA))


def _entry(estate: Estate) -> Mapping[str, object]:
    return {"tenant": estate.okta_host, "from": "logs/auth0/*.jsonl"}


ALTERNATIVE = Emitter(
    format="auth0",
    reads="issuings",
    system="token",
    folder="logs/auth0",
    layout="lines",
    clock=pl.col("at").dt.truncate("1ms"),
    text=TEXT,
    native_id="event",
    file=pl.col("delivered_at").dt.strftime("%Y-%m-%d.jsonl"),
    entry=_entry,
    repeats=True,
)

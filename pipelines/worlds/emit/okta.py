"""What the token issuer did as Okta's System Log API gives it, one LogEvent a line, one file a day.

Source: the System Log API reference (LogEvent object) and the list of event types of Okta's documentation. Pages of
the API overlap, and events that come late are appended behind later ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from pipelines.worlds.emit.emitter import Emitter
from pipelines.worlds.emit.json_text import array, constant, moment, obj, pair, text, when
from pipelines.worlds.estate import Estate
from pipelines.worlds.populate import OKTA_ISSUER

SERVER = OKTA_ISSUER.rpartition("/")[2]
"""The org's custom authorization server."""


@dataclass(frozen=True)
class _Event:
    """How one kind of happening is told. `targets` are parts of `_TARGETS`, in order."""

    event_type: str
    message: str
    targets: tuple[str, ...]
    fails: bool = False


_EVENTS = {
    "token_granted": _Event(
        "app.oauth2.as.token.grant.access_token", "OAuth2 access token is granted", ("user", "token", "server")
    ),
    "token_refused": _Event("app.oauth2.as.token.grant", "OAuth2 token request", ("server",), fails=True),
    "token_revoked": _Event("app.oauth2.as.token.revoke", "OAuth2 token revocation request", ("token", "server")),
    "login": _Event("user.session.start", "User login to Okta", ()),
    "login_failed": _Event("user.session.start", "User login to Okta", (), fails=True),
    "key_created": _Event("app.oauth2.credentials.lifecycle.create", "OAuth2 client credential created", ("target",)),
    "app_created": _Event("application.lifecycle.create", "Create application", ("target",)),
    "app_granted": _Event(
        "application.user_membership.add", "Add user to application membership", ("target", "granted")
    ),
    "member_added": _Event("group.user_membership.add", "Add user to group membership", ("granted", "target")),
    "policy_changed": _Event("policy.rule.update", "Update policy rule", ("target",)),
    "log_exported": _Event("analytics.reports.export.download", "Export of a report downloaded", ("target",)),
}
"""The kinds of ISSUINGS. A kind that is not here is an event type by itself (`system.log_stream.lifecycle.delete`)."""

_BY_CLIENT = "(client_id IS NOT NULL)"
"""Whoever calls a token endpoint or an API with a client's credentials is the client; else it is the user."""


def _party(identity: str, kind: str, alternate: str, name: str, detail: str = "'null'") -> str:
    return obj(
        text("id", identity),
        text("type", kind),
        pair("alternateId", f"coalesce(CAST(to_json({alternate}) AS VARCHAR), 'null')"),
        text("displayName", name),
        pair("detailEntry", detail),
    )


_USER = _party("user_id", "'User'", "user_mail", "coalesce(user_name, user_mail, user_id)")
_CLIENT = _party("client_id", "'PublicClientApp'", "client_id", "coalesce(client_name, client_id)")
_NOBODY = _party("'unknown'", "'User'", "coalesce(user_mail, 'unknown')", "'unknown'")
_SYSTEM = _party("'unknown'", "'SystemPrincipal'", "'system@okta.com'", "'Okta System'")
_DETAIL = obj(
    text("expires", moment("expires_at", 3)),
    text("subject", "coalesce(user_mail, client_id)"),
    text("hash", "substr(to_base64(unhex(sha256(token_id))), 1, 22)"),
)
_TARGETS = {
    "user": when(f"{_BY_CLIENT} AND user_id IS NOT NULL", _USER),
    "token": when(
        "token_id IS NOT NULL", _party("token_id", "'access_token'", "CAST(NULL AS VARCHAR)", "'Access Token'", _DETAIL)
    ),
    "server": _party(f"'{SERVER}'", "'AuthorizationServer'", "CAST(NULL AS VARCHAR)", "'workers'"),
    "target": when(
        "target_id IS NOT NULL",
        _party("target_id", "coalesce(target_type, 'AppInstance')", "target_name", "coalesce(target_name, target_id)"),
    ),
    "granted": when(f"{_BY_CLIENT} AND user_id IS NOT NULL", _USER),
}


def _cases(value: Mapping[str, str], otherwise: str) -> str:
    cases = " ".join(f"WHEN '{kind}' THEN {sql}" for kind, sql in value.items())
    return f"CASE kind {cases} ELSE {otherwise} END"


def _told(field: str, otherwise: str) -> str:
    return _cases({kind: f"'{getattr(event, field)}'" for kind, event in _EVENTS.items()}, otherwise)


_TYPE = f"""CASE WHEN kind = 'key_created' AND target_type IN ('Token', 'ApiToken') THEN 'system.api_token.create'
    WHEN kind = 'app_granted' AND scopes IS NOT NULL THEN 'app.oauth2.as.consent.grant'
    ELSE {_told("event_type", "kind")} END"""
_FAILS = ", ".join(f"'{kind}'" for kind, event in _EVENTS.items() if event.fails)
_RESULT = f"CASE WHEN kind IN ({_FAILS}) OR reason IS NOT NULL THEN 'FAILURE' ELSE 'SUCCESS' END"
_REASON = """CASE kind WHEN 'login_failed' THEN coalesce(reason, 'INVALID_CREDENTIALS')
    WHEN 'token_refused' THEN coalesce(reason, 'no_matching_scope') ELSE reason END"""
_TARGET = _cases(
    {kind: array(*(_TARGETS[part] for part in event.targets)) if event.targets else "'[]'"
     for kind, event in _EVENTS.items()},
    array(_TARGETS["target"]),
)  # fmt: skip
_ACTOR = f"""CASE WHEN {_BY_CLIENT} THEN {_CLIENT} WHEN user_id IS NOT NULL THEN {_USER}
    WHEN kind = 'login_failed' THEN {_NOBODY} ELSE {_SYSTEM} END"""
_BROWSER = "starts_with(agent, 'Mozilla/')"
_PLACE = (
    '{"city":"Berlin","state":"Land Berlin","country":"Germany","postalCode":"10115",'
    '"geolocation":{"lat":52.53,"lon":13.38}}'
)
_PATH = f"CASE WHEN kind LIKE 'token_%' THEN '/oauth2/{SERVER}/v1/token' ELSE '/api/v1/' || replace(kind, '_', '-') END"

TEXT = obj(
    pair("actor", _ACTOR),
    pair("client", obj(
        pair("userAgent", obj(
            text("rawUserAgent", "coalesce(agent, '')"),
            text("os", when(_BROWSER, "'Mac OS X'", "'Unknown'")),
            text("browser", when(_BROWSER, "'CHROME'", "'UNKNOWN'")),
        )),
        constant("zone", '"null"'),
        text("device", when(_BROWSER, "'Computer'", "'Unknown'")),
        pair("id", "coalesce(CAST(to_json(client_id) AS VARCHAR), 'null')"),
        text("ipAddress", "address"),
        constant("geographicalContext", _PLACE),
    )),
    constant("device", "null"),
    pair("authenticationContext", obj(
        constant("authenticationProvider", "null"),
        constant("credentialProvider", "null"),
        constant("credentialType", "null"),
        constant("issuer", "null"),
        constant("interface", "null"),
        constant("authenticationStep", "0"),
        text("externalSessionId", "coalesce(session, 'unknown')"),
    )),
    text("displayMessage", _told("message", "replace(kind, '.', ' ')")),
    text("eventType", _TYPE),
    pair("outcome", obj(
        text("result", _RESULT),
        pair("reason", f"coalesce(CAST(to_json({_REASON}) AS VARCHAR), 'null')"),
    )),
    text("published", moment("logged_at", 3)),
    constant("securityContext",
             '{"asNumber":64500,"asOrg":"corp","isp":"corp","domain":".","isProxy":false}'),
    text("severity", when(f"{_RESULT} = 'SUCCESS'", "'INFO'", "'WARN'")),
    pair("debugContext", obj(pair("debugData", obj(
        text("requestId", "transaction"),
        text("grantType", "grant_type"),
        text("requestedScopes", "scopes"),
        text("grantedScopes", when("kind = 'token_granted'", "scopes")),
        text("requestUri", _PATH),
        text("url", f"({_PATH} || '?')"),
    )))),
    text("legacyEventType", f"({_TYPE} || '_' || lower({_RESULT}))"),
    pair("transaction", obj(constant("type", '"WEB"'), text("id", "transaction"), constant("detail", "{}"))),
    text("uuid", "event"),
    constant("version", '"0"'),
    pair("request", obj(pair("ipChain", array(obj(
        text("ip", "address"),
        constant("geographicalContext", _PLACE),
        constant("version", '"V4"'),
        constant("source", "null"),
    ))))),
    pair("target", f"coalesce(nullif({_TARGET}, '[]'), 'null')"),
)  # fmt: skip


def _entry(estate: Estate) -> Mapping[str, object]:
    return {"org": estate.okta_host, "from": "logs/okta/*.jsonl"}


EMITTER = Emitter(
    format="okta",
    reads="issuings",
    system="token",
    folder="logs/okta",
    layout="lines",
    clock=pl.col("at").dt.truncate("1ms"),
    text=TEXT,
    native_id="event",
    file=pl.col("delivered_at").dt.strftime("%Y-%m-%d.jsonl"),
    entry=_entry,
    repeats=True,
)

"""The DuckDB SQL behind `ocsf`: events to rows of fields, and those to actions and grants."""

from __future__ import annotations

from typing import Any

from pipelines.formats.record_sql import count_of, id_of, moment, port_of, texts
from pipelines.identifiers import Sql

_USER = {
    **texts("uid", "uuid", "uid_alt", "name", "type", "type_id", "email_addr", "credential_uid", "account_uid"),
    "account": texts("uid"),
}
_SESSION = texts("uid", "uuid", "issuer", "credential_uid", "expiration_time", "expiration_time_dt")
_MODEL = texts("name", "model_name", "ai_provider")
EVENT: dict[str, Any] = {
    **texts("class_uid", "activity_id", "activity_name", "time", "time_dt", "duration", "status", "status_id",
            "status_code", "status_detail", "action_id", "disposition_id", "type_name"),
    "metadata": {**texts("uid"), "product": texts("name", "vendor_name")},
    "actor": {**texts("app_uid", "app_name"), "user": _USER, "session": _SESSION},
    "user": _USER,
    "session": _SESSION,
    "api": {**texts("operation"), "service": texts("name"), "request": texts("uid"),
            "response": texts("code", "error", "error_message")},
    "cloud": {**texts("provider", "region", "account_uid", "project_uid"), "account": texts("uid")},
    "src_endpoint": texts("ip", "port"),
    "dst_endpoint": texts("ip", "port", "hostname", "domain"),
    "http_request": {**texts("user_agent", "http_method", "uid"),
                     "url": texts("hostname", "path", "port", "scheme", "url_string", "text")},
    "http_response": texts("code"),
    "traffic": texts("bytes_in", "bytes_out"),
    "resources": [texts("uid", "name", "type")],
    "resource": texts("uid", "name", "type"),
    "trace": texts("uid"),
    "ai_agent": {**texts("uid", "instance_uid"), "ai_model": _MODEL},
    "ai_model": _MODEL,
    "message_context": texts("prompt_tokens", "completion_tokens"),
    "delegation": texts("uid", "parent_uid", "issuer_uid", "created_time", "created_time_dt", "expiration_time",
                        "expiration_time_dt"),
}  # fmt: skip
"""Every path that is read."""

_URL = r"^(?:[A-Za-z][A-Za-z0-9+.-]*://)(?:[^/?#]*@)?(\[[^\]]*\]|[^:/?#]*)(?::([0-9]+))?(/[^?#]*)?"
_REFUSED = r"(?i)access.?denied|unauthori[sz]ed|forbidden|not.?authori[sz]ed|permission"


def _told(*places: str) -> str:
    """The first id of several places."""
    return f"coalesce({', '.join(id_of(place) for place in places)})"


_WHO = f"""CASE
    WHEN class_number // 1000 = 4 THEN {Sql.uid("proxy:user", "coalesce(user_name, user_id)", "realm")}
    WHEN provider = 'aws' THEN CASE
        WHEN regexp_matches(arn, '^arn:[^:]+:iam::[0-9]*:role/') THEN {Sql.uid("aws:role", "arn")}
        WHEN regexp_matches(arn, '^arn:[^:]+:iam::[0-9]*:user/') THEN {Sql.uid("aws:user", "arn")}
        ELSE {Sql.uid("aws:principal", "coalesce(nullif(aws_id, ''), user_id, user_name)")} END
    WHEN provider = 'gcp' AND contains(address, '@')
    THEN CASE WHEN address LIKE '%gserviceaccount.com' THEN {Sql.uid("gcp:sa", "address")}
              ELSE {Sql.uid("gcp:user", "address")} END
    WHEN provider = 'azure' THEN CASE WHEN u.type_id = '4' OR lower(u.type) LIKE '%service%'
                                      THEN {Sql.uid("azure:sp", "user_id")} ELSE {Sql.uid("azure:user", "user_id")} END
    ELSE {Sql.uid("ocsf:user", "coalesce(user_id, user_name, address)", "realm")} END"""
"""The principal of a user object, by the provider whose names it uses."""


def events_sql(authenticated: bool) -> str:
    """A row a record: `reason` and `skipped`, and the event's fields; who acted, with what, for whom."""
    acts = "coalesce(class_number // 1000 IN (3, 4, 6), false)"
    return f"""
        WITH classed AS (
            SELECT *, try_cast(e.class_uid AS INTEGER) AS class_number,
                   coalesce({moment("e.time")}, {moment("e.time_dt")}) AS time,
                   CASE WHEN regexp_matches(vendor, 'aws|amazon') THEN 'aws'
                        WHEN regexp_matches(vendor, 'gcp|google') THEN 'gcp'
                        WHEN regexp_matches(vendor, 'azure|microsoft|entra') THEN 'azure' END AS provider,
                   regexp_extract(coalesce(e.http_request.url.url_string, e.http_request.url.text), '{_URL}',
                                  ['host', 'port', 'path']) AS aim
            FROM (SELECT *, lower(coalesce(e.cloud.provider, e.metadata.product.vendor_name, '')) AS vendor
                  FROM parsed)
        ),
        chosen AS (
            -- Of a logon `user` is who is let in; `actor` may be a service that asks on his behalf.
            SELECT *, CASE WHEN of_user THEN e."user" ELSE e.actor."user" END AS u,
                   CASE WHEN of_user THEN e.session ELSE e.actor.session END AS s
            FROM (SELECT *, coalesce(class_number = 3002 AND coalesce(e."user".uid, e."user".name,
                                     e."user".email_addr) IS NOT NULL, false) AS of_user FROM classed)
        ),
        spelled AS (
            SELECT *, {id_of("u.uid")} AS user_id, {id_of("u.name")} AS user_name,
                   list_filter([s.issuer, u.uid, u.uuid, u.uid_alt], t -> starts_with(t, 'arn:'))[1] AS arn,
                   regexp_extract(concat_ws(' ', u.uid, u.uid_alt), '\\b(A(?:ROA|IDA)[A-Z0-9]+)', 1) AS aws_id,
                   coalesce(list_filter([u.email_addr, u.name, u.uid], t -> contains(t, '@'))[1], u.email_addr)
                       AS address
            FROM chosen
        ),
        named AS (
            SELECT *, {id_of("e.metadata.uid")} AS native_id,
                   coalesce({_WHO}, {Sql.uid("ocsf:app", _told("e.actor.app_uid", "e.actor.app_name"), "realm")})
                       AS person,
                   {Sql.uid("ocsf:agent", id_of("e.ai_agent.uid"), "realm")} AS agent,
                   {_told("e.session.uid", "e.session.uuid", "e.actor.session.uid", "e.actor.session.uuid")}
                       AS session_id,
                   {_told("e.actor.user.credential_uid", "e.actor.session.credential_uid", "e.user.credential_uid")}
                       AS credential_id,
                   {
        _told("e.ai_agent.ai_model.model_name", "e.ai_agent.ai_model.name", "e.ai_model.model_name", "e.ai_model.name")
    } AS model,
                   {Sql.uid("ocsf:delegation", id_of("e.delegation.uid"), "realm")} AS delegation,
                   {_told("e.http_response.code", "e.status_code", "e.api.response.code")} AS code,
                   coalesce(e.api.response.error, e.api.response.error_message, e.status_detail) AS said
            FROM spelled
        ),
        judged AS (
            SELECT *, coalesce(agent, person) AS principal,
                   CASE WHEN agent IS NOT NULL THEN person END AS delegator,
                   {Sql.uid("ocsf:session", "session_id", "realm")} AS session_uid,
                   CASE WHEN regexp_matches(credential_id, '^A(KIA|SIA)[A-Z0-9]+$')
                        THEN {Sql.uid("aws:key", "credential_id")}
                        ELSE {Sql.uid("ocsf:credential", "credential_id", "realm")} END AS credential,
                   CASE WHEN class_number // 1000 = 4 THEN 'proxy' WHEN class_number // 1000 = 3 THEN 'token'
                        WHEN model IS NOT NULL AND e.api.operation IS NULL THEN 'model' ELSE 'cloud' END AS kind,
                   CASE WHEN e.action_id = '2' OR e.disposition_id = '2' OR code IN ('401', '403', '407')
                             OR ((e.status_id = '2' OR lower(e.status) = 'failure')
                                 AND regexp_matches(concat_ws(' ', code, said), '{_REFUSED}')) THEN 'denied'
                        WHEN e.status_id = '2' OR lower(e.status) = 'failure' OR try_cast(code AS INTEGER) >= 400
                        THEN 'failure'
                        WHEN e.status_id = '1' OR lower(e.status) = 'success'
                             OR try_cast(code AS INTEGER) BETWEEN 100 AND 399 THEN 'success'
                        ELSE 'unknown' END AS outcome_word
            FROM named
        )
        SELECT *,
               CASE WHEN {"NOT coalesce(code IN ('401', '407'), false)" if authenticated else "false"}
                         AND principal IS NOT NULL
                         AND (class_number <> 3002 OR outcome_word = 'success') THEN 'proven' ELSE 'asserted' END
                   AS strength,
               coalesce(valid AND class_number IS NOT NULL AND NOT {acts}, false) AS skipped,
               CASE WHEN NOT valid THEN 'not a JSON object, as an OCSF event is'
                    WHEN class_number IS NULL THEN 'the key "class_uid" is missing or no number'
                    WHEN NOT {acts}
                    THEN 'class ' || class_number || ' tells of no act: only 3xxx, 4xxx and 6xxx are read'
                    WHEN e.time IS NULL AND e.time_dt IS NULL THEN 'the key "time" is missing'
                    WHEN time IS NULL THEN 'the key "time" is no time in milliseconds since 1970' END AS reason
        FROM judged
    """


_RESOURCES = "coalesce(e.resources, CASE WHEN e.resource IS NOT NULL THEN [e.resource] END, [])"
_UIDS = f"list_filter(list_transform({_RESOURCES}, r -> coalesce(r.uid, r.name)), u -> u <> '')"
_LOGON = "class_number = 3002 AND (e.activity_id = '1' OR lower(e.activity_name) = 'logon')"
_PROXY = "kind = 'proxy'"

COLUMNS = {
    "category": "kind",
    "time": "time",
    "time_kind": "'logged'",
    "time_precision": "'1ms'",
    "class_uid": "class_number",
    "activity": "coalesce(e.activity_name, CASE WHEN e.activity_id IS NOT NULL THEN 'Other' END)",
    "api_service": f"""CASE WHEN NOT {_PROXY} THEN coalesce(e.api.service.name, e.ai_model.ai_provider,
        e.ai_agent.ai_model.ai_provider, lower(e.metadata.product.name)) END""",
    "api_operation": f"""CASE WHEN NOT {_PROXY}
        THEN coalesce(e.api.operation, CASE WHEN kind = 'model' THEN 'invoke' END, e.activity_name, e.type_name) END""",
    "principal": "principal",
    "principal_type": "CASE WHEN agent IS NOT NULL THEN 'agent' WHEN principal IS NOT NULL"
    " THEN coalesce(lower(e.actor.user.type), lower(e.user.type), 'user') END",
    "credential_uid": "coalesce(credential, delegation, session_uid)",
    "credential_type": "CASE WHEN credential IS NOT NULL THEN 'key' WHEN delegation IS NOT NULL THEN 'delegation'"
    " WHEN session_uid IS NOT NULL THEN 'session' END",
    "session_uid": "session_uid",
    "identity_strength": "strength",
    "session_name": "e.ai_agent.instance_uid",
    "delegator": "delegator",
    "delegator_strength": "CASE WHEN delegator IS NOT NULL THEN strength END",
    "obtains": f"CASE WHEN {_LOGON} THEN 'self' END",
    "src_ip": "e.src_endpoint.ip",
    "src_port": port_of("e.src_endpoint.port"),
    "user_agent": "e.http_request.user_agent",
    "http_method": "e.http_request.http_method",
    "dst_host": "coalesce(e.http_request.url.hostname, nullif(aim.host, ''), e.dst_endpoint.hostname,"
    " e.dst_endpoint.domain)",
    "dst_port": f"""coalesce({port_of("e.http_request.url.port")}, {port_of("aim.port")},
        {port_of("e.dst_endpoint.port")},
        CASE lower(e.http_request.url.scheme) WHEN 'https' THEN 443 WHEN 'http' THEN 80 END)""",
    "dst_ip": "e.dst_endpoint.ip",
    "url_path": "coalesce(e.http_request.url.path, nullif(aim.path, ''))",
    "status": "outcome_word",
    "status_code": "code",
    "error": "CASE WHEN outcome_word <> 'success' THEN said END",
    "duration_ms": count_of("e.duration"),
    "bytes_out": count_of("e.traffic.bytes_out"),
    "bytes_in": count_of("e.traffic.bytes_in"),
    "resource_type": f"{_RESOURCES}[1].type",
    "resource_uid": f"coalesce({_UIDS}[1], CASE WHEN kind = 'model' THEN model END)",
    "resources": f"CASE WHEN len({_UIDS}) > 0 THEN {_UIDS} END",
    "account": "coalesce(e.cloud.account.uid, e.cloud.account_uid, e.cloud.project_uid, e.actor.user.account.uid,"
    " e.actor.user.account_uid)",
    "region": "e.cloud.region",
    "request_uid": _told("e.api.request.uid", "e.http_request.uid"),
    "trace_uid": f"'trace:id/' || {id_of('e.trace.uid')}",
    "model": "model",
    "tokens_in": count_of("e.message_context.prompt_tokens"),
    "tokens_out": count_of("e.message_context.completion_tokens"),
}
"""Every action column that this format fills, as SQL over the fields."""

_ENDS = "class_number = 3002 AND (e.activity_id = '2' OR lower(e.activity_name) = 'logoff')"
_SESSION_ENDS = f"coalesce({moment('e.session.expiration_time')}, {moment('e.session.expiration_time_dt')})"
_DELEGATED = f"coalesce({moment('e.delegation.created_time')}, {moment('e.delegation.created_time_dt')}, time)"
_LAPSES = f"coalesce({moment('e.delegation.expiration_time')}, {moment('e.delegation.expiration_time_dt')})"

GRANTS = f"""
    WITH worked AS (SELECT * FROM events WHERE reason IS NULL AND outcome_word NOT IN ('failure', 'denied')),
    found AS (
        SELECT record_id, 'issue' AS kind, 'Logon' AS mechanism, principal AS parent_uid, session_uid AS child_uid,
               principal, delegator, CASE WHEN delegator IS NOT NULL THEN strength END AS delegator_strength,
               time AS issued_at, {_SESSION_ENDS} AS expires_at, strength
        FROM worked WHERE {_LOGON} AND outcome_word = 'success'
        UNION ALL
        SELECT record_id, 'revoke', 'Logoff', NULL, session_uid, principal, NULL, NULL, time, NULL, strength
        FROM worked WHERE {_ENDS} AND outcome_word = 'success'
        UNION ALL
        SELECT record_id, 'issue', 'delegation',
               {Sql.uid("ocsf:delegation", id_of("e.delegation.parent_uid"), "realm")}, delegation,
               principal, delegator, CASE WHEN delegator IS NOT NULL THEN strength END, {_DELEGATED}, {_LAPSES},
               CASE WHEN {id_of("e.delegation.issuer_uid")} IS NULL THEN 'asserted' ELSE strength END
        FROM worked
    )
    SELECT DISTINCT * FROM found
    WHERE child_uid IS NOT NULL AND (kind = 'revoke' OR parent_uid <> child_uid)
"""
"""Rows of GRANTS_OUT from `events`."""

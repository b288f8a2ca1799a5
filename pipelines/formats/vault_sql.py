"""The DuckDB SQL behind `vault`: audit lines to rows of fields, and those to actions."""

from __future__ import annotations

from collections.abc import Mapping

import duckdb
import pyarrow as pa

from pipelines.formats.record_sql import IDLE, TEXTS, moment, one_of, parse, port_of, scalar, texts, told
from pipelines.identifiers import Sql

_AUTH = {
    **texts("accessor", "entity_id", "token_ttl", "token_issue_time"),
    "metadata": texts(
        "role", "role_name", "service_account_name", "service_account_namespace", "sub", "jti", "canonical_arn"
    ),
}
_LINE = {
    **texts("time", "type", "error"),
    "auth": _AUTH,
    "request": {
        **texts("id", "operation", "mount_type", "mount_point", "client_token_accessor", "path", "remote_address"),
        **texts("remote_port"),
        "namespace": texts("path"),
        "data": texts("lease_id", "accessor", "disabled"),
        "headers": {"user-agent": TEXTS},
    },
    "response": {
        **texts("mount_type"),
        "auth": _AUTH,
        "secret": texts("lease_id"),
        "data": texts("error", "access_key"),
        "wrap_info": texts("ttl", "accessor", "creation_time", "wrapped_accessor"),
    },
}
"""Every path that is read, once a record."""

_TELLING = r'"response"'
"""A word without which a line can hold no grant."""


def read(
    connection: duckdb.DuckDBPyConnection,
    records: pa.Table,
    issuers: Mapping[str, str],
    only_telling: bool = False,
) -> None:
    """Make the table `events`: a row a record, and as `reason` why it is no action (`idle`: why it is skipped).

    With `only_telling`, records that can hold no grant are left out.
    """
    parse(connection, records, _LINE, f"contains(raw, '{_TELLING}')" if only_telling else "true")
    connection.execute("CREATE TEMP TABLE issuers (mount VARCHAR, issuer VARCHAR)")
    for mount, name in issuers.items():
        connection.execute("INSERT INTO issuers VALUES (?, ?)", [mount.strip("/"), name])
    connection.execute(f"CREATE TEMP TABLE events AS {_events()}")


def accessor(text: str) -> str:
    """SQL: a token, by its accessor as the device writes it (an HMAC, unless `hmac_accessor` is off)."""
    return Sql.uid("vault:accessor", scalar(text), "realm")


def entity(text: str) -> str:
    """SQL: an identity entity."""
    return Sql.uid("vault:entity", scalar(text), "realm")


_OIDC_ISSUER = Sql.issuer("issuer")

_IDENTITY = f"""CASE
    WHEN method = 'kubernetes' AND issuer IS NOT NULL
    THEN {Sql.uid("k8s:sa", "(m.service_account_namespace || '/' || m.service_account_name)", "issuer")}
    WHEN method IN ('jwt', 'oidc') AND issuer IS NOT NULL AND {scalar("m.jti")} IS NOT NULL
    THEN {Sql.uid("oauth:token", f"({_OIDC_ISSUER} || '#' || m.jti)")}
    WHEN method IN ('jwt', 'oidc') AND issuer IS NOT NULL AND starts_with(m.sub, 'spiffe://')
    THEN {Sql.uid("spiffe:id", "m.sub")}
    WHEN method IN ('jwt', 'oidc') AND issuer IS NOT NULL
    THEN {Sql.uid("oidc:subject", f"({_OIDC_ISSUER} || '#' || {scalar('m.sub')})")}
    WHEN method = 'aws' AND regexp_matches(m.canonical_arn, '^arn:[^:]+:iam::[0-9]+:(?:role|user)/')
    THEN 'aws:' || regexp_extract(m.canonical_arn, ':(role|user)/', 1) || '/' || m.canonical_arn END"""
"""Whom a login's method checked, in the name that the other system gives it."""

_ROLE = Sql.uid("vault:role", f"(mount || '/' || coalesce({scalar('m.role_name')}, {scalar('m.role')}))", "realm")
"""The role of the auth mount under which a login was let in."""


def _events() -> str:
    """A row a record: the line's fields, and who acted with what."""
    space = "coalesce(trim(e.request.namespace.path, '/') || '/', '')"
    return f"""
        WITH fields AS (
            SELECT record_id, realm, valid, e,
                   {scalar("e.type")} AS type, {scalar("e.request.id")} AS request_id,
                   e.time AS told_time, {moment("e.time")} AS time,
                   {scalar("e.request.operation")} AS operation,
                   {scalar("e.request.path")} AS path,
                   CASE WHEN {space} = '/' THEN '' ELSE {space} END AS space,
                   coalesce({scalar("e.response.mount_type")}, {scalar("e.request.mount_type")}) AS method,
                   nullif(e.error, '') AS error,
                   {one_of("e.type", ("response", "kmip-response"))} AS answered,
                   coalesce(regexp_matches(e.request.path, '^auth/token/create(?:-orphan)?(?:/|$)'), false) AS creates,
                   coalesce(starts_with(e.request.path, 'auth/') AND NOT starts_with(e.request.path, 'auth/token/')
                            AND (e.response.auth.accessor IS NOT NULL
                                 OR regexp_matches(e.request.path, '/(?:login|callback)(?:/|$)')), false) AS logs_in,
                   coalesce(e.response.auth, e.auth) AS given,
                   regexp_extract(e.request.remote_address, '^(\\[.*\\]|[^:]*):([0-9]+)$', ['ip', 'port']) AS place
            FROM parsed
        ),
        placed AS (
            SELECT *, given.metadata AS m,
                   space || rtrim(coalesce(nullif(e.request.mount_point, ''), regexp_extract(path, '^auth/[^/]+')), '/')
                       AS mount,
                   CASE WHEN error IS NOT NULL
                        THEN CASE WHEN contains(error, 'permission denied') THEN 'denied' ELSE 'failure' END
                        WHEN NOT answered THEN 'unknown'
                        WHEN logs_in AND given.accessor IS NULL AND e.response.wrap_info.accessor IS NULL
                             AND e.response.data.error IS NOT NULL THEN 'failure'
                        -- Either an answer that is an error, or a secret with a member of that name.
                        WHEN e.response.data.error IS NOT NULL THEN 'unknown'
                        ELSE 'success' END AS status
            FROM fields
        ),
        named AS (
            SELECT placed.*, issuers.issuer AS issuer,
                   CASE WHEN logs_in AND answered
                        THEN coalesce({accessor("e.response.auth.accessor")},
                                      {accessor("e.response.wrap_info.wrapped_accessor")},
                                      {accessor("e.auth.accessor")})
                        ELSE coalesce({accessor("e.request.client_token_accessor")}, {accessor("e.auth.accessor")})
                        END AS credential_uid,
                   CASE WHEN logs_in AND answered THEN {entity("given.entity_id")} ELSE {entity("e.auth.entity_id")} END
                       AS principal
            FROM placed LEFT JOIN issuers ON issuers.mount = placed.mount
        )
        SELECT *, {_IDENTITY} AS identity, {_ROLE} AS role,
               CASE WHEN NOT valid THEN 'not a JSON object, as an audit line is'
                    WHEN type IS NULL THEN 'the key "type" is missing or has no text'
                    WHEN NOT {one_of("type", ("request", "response", "kmip-request", "kmip-response"))}
                    THEN 'the key "type" is none that an audit device writes'
                    WHEN told_time IS NULL THEN 'the key "time" is missing or has no text'
                    WHEN time IS NULL THEN 'the key "time" is no RFC 3339 time'
                    WHEN operation IS NULL AND NOT starts_with(type, 'kmip-')
                    THEN 'the key "request.operation" is missing or has no text' END AS reason,
               CASE WHEN type = 'kmip-request' THEN 'a KMIP request: its response has a line of its own' END AS idle
        FROM named
    """


_OBTAINS = """CASE
    WHEN logs_in THEN 'self'
    WHEN creates AND answered AND status = 'success'
    THEN CASE WHEN nullif(e.response.auth.entity_id, '') IS NOT DISTINCT FROM nullif(e.auth.entity_id, '') THEN 'self'
              ELSE 'other' END
    WHEN regexp_matches(path, '^auth/.+/role/[^/]+/(?:custom-)?secret-id$') AND operation IN ('create', 'update')
    THEN 'other' END"""
"""A child token has its parent's entity, unless a token role gives it another; a secret id is an AppRole's password."""

_COLUMNS = {
    "time": "time",
    # The request is written before it is worked on, the response before it is sent.
    "time_kind": "CASE WHEN answered THEN 'end' ELSE 'start' END",
    "time_precision": "'1us'",
    "class_uid": "CASE WHEN logs_in OR path = 'auth/token/revoke-self' THEN 3002 ELSE 6003 END",
    "activity": """CASE WHEN logs_in THEN 'Logon' WHEN path = 'auth/token/revoke-self' THEN 'Logoff'
                        WHEN operation IN ('read', 'list', 'scan') THEN 'Read' WHEN operation = 'create' THEN 'Create'
                        WHEN operation IN ('update', 'patch') THEN 'Update' WHEN operation = 'delete' THEN 'Delete'
                        ELSE 'Other' END""",
    "api_service": "'vault'",
    "api_operation": "coalesce(operation, 'kmip')",
    "principal": "principal",
    "principal_type": "CASE WHEN principal IS NOT NULL THEN 'entity' END",
    "credential_uid": "credential_uid",
    "credential_type": "CASE WHEN credential_uid IS NOT NULL THEN 'token' END",
    "identity_strength": """CASE WHEN principal IS NULL OR (logs_in AND status <> 'success') THEN 'asserted'
                                 ELSE 'proven' END""",
    "obtains": _OBTAINS,
    "src_ip": "coalesce(nullif(place.ip, ''), e.request.remote_address)",
    "src_port": f"coalesce({port_of('e.request.remote_port')}, {port_of('place.port')})",
    "user_agent": """nullif(e.request.headers['user-agent'][1], '')""",
    "status": "status",
    "error": "CASE WHEN status IN ('denied', 'failure') THEN error END",
    "resource_type": "method",
    "resource_uid": "space || path",
    "account": "realm",
    "request_uid": "request_id",
    "twin_uid": f"'vault:' || {Sql.encode_realm('realm')} || ':' || request_id",
    "twin_rank": "CASE WHEN request_id IS NOT NULL THEN CASE WHEN answered THEN 0 ELSE 1 END END",
}
"""Every action column that this format fills, as SQL over the fields."""

ACTION_COLUMNS = frozenset(_COLUMNS)


def actions_sql(device: str | None) -> str:
    """A row a line, in the columns of ACTIONS_OUT that are filled."""
    by = "'@" + device.replace("'", "''") + "'" if device else "''"
    return told(_COLUMNS, IDLE, f"request_id || CASE WHEN answered THEN '' ELSE '/request' END || {by}")

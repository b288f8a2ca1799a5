"""What Vault's audit lines prove about credentials: tokens, wraps and leases given out, and their ends.

Only answers without an error count. A login leads up to whom its method checked, else to the role of the auth mount,
else to the entity. A wrapped response is a token of its own (`wrap_info.accessor`), and a token inside it comes from
it: whoever unwraps gets it, so that hop is `asserted`. A token with another entity than its maker's is made for
somebody else: `asserted` too.
"""

from __future__ import annotations

import duckdb
import pyarrow as pa

from pipelines.formats.record_sql import moment, scalar
from pipelines.formats.vault_sql import accessor, entity
from pipelines.identifiers import Sql


def _after(start: str, seconds: str) -> str:
    """SQL: the end of a time to live, null where it has none."""
    count = f"try_cast({seconds} AS INTEGER)"
    return f"CASE WHEN {count} > 0 THEN {start} + to_seconds({count}) END"


_LEASE_IN_PATH = "regexp_extract(path, '^sys/(?:leases/)?revoke/(.+)$', 1)"
_LEASE_IN_DATA = "CASE WHEN path IN ('sys/leases/revoke', 'sys/revoke') THEN e.request.data.lease_id END"

_TOLD = f"""
    SELECT record_id, realm, path, operation, method, logs_in, creates, time, credential_uid, principal,
           CASE WHEN logs_in THEN coalesce(identity, role, principal)
                ELSE coalesce(credential_uid, principal) END AS giver,
           {accessor("e.response.auth.accessor")} AS made,
           {entity("given.entity_id")} AS made_for,
           nullif(given.entity_id, '') IS NULL OR given.entity_id IS NOT DISTINCT FROM e.auth.entity_id AS for_itself,
           {moment("given.token_issue_time")} AS begun, e.response.auth.token_ttl AS lifetime,
           {accessor("e.response.wrap_info.accessor")} AS wrap,
           {accessor("e.response.wrap_info.wrapped_accessor")} AS wrapped,
           {moment("e.response.wrap_info.creation_time")} AS wrapped_at, e.response.wrap_info.ttl AS wrap_lifetime,
           {Sql.uid("vault:lease", scalar("e.response.secret.lease_id"), "realm")} AS lease,
           regexp_extract(e.response.data.access_key, '^(?:AKIA|ASIA)[A-Z0-9]{{12,}}$') AS access_key,
           CASE WHEN path = 'auth/token/revoke-accessor' THEN {accessor("e.request.data.accessor")} END AS ended_token,
           {Sql.uid("vault:lease", f"coalesce(nullif({_LEASE_IN_PATH}, ''), {_LEASE_IN_DATA})", "realm")}
               AS ended_lease,
           {entity("regexp_extract(path, '^identity/entity/id/([^/]+)$', 1)")} AS changed_entity,
           e.request.data.disabled AS disabled
    FROM events WHERE reason IS NULL AND idle IS NULL AND answered AND status = 'success'
"""
"""A row an answer that worked."""

_TOKENS = f"""
    SELECT record_id, 'issue' AS kind, CASE WHEN logs_in THEN concat_ws(' ', method, 'login') ELSE 'token create' END
               AS mechanism,
           coalesce(wrap, giver) AS parent_uid, coalesce(made, wrapped) AS child_uid,
           CASE WHEN logs_in OR made IS NOT NULL THEN made_for END AS principal, time AS issued_at,
           {_after("coalesce(begun, time)", "lifetime")} AS expires_at,
           CASE WHEN logs_in OR for_itself THEN 'proven' ELSE 'asserted' END AS strength
    FROM told WHERE (logs_in OR creates) AND coalesce(wrap, giver) IS NOT NULL
"""
"""A row a token that a login or a token gave rise to."""

_RENEWED = f"""
    SELECT record_id, 'issue', 'token renew', CAST(NULL AS VARCHAR), made, made_for, time, {_after("time", "lifetime")},
           'proven'
    FROM told WHERE regexp_matches(path, '^auth/token/renew(?:-self|-accessor)?(?:/|$)')
"""
"""A row a token that was given more time; it comes from nobody new."""

_WRAPS = f"""
    SELECT record_id, 'issue', 'wrap', giver, wrap, CAST(NULL AS VARCHAR), time,
           {_after("coalesce(wrapped_at, time)", "wrap_lifetime")}, 'asserted'
    FROM told WHERE giver IS NOT NULL
"""
"""A row a response that was wrapped: that is done to hand it to somebody else."""

_LEASES = """
    SELECT record_id, 'issue', concat_ws(' ', method, 'lease'), giver, lease, CAST(NULL AS VARCHAR), time,
           CAST(NULL AS TIMESTAMP), 'proven'
    FROM told WHERE giver IS NOT NULL AND NOT coalesce(starts_with(path, 'sys/'), false)
"""
"""A row a lease; `sys/leases/renew` names one too, but makes none."""

_AWS_KEYS = """
    SELECT record_id, 'issue', 'aws credentials', coalesce(lease, giver), 'aws:key/' || nullif(access_key, ''),
           CAST(NULL AS VARCHAR), time, CAST(NULL AS TIMESTAMP), 'proven'
    FROM told WHERE method = 'aws' AND coalesce(lease, giver) IS NOT NULL AND NOT starts_with(path, 'auth/')
"""
"""A row an AWS key, where the mount writes its id in the clear. A secret of that name elsewhere proves nothing."""

_ENDED = """
    SELECT record_id, 'revoke', 'revoke', CAST(NULL AS VARCHAR),
           coalesce(CASE WHEN path = 'auth/token/revoke-self' THEN credential_uid END, ended_token, ended_lease),
           CAST(NULL AS VARCHAR), time, CAST(NULL AS TIMESTAMP), 'proven'
    FROM told WHERE NOT coalesce(contains(ended_lease, '/hmac-sha256:'), false)
"""
"""A row a token or lease that was ended; a lease id behind an HMAC leads to none."""

_ENTITIES = """
    SELECT record_id, CASE WHEN operation <> 'delete' AND disabled = 'false' THEN 'issue' ELSE 'revoke' END,
           'entity ' || operation, CAST(NULL AS VARCHAR), changed_entity, CAST(NULL AS VARCHAR), time,
           CAST(NULL AS TIMESTAMP), 'proven'
    FROM told WHERE operation = 'delete' OR (operation <> 'read' AND disabled IN ('true', 'false'))
"""
"""A row an entity that was deleted or switched off, or on again: then it comes from nobody new either."""


def grants(connection: duckdb.DuckDBPyConnection) -> pa.Table:
    """Rows of GRANTS_OUT from the `events` that `vault_sql.read` made."""
    connection.execute(f"CREATE TEMP TABLE told AS {_TOLD}")
    kinds = (_TOKENS, _RENEWED, _WRAPS, _LEASES, _AWS_KEYS, _ENDED, _ENTITIES)
    return connection.execute(
        f"""
        WITH found AS ({" UNION ALL ".join(f"FROM ({kind})" for kind in kinds)})
        SELECT DISTINCT * FROM found WHERE child_uid IS NOT NULL AND child_uid IS DISTINCT FROM parent_uid
        """
    ).to_arrow_table()

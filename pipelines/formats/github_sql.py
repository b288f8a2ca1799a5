"""The DuckDB SQL behind `github`: audit events to rows of fields, and those to actions and grants."""

from __future__ import annotations

import duckdb
import pyarrow as pa

from pipelines.formats.record_sql import IDLE, moment, parse, scalar, texts, told
from pipelines.identifiers import Sql

_RUN = texts("workflow_run_id", "event")
_EVENT = {
    **texts("@timestamp", "created_at", "at_sign_timestamp", "_document_id", "action", "operation_type"),
    **texts("actor", "actor_id", "actor_is_bot", "actor_is_agent", "agent_session_id", "actor_ip", "user", "user_id"),
    **texts("user_agent", "hashed_token", "programmatic_access_type", "org", "business", "repo", "repository"),
    **texts("request_method", "route", "url_path", "status_code", "request_id", "github_request_id", "endpoint"),
    **_RUN,
    "data": _RUN,
}
"""Every path that is read, once a record; collectors that allow no `@` write `at_sign_timestamp`."""

_TELLING = r"agent_session_id|workflows\.|user\."
"""Words without which an event can hold no grant."""


def read(
    connection: duckdb.DuckDBPyConnection, records: pa.Table, managed_users: bool, only_telling: bool = False
) -> None:
    """Make the table `events`: a row a record, and as `reason` why it is no action (`idle`: why it is skipped).

    `managed_users`: nobody can change a login. With `only_telling`, records that can hold no grant are left out.
    """
    parse(connection, records, _EVENT, f"regexp_matches(raw, '{_TELLING}')" if only_telling else "true")
    connection.execute(f"CREATE TEMP TABLE events AS {_events(managed_users)}")


def _member(name: str) -> str:
    """A member of the event, or of the `data` that older exports nest it in."""
    return f"coalesce({scalar(f'e.{name}')}, {scalar(f'e.data.{name}')})"


def person(number: str, login: str) -> str:
    """SQL: a user by the number that stays, else by the login that may change."""
    return f"coalesce({Sql.uid('github:user', number)}, {Sql.uid('github:login', login)})"


def _events(managed_users: bool) -> str:
    """A row a record: the event's fields, and who acted with what."""
    told_time = """coalesce(e['@timestamp'], e.created_at, e.at_sign_timestamp)"""
    return f"""
        WITH fields AS (
            SELECT record_id, realm, valid, e,
                   {scalar("e._document_id")} AS document_id,
                   {scalar("e.action")} AS action,
                   {told_time} AS told_time, {moment(told_time)} AS time,
                   {scalar("e.actor")} AS actor, {scalar("e.actor_id")} AS actor_id,
                   coalesce(e.actor_is_agent = 'true', false) AS by_agent,
                   {scalar("e.agent_session_id")} AS agent_session,
                   {scalar('e."user"')} AS "user", {scalar("e.user_id")} AS user_id,
                   {scalar("e.hashed_token")} AS hashed_token,
                   coalesce({scalar("e.repo")}, {scalar("e.repository")}) AS repo,
                   coalesce({scalar("e.org")}, {scalar("e.business")}) AS account,
                   {_member("workflow_run_id")} AS run, {_member("event")} AS trigger,
                   try_cast(e.status_code AS INTEGER) AS code
            FROM parsed
        ),
        named AS (
            SELECT *, by_agent OR e.actor_is_bot = 'true' OR ends_with(actor, '[bot]') AS by_app,
                   regexp_replace(actor, '\\[bot\\]$', '') AS slug,
                   coalesce(starts_with(action, 'workflows.'), false) AS of_run,
                   {Sql.uid("github:run", "(repo || '#' || run)")} AS run_uid,
                   {Sql.uid("github:session", "agent_session")} AS agent_uid,
                   CASE WHEN by_agent THEN {person("user_id", '"user"')} END AS delegator
            FROM fields
        )
        SELECT *, {str(managed_users).lower()} AS managed,
               CASE WHEN by_app THEN {Sql.uid("github:app", "slug")}
                    ELSE {person("actor_id", "actor")} END AS principal,
               {Sql.uid("github:token", "hashed_token")} AS credential_uid,
               CASE WHEN by_agent THEN agent_uid
                    WHEN slug = 'github-actions' AND NOT of_run THEN run_uid END AS session_uid,
               {_status()} AS status,
               CASE WHEN NOT valid THEN 'not a JSON object, as an audit event is'
                    WHEN {_IS_USAGE} THEN NULL
                    WHEN action IS NULL THEN 'the key "action" is missing or has no text'
                    WHEN told_time IS NULL THEN 'the keys "@timestamp" and "created_at" are missing or have no value'
                    WHEN time IS NULL THEN 'the key "@timestamp" or "created_at" is no time' END AS reason,
               CASE WHEN {_IS_USAGE} THEN 'a record of Copilot''s API usage, which the same stream carries' END AS idle
        FROM named
    """


_IS_USAGE = "coalesce(action IS NULL AND e.endpoint IS NOT NULL AND e.github_request_id IS NOT NULL, false)"


def _status() -> str:
    return """CASE WHEN code IN (401, 403) OR regexp_matches(action, '[.]rejected_') THEN 'denied'
        WHEN code >= 400 OR regexp_matches(action, '[.](?:failed_login|[a-z_]+_failed?)$') THEN 'failure'
        WHEN action = 'api.request' AND code IS NULL THEN 'unknown' ELSE 'success' END"""


_ACTIVITY = """CASE
    WHEN action IN ('user.login', 'user.failed_login') THEN 'Logon' WHEN action = 'user.logout' THEN 'Logoff'
    WHEN action = 'api.request' THEN CASE upper(e.request_method) WHEN 'GET' THEN 'Read' WHEN 'HEAD' THEN 'Read'
        WHEN 'POST' THEN 'Create' WHEN 'PUT' THEN 'Update' WHEN 'PATCH' THEN 'Update' WHEN 'DELETE' THEN 'Delete'
        ELSE 'Other' END
    WHEN action IN ('git.clone', 'git.fetch') THEN 'Read' WHEN action = 'git.push' THEN 'Update'
    ELSE CASE e.operation_type WHEN 'create' THEN 'Create' WHEN 'access' THEN 'Read' WHEN 'modify' THEN 'Update'
        WHEN 'remove' THEN 'Delete' ELSE CASE
        WHEN regexp_matches(action, '[.](?:create|add)(?:_|$)') THEN 'Create'
        WHEN regexp_matches(action, '[.](?:delete|destroy|remove)(?:_|$)') THEN 'Delete'
        WHEN regexp_matches(action, '[.](?:update|enable|disable|change|transfer|rename)(?:_|$)') THEN 'Update'
        WHEN regexp_matches(action, '[.](?:download|export|access|view)(?:_|$)') THEN 'Read' ELSE 'Other' END END END"""


def _strength(text: str) -> str:
    """SQL: a login may be changed, and then another may take it."""
    return f"CASE WHEN starts_with({text}, 'github:login/') AND NOT managed THEN 'asserted' ELSE 'proven' END"


_COLUMNS = {
    "time": "time",
    "time_kind": "'logged'",
    "time_precision": "'1ms'",
    "class_uid": "CASE WHEN action IN ('user.login', 'user.failed_login', 'user.logout') THEN 3002 ELSE 6003 END",
    "activity": _ACTIVITY,
    "api_service": "'github'",
    "api_operation": "action",
    "principal": "principal",
    "principal_type": """CASE WHEN principal IS NULL THEN NULL WHEN by_agent THEN 'agent' WHEN by_app THEN 'app'
                              ELSE 'user' END""",
    "credential_uid": "credential_uid",
    "credential_type": "CASE WHEN hashed_token IS NOT NULL THEN coalesce(e.programmatic_access_type, 'token') END",
    "session_uid": "session_uid",
    "identity_strength": f"""CASE WHEN principal IS NULL OR action = 'user.failed_login' THEN 'asserted'
                                  ELSE {_strength("principal")} END""",
    # GitHub itself says who began an agent's session.
    "delegator": "delegator",
    "delegator_strength": f"CASE WHEN delegator IS NOT NULL THEN {_strength('delegator')} END",
    "obtains": """CASE WHEN action IN ('deploy_key.create', 'integration.generate_client_secret',
                                       'oauth_application.generate_client_secret') THEN 'other'
                       WHEN action IN ('user.login', 'user.failed_login') THEN 'self' END""",
    "src_ip": "e.actor_ip",
    "user_agent": "nullif(e.user_agent, '')",
    "http_method": "upper(nullif(e.request_method, ''))",
    "url_path": "coalesce(nullif(split_part(e.url_path, '?', 1), ''), nullif(e.route, ''))",
    "status": "status",
    "status_code": "CAST(code AS VARCHAR)",
    "resource_type": "CASE WHEN repo IS NOT NULL THEN 'repository' END",
    "resource_uid": "repo",
    "account": "account",
    "request_uid": f"coalesce({scalar('e.request_id')}, {scalar('e.github_request_id')})",
}
"""Every action column that this format fills, as SQL over the fields."""

ACTION_COLUMNS = frozenset(_COLUMNS)


def actions_sql() -> str:
    """A row an event, in the columns of ACTIONS_OUT that are filled."""
    return told(_COLUMNS, IDLE, "document_id")


_SESSIONS = f"""
    SELECT record_id, 'issue' AS kind, 'agent session' AS mechanism, delegator AS parent_uid, agent_uid AS child_uid,
           principal, delegator, {_strength("delegator")} AS delegator_strength, time AS issued_at,
           {_strength("delegator")} AS strength
    FROM told WHERE by_agent
"""
"""A row an event of an agent's session: whose it is."""

_RUNS = f"""
    SELECT record_id, 'issue', concat_ws(' ', 'workflow run', trigger),
           coalesce(credential_uid, session_uid, principal), run_uid, CAST(NULL AS VARCHAR), delegator,
           CASE WHEN delegator IS NOT NULL THEN {_strength("delegator")} END, time,
           CASE WHEN credential_uid IS NULL AND session_uid IS NULL THEN {_strength("principal")} ELSE 'proven' END
    FROM told WHERE action = 'workflows.created_workflow_run'
"""
"""A row a run that was started; it ends no credential when it completes, since it may be run again."""

_ENDED = f"""
    SELECT record_id, CASE action WHEN 'user.unsuspend' THEN 'issue' ELSE 'revoke' END, action, CAST(NULL AS VARCHAR),
           {Sql.uid("github:user", "user_id")}, CAST(NULL AS VARCHAR), CAST(NULL AS VARCHAR), CAST(NULL AS VARCHAR),
           time, 'proven'
    FROM told WHERE action IN ('user.suspend', 'user.destroy', 'user.unsuspend')
"""
"""A row a user that was switched off, or on again."""

GRANTS = f"""
    WITH told AS MATERIALIZED (FROM events WHERE reason IS NULL AND idle IS NULL AND status = 'success'),
    found AS (FROM ({_SESSIONS}) UNION ALL FROM ({_RUNS}) UNION ALL FROM ({_ENDED}))
    SELECT DISTINCT * FROM found
    WHERE child_uid IS NOT NULL AND child_uid IS DISTINCT FROM parent_uid
        AND (kind = 'revoke' OR parent_uid IS NOT NULL OR mechanism = 'user.unsuspend')
"""
"""Rows of GRANTS_OUT from the `events` that `read` made."""

"""The DuckDB SQL behind `spire`: log lines to rows of fields, and those to actions and grants."""

from __future__ import annotations

import duckdb
import pyarrow as pa

from pipelines.formats.record_sql import IDLE, is_object, moment, port_of, structure, texts, told
from pipelines.identifiers import Sql

_KEYS = (
    "time", "level", "msg", "type", "status", "status_code", "status_message", "error", "service", "method",
    "request_id", "authorized_as", "caller_id", "caller_addr", "caller_uid", "entry_id", "spiffe_id", "agent_id",
    "node_attestor_type", "expires_at", "expiration", "trust_domain_id",
)  # fmt: skip
"""Every key that is read."""

_VALUE = r'"(?:[^"\\]|\\.)*"|[^\s"]*'
_PAIR = rf"([A-Za-z0-9_.-]+)=({_VALUE})"
_LOGFMT = rf"^{_PAIR}(?: {_PAIR})*\s*$".replace("([A-Za", "(?:[A-Za").replace(rf"({_VALUE})", f"(?:{_VALUE})")

SIGNED = ("Signed X509 SVID", "Server CA successfully signed JWT SVID")
_ATTESTED = "Agent attestation request completed"
_REFUSED = "Failed to authenticate caller"
_ISSUING = ("BatchNewX509SVID", "NewJWTSVID", "MintX509SVID", "MintJWTSVID", "AttestAgent")


def read(connection: duckdb.DuckDBPyConnection, records: pa.Table) -> None:
    """Make the table `events`: a row a record, and as `reason` why it is no action (`idle`: why it is skipped)."""
    connection.register("records", records)
    connection.execute(f"CREATE TEMP TABLE parsed AS {_parsed()}")
    connection.execute(f"CREATE TEMP TABLE events AS {_events()}")


def _parsed() -> str:
    """A row a record: its keys, out of JSON or of logfmt. Pairs are read one behind the other, so none is found within
    the quoted value of another.
    """
    fields = ", ".join(f"nullif({_either(key)}, '') AS {_named(key)}" for key in _KEYS)
    hyphens = texts(*_KEYS, *map(_hyphened, _KEYS))
    return f"""
        SELECT record_id, realm, is_json, is_logfmt, {fields}
        FROM (
            SELECT record_id, realm, {is_object("raw")} AS is_json, {structure("raw", hyphens)} AS e,
                   regexp_matches(raw, '{_LOGFMT}') AS is_logfmt,
                   CASE WHEN regexp_matches(raw, '{_LOGFMT}') THEN regexp_extract_all(raw, '{_PAIR}', 1) END AS keys,
                   CASE WHEN regexp_matches(raw, '{_LOGFMT}') THEN regexp_extract_all(raw, '{_PAIR}', 2) END AS vals
            FROM records
        )
    """


def _hyphened(key: str) -> str:
    """How older servers write a key about the caller."""
    return key.replace("_", "-") if key.startswith("caller_") else key


def _either(key: str) -> str:
    return _of(key) if _hyphened(key) == key else f"coalesce({_of(key)}, {_of(_hyphened(key))})"


def _named(key: str) -> str:
    return "kind" if key == "type" else key


def _of(key: str) -> str:
    found = f"vals[list_position(keys, '{key}')]"
    # Go's quotes: a doubled backslash hides behind chr(1) while the other escapes are undone.
    bare = f"replace(substr({found}, 2, length({found}) - 2), '\\\\', chr(1))"
    undone = f"replace(replace(replace({bare}, '\\\"', '\"'), '\\n', chr(10)), chr(1), '\\')"
    return f"coalesce(e['{key}'], CASE WHEN starts_with({found}, '\"') THEN {undone} ELSE {found} END)"


def _spiffe(text: str) -> str:
    """SQL: a SPIFFE ID, null where `text` is none."""
    return f"CASE WHEN starts_with({text}, 'spiffe://') THEN 'spiffe:id/' || {text} END"


def _events() -> str:
    """A row a record: what the line tells of."""
    signed = ", ".join(f"'{message}'" for message in SIGNED)
    issuing = ", ".join(f"'{method}'" for method in _ISSUING)
    return f"""
        WITH told AS (
            SELECT *, {moment("time")} AS logged_at,
                   CASE WHEN kind = 'audit' AND msg = 'API accessed' THEN 'audit'
                        WHEN msg IN ({signed}) AND method IS NOT NULL THEN 'signed'
                        WHEN msg = '{_ATTESTED}' THEN 'attested'
                        WHEN msg = '{_REFUSED}' AND method IS NOT NULL THEN 'refused' END AS tells,
                   coalesce({moment("expires_at")}, {moment("expiration")}) AS expires,
                   regexp_extract(caller_addr, '^(\\[.*\\]|[^:]*):([0-9]+)$', ['ip', 'port']) AS place
            FROM parsed
        )
        SELECT *,
               coalesce({_spiffe("caller_id")}, {Sql.uid("spire:local", "caller_uid", "realm")}) AS principal,
               {_spiffe("spiffe_id")} AS identity, {_spiffe("agent_id")} AS agent,
               {Sql.uid("spire:entry", "entry_id", "realm")} AS entry,
               coalesce(method, CASE WHEN tells = 'attested' THEN 'AttestAgent' END) AS operation,
               {_status()} AS outcome_told,
               CASE WHEN method = 'BatchNewX509SVID'
                    THEN 'spire:' || {Sql.encode_realm("realm")} || ':' || request_id || ':' || entry_id
                    WHEN coalesce(method, 'AttestAgent') IN ({issuing})
                    THEN 'spire:' || {Sql.encode_realm("realm")} || ':' || request_id END AS twin,
               CASE WHEN NOT is_json AND NOT is_logfmt THEN 'neither logfmt nor a JSON object, as a SPIRE log line is'
                    WHEN msg IS NULL THEN 'the key "msg" is missing or empty'
                    WHEN tells IS NULL THEN NULL
                    WHEN time IS NULL THEN 'the key "time" is missing or empty'
                    WHEN logged_at IS NULL THEN 'the key "time" is no RFC 3339 time'
                    WHEN method IS NULL AND tells <> 'attested' THEN 'the key "method" is missing or empty'
                    END AS reason,
               CASE WHEN msg IS NOT NULL AND tells IS NULL THEN 'a line of the server itself: it tells of no call' END
                   AS idle
        FROM told
    """


def _status() -> str:
    """gRPC's codes 7 and 16 are numbers in JSON and names in logfmt."""
    return """CASE WHEN tells = 'refused' OR status_code IN ('PermissionDenied', 'Unauthenticated', '7', '16')
             THEN 'denied' WHEN status = 'error' OR level IN ('error', 'warning') THEN 'failure'
        WHEN tells = 'audit' AND status IS DISTINCT FROM 'success' THEN 'unknown' ELSE 'success' END"""


_COLUMNS = {
    "time": "logged_at",
    "time_kind": "'logged'",
    "time_precision": "'1s'",
    "class_uid": "6003",
    "activity": """CASE WHEN regexp_matches(operation, '^(?:Batch)?(?:Create|New|Mint|Attest|Renew)') THEN 'Create'
                        WHEN regexp_matches(operation, '^(?:Batch)?(?:Get|List|Count)') THEN 'Read'
                        WHEN regexp_matches(operation, '^(?:Batch)?(?:Update|Set|Append|Ban)') THEN 'Update'
                        WHEN regexp_matches(operation, '^(?:Batch)?Delete') THEN 'Delete' ELSE 'Other' END""",
    "api_service": "'spire'",
    "api_operation": "operation",
    "principal": "principal",
    "principal_type": """CASE WHEN starts_with(principal, 'spire:local/') THEN 'local'
                              WHEN principal IS NOT NULL THEN coalesce(authorized_as, 'workload') END""",
    # A caller's SPIFFE ID is out of the certificate that its connection was checked by.
    "identity_strength": "CASE WHEN principal IS NULL THEN 'asserted' ELSE 'proven' END",
    "obtains": """CASE WHEN operation IN ('AttestAgent', 'RenewAgent') THEN 'self'
                       WHEN operation IN ('MintX509SVID', 'MintJWTSVID', 'NewDownstreamX509CA', 'CreateJoinToken')
                       THEN 'other' END""",
    "src_ip": "nullif(place.ip, '')",
    "src_port": port_of("place.port"),
    "status": "outcome_told",
    "status_code": "status_code",
    "error": "CASE WHEN outcome_told IN ('denied', 'failure') THEN coalesce(status_message, error) END",
    "resource_type": "service",
    "resource_uid": "coalesce(spiffe_id, agent_id, entry_id, trust_domain_id)",
    "account": "realm",
    "request_uid": "request_id",
    "twin_uid": "twin",
    "twin_rank": "CASE WHEN twin IS NOT NULL THEN CASE tells WHEN 'audit' THEN 0 ELSE 1 END END",
}
"""Every action column that this format fills, as SQL over the fields."""

ACTION_COLUMNS = frozenset(_COLUMNS)


def actions_sql() -> str:
    """A row a line, in the columns of ACTIONS_OUT that are filled."""
    return told(_COLUMNS, IDLE, "CAST(NULL AS VARCHAR)")


_BY_HAND = "starts_with(operation, 'Mint')"

_ENTRIES = """
    SELECT record_id, 'issue' AS kind, operation AS mechanism, principal AS parent_uid, entry AS child_uid,
           logged_at AS issued_at, expires AS expires_at, 'proven' AS strength
    FROM told WHERE operation IN ('BatchNewX509SVID', 'NewJWTSVID')
"""
"""A row an SVID that an agent got for one of its entries."""

_IDENTITIES = f"""
    SELECT record_id, 'issue', operation, CASE WHEN {_BY_HAND} THEN principal ELSE coalesce(entry, principal) END,
           identity, logged_at, expires, CASE WHEN {_BY_HAND} THEN 'asserted' ELSE 'proven' END
    FROM told WHERE operation IN ('BatchNewX509SVID', 'NewJWTSVID', 'MintX509SVID', 'MintJWTSVID')
    UNION ALL
    SELECT record_id, 'issue', operation, entry, identity, logged_at, CAST(NULL AS TIMESTAMP), 'proven'
    FROM told WHERE operation IN ('BatchCreateEntry', 'BatchUpdateEntry')
"""
"""A row a SPIFFE ID that an SVID was issued for, or that an entry has; minting makes it for somebody else."""

_AGENTS = f"""
    SELECT record_id, 'issue', concat_ws(' ', 'AttestAgent', node_attestor_type),
           {Sql.uid("spire:attestor", "node_attestor_type", "realm")}, agent, logged_at, expires, 'proven'
    FROM told WHERE operation = 'AttestAgent'
"""
"""A row an agent that was let in."""

_ENDED = """
    SELECT record_id, 'revoke', operation, CAST(NULL AS VARCHAR),
           CASE WHEN operation = 'BatchDeleteEntry' THEN entry ELSE identity END, logged_at, CAST(NULL AS TIMESTAMP),
           'proven'
    FROM told WHERE operation IN ('BanAgent', 'DeleteAgent', 'BatchDeleteEntry')
"""
"""A row an agent or entry that was ended; SVIDs already given out live on until they expire."""

GRANTS = f"""
    WITH told AS MATERIALIZED (FROM events WHERE reason IS NULL AND idle IS NULL AND outcome_told = 'success'),
    found AS (FROM ({_ENTRIES}) UNION ALL FROM ({_IDENTITIES}) UNION ALL FROM ({_AGENTS}) UNION ALL FROM ({_ENDED}))
    SELECT DISTINCT * FROM found
    WHERE child_uid IS NOT NULL AND child_uid IS DISTINCT FROM parent_uid
        AND (kind = 'revoke' OR parent_uid IS NOT NULL)
"""
"""Rows of GRANTS_OUT from the `events` that `read` made."""
